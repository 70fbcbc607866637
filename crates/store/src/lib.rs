//! The only SQL in Quell.
//!
//! Owns alerts, incidents, actions and their journal, the job queue, the outbox, protection list
//! entries and a few small facts, on embedded SQLite with group commit. Each public operation is one
//! whole transaction, so that nothing above this crate can leave half of one behind. It deliberately
//! takes no decision: states, causes and due times are given to it.

mod actions;
mod approvals;
mod authors;
mod budgets;
mod correlate;
mod error;
mod facts;
mod group;
mod ingest;
mod jobs;
mod lists;
mod opt_ins;
mod outbox;
mod passwords;
mod pulse;
mod questions;
mod reads;
mod recurrence;
mod sqlite;
mod stock;

pub use actions::{Advance, NewJob, Stored};
pub use approvals::{Answer, ApprovalRecord, Approved, Needs};
pub use authors::RuleAuthor;
pub use budgets::{Brake, Budgeted, Charge};
pub use correlate::Link;
pub use error::{Error, Result};
pub use ingest::{Again, Freshness, Ingest, Ingested, Placed, Proposed};
pub use jobs::{Claim, Job, JobKind};
pub use lists::{ListChange, ListEntry, ListHand, ListRecord, ListState};
pub use opt_ins::OptInChange;
pub use outbox::{Dispatch, Envelope};
pub use passwords::PasswordRecord;
pub use pulse::{Of, RECENT, Storm, StormLimit};
pub use questions::{Answered, Asked, NewQuestion, Question, UserAnswer};
pub use reads::{ActionFilter, AlertRecord, IncidentRecord};
pub use recurrence::Recurrence;
pub use sqlite::Store;
pub use stock::Stock;

/// Microseconds since 1970 UTC: how times are stored and compared.
pub(crate) fn micros(at: jiff::Timestamp) -> i64 {
    at.as_microsecond()
}

pub(crate) fn instant(micros: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}
