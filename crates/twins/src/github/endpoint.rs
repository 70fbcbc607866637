//! The calls the twin knows, and what each of them needs.

use super::auth::Right;
use crate::endpoint::endpoints;
use crate::http::Request;

endpoints! {
    /// `POST /app/installations/{id}/access_tokens`
    InstallationToken = "installation_token",
    /// `GET /user`
    OwnUser = "own_user",
    /// `GET /users/{login}` and `GET /user/{id}`
    ReadUser = "read_user",
    /// `GET /orgs/{org}/memberships/{login}`
    ReadMembership = "read_membership",
    /// `PUT /orgs/{org}/memberships/{login}`
    SetMembership = "set_membership",
    /// `DELETE /orgs/{org}/memberships/{login}`
    RemoveMembership = "remove_membership",
    /// `GET /orgs/{org}/members`
    ListMembers = "list_members",
    /// `PUT /users/{login}/suspended`
    Suspend = "suspend",
    /// `DELETE /users/{login}/suspended`
    Unsuspend = "unsuspend",
    /// `GET /scim/v2/enterprises/{enterprise}/Users`
    FindManaged = "find_managed",
    /// `GET /scim/v2/enterprises/{enterprise}/Users/{id}`
    ReadManaged = "read_managed",
    /// `PATCH /scim/v2/enterprises/{enterprise}/Users/{id}`
    ChangeManaged = "change_managed",
    /// `GET /orgs/{org}/secret-scanning/alerts`
    SecretAlerts = "secret_alerts",
    /// Anything else.
    Unknown = "unknown",
}

impl Endpoint {
    pub(crate) const fn needs(self) -> Option<Right> {
        match self {
            Self::ReadMembership | Self::ListMembers => Some(Right::Members),
            Self::SetMembership | Self::RemoveMembership => Some(Right::MembersWrite),
            Self::Suspend | Self::Unsuspend => Some(Right::SiteAdmin),
            Self::FindManaged | Self::ReadManaged | Self::ChangeManaged => Some(Right::Scim),
            Self::SecretAlerts => Some(Right::SecretAlerts),
            Self::InstallationToken | Self::OwnUser | Self::ReadUser | Self::Unknown => None,
        }
    }
}

/// What a request is for, and whom its path names. An Enterprise Server's paths begin with `/api/v3`.
pub(crate) fn recognise(request: &Request) -> (Endpoint, String) {
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
    (endpoint, subject.to_owned())
}
