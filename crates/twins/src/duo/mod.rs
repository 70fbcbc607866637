//! A twin of Duo's Admin API, as far as containing accounts and watching sign-ins goes: users and their status, Trust
//! Monitor events, the authentication log, and the administrator log, with requests signed one by one.
//!
//! Facts come from the vendor's Python client (`duo-client`), its tests, and replies recorded in public integrations.
//! Where those leave a question open, the crate's README says what the twin does.

mod control;
mod events;
mod service;
mod signature;
mod users;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use events::{SignIn, TrustEvent};
pub use service::Endpoint;
pub use users::User;

use crate::clock::{Clock, Pace};
use crate::sync::lock;
use crate::{Error, Twin};

/// Integration key of the application that [`Config::default`] knows.
pub const IKEY: &str = "DITWIN00000000000000";
/// Its secret key.
pub const SKEY: &str = "twin-secret-key-0000000000000000000000000";

/// A box ticked for an Admin API application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// Grant read resource.
    ReadResource,
    /// Grant write resource.
    WriteResource,
    /// Grant read log.
    ReadLog,
}

impl Right {
    /// Every right the twin knows.
    pub const ALL: [Self; 3] = [Self::ReadResource, Self::WriteResource, Self::ReadLog];
}

/// An Admin API application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// Integration key.
    pub ikey: String,
    /// Secret key.
    pub skey: String,
    /// Its name, as the administrator log shows it.
    pub name: String,
    /// What it may do.
    pub rights: Vec<Right>,
}

impl Application {
    /// The default application with these rights.
    pub fn with(rights: &[Right]) -> Self {
        Self {
            ikey: IKEY.to_owned(),
            skey: SKEY.to_owned(),
            name: "Quell".to_owned(),
            rights: rights.to_vec(),
        }
    }
}

/// How to start a twin.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen. Port 0 picks a free one.
    pub listen: SocketAddr,
    /// Who moves the clock.
    pub pace: Pace,
    /// What the clock shows at the start; the present when absent.
    pub start_at: Option<Timestamp>,
    /// Admin API applications.
    pub applications: Vec<Application>,
    /// Users to start with.
    pub users: Vec<User>,
    /// How long a changed status takes to show when the user is read.
    pub settle: Duration,
    /// How long a sign-in takes to show in the authentication log.
    pub log_delay: Duration,
    /// Whether the plan has Trust Monitor.
    pub trust_monitor: bool,
    /// How many requests the listing keeps; zero turns it off.
    pub request_log: usize,
    /// Fixes every made-up id; drawn from the clock when absent.
    pub seed: Option<u64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            pace: Pace::RealTime,
            start_at: None,
            applications: vec![Application::with(&Right::ALL)],
            users: Vec::new(),
            settle: Duration::from_secs(1),
            log_delay: Duration::from_secs(120),
            trust_monitor: true,
            request_log: 4096,
            seed: None,
        }
    }
}

impl Config {
    /// For tests: only [`Duo::advance`] moves time, and a changed status shows at once.
    pub fn manual() -> Self {
        Self {
            pace: Pace::Manual,
            settle: Duration::ZERO,
            ..Self::default()
        }
    }

    /// The same with these users.
    #[must_use]
    pub fn with_users(mut self, users: impl IntoIterator<Item = User>) -> Self {
        self.users.extend(users);
        self
    }
}

/// What the account holds.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) applications: Vec<Application>,
    pub(crate) users: Vec<users::Record>,
    pub(crate) trust_events: Vec<events::Surfaced>,
    pub(crate) sign_ins: Vec<events::Logged>,
    pub(crate) admin_log: Vec<serde_json::Value>,
    pub(crate) settle: Duration,
    pub(crate) trust_monitor: bool,
}

/// What the twin keeps of the vendor.
#[derive(Debug)]
pub struct Vendor {
    pub(crate) log_delay: Duration,
    account: Mutex<Account>,
}

pub(crate) type Shared = crate::twin::Shared<Vendor>;

impl Shared {
    pub(crate) fn account(&self) -> MutexGuard<'_, Account> {
        lock(&self.vendor.account)
    }
}

/// A running twin. Its base URL is what a client takes for the API host.
pub type Duo = Twin<Vendor>;

impl Duo {
    /// Starts a twin on the current Tokio runtime.
    ///
    /// # Errors
    /// When the address cannot be bound, or the start time does not fit the clock.
    pub async fn start(config: Config) -> Result<Self, Error> {
        let clock = Clock::start(config.pace, config.start_at)?;
        let vendor = Vendor {
            log_delay: config.log_delay,
            account: Mutex::new(Account {
                applications: config.applications,
                users: Vec::new(),
                trust_events: Vec::new(),
                sign_ins: Vec::new(),
                admin_log: Vec::new(),
                settle: config.settle,
                trust_monitor: config.trust_monitor,
            }),
        };
        let shared = Shared::new(clock, config.seed, config.request_log, vendor);
        for user in config.users {
            users::put(&shared, user);
        }
        Self::serve(config.listen, shared).await
    }

    /// Adds a user, or replaces the one with the same id. Answers the id.
    pub fn put_user(&self, user: User) -> String {
        users::put(&self.shared, user)
    }

    /// A user by name.
    pub fn user(&self, username: &str) -> Option<User> {
        users::named(&self.shared, username)
    }

    /// How often the status of a user was really changed through the API.
    pub fn changes(&self, username: &str) -> u64 {
        users::changes(&self.shared, username)
    }

    /// Surfaces a Trust Monitor event. Answers its key.
    pub fn surface(&self, event: &TrustEvent) -> String {
        events::surface(&self.shared, event)
    }

    /// Puts a sign-in into the authentication log. Answers its transaction id.
    pub fn sign_in(&self, sign_in: &SignIn) -> String {
        events::sign_in(&self.shared, sign_in)
    }

    /// Replaces the application with the same integration key, or adds one.
    pub fn put_application(&self, application: Application) {
        control::put_application(&self.shared, application);
    }

    /// How long a changed status takes to show.
    pub fn set_settle(&self, settle: Duration) {
        self.shared.account().settle = settle;
    }

    /// Whether the plan has Trust Monitor.
    pub fn set_trust_monitor(&self, licensed: bool) {
        self.shared.account().trust_monitor = licensed;
    }
}
