//! The connector contract.
//!
//! Owns what every vendor connector shares: the traits it implements ([`Control`], [`Perform`] and
//! the optional abilities), the table of rows that is the single source of what it can do, one
//! error type, and the HTTP plane that does authentication, retries, rate limits, deadlines and
//! redaction. It deliberately knows no vendor and takes no decision: whether something may be done
//! is the engine's and the policy's business.

pub mod ability;
pub mod call;
pub mod clock;
pub mod coalesce;
#[cfg(feature = "testing")]
pub mod conformance;
pub mod contract;
pub mod document;
pub mod error;
pub mod http;
pub mod settings;
pub mod sign;
pub mod vendor;
pub mod verify;

pub use ability::{
    AlertUpdate, Attempt, Batch, Check, Feed, Fetch, Identity, Inventory, Kept, Letter, Notify,
    Push, Receive, Received, SignIn, TakeStock, Tell, Upkeep, Verdict, WriteBack,
};
pub use call::{Call, Intent, Passwords};
pub use clock::SystemClock;
pub use contract::{
    About, AnyControl, AnyPerform, Bound, Control, Facts, Instead, Observed, Obstacle, Perform,
    Progress, Reading, Receipt, Row, Sight, control, perform,
};
pub use document::DocumentError;
pub use error::{Error, Kind, Result};
pub use settings::{ConfigError, HttpSettings, Plumbing, SecretSource};
pub use vendor::{
    Connected, Connector, Lifelines, Normalise, Reference, RowFacts, Vendor, connector,
};

/// A boxed future, where a trait object needs one.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
