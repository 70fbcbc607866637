//! Actions: one action type on one target through one connection, with its own state machine.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::asset::{AssetFacts, FileFacts};
use crate::catalogue::ActionType;
use crate::decision::Decision;
use crate::entity::Entity;
use crate::id::{ActionId, AlertId, ConnectionId, IncidentId, OrganizationId};
use crate::property::Setting;

macro_rules! states {
    ($($(#[$doc:meta])* $variant:ident = $name:literal -> [$($next:ident),*];)*) => {
        /// Where an action stands.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum ActionState { $($(#[$doc])* $variant,)* }

        impl ActionState {
            /// Every state.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name used in JSON, in the store and on pages.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The states that may follow.
            #[must_use]
            pub const fn next(self) -> &'static [Self] {
                match self { $(Self::$variant => &[$(Self::$next),*],)* }
            }
        }
    };
}

states! {
    /// Stored, not yet decided.
    Proposed = "proposed" -> [Shadowed, Denied, Manual, AwaitingApproval, Scheduled];
    /// Decided in shadow mode: recorded, not done.
    Shadowed = "shadowed" -> [];
    /// Policy says never.
    Denied = "denied" -> [];
    /// For a person to do elsewhere; tracked.
    Manual = "manual" -> [];
    /// Waits for a person's yes or no.
    AwaitingApproval = "awaiting_approval" -> [Rejected, Expired, Scheduled, Denied];
    /// A person said no.
    Rejected = "rejected" -> [];
    /// Nobody answered before the deadline; not done.
    Expired = "expired" -> [];
    /// Will run as soon as a worker takes it.
    Scheduled = "scheduled" -> [Running, AwaitingApproval, Denied, Shadowed, Manual];
    /// The vendor is being read and called.
    Running = "running" -> [
        Verifying, Completed, Unverified, Failed, Unknown, AwaitingApproval, Denied, Scheduled, Shadowed, Manual];
    /// The vendor accepted; its state is read until the effect is there.
    Verifying = "verifying" -> [Completed, Unverified, Failed];
    /// The effect is there.
    Completed = "completed" -> [Reverting, Drifted];
    /// Done as far as the vendor tells; the effect could not be read.
    Unverified = "unverified" -> [Completed, Reverting];
    /// Not done, and why.
    Failed = "failed" -> [];
    /// A one-shot whose outcome cannot be read; asks a person.
    Unknown = "unknown" -> [Completed, Failed];
    /// Being taken back.
    Reverting = "reverting" -> [Reverted, RevertFailed];
    /// Taken back.
    Reverted = "reverted" -> [];
    /// Could not be taken back, and why.
    RevertFailed = "revert_failed" -> [Reverting];
    /// The vendor's state changed behind our back.
    Drifted = "drifted" -> [Reverting];
}

impl ActionState {
    /// Whether `to` may follow.
    #[must_use]
    pub fn allows(self, to: Self) -> bool {
        self.next().contains(&to)
    }

    /// Whether the effect is still to come. At most one live action exists for a slot of a target;
    /// later alerts join it. One that is being taken back is not live: a later alert must not join it.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(
            self,
            Self::Proposed
                | Self::AwaitingApproval
                | Self::Scheduled
                | Self::Running
                | Self::Verifying
        )
    }

    /// Whether the effect holds as far as Quell knows.
    #[must_use]
    pub const fn in_effect(self) -> bool {
        matches!(self, Self::Completed | Self::Unverified)
    }

    /// The name in a sentence for people.
    #[must_use]
    pub fn words(self) -> String {
        self.as_str().replace('_', " ")
    }
}

/// What made a transition happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Cause {
    /// Policy decided; the decision is stored with the action.
    Policy,
    /// A person, by the name their credential carries.
    Person {
        /// Who.
        name: String,
        /// What they gave as reason.
        reason: String,
    },
    /// A deadline or lease ran out.
    Timer,
    /// The engine went on with its work.
    Engine,
    /// A server started and found work its predecessor left.
    Recovery,
}

/// One row of an action's history: the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Transition {
    /// When.
    pub at: Timestamp,
    /// The state left; missing in the first row.
    pub from: Option<ActionState>,
    /// The state reached.
    pub to: ActionState,
    /// What made it happen.
    pub cause: Cause,
    /// One sentence for people.
    pub note: String,
    /// What was seen or received, as stored: readings, receipts, vendor codes.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub evidence: serde_json::Value,
}

/// The moments buyers ask for. All UTC; missing until they happen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Clocks {
    /// The activity happened, says the vendor.
    pub detected: Option<Timestamp>,
    /// Quell received the alert.
    pub received: Option<Timestamp>,
    /// Policy answered.
    pub decided: Option<Timestamp>,
    /// It was put before people, most recently.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<Timestamp>,
    /// Without an answer by then nothing is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_by: Option<Timestamp>,
    /// Nobody had answered, and those who are told of that were told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub escalated: Option<Timestamp>,
    /// As many people as are needed said yes.
    pub approved: Option<Timestamp>,
    /// The vendor call that changes something left.
    pub executed: Option<Timestamp>,
    /// The effect was read back.
    pub verified: Option<Timestamp>,
}

/// One action type on one target through one connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Action {
    /// Its id.
    pub id: ActionId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// The incident it belongs to.
    pub incident: IncidentId,
    /// The alert that led to it first; later alerts join.
    pub alert: AlertId,
    /// The connection it goes through.
    pub connection: ConnectionId,
    /// What to do.
    pub action: ActionType,
    /// To what.
    pub target: Entity,
    /// What is known of the target.
    pub asset: AssetFacts,
    /// What is known of the file, when the target is one.
    #[serde(default, skip_serializing_if = "FileFacts::is_empty")]
    pub file: FileFacts,
    /// Playbook that proposed it.
    pub playbook: String,
    /// Where it stands.
    pub state: ActionState,
    /// The latest decision.
    pub decision: Decision,
    /// The facts of the alert that policy looks at again just before execution.
    pub basis: Basis,
    /// The value read before Quell wrote; what a revert restores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior: Option<Setting>,
    /// Who brought the effect about; it decides what a revert may do.
    #[serde(default)]
    pub effect_by: EffectBy,
    /// What the vendor answered to the call that changed something, for polling and for the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<serde_json::Value>,
    /// The moments that matter.
    pub clocks: Clocks,
    /// The latest thing to say about it, one sentence.
    #[serde(default)]
    pub note: String,
}

/// Who brought an effect about. A revert never undoes what Quell did not do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EffectBy {
    /// Nothing was brought about yet.
    #[default]
    Nobody,
    /// Quell: it read another value, wrote, and read the wanted one.
    Quell,
    /// Somebody else: it was there before Quell wrote anything.
    Other,
    /// Nobody can tell: the process ended between the intent and the receipt.
    Unclear,
}

/// What policy needs to know of the alert behind an action, kept so that the second decision does
/// not depend on the alert being parsed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Basis {
    /// Highest severity among the alerts that asked for the action.
    pub severity: crate::Severity,
    /// Highest confidence among them.
    pub confidence: Option<u8>,
    /// Connector the alert came from.
    pub source: String,
    /// Rule or pattern that fired.
    pub detection: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_can_be_reached_and_none_follows_itself() {
        for state in ActionState::ALL {
            assert!(!state.allows(*state), "{state:?} follows itself");
            let reached = *state == ActionState::Proposed
                || ActionState::ALL.iter().any(|from| from.allows(*state));
            assert!(reached, "{state:?} cannot be reached");
        }
    }

    #[test]
    fn a_refused_action_never_comes_back() {
        for end in [
            ActionState::Denied,
            ActionState::Rejected,
            ActionState::Expired,
            ActionState::Reverted,
        ] {
            assert!(end.next().is_empty(), "{end:?}");
        }
    }

    #[test]
    fn live_states_are_those_with_work_to_come() {
        for state in ActionState::ALL {
            if state.is_live() {
                assert!(!state.next().is_empty(), "{state:?}");
            }
        }
    }
}
