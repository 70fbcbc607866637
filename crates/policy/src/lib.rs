//! The decision: which actions an alert calls for, and whether each may run by itself.
//!
//! Two questions, answered apart. A [`Playbook`] says which actions make sense for a kind of alert;
//! [`Policy`] says of one such action, on one target, with the facts at hand, whether it runs by
//! itself, asks a person, or does not run. Both are texts that an organization can read, change and
//! keep under version control, and both are checked completely before they can load.
//!
//! This crate deliberately has no clock, no I/O, no store and no async: time, lists and settings are
//! inputs, so a decision is a pure function of them. It does not know whether a connector can do what
//! is proposed, whether the organization opted in, or what was done before; the engine does.

pub mod approvals;
mod ask_user;
mod breaker;
pub mod budget;
mod diagnostics;
mod examples;
mod facts;
mod file;
mod folder;
pub mod lists;
pub mod matrix;
mod passwords;
mod playbook;
mod policy;
mod question;
mod rule;
mod settings;

pub use approvals::Approvals;
pub use ask_user::AskUser;
pub use breaker::Storm;
pub use budget::{Budget, Budgets};
pub use diagnostics::{Diagnostic, Diagnostics, Source, listing, suggestion};
pub use examples::{Checked, Example};
pub use file::is_common;
pub use folder::{Folder, Loaded};
pub use matrix::Matrix;
pub use passwords::Passwords;
pub use playbook::{Again, Notify, Plan, Playbook, Playbooks, Proposal, Skipped, Step, Unless};
pub use policy::{Policy, RuleInfo};
pub use question::{Question, list};
pub use settings::Settings;
