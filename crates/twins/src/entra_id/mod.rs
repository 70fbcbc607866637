//! A twin of Microsoft Entra ID behind Microsoft Graph: users with their sessions, passwords and roles, risk detections
//! and risky users, subscriptions to change notifications, and the token endpoint with secrets and certificates.
//!
//! Facts come from the vendor's published documentation and metadata (`microsoft-graph-docs-contrib`,
//! `msgraph-metadata`), its Python SDKs, and public integrations. Where those leave a question open, the crate's README
//! says what the twin does. The login host and the API host, two at the vendor, are one here.

mod auth;
mod batch;
mod calls;
mod control;
mod directory;
mod endpoint;
mod groups;
mod odata;
mod risk;
mod risk_calls;
mod service;
mod subscriptions;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};

pub use auth::App;
pub use directory::{
    DIRECTORY_READERS, DIRECTORY_SYNCHRONIZATION, GLOBAL_ADMINISTRATOR, OnPremises,
    PRIVILEGED_AUTHENTICATION_ADMINISTRATOR, USER_ADMINISTRATOR, UserCalls, UserSpec,
};
pub use endpoint::{Endpoint, Permission};
pub use risk::{RiskSpec, RiskyUser};
pub use subscriptions::Subscription;

use crate::clock::{Clock, Pace, nanos};
use crate::sync::lock;
use crate::{Error, Twin};
use auth::Auth;
use directory::{Directory, User};
use risk::Risk;
use subscriptions::Subscriptions;

/// The tenant that [`Config::default`] has.
pub const TENANT: &str = "3a7c1e52-9b40-4f6d-8e21-5d0c7b9a4f13";
/// Client id of the app that [`Config::default`] knows.
pub const CLIENT_ID: &str = "6f2d9c04-1b7e-4a35-9c58-e0b3f7a1d286";
/// Its secret.
pub const CLIENT_SECRET: &str = "twin~client~secret";

/// How to start a twin.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen. Port 0 picks a free one.
    pub listen: SocketAddr,
    /// Who moves the clock.
    pub pace: Pace,
    /// What the clock shows at the start; the present when absent.
    pub start_at: Option<Timestamp>,
    /// App registrations.
    pub apps: Vec<App>,
    /// How long a token lives.
    pub token_lifetime: Duration,
    /// How long reads lag behind writes.
    pub settle: Duration,
    /// Requests a second that Identity Protection takes; none takes any number.
    pub risk_requests_per_second: Option<u32>,
    /// How many requests the listing keeps; zero turns it off.
    pub request_log: usize,
    /// Fixes every made-up id; drawn from the clock when absent.
    pub seed: Option<u64>,
    /// Users to start with.
    pub users: Vec<UserSpec>,
    /// Domains that another identity provider signs in for.
    pub federated_domains: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            pace: Pace::RealTime,
            start_at: None,
            apps: vec![App::new(CLIENT_ID, CLIENT_SECRET)],
            token_lifetime: Duration::from_secs(3599),
            settle: Duration::from_secs(3),
            risk_requests_per_second: Some(1),
            request_log: 4096,
            seed: None,
            users: Vec::new(),
            federated_domains: Vec::new(),
        }
    }
}

impl Config {
    /// For tests: only [`EntraId::advance`] moves time, and reads show at once what was written.
    pub fn manual() -> Self {
        Self {
            pace: Pace::Manual,
            settle: Duration::ZERO,
            ..Self::default()
        }
    }

    /// The same with one more user.
    #[must_use]
    pub fn with_user(mut self, user: UserSpec) -> Self {
        self.users.push(user);
        self
    }
}

/// Identity Protection's limit, and what of it is used.
#[derive(Debug)]
pub(crate) struct RiskLimit {
    pub(crate) per_second: Option<u32>,
    pub(crate) second: i64,
    pub(crate) used: u32,
}

/// What the twin keeps of the vendor.
#[derive(Debug)]
pub struct Vendor {
    pub(crate) auth: Auth,
    pub(crate) risk_limit: Mutex<RiskLimit>,
    settle: Mutex<Duration>,
    directory: Mutex<Directory>,
    risk: Mutex<Risk>,
    subscriptions: Mutex<Subscriptions>,
}

pub(crate) type Shared = crate::twin::Shared<Vendor>;

impl Shared {
    pub(crate) fn directory(&self) -> MutexGuard<'_, Directory> {
        lock(&self.vendor.directory)
    }

    pub(crate) fn risk(&self) -> MutexGuard<'_, Risk> {
        lock(&self.vendor.risk)
    }

    pub(crate) fn subscriptions(&self) -> MutexGuard<'_, Subscriptions> {
        lock(&self.vendor.subscriptions)
    }

    /// How long reads lag, in nanoseconds.
    pub(crate) fn settle(&self) -> i64 {
        nanos(*lock(&self.vendor.settle))
    }

    pub(crate) fn set_settle(&self, settle: Duration) {
        *lock(&self.vendor.settle) = settle;
    }

    pub(crate) fn put_user(&self, mut spec: UserSpec) -> String {
        if spec.id.is_empty() {
            spec.id = self.ids.uuid();
        }
        spec.id = spec.id.to_ascii_lowercase();
        let id = spec.id.clone();
        let user = User::new(spec, self.clock.now_ns());
        self.directory().users.insert(id.clone(), user);
        id
    }

    pub(crate) fn raise(&self, spec: &RiskSpec) -> Result<String, Error> {
        let subject = {
            let mut directory = self.directory();
            let user = directory
                .user(&spec.user)
                .ok_or_else(|| Error::UnknownUser(spec.user.clone()))?;
            risk::Subject {
                user: user.spec.id.clone(),
                principal: user.spec.principal.clone(),
                name: user.spec.name.clone(),
                id: self.ids.hex(4),
                request_id: self.ids.uuid(),
            }
        };
        Ok(self.risk().raise(spec, subject, self.clock.now_ns()))
    }
}

/// A running twin. Its base URL stands for the vendor's login host and for its API host.
pub type EntraId = Twin<Vendor>;

impl EntraId {
    /// Starts a twin on the current Tokio runtime.
    ///
    /// # Errors
    /// When the address cannot be bound, or the start time does not fit the clock.
    pub async fn start(config: Config) -> Result<Self, Error> {
        let clock = Clock::start(config.pace, config.start_at)?;
        let vendor = Vendor {
            auth: Auth::new(TENANT, config.token_lifetime, config.apps),
            risk_limit: Mutex::new(RiskLimit {
                per_second: config.risk_requests_per_second,
                second: i64::MIN,
                used: 0,
            }),
            settle: Mutex::new(config.settle),
            directory: Mutex::new(Directory {
                federated: config.federated_domains,
                ..Directory::default()
            }),
            risk: Mutex::new(Risk::default()),
            subscriptions: Mutex::new(Subscriptions::default()),
        };
        let shared = Shared::new(clock, config.seed, config.request_log, vendor);
        for user in config.users {
            shared.put_user(user);
        }
        Self::serve(config.listen, shared).await
    }

    /// Changes how long reads lag behind writes from now on.
    pub fn set_settle(&self, settle: Duration) {
        self.shared.set_settle(settle);
    }

    // The directory.

    /// Adds a user, or replaces the one with the same id, and returns the object id.
    pub fn add_user(&self, user: UserSpec) -> String {
        self.shared.put_user(user)
    }

    /// Removes a user, as if somebody had done it in the portal.
    pub fn remove_user(&self, id: &str) {
        self.shared.directory().users.remove(id);
    }

    /// The object id of a user, by principal name or id.
    pub fn id_of(&self, user: &str) -> Option<String> {
        self.with(user, |user| user.spec.id.clone())
    }

    /// Whether a user may sign in, whatever reads show.
    pub fn is_enabled(&self, user: &str) -> Option<bool> {
        self.with(user, |user| user.is_enabled())
    }

    /// Enables or disables a user, as if somebody had done it in the portal.
    pub fn set_enabled(&self, user: &str, enabled: bool) {
        let now = self.shared.clock.now_ns();
        self.with(user, |user| user.set_enabled(enabled, now, 0));
    }

    /// The password last set through the API.
    pub fn password(&self, user: &str) -> Option<String> {
        self.with(user, |user| user.password.clone()).flatten()
    }

    /// Whether the next sign-in has to change the password.
    pub fn must_change_password(&self, user: &str) -> Option<bool> {
        self.with(user, |user| user.must_change_password())
    }

    /// What happened to a user through the API.
    pub fn calls(&self, user: &str) -> UserCalls {
        self.with(user, |user| user.calls).unwrap_or_default()
    }

    fn with<T>(&self, user: &str, read: impl FnOnce(&mut User) -> T) -> Option<T> {
        self.shared.directory().user(user).map(read)
    }

    // Risk.

    /// Raises a risk detection and returns its id.
    ///
    /// # Errors
    /// When the tenant has no such user.
    pub fn raise(&self, risk: &RiskSpec) -> Result<String, Error> {
        self.shared.raise(risk)
    }

    /// A detection's document as reads show it.
    pub fn detection(&self, id: &str) -> Option<Value> {
        let now = self.shared.clock.now_ns();
        let risk = self.shared.risk();
        let mut shown = risk.shown(now);
        let found = shown.find(|document| document.get("id").and_then(Value::as_str) == Some(id));
        found.cloned().map(Value::Object)
    }

    /// Adds a detection document as it is, or replaces the one with the same id.
    ///
    /// # Errors
    /// When it lacks an `id` or a readable `detectedDateTime`.
    pub fn add_raw_detection(&self, document: Map<String, Value>) -> Result<String, Error> {
        let put = self.shared.risk().put(document);
        put.map_err(Error::IncompleteAlert)
    }

    /// What somebody decided about a user's risk in the portal (`remediated`, `dismissed`).
    pub fn settle_risk(&self, user: &str, state: &str, detail: &str) {
        let Some(id) = self.id_of(user) else { return };
        let now = self.shared.clock.stamp();
        self.shared.risk().decide(&id, state, detail, "none", now);
    }

    /// What Identity Protection thinks of a user.
    pub fn risky_user(&self, user: &str) -> Option<RiskyUser> {
        let id = self.id_of(user)?;
        self.shared.risk().user(&id).cloned()
    }

    // Subscriptions.

    /// Subscriptions that are alive.
    pub fn subscriptions(&self) -> Vec<Subscription> {
        let mut subscriptions = self.shared.subscriptions();
        subscriptions.expire(self.shared.clock.now_ns());
        subscriptions.0.values().cloned().collect()
    }

    /// Removes a subscription, as the vendor does when its receiver stays silent.
    pub fn remove_subscription(&self, id: &str) {
        self.shared.subscriptions().0.remove(id);
    }

    /// The body the vendor would send when a user changed.
    pub fn notification(&self, subscription: &Subscription, user: &str) -> String {
        subscriptions::changed(subscription, TENANT, user).to_string()
    }

    /// The body the vendor would send about the subscription itself (`subscriptionRemoved`, `missed`,
    /// `reauthorizationRequired`).
    pub fn lifecycle_notification(&self, subscription: &Subscription, event: &str) -> String {
        let now = self.shared.clock.now_ns();
        subscriptions::lifecycle(subscription, TENANT, event, now).to_string()
    }

    // Access.

    /// Adds an app or replaces the one with the same client id.
    pub fn put_app(&self, app: App) {
        self.shared.vendor.auth.put_app(app);
    }

    /// Revokes every token.
    pub fn revoke_tokens(&self) {
        self.shared.vendor.auth.revoke_all();
    }
}
