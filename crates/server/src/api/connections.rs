//! Connections: what can be done through each, and whether it works.

use jiff::Timestamp;
use quell_connector::Check;
use quell_model::{ActionType, ConnectionId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionView {
    /// Its id.
    pub id: ConnectionId,
    /// The connector's id (`crowdstrike`).
    pub connector: String,
    /// The connector's name for people.
    pub name: String,
    /// Only alerts of this customer at the vendor are taken; any, when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// How its pushed alerts are authenticated; missing when it may push none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intake: Option<IntakeMethod>,
    /// Its alerts are fetched by asking the vendor again and again.
    pub polled: bool,
    /// It tells people.
    pub notifies: bool,
    /// Quell comments on its alerts in the vendor's console.
    pub writes_back: bool,
    /// What can be done through it.
    pub actions: Vec<AbilityView>,
}

/// How a connection's pushed alerts are authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IntakeMethod {
    /// `Authorization: Bearer …`.
    Bearer,
    /// Signed as the Standard Webhooks specification says.
    StandardWebhooks,
}

/// One action type a connection can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AbilityView {
    /// The action type.
    pub action: ActionType,
    /// Permissions the credentials need, as the vendor's console names them.
    pub needs: Vec<String>,
    /// The vendor's page about it.
    pub docs: String,
    /// What surprises people, one sentence each.
    pub quirks: Vec<String>,
}

/// Which connections to check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CheckRequest {
    /// Their ids; all, when empty.
    pub connections: Vec<ConnectionId>,
}

/// What was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckReply {
    /// One entry per connection.
    pub connections: Vec<ConnectionChecks>,
}

/// What was found out about one connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionChecks {
    /// The connection.
    pub connection: ConnectionId,
    /// Nothing was found wanting. What could not be told is not held against it.
    pub ok: bool,
    /// What was checked.
    pub checks: Vec<CheckView>,
}

/// One permission or circumstance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckView {
    /// What was checked (`Hosts: write`).
    pub name: String,
    /// What depends on it (`contain_host, release_host`).
    pub used_by: String,
    /// Whether it is there; missing when it cannot be told without changing something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ok: Option<bool>,
    /// One sentence: what was found, what to do.
    pub detail: String,
    /// When.
    pub at: Timestamp,
}

impl From<Check> for CheckView {
    fn from(check: Check) -> Self {
        Self {
            name: check.name,
            used_by: check.used_by,
            ok: check.ok,
            detail: check.detail,
            at: check.at,
        }
    }
}
