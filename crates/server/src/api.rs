//! What goes over the wire: every request and reply of the HTTP API, for the server and its clients.
//!
//! JSON in `snake_case`, times in RFC 3339 UTC. Members that are missing have no value. A client
//! must accept members it does not know; the server refuses them, because a misspelt member of an
//! order would otherwise be an order without it.

mod automation;
mod connections;
mod incidents;
mod lists;
mod passwords;
mod problem;
mod questions;

use jiff::Timestamp;
use quell_engine::Event;
use quell_model::{
    Action, ActionId, ActionState, ActionType, Alert, AlertId, AssetFacts, Clocks, ConnectionId,
    Decision, EffectBy, Entity, FileFacts, IncidentId, Role, Setting, Severity, Transition,
};
use quell_store::{AlertRecord, ApprovalRecord, Freshness};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use automation::{
    AutomationView, OfferView, OptInChangeView, OptInRequest, OptInView, OptOutRequest,
    PauseRequest, PauseView, ResumeRequest,
};
pub use connections::{
    AbilityView, CheckReply, CheckRequest, CheckView, ConnectionChecks, ConnectionView,
    IntakeMethod,
};
pub use incidents::{IncidentDetail, IncidentView, TimelineEntry};
pub use lists::{
    ListAddReply, ListAddRequest, ListChangeKind, ListChangeView, ListEntryView, ListRemoveRequest,
    NewListEntry,
};
pub use passwords::{PasswordRequest, PasswordState, PasswordView};
pub use problem::{Problem, ProblemPlace};
pub use questions::QuestionView;

/// A part of a list, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PageOf{T}")]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Where the next part begins, to be sent as `before`; missing on the last part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ActionView {
    /// Its id.
    pub id: ActionId,
    /// The incident it belongs to.
    pub incident: IncidentId,
    /// What to do.
    pub action: ActionType,
    /// To what.
    pub target: Entity,
    /// The target as a person would name it.
    pub target_name: String,
    /// What is known of the target.
    pub asset: AssetFacts,
    /// What is known of the file, when the target is one.
    #[serde(default, skip_serializing_if = "FileFacts::is_empty")]
    pub file: FileFacts,
    /// The connection it goes through.
    pub connection: ConnectionId,
    /// Where it stands.
    pub state: ActionState,
    /// Shadow mode: decided and recorded, not done.
    pub shadow: bool,
    /// The latest decision and the rules that made it.
    pub decision: Decision,
    /// Highest severity among the alerts that asked for it.
    pub severity: Severity,
    /// Highest confidence among them, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<u8>,
    /// Rule or pattern that fired.
    pub detection: String,
    /// Playbook that proposed it.
    pub playbook: String,
    /// Who brought the effect about; only Quell's own effects are taken back.
    pub effect_by: EffectBy,
    /// The latest thing to say about it, one sentence.
    pub note: String,
    /// The moments that matter.
    pub clocks: Clocks,
}

impl From<Action> for ActionView {
    fn from(action: Action) -> Self {
        Self {
            id: action.id,
            incident: action.incident,
            action: action.action,
            target_name: action.target.to_string(),
            target: action.target,
            asset: action.asset,
            file: action.file,
            connection: action.connection,
            state: action.state,
            shadow: action.state == ActionState::Shadowed,
            decision: action.decision,
            severity: action.basis.severity,
            confidence: action.basis.confidence,
            detection: action.basis.detection,
            playbook: action.playbook,
            effect_by: action.effect_by,
            note: action.note,
            clocks: action.clocks,
        }
    }
}

/// One action with everything there is to know of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ActionDetail {
    /// The action.
    pub action: ActionView,
    /// Hash of what is shown here. An answer names it, so that nobody approves what they did not see.
    pub shown: String,
    /// Whether a person's yes or no is waited for.
    pub awaits_answer: bool,
    /// Who has to say yes, while policy leaves it to people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalNeeded>,
    /// What people will notice when it is done, one sentence.
    pub impact: String,
    /// The action type that takes it back, where one exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverted_by: Option<ActionType>,
    /// The value read before Quell wrote; what a revert restores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior: Option<Setting>,
    /// The temporary password it set, but for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<PasswordState>,
    /// What the people were asked whom the incident is about, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<QuestionView>,
    /// Its journal, oldest first.
    pub history: Vec<Transition>,
    /// People's answers, oldest first.
    pub approvals: Vec<ApprovalView>,
    /// The alerts that asked for it, oldest first.
    pub alerts: Vec<AlertView>,
    /// The incident it belongs to.
    pub incident: IncidentView,
}

/// Who has to say yes to an action, and who has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalNeeded {
    /// How many different people.
    pub approvers: u8,
    /// The least role that counts.
    pub role: Role,
    /// Those who said yes to it as it now asks, in order.
    pub yes: Vec<String>,
    /// Without an answer by then nothing is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_by: Option<Timestamp>,
}

/// A person's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalView {
    /// Who.
    pub person: String,
    /// Yes or no.
    pub yes: bool,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// Hash of exactly what they were shown.
    pub shown: String,
}

impl From<ApprovalRecord> for ApprovalView {
    fn from(record: ApprovalRecord) -> Self {
        Self {
            person: record.person,
            yes: record.yes,
            reason: record.reason,
            at: record.at,
            shown: record.shown,
        }
    }
}

/// An alert as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AlertView {
    /// Its id.
    pub id: AlertId,
    /// Where it came from.
    pub connection: ConnectionId,
    /// The incident it belongs to.
    pub incident: IncidentId,
    /// When it was received.
    pub received: Timestamp,
    /// The alert.
    pub alert: Alert,
}

impl From<AlertRecord> for AlertView {
    fn from(record: AlertRecord) -> Self {
        Self {
            id: record.id,
            connection: record.connection,
            incident: record.incident,
            received: record.received,
            alert: record.alert,
        }
    }
}

/// A person's yes or no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerRequest {
    /// The `shown` of the action they looked at.
    pub shown: String,
    /// Why, one line. Kept in the journal.
    pub reason: String,
}

/// An order to take an action back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevertRequest {
    /// Why, one line. Kept in the journal.
    pub reason: String,
    /// Take it back even when nobody can tell whether Quell or somebody else did it.
    #[serde(default)]
    pub even_if_unclear: bool,
}

/// An order to put the policy that is written down in force.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplyRequest {}

/// What is in force now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AppliedView {
    /// How many rules.
    pub rules: usize,
    /// How many entries on lists.
    pub list_entries: usize,
    /// Ids of the rules that are new or changed, in order.
    pub changed: Vec<String>,
}

/// What became of a body of alerts. It is durable when this is received.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IntakeReply {
    /// One entry per document, in order.
    pub alerts: Vec<TakenView>,
    /// The vendor's ids of alerts that will be fetched, because no more than the id was sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fetching: Vec<String>,
}

/// What became of one document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TakenView {
    /// The alert's id.
    pub id: AlertId,
    /// The incident it belongs to.
    pub incident: IncidentId,
    /// Whether it was known.
    pub freshness: FreshnessView,
    /// The actions that were placed or joined.
    pub actions: Vec<ActionId>,
}

/// Whether an alert was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FreshnessView {
    /// Never seen.
    New,
    /// Seen, and the vendor changed it since.
    Updated,
    /// Seen precisely so.
    Duplicate,
}

impl From<Freshness> for FreshnessView {
    fn from(freshness: Freshness) -> Self {
        match freshness {
            Freshness::New => Self::New,
            Freshness::Updated => Self::Updated,
            Freshness::Duplicate => Self::Duplicate,
        }
    }
}

/// The data of one server-sent event of type `transition`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventView {
    /// The action as it now is.
    pub action: ActionView,
    /// What happened to it.
    pub transition: Transition,
}

impl From<Event> for EventView {
    fn from(event: Event) -> Self {
        Self {
            action: event.action.into(),
            transition: event.transition,
        }
    }
}

/// The data of one server-sent event of type `lagged`: the listener was too slow and missed some.
/// It should read anew what it shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LaggedView {
    /// How many it missed.
    pub missed: u64,
}

/// Whether the server is well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HealthView {
    /// `ok`; anything else is a [`Problem`].
    pub status: String,
}
