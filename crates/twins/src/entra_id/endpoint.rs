//! The endpoints the twin serves: how a request is recognised, and which application permissions admit it.

use http::Method;
use serde::{Deserialize, Serialize};

use crate::endpoint::endpoints;

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

endpoints! {
    /// `POST /{tenant}/oauth2/v2.0/token`
    Token = "token",
    /// `GET /users/{id}`
    UserRead = "user_read",
    /// `GET /users`
    UserSearch = "user_search",
    /// `PATCH /users/{id}`; what it needs depends on the members it sets.
    UserUpdate = "user_update",
    /// `POST /users/{id}/revokeSignInSessions`
    RevokeSessions = "revoke_sessions",
    /// `GET /users/{id}/transitiveMemberOf/microsoft.graph.directoryRole`
    UserRoles = "user_roles",
    /// `POST /users/{id}/checkMemberGroups`; reading users is needed as well.
    MemberGroups = "member_groups",
    /// `GET /groups/{id}`
    GroupRead = "group_read",
    /// `GET /directoryRoles/{id}/members/microsoft.graph.user`
    RoleMembers = "role_members",
    /// `GET /domains/{name}`
    DomainRead = "domain_read",
    /// `GET /identityProtection/riskDetections`
    RiskDetections = "risk_detections",
    /// `GET /identityProtection/riskDetections/{id}`
    RiskDetection = "risk_detection",
    /// `GET /identityProtection/riskyUsers`
    RiskyUsers = "risky_users",
    /// `GET /identityProtection/riskyUsers/{id}`
    RiskyUser = "risky_user",
    /// `POST /identityProtection/riskyUsers/confirmCompromised`
    ConfirmCompromised = "confirm_compromised",
    /// `POST /identityProtection/riskyUsers/dismiss`
    DismissRisk = "dismiss_risk",
    /// `POST /subscriptions`
    SubscriptionCreate = "subscription_create",
    /// `PATCH /subscriptions/{id}`
    SubscriptionRenew = "subscription_renew",
    /// `DELETE /subscriptions/{id}`
    SubscriptionDelete = "subscription_delete",
    /// `POST /$batch`; its parts count at their own endpoints as well.
    Batch = "batch",
    /// Anything else.
    Unknown = "unknown",
}

/// What a request is for, and the id in its path. `path` is still percent-encoded, so that an encoded slash stays inside its segment.
pub(crate) fn recognise(method: &Method, path: &str) -> (Endpoint, String) {
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
        ("GET", ["v1.0", "identityProtection", "riskDetections", id]) => (E::RiskDetection, *id),
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
    (endpoint, id.to_owned())
}

/// Casts and actions are written with the namespace, with its alias, and actions also bare.
fn named(step: &str, name: &str) -> bool {
    let bare = step.strip_prefix("microsoft.graph.");
    bare.or_else(|| step.strip_prefix("graph."))
        .unwrap_or(step)
        .eq(name)
}

impl Endpoint {
    /// Any one of these admits a request; none needed when there are none. What `UserUpdate` needs depends on the members
    /// it sets.
    pub(crate) const fn needs(self) -> &'static [Permission] {
        match self {
            Self::UserRead | Self::UserSearch | Self::UserRoles => &[Permission::UserRead],
            Self::SubscriptionCreate | Self::SubscriptionRenew | Self::SubscriptionDelete => {
                &[Permission::UserRead]
            }
            Self::RevokeSessions => &[Permission::UserRevokeSessions],
            Self::MemberGroups | Self::GroupRead => &[Permission::GroupMemberRead],
            Self::RoleMembers => &[Permission::RoleRead],
            Self::DomainRead => &[Permission::DomainRead],
            Self::RiskDetections | Self::RiskDetection => &[Permission::RiskEventRead],
            Self::RiskyUsers | Self::RiskyUser => {
                &[Permission::RiskyUserRead, Permission::RiskyUserWrite]
            }
            Self::ConfirmCompromised | Self::DismissRisk => &[Permission::RiskyUserWrite],
            Self::Token | Self::UserUpdate | Self::Batch | Self::Unknown => &[],
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoded_slash_does_not_split_an_id() {
        let (endpoint, id) = recognise(&Method::GET, "/v1.0/users/a%2Fb%23EXT%23");
        assert_eq!(endpoint, Endpoint::UserRead);
        assert_eq!(id, "a/b#EXT#");
    }

    #[test]
    fn casts_and_actions_are_known_by_every_spelling() {
        for spelled in ["microsoft.graph.directoryRole", "graph.directoryRole"] {
            let path = format!("/v1.0/users/x/transitiveMemberOf/{spelled}");
            assert_eq!(recognise(&Method::GET, &path).0, Endpoint::UserRoles);
        }
        for spelled in [
            "revokeSignInSessions",
            "microsoft.graph.revokeSignInSessions",
        ] {
            let path = format!("/v1.0/users/x/{spelled}");
            assert_eq!(recognise(&Method::POST, &path).0, Endpoint::RevokeSessions);
        }
    }
}
