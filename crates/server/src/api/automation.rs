//! Whether Quell acts, and on what, as it goes over the wire.

use jiff::Timestamp;
use quell_model::{ActionType, ConnectionId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An order to stop all actions, or those through one connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseRequest {
    /// Why, one line.
    pub reason: String,
    /// Only what goes through this connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionId>,
}

/// An order to let actions run again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResumeRequest {
    /// What was paused for this connection; without it, what was paused for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionId>,
}

/// An order to let Quell do an action type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OptInRequest {
    /// The action type.
    pub action: ActionType,
    /// The text agreed to, word for word as `offers` gives it. Kept in the record.
    pub agreed: String,
}

/// An order to put an action type back into shadow mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OptOutRequest {
    /// The action type.
    pub action: ActionType,
    /// Why, one line. Kept in the record.
    pub reason: String,
}

/// Whether Quell acts, and on what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AutomationView {
    /// All actions are stopped, queued ones included. Alerts are still taken in.
    pub paused: bool,
    /// Who paused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why it was paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Connections that are paused by themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paused_connections: Vec<PauseView>,
    /// The action types the organization opted in to; every other one is in shadow mode: decided
    /// and recorded, not done.
    pub opted_in: Vec<OptInView>,
    /// What else could be opted in to through the connections there are.
    pub offers: Vec<OfferView>,
    /// Who opted in and out, oldest first.
    pub changes: Vec<OptInChangeView>,
}

/// A paused connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PauseView {
    /// The connection.
    pub connection: ConnectionId,
    /// Who paused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// An action type nobody opted in to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OfferView {
    /// The action type.
    pub action: ActionType,
    /// The text to agree to.
    pub text: String,
}

/// Somebody opted in or out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OptInChangeView {
    /// The action type.
    pub action: ActionType,
    /// In; otherwise out.
    pub opted_in: bool,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The text agreed to; the reason, where somebody opted out.
    pub text: String,
}

/// Who allowed Quell to do an action type, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OptInView {
    /// The action type.
    pub action: ActionType,
    /// The person who decided it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The text agreed to.
    pub agreed: String,
}
