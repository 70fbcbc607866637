//! Temporary passwords, as they go over the wire.

use jiff::Timestamp;
use quell_model::ActionId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An order to show a temporary password.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordRequest {}

/// A temporary password. It has no readable `Debug`.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct PasswordView {
    /// The action that set it.
    pub action: ActionId,
    /// Whose it is.
    pub account: String,
    /// The password. It is not kept any more, and has to be changed at the next sign-in.
    pub password: String,
}

/// What is known of a temporary password, but for itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PasswordState {
    /// It can still be shown, once.
    pub kept: bool,
    /// When it is forgotten unless somebody has seen it.
    pub expires: Timestamp,
    /// Who saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown_to: Option<String>,
    /// When they did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown_at: Option<Timestamp>,
}

impl From<quell_store::PasswordRecord> for PasswordState {
    fn from(record: quell_store::PasswordRecord) -> Self {
        let (shown_to, shown_at) = record.shown.unzip();
        Self {
            kept: record.kept,
            expires: record.expires,
            shown_to,
            shown_at,
        }
    }
}
