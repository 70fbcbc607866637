//! Replies of GitHub's APIs, as far as they are read.

use serde::{Deserialize, Deserializer};

use crate::lenient::{Flag, List, Text};

/// An error: of the REST API, or of SCIM.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Failure {
    pub(super) message: Text,
    pub(super) detail: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct InstallationToken {
    pub(super) token: Text,
    pub(super) expires_at: Text,
}

/// A user.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct User {
    pub(super) login: Text,
    pub(super) id: Text,
    pub(super) r#type: Text,
    pub(super) site_admin: Flag,
    /// Left out unless an administrator of the server asks; `null` when the user is not suspended.
    #[serde(deserialize_with = "said")]
    pub(super) suspended_at: Option<Text>,
}

/// Tells `null` from a member that is not there.
fn said<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Text>, D::Error> {
    Text::deserialize(from).map(Some)
}

/// A membership in an organization.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Membership {
    pub(super) state: Text,
    pub(super) role: Text,
}

impl Membership {
    pub(super) fn is_owner(&self) -> bool {
        self.role.raw() == Some("admin") && self.state.raw() == Some("active")
    }
}

/// Managed users that a filter found.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ManagedUsers {
    #[serde(rename = "Resources", default)]
    pub(super) resources: Vec<ManagedUser>,
}

/// A managed user.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct ManagedUser {
    pub(super) id: Text,
    #[serde(rename = "userName")]
    pub(super) user_name: Text,
    pub(super) active: Option<bool>,
    pub(super) roles: List<Role>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Role {
    pub(super) value: Text,
}
