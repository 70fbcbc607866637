//! The engine: what happens between an alert and a verified, reversible effect.
//!
//! Owns the order of things: plan, decide, approve, execute, verify, revert, tell, and picking all
//! of that up again after a crash. It knows connectors only by their rows and the store only by
//! whole transactions; vendors, SQL, HTTP routes and configuration files are other crates'.
//!
//! All work beyond the first moment is a job in the store. A handler does one step, journals it,
//! and leaves the next step as a job in the same transaction, so that the process may end between
//! any two lines.

mod again;
mod approval;
mod ask_user;
mod automation;
pub mod backtest;
mod engine;
mod execute;
mod feed;
mod intake;
mod lists;
mod naming;
mod obstacle;
mod one_shot;
mod own;
mod pace;
mod passwords;
mod plan;
mod propose;
mod recheck;
mod revert;
mod rules;
mod seal;
mod send;
mod settle;
mod step;
mod stock;
mod tell;
mod upkeep;
mod worker;

pub use again::Events;
pub use approval::{ActError, quorum, said_yes, shown};
pub use ask_user::{AnswerError, AskUser, is_about, when};
pub use automation::{OptIn, OptIns, agreement};
pub use engine::{Connection, Engine, Event, Settings};
pub use intake::{Accepted, IntakeError, Taken};
pub use lists::{Addition, ListError, PERSON, Removal};
pub use own::{Machine, OWN, Program};
pub use passwords::Shown;
pub use plan::{Plan, Planned, Standpoint, documents, plan};
pub use rules::{AssetRule, Guardrails, Listed, Rules};
pub use seal::{Seal, SealError};

pub(crate) use quell_connector::BoxFuture;
