//! The calls the twin knows, and what each of them needs.

use serde::{Deserialize, Serialize};

use super::auth::Right;
use crate::http::Request;

macro_rules! endpoints {
    ($($(#[$doc:meta])* $variant:ident = $name:literal needs $right:expr;)*) => {
        /// What a request is for. Fault rules and counters go by this.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum Endpoint { $($(#[$doc])* $variant,)* }

        impl Endpoint {
            /// Every endpoint, in the order they are counted.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name as fault rules spell it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            pub(crate) const fn needs(self) -> Option<Right> {
                match self { $(Self::$variant => $right,)* }
            }
        }
    };
}

endpoints! {
    /// `POST /app/installations/{id}/access_tokens`
    InstallationToken = "installation_token" needs None;
    /// `GET /user`
    OwnUser = "own_user" needs None;
    /// `GET /users/{login}` and `GET /user/{id}`
    ReadUser = "read_user" needs None;
    /// `GET /orgs/{org}/memberships/{login}`
    ReadMembership = "read_membership" needs Some(Right::Members);
    /// `PUT /orgs/{org}/memberships/{login}`
    SetMembership = "set_membership" needs Some(Right::MembersWrite);
    /// `DELETE /orgs/{org}/memberships/{login}`
    RemoveMembership = "remove_membership" needs Some(Right::MembersWrite);
    /// `GET /orgs/{org}/members`
    ListMembers = "list_members" needs Some(Right::Members);
    /// `PUT /users/{login}/suspended`
    Suspend = "suspend" needs Some(Right::SiteAdmin);
    /// `DELETE /users/{login}/suspended`
    Unsuspend = "unsuspend" needs Some(Right::SiteAdmin);
    /// `GET /scim/v2/enterprises/{enterprise}/Users`
    FindManaged = "find_managed" needs Some(Right::Scim);
    /// `GET /scim/v2/enterprises/{enterprise}/Users/{id}`
    ReadManaged = "read_managed" needs Some(Right::Scim);
    /// `PATCH /scim/v2/enterprises/{enterprise}/Users/{id}`
    ChangeManaged = "change_managed" needs Some(Right::Scim);
    /// `GET /orgs/{org}/secret-scanning/alerts`
    SecretAlerts = "secret_alerts" needs Some(Right::SecretAlerts);
    /// Anything else.
    Unknown = "unknown" needs None;
}

/// A recognised request: what it is for and the last part of its path.
pub(crate) struct Call {
    pub(crate) endpoint: Endpoint,
    pub(crate) subject: String,
}

/// Recognises a request. An Enterprise Server's paths begin with `/api/v3`.
pub(crate) fn recognise(request: &Request) -> Call {
    let path = request
        .path
        .strip_prefix("/api/v3")
        .unwrap_or(&request.path);
    let parts: Vec<String> = path
        .split('/')
        .skip(1)
        .map(crate::http::percent_decode)
        .collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let method = request.method.as_str();
    let (endpoint, subject) = match (method, parts.as_slice()) {
        ("POST", ["app", "installations", id, "access_tokens"]) => {
            (Endpoint::InstallationToken, *id)
        }
        ("GET", ["user"]) => (Endpoint::OwnUser, ""),
        ("GET", ["user" | "users", who]) => (Endpoint::ReadUser, *who),
        ("PUT", ["users", who, "suspended"]) => (Endpoint::Suspend, *who),
        ("DELETE", ["users", who, "suspended"]) => (Endpoint::Unsuspend, *who),
        (_, ["orgs", super::ORGANIZATION, "memberships", who]) => match method {
            "GET" => (Endpoint::ReadMembership, *who),
            "PUT" => (Endpoint::SetMembership, *who),
            "DELETE" => (Endpoint::RemoveMembership, *who),
            _ => (Endpoint::Unknown, ""),
        },
        ("GET", ["orgs", super::ORGANIZATION, "members"]) => (Endpoint::ListMembers, ""),
        ("GET", ["orgs", super::ORGANIZATION, "secret-scanning", "alerts"]) => {
            (Endpoint::SecretAlerts, "")
        }
        ("GET", ["scim", "v2", "enterprises", super::ENTERPRISE, "Users"]) => {
            (Endpoint::FindManaged, "")
        }
        (_, ["scim", "v2", "enterprises", super::ENTERPRISE, "Users", id]) => match method {
            "GET" => (Endpoint::ReadManaged, *id),
            "PATCH" => (Endpoint::ChangeManaged, *id),
            _ => (Endpoint::Unknown, ""),
        },
        _ => (Endpoint::Unknown, ""),
    };
    Call {
        endpoint,
        subject: subject.to_owned(),
    }
}
