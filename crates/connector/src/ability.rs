//! Optional abilities of a connector, beside its rows.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method};
use jiff::Timestamp;
use quell_model::entity::Host;
use quell_model::{AlertStatus, Notice, Secret};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::Result;
use crate::sign::unique_id;
use crate::{BoxFuture, Call};

/// A source of alerts that is asked again and again.
pub trait Feed: Send + Sync {
    /// How long to wait after a poll that brought everything there was.
    fn interval(&self) -> Duration;

    /// The documents after `cursor` (none: from the beginning the connection is configured for).
    ///
    /// Documents may come twice; none may be left out. The new cursor is stored in the same
    /// transaction as the documents.
    fn poll<'a>(&'a self, cx: &'a Call, cursor: Option<&'a Value>) -> BoxFuture<'a, Result<Batch>>;
}

/// What a poll brought.
#[derive(Debug, Default)]
pub struct Batch {
    /// Alert documents, each as the vendor wrote it.
    pub documents: Vec<Box<RawValue>>,
    /// Where to go on.
    pub cursor: Value,
    /// Whether there is more to fetch at once.
    pub more: bool,
}

/// Reads pushes that the vendor authenticates in a way of its own. Pure: no network, no clock.
pub trait Receive: Send + Sync {
    /// Says what a push is, before anything in its body is believed.
    fn receive(&self, push: &Push<'_>) -> Received;
}

/// A request that arrived from outside.
#[derive(Debug, Clone, Copy)]
pub struct Push<'a> {
    /// Method: GET or POST.
    pub method: &'a Method,
    /// Query, still encoded.
    pub query: Option<&'a str>,
    /// Headers.
    pub headers: &'a HeaderMap,
    /// Body, byte by byte as it came.
    pub body: &'a str,
}

/// What a push turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// Not from the vendor, or it cannot be told.
    Refused,
    /// A handshake, to be answered with exactly this.
    Answer {
        /// `Content-Type` of the answer.
        content_type: &'static str,
        /// The answer, bounded by the connector.
        body: String,
    },
    /// Genuine: alert documents.
    Alerts {
        /// The documents, as [`crate::Normalise`] reads them.
        documents: String,
        /// An id by which a replay is recognised, when the vendor gives one.
        once: Option<String>,
    },
    /// Genuine, and says no more than that something changed: the feed is polled at once.
    Nudge,
    /// Genuine, and nothing is to be done.
    Nothing,
}

/// Keeps something alive at the vendor, such as a subscription.
pub trait Upkeep: Send + Sync {
    /// Does what is due. Called when the server starts and whenever the time it asked for has come;
    /// `state` is what it left the last time.
    fn upkeep<'a>(&'a self, cx: &'a Call, state: Option<&'a Value>) -> BoxFuture<'a, Result<Kept>>;
}

/// What an upkeep left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// What the next one has to know. No secrets.
    pub state: Value,
    /// When the next one is due.
    pub again_in: Duration,
}

/// Fetches one alert by its id: for pushes that carry no more than an id, and against forged ones.
pub trait Fetch: Send + Sync {
    /// The document, or `None` when the vendor does not know the id.
    fn fetch<'a>(
        &'a self,
        cx: &'a Call,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Option<Box<RawValue>>>>;
}

/// What Quell says about an alert in the vendor's own console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertUpdate {
    /// The new status, if it changes.
    pub status: Option<AlertStatus>,
    /// A comment to append.
    pub comment: String,
    /// What it turned out to be, for vendors that learn from it.
    pub verdict: Option<Verdict>,
}

/// What an alert turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// True: something was done about it.
    Compromised,
    /// False: a person said so.
    Benign,
}

/// Writes status and comments back to the alert at the vendor.
pub trait WriteBack: Send + Sync {
    /// Applies the update to the alert with the vendor's id `alert`.
    fn write_back<'a>(
        &'a self,
        cx: &'a Call,
        alert: &'a str,
        update: &'a AlertUpdate,
    ) -> BoxFuture<'a, Result<()>>;
}

/// Tells people.
pub trait Notify: Send + Sync {
    /// Sends the notices, all of one incident and in order, as one message. `key` stays the same
    /// when a send is repeated, so that a channel that can tell repeats apart does.
    fn notify<'a>(
        &'a self,
        cx: &'a Call,
        key: &'a str,
        notices: &'a [Notice],
    ) -> BoxFuture<'a, Result<()>>;
}

/// A message to one person, who need not be of the security team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// One line.
    pub subject: String,
    /// Paragraphs of plain text. The channel escapes them.
    pub lines: Vec<String>,
    /// The one address to follow. Made by Quell.
    pub link: String,
}

/// Writes to one person.
pub trait Tell: Send + Sync {
    /// Sends the letter to the address `to`, which comes from an alert. `key` stays the same when a
    /// send is repeated.
    fn tell<'a>(
        &'a self,
        cx: &'a Call,
        key: &'a str,
        to: &'a str,
        letter: &'a Letter,
    ) -> BoxFuture<'a, Result<()>>;
}

/// One sign-in of a person, from the page that sends them away to the one they come back to.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Where the provider sends the person back to.
    pub redirect_uri: String,
    /// Comes back with the person: proves that it is the same browser.
    pub state: String,
    /// Comes back in the token: proves that it was made for this sign-in.
    pub nonce: String,
    /// Proves to the provider that whoever redeems the code began the sign-in (RFC 7636).
    pub verifier: Secret,
}

impl Attempt {
    /// A sign-in that ends at `redirect_uri`.
    #[must_use]
    pub fn new(redirect_uri: String) -> Self {
        Self {
            redirect_uri,
            state: unique_id(),
            nonce: unique_id(),
            // Longer than the 43 characters that RFC 7636 asks for at least.
            verifier: Secret::new(format!("{}{}", unique_id(), unique_id())),
        }
    }
}

/// Who somebody is, as the organization's identity provider says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The provider's name for the person: stable, and meaningless elsewhere.
    pub subject: String,
    /// User principal names and mail addresses that the provider vouches for.
    pub principals: Vec<String>,
    /// The provider as accounts in alerts name it (`entra_id`), with the person's id there.
    pub account: Option<(String, String)>,
}

/// Signs people in through the organization's identity provider.
pub trait SignIn: Send + Sync {
    /// Where to send the person's browser.
    fn begin<'a>(&'a self, cx: &'a Call, attempt: &'a Attempt) -> BoxFuture<'a, Result<String>>;

    /// Who came back with `code`. An error of kind `AuthRejected` says that the provider does not vouch
    /// for anybody.
    fn finish<'a>(
        &'a self,
        cx: &'a Call,
        attempt: &'a Attempt,
        code: &'a Secret,
    ) -> BoxFuture<'a, Result<Identity>>;
}

/// What a vendor knows of an organization's machines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// How many machines there are.
    pub machines: u64,
    /// Those of them that are domain controllers.
    pub domain_controllers: Vec<Host>,
}

/// Takes stock of an organization's machines.
pub trait TakeStock: Send + Sync {
    /// All of the inventory, or nothing: half of it would leave domain controllers unprotected.
    fn take_stock<'a>(&'a self, cx: &'a Call) -> BoxFuture<'a, Result<Inventory>>;
}

/// One line of a connection check: a permission or a circumstance, and whether it is as needed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Check {
    /// What was checked ("Hosts: write").
    pub name: String,
    /// What depends on it ("contain_host, release_host").
    pub used_by: String,
    /// Whether it is there; `None` when it cannot be told without changing something.
    pub ok: Option<bool>,
    /// One sentence: what was found, what to do.
    pub detail: String,
    /// When.
    pub at: Timestamp,
}

/// The abilities a built connector has.
#[derive(Clone, Default)]
pub struct Abilities {
    /// Alerts by polling.
    pub feed: Option<Arc<dyn Feed>>,
    /// One alert by id.
    pub fetch: Option<Arc<dyn Fetch>>,
    /// Pushes that the vendor authenticates in a way of its own.
    pub receive: Option<Arc<dyn Receive>>,
    /// Something to keep alive at the vendor.
    pub upkeep: Option<Arc<dyn Upkeep>>,
    /// Status and comments on alerts.
    pub write_back: Option<Arc<dyn WriteBack>>,
    /// Messages to people.
    pub notify: Option<Arc<dyn Notify>>,
    /// Letters to single persons.
    pub tell: Option<Arc<dyn Tell>>,
    /// Sign-ins of people.
    pub sign_in: Option<Arc<dyn SignIn>>,
    /// An inventory of machines.
    pub take_stock: Option<Arc<dyn TakeStock>>,
}
