//! Stateful stand-ins for the vendors that Quell acts through, served over real HTTP.
//!
//! A twin keeps state (hosts, alerts, indicators, sessions), moves through it at the vendor's own pace, and answers
//! with the vendor's own shapes, so that a connector, a test or the vendor's published SDK cannot tell it from the real
//! thing for the jobs it covers. It deliberately knows nothing of Quell: no type is shared with a connector, or both
//! sides would repeat one misunderstanding.
//!
//! Each vendor is one module, named after the product. What they share is here: the [`Twin`] that tests hold, with a
//! [`clock`] that they move by hand, [`faults`] on demand, and a log of the [`requests`] that came in; the way of a
//! request (`service.rs`) and the control routes (`control.rs`). A vendor adds what it keeps and how it answers.

pub mod clock;
pub mod crowdstrike;
pub mod duo;
pub mod entra_id;
pub mod faults;
pub mod github;
pub mod google_workspace;
pub mod okta;
pub mod requests;
pub mod slack;

mod control;
mod endpoint;
mod http;
mod ids;
mod service;
mod sync;
mod twin;

pub use clock::{Clock, Pace};
pub use endpoint::Endpoint;
pub use faults::{Fault, FaultRule};
pub use requests::RequestRecord;
pub use twin::{Twin, Vendor};

/// Why a twin could not be started or told something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address could not be bound.
    #[error("listen on `{address}`")]
    Listen {
        /// The address that was asked for.
        address: std::net::SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// No host has this agent id.
    #[error("no host with agent id `{0}`")]
    UnknownHost(String),
    /// No user has this id or name.
    #[error("no user `{0}`")]
    UnknownUser(String),
    /// A raw alert document lacks a member without which the vendor's API could not serve it.
    #[error("alert document without `{0}`")]
    IncompleteAlert(&'static str),
    /// The clock cannot show this instant (nanoseconds since 1970 must fit 64 bits).
    #[error("time `{0}` is out of range")]
    TimeOutOfRange(jiff::Timestamp),
    /// The operating system gives no random numbers to make a key from.
    #[error("no random numbers to make a key from")]
    NoRandomness,
}
