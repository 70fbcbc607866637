//! Incidents: what belongs together, and what happened in it.

use jiff::Timestamp;
use quell_model::{ActionId, ActionState, AlertId, Cause, ConnectionId, IncidentId, Severity};
use quell_store::IncidentRecord;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ActionView;

/// An incident without what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IncidentView {
    /// Its id.
    pub id: IncidentId,
    /// Title of the alert that opened it.
    pub title: String,
    /// Highest severity seen.
    pub severity: Severity,
    /// When it was opened.
    pub opened: Timestamp,
    /// When it last took an alert in.
    pub updated: Timestamp,
}

impl From<IncidentRecord> for IncidentView {
    fn from(record: IncidentRecord) -> Self {
        let severity = match record.severity {
            0 | 1 => Severity::Informational,
            2 => Severity::Low,
            3 => Severity::Medium,
            4 => Severity::High,
            _ => Severity::Critical,
        };
        Self {
            id: record.id,
            title: record.title,
            severity,
            opened: record.opened,
            updated: record.updated,
        }
    }
}

/// An incident with what belongs to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IncidentDetail {
    /// The incident.
    pub incident: IncidentView,
    /// Its actions, newest first.
    pub actions: Vec<ActionView>,
    /// What happened, oldest first.
    pub timeline: Vec<TimelineEntry>,
    /// There is more than is shown: only the newest actions and moments of a very large incident are.
    pub truncated: bool,
}

/// One moment of an incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TimelineEntry {
    /// An alert was received.
    Alert {
        /// When.
        at: Timestamp,
        /// The alert.
        alert: AlertId,
        /// Where it came from.
        connection: ConnectionId,
        /// How bad.
        severity: Severity,
        /// One line for people.
        title: String,
    },
    /// An action reached another state.
    Action {
        /// When.
        at: Timestamp,
        /// The action.
        action: ActionId,
        /// The state reached.
        state: ActionState,
        /// What made it happen.
        cause: Cause,
        /// One sentence for people.
        note: String,
    },
}

impl TimelineEntry {
    /// When it happened.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::Alert { at, .. } | Self::Action { at, .. } => *at,
        }
    }
}
