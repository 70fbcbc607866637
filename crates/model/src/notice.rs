//! Notices: what Quell tells people, before any channel has given it a form.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{ActionId, IncidentId};

/// The moments people are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// An action was proposed and recorded (shadow mode, denied, manual).
    Proposed,
    /// A person has to decide.
    ApprovalNeeded,
    /// A person still has to decide.
    Reminder,
    /// Nobody who was asked has decided.
    Escalation,
    /// Policy or a person decided.
    Decided,
    /// The effect is there.
    Completed,
    /// It was not done, or nobody can tell.
    Failed,
    /// It was taken back.
    Reverted,
}

/// One thing to tell. Plain text only: a channel escapes it for its own format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What moment it tells of.
    pub kind: NoticeKind,
    /// The incident; notices of one incident are threaded together. Without one it is about Quell itself.
    pub incident: Option<IncidentId>,
    /// The action it is about.
    pub action: Option<ActionId>,
    /// When it happened.
    pub at: Timestamp,
    /// One line: the message's subject.
    pub title: String,
    /// Sentences below it, in order.
    pub lines: Vec<String>,
    /// How to answer, when an answer is wanted: a command, never a link that acts by being opened.
    pub answer: Option<String>,
    /// The alert in the vendor's console.
    pub console_url: Option<String>,
}
