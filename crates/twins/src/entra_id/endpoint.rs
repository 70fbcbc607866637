//! The endpoints the twin serves: how a request is recognised, and which application permissions admit it.

use std::str::FromStr;

use http::Method;
use serde::{Deserialize, Serialize};

macro_rules! permissions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal;)*) => {
        /// Application permissions of Microsoft Graph that an app registration can be granted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Permission { $($(#[$doc])* #[serde(rename = $name)] $variant,)* }

        impl Permission {
            /// Every permission the twin knows.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name in the portal and in a token's `roles`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

permissions! {
    /// Read users.
    UserRead = "User.Read.All";
    /// Enable and disable accounts.
    UserEnableDisable = "User.EnableDisableAccount.All";
    /// End sign-in sessions.
    UserRevokeSessions = "User.RevokeSessions.All";
    /// Set passwords.
    UserPasswordProfile = "User-PasswordProfile.ReadWrite.All";
    /// Read directory roles and who holds them.
    RoleRead = "RoleManagement.Read.Directory";
    /// Read groups and who is in them.
    GroupMemberRead = "GroupMember.Read.All";
    /// Read domains.
    DomainRead = "Domain.Read.All";
    /// Read risk detections.
    RiskEventRead = "IdentityRiskEvent.Read.All";
    /// Read risky users.
    RiskyUserRead = "IdentityRiskyUser.Read.All";
    /// Confirm and dismiss the risk of users.
    RiskyUserWrite = "IdentityRiskyUser.ReadWrite.All";
}

macro_rules! endpoints {
    ($($(#[$doc:meta])* $variant:ident = $name:literal needs [$($permission:ident),*];)*) => {
        /// What a request is for. Fault rules and counters go by this.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Endpoint { $($(#[$doc])* #[serde(rename = $name)] $variant,)* }

        impl Endpoint {
            /// Every endpoint, in the order they are counted.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name in fault rules and listings.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Any one of these admits a request; none needed when there are none.
            pub(crate) const fn needs(self) -> &'static [Permission] {
                match self { $(Self::$variant => &[$(Permission::$permission),*],)* }
            }
        }
    };
}

endpoints! {
    /// `POST /{tenant}/oauth2/v2.0/token`
    Token = "token" needs [];
    /// `GET /users/{id}`
    UserRead = "user_read" needs [UserRead];
    /// `GET /users`
    UserSearch = "user_search" needs [UserRead];
    /// `PATCH /users/{id}`; what it needs depends on the members it sets.
    UserUpdate = "user_update" needs [];
    /// `POST /users/{id}/revokeSignInSessions`
    RevokeSessions = "revoke_sessions" needs [UserRevokeSessions];
    /// `GET /users/{id}/transitiveMemberOf/microsoft.graph.directoryRole`
    UserRoles = "user_roles" needs [UserRead];
    /// `POST /users/{id}/checkMemberGroups`; reading users is needed as well.
    MemberGroups = "member_groups" needs [GroupMemberRead];
    /// `GET /groups/{id}`
    GroupRead = "group_read" needs [GroupMemberRead];
    /// `GET /directoryRoles/{id}/members/microsoft.graph.user`
    RoleMembers = "role_members" needs [RoleRead];
    /// `GET /domains/{name}`
    DomainRead = "domain_read" needs [DomainRead];
    /// `GET /identityProtection/riskDetections`
    RiskDetections = "risk_detections" needs [RiskEventRead];
    /// `GET /identityProtection/riskDetections/{id}`
    RiskDetection = "risk_detection" needs [RiskEventRead];
    /// `GET /identityProtection/riskyUsers`
    RiskyUsers = "risky_users" needs [RiskyUserRead, RiskyUserWrite];
    /// `GET /identityProtection/riskyUsers/{id}`
    RiskyUser = "risky_user" needs [RiskyUserRead, RiskyUserWrite];
    /// `POST /identityProtection/riskyUsers/confirmCompromised`
    ConfirmCompromised = "confirm_compromised" needs [RiskyUserWrite];
    /// `POST /identityProtection/riskyUsers/dismiss`
    DismissRisk = "dismiss_risk" needs [RiskyUserWrite];
    /// `POST /subscriptions`
    SubscriptionCreate = "subscription_create" needs [UserRead];
    /// `PATCH /subscriptions/{id}`
    SubscriptionRenew = "subscription_renew" needs [UserRead];
    /// `DELETE /subscriptions/{id}`
    SubscriptionDelete = "subscription_delete" needs [UserRead];
    /// `POST /$batch`; its parts count at their own endpoints as well.
    Batch = "batch" needs [];
    /// Anything else.
    Unknown = "unknown" needs [];
}

/// A request's endpoint and the id in its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) endpoint: Endpoint,
    pub(crate) id: String,
}

impl Route {
    /// `path` is still percent-encoded, so that an encoded slash stays inside its segment.
    pub(crate) fn of(method: &Method, path: &str) -> Self {
        let steps: Vec<String> = path
            .trim_start_matches('/')
            .split('/')
            .map(crate::http::percent_decode)
            .collect();
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        use Endpoint as E;
        let (endpoint, id) = match (method.as_str(), steps.as_slice()) {
            ("POST", [tenant, "oauth2", "v2.0", "token"]) => (E::Token, *tenant),
            ("GET", ["v1.0", "users"]) => (E::UserSearch, ""),
            ("GET", ["v1.0", "users", id]) => (E::UserRead, *id),
            ("PATCH", ["v1.0", "users", id]) => (E::UserUpdate, *id),
            ("POST", ["v1.0", "users", id, action]) if named(action, "revokeSignInSessions") => {
                (E::RevokeSessions, *id)
            }
            ("GET", ["v1.0", "users", id, "transitiveMemberOf", cast])
                if named(cast, "directoryRole") =>
            {
                (E::UserRoles, *id)
            }
            ("POST", ["v1.0", "users", id, action]) if named(action, "checkMemberGroups") => {
                (E::MemberGroups, *id)
            }
            ("GET", ["v1.0", "groups", id]) => (E::GroupRead, *id),
            ("GET", ["v1.0", "directoryRoles", id, "members", cast]) if named(cast, "user") => {
                (E::RoleMembers, *id)
            }
            ("GET", ["v1.0", "domains", id]) => (E::DomainRead, *id),
            ("GET", ["v1.0", "identityProtection", "riskDetections"]) => (E::RiskDetections, ""),
            ("GET", ["v1.0", "identityProtection", "riskDetections", id]) => {
                (E::RiskDetection, *id)
            }
            ("GET", ["v1.0", "identityProtection", "riskyUsers"]) => (E::RiskyUsers, ""),
            ("GET", ["v1.0", "identityProtection", "riskyUsers", id]) => (E::RiskyUser, *id),
            ("POST", ["v1.0", "identityProtection", "riskyUsers", action]) => match *action {
                action if named(action, "confirmCompromised") => (E::ConfirmCompromised, ""),
                action if named(action, "dismiss") => (E::DismissRisk, ""),
                _ => (E::Unknown, ""),
            },
            ("POST", ["v1.0", "$batch"]) => (E::Batch, ""),
            ("POST", ["v1.0", "subscriptions"]) => (E::SubscriptionCreate, ""),
            ("PATCH", ["v1.0", "subscriptions", id]) => (E::SubscriptionRenew, *id),
            ("DELETE", ["v1.0", "subscriptions", id]) => (E::SubscriptionDelete, *id),
            _ => (E::Unknown, ""),
        };
        Self {
            endpoint,
            id: id.to_owned(),
        }
    }
}

/// Casts and actions are written with the namespace, with its alias, and actions also bare.
fn named(step: &str, name: &str) -> bool {
    let bare = step.strip_prefix("microsoft.graph.");
    bare.or_else(|| step.strip_prefix("graph."))
        .unwrap_or(step)
        .eq(name)
}

impl Endpoint {
    /// Whether it counts against the limit of Identity Protection.
    pub(crate) const fn is_identity_protection(self) -> bool {
        matches!(
            self,
            Self::RiskDetections
                | Self::RiskDetection
                | Self::RiskyUsers
                | Self::RiskyUser
                | Self::ConfirmCompromised
                | Self::DismissRisk
        )
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|endpoint| endpoint.name() == text);
        found
            .copied()
            .ok_or_else(|| format!("no endpoint named `{text}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoded_slash_does_not_split_an_id() {
        let route = Route::of(&Method::GET, "/v1.0/users/a%2Fb%23EXT%23");
        assert_eq!(route.endpoint, Endpoint::UserRead);
        assert_eq!(route.id, "a/b#EXT#");
    }

    #[test]
    fn casts_and_actions_are_known_by_every_spelling() {
        for spelled in ["microsoft.graph.directoryRole", "graph.directoryRole"] {
            let path = format!("/v1.0/users/x/transitiveMemberOf/{spelled}");
            assert_eq!(Route::of(&Method::GET, &path).endpoint, Endpoint::UserRoles);
        }
        for spelled in [
            "revokeSignInSessions",
            "microsoft.graph.revokeSignInSessions",
        ] {
            let path = format!("/v1.0/users/x/{spelled}");
            assert_eq!(
                Route::of(&Method::POST, &path).endpoint,
                Endpoint::RevokeSessions
            );
        }
    }
}
