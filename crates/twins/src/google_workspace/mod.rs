//! A twin of Google Workspace, as far as a security tool that acts as an administrator sees it: tokens by signed
//! assertion with domain-wide delegation, users of the Directory service, the Alert Center and the audit of sign-ins.
//!
//! Facts come from the discovery documents and the client libraries that the vendor publishes on PyPI. All of the
//! vendor's hosts are one address here; their paths do not collide. Where the sources leave a question open, the
//! crate's README says what the twin does.

mod activities;
mod alerts;
mod auth;
mod control;
mod directory;
mod endpoint;
mod page;
mod service;
mod wire;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};

pub use activities::LoginEvent;
pub use alerts::AlertSpec;
pub use auth::{CLIENT_EMAIL, CLIENT_ID};
pub use directory::User;
pub use endpoint::{Endpoint, Scope};

use crate::clock::{Clock, Pace};
use crate::sync::lock;
use crate::{Error, Twin};
use activities::Activities;
use alerts::AlertTable;
use auth::Auth;
use directory::Directory;

/// Address of the super administrator that [`Config::default`] knows, for a client to act as.
pub const ADMIN: &str = "quell-admin@northwind.example";

/// How to start a twin.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen. Port 0 picks a free one.
    pub listen: SocketAddr,
    /// Who moves the clock.
    pub pace: Pace,
    /// What the clock shows at the start; the present when absent.
    pub start_at: Option<Timestamp>,
    /// The organization's id.
    pub customer: String,
    /// Users to start with.
    pub users: Vec<User>,
    /// Scopes delegated to the service account.
    pub delegated: Vec<Scope>,
    /// How long a token lives.
    pub token_lifetime: Duration,
    /// How long after a change readers see it.
    pub settle: Duration,
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
            customer: "C03az79cb".into(),
            users: vec![
                User::admin(ADMIN),
                User::admin("root@northwind.example"),
                User::new("ana@northwind.example"),
            ],
            delegated: Scope::ALL.to_vec(),
            token_lifetime: Duration::from_secs(3599),
            settle: Duration::from_secs(2),
            request_log: 4096,
            seed: None,
        }
    }
}

impl Config {
    /// For tests: only [`GoogleWorkspace::advance`] moves time, and changes show at once.
    pub fn manual() -> Self {
        Self {
            pace: Pace::Manual,
            settle: Duration::ZERO,
            ..Self::default()
        }
    }

    /// The same with this user as well.
    #[must_use]
    pub fn with(mut self, user: User) -> Self {
        self.users.push(user);
        self
    }
}

/// What the organization holds.
#[derive(Debug, Default)]
pub(crate) struct Company {
    pub(crate) users: Directory,
    pub(crate) alerts: AlertTable,
    pub(crate) activities: Activities,
    pub(crate) settle: Duration,
    /// Scopes whose services are switched off in the service account's project.
    pub(crate) switched_off: Vec<Scope>,
}

/// What the twin keeps of the vendor.
#[derive(Debug)]
pub struct Vendor {
    pub(crate) auth: Auth,
    pub(crate) customer: String,
    company: Mutex<Company>,
}

pub(crate) type Shared = crate::twin::Shared<Vendor>;

impl Shared {
    pub(crate) fn company(&self) -> MutexGuard<'_, Company> {
        lock(&self.vendor.company)
    }
}

/// A running twin. Its base URL stands for every host of the vendor.
pub type GoogleWorkspace = Twin<Vendor>;

impl GoogleWorkspace {
    /// Starts a twin on the current Tokio runtime.
    ///
    /// # Errors
    /// When the address cannot be bound, or the start time does not fit the clock.
    pub async fn start(config: Config) -> Result<Self, Error> {
        let clock = Clock::start(config.pace, config.start_at)?;
        let vendor = Vendor {
            auth: Auth::new(config.token_lifetime, config.delegated),
            customer: config.customer,
            company: Mutex::new(Company {
                settle: config.settle,
                ..Company::default()
            }),
        };
        let shared = Shared::new(clock, config.seed, config.request_log, vendor);
        for user in config.users {
            control::add_user(&shared, user);
        }
        Self::serve(config.listen, shared).await
    }

    /// The service account's JSON key file, with this twin as the place to ask for tokens.
    pub fn service_account_key(&self) -> String {
        auth::key_file(&format!("{}/token", self.base_url()))
    }

    /// Changes how late readers see changes from now on.
    pub fn set_settle(&self, settle: Duration) {
        self.shared.company().settle = settle;
    }

    // Users.

    /// Adds a user, or replaces the one with the same address, and returns the numeric id.
    pub fn add_user(&self, user: User) -> String {
        control::add_user(&self.shared, user)
    }

    /// A user by id or address, as it really stands.
    pub fn user(&self, key: &str) -> Option<User> {
        self.shared.company().users.find(key).cloned()
    }

    /// Changes a user, as somebody in the Admin console would; whether there is one.
    pub fn change_user(&self, key: &str, change: impl FnOnce(&mut User)) -> bool {
        self.shared.company().users.change(key, change)
    }

    // Alerts and audit events.

    /// Raises an alert and returns its id.
    pub fn add_alert(&self, alert: &AlertSpec) -> String {
        control::add_alert(&self.shared, alert)
    }

    /// Adds an alert document as it is, or replaces the one with the same `alertId`.
    ///
    /// # Errors
    /// When it is no object or lacks `alertId` or a readable `createTime`.
    pub fn add_raw_alert(&self, document: &Value) -> Result<String, Error> {
        let none = Map::new();
        let fields = document.as_object().unwrap_or(&none);
        let added = self.shared.company().alerts.put(fields);
        added.map_err(Error::IncompleteAlert)
    }

    /// Sets an alert's status, as somebody in the console would; whether there is one.
    pub fn set_alert_status(&self, id: &str, status: &str) -> bool {
        let now = self.shared.clock.stamp();
        self.shared.company().alerts.set_status(id, status, now)
    }

    /// Feedback given so far: alert id and type.
    pub fn feedback(&self) -> Vec<(String, String)> {
        self.shared.company().alerts.feedback()
    }

    /// Adds an event to the audit of sign-ins.
    pub fn add_login_event(&self, event: &LoginEvent) {
        control::add_login_event(&self.shared, event);
    }

    // Access.

    /// Delegates these scopes to the service account and no others. Tokens that were issued keep theirs.
    pub fn delegate(&self, scopes: &[Scope]) {
        self.shared.vendor.auth.delegate(scopes.to_vec());
    }

    /// Delegates every scope but this one.
    pub fn delegate_all_but(&self, scope: Scope) {
        let rest = Scope::ALL.into_iter().filter(|other| *other != scope);
        self.shared.vendor.auth.delegate(rest.collect());
    }

    /// Switches the service off that this scope is for, in the project the service account belongs to.
    pub fn switch_off(&self, scope: Scope) {
        self.shared.company().switched_off.push(scope);
    }

    /// How many tokens were issued that carry this scope.
    pub fn tokens_issued(&self, scope: Scope) -> u64 {
        self.shared.vendor.auth.issued(scope)
    }

    /// Revokes every token.
    pub fn revoke_tokens(&self) {
        self.shared.vendor.auth.revoke_all();
    }

    /// Changes how long tokens live that are issued from now on.
    pub fn set_token_lifetime(&self, lifetime: Duration) {
        self.shared.vendor.auth.set_lifetime(lifetime);
    }

    /// Sets every counter to zero and empties the listing. State stays.
    pub fn reset_counters(&self) {
        self.shared.log.clear();
    }
}
