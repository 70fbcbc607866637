//! A twin of an Okta organization: OAuth for service apps (with and without proof of possession), API tokens, users and
//! their life cycle, sessions, temporary passwords, admin roles, and the System Log with event hook deliveries.
//!
//! Facts come from Okta's published management API description and developer documentation. Users move through
//! [`Status`] as documented: only an active user is suspended, a suspended one is only unsuspended. What a read shows
//! and what the System Log tells may lag behind what was done ([`Settle`]).

mod auth;
mod control;
mod jws;
mod logs;
mod org;
mod scim;
mod service;
mod users;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use logs::EventSpec;
pub use org::{Calls, ServiceApp, Status, User, UserSpec};
pub use service::Endpoint;

use crate::clock::{Clock, Pace, timestamp};
use crate::sync::lock;
use crate::{Error, Twin};
use org::Org;

/// Client id of the service app that [`Okta::start`] makes.
pub const CLIENT_ID: &str = "0oatwinquell0000001";
/// Id of that app's key.
pub const KEY_ID: &str = "twin-key-1";
/// API token of the administrator [`ADMIN`].
pub const API_TOKEN: &str = "00twin-api-token";
/// Login of the super administrator every organization starts with.
pub const ADMIN: &str = "root.admin@acme.example";
/// Scopes the default service app has.
pub const SCOPES: [&str; 4] = [
    "okta.logs.read",
    "okta.roles.read",
    "okta.users.manage",
    "okta.users.read",
];

/// How late things show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Settle {
    /// A changed user is read as before for so long.
    pub status_millis: u64,
    /// An event can be read in the System Log only after so long.
    pub log_millis: u64,
}

impl Settle {
    fn ns(millis: u64) -> i64 {
        i64::try_from(millis)
            .unwrap_or(i64::MAX)
            .saturating_mul(1_000_000)
    }

    pub(crate) fn status_ns(self) -> i64 {
        Self::ns(self.status_millis)
    }

    pub(crate) fn log_ns(self) -> i64 {
        Self::ns(self.log_millis)
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
    /// Users beside [`ADMIN`].
    pub users: Vec<UserSpec>,
    /// How late things show.
    pub settle: Settle,
    /// Seconds an access token is good for.
    pub token_lifetime_seconds: i64,
    /// How far the vendor's clock is ahead of everybody's, in seconds. Signing in goes by the right time all the same.
    pub skew_seconds: i64,
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
            users: Vec::new(),
            settle: Settle {
                status_millis: 0,
                log_millis: 1500,
            },
            token_lifetime_seconds: 3600,
            skew_seconds: 0,
            request_log: 4096,
            seed: None,
        }
    }
}

impl Config {
    /// For tests: only [`Okta::advance`] moves time, and nothing lags.
    pub fn manual() -> Self {
        Self {
            pace: Pace::Manual,
            settle: Settle::default(),
            ..Self::default()
        }
    }

    /// With this user.
    #[must_use]
    pub fn with(mut self, user: UserSpec) -> Self {
        self.users.push(user);
        self
    }
}

/// What the twin keeps of the vendor.
#[derive(Debug)]
pub struct Vendor {
    /// The default service app as it was at the start, and its private key.
    app: ServiceApp,
    key: String,
    settle: Mutex<Settle>,
    token_lifetime: i64,
    skew: i64,
    org: Mutex<Org>,
}

pub(crate) type Shared = crate::twin::Shared<Vendor>;

impl Shared {
    pub(crate) fn org(&self) -> MutexGuard<'_, Org> {
        lock(&self.vendor.org)
    }

    pub(crate) fn settle(&self) -> Settle {
        *lock(&self.vendor.settle)
    }

    pub(crate) fn set_settle(&self, settle: Settle) {
        *lock(&self.vendor.settle) = settle;
    }

    pub(crate) fn token_lifetime(&self) -> i64 {
        self.vendor.token_lifetime
    }

    /// The present as the vendor's own clock shows it.
    pub(crate) fn now_ns(&self) -> i64 {
        let ahead = self.vendor.skew.saturating_mul(1_000_000_000);
        self.clock.now_ns().saturating_add(ahead)
    }

    /// What a proof for a token has to repeat; another one each day.
    pub(crate) fn nonce(&self) -> String {
        format!("twin-nonce-{}", self.clock.now_ns() / 86_400_000_000_000)
    }

    pub(crate) fn put_app(&self, app: ServiceApp) {
        let mut org = self.org();
        org.apps.retain(|other| other.client_id != app.client_id);
        org.apps.push(app);
    }

    pub(crate) fn put_user(&self, spec: UserSpec) -> String {
        let now = self.now_ns();
        let id = format!("00u{}5d7", self.ids.hex(1).get(..14).unwrap_or_default());
        let email = if spec.email.is_empty() {
            spec.login.clone()
        } else {
            spec.email
        };
        let earlier = now - 30 * 86_400_000_000_000;
        self.org().users.push(User {
            id: id.clone(),
            login: spec.login,
            email,
            status: spec.status,
            provider: spec.provider,
            provider_name: spec.provider_name,
            roles: spec.roles,
            group_roles: spec.group_roles,
            sessions: 1,
            temporary_password: None,
            calls: Calls::default(),
            created: earlier,
            status_changed: earlier,
            password_changed: earlier,
            shown: None,
            indexed: None,
        });
        id
    }

    pub(crate) fn set_status(&self, id_or_login: &str, status: Status) -> bool {
        let now = self.now_ns();
        let mut org = self.org();
        let at = org.find(id_or_login);
        match at.and_then(|at| org.users.get_mut(at)) {
            Some(user) => {
                user.become_status(status, now, now);
                true
            }
            None => false,
        }
    }
}

/// A running twin. Its base URL is what a client takes for the organization's address.
pub type Okta = Twin<Vendor>;

impl Okta {
    /// Starts a twin on the current Tokio runtime, with a service app whose key is [`Okta::private_key`].
    ///
    /// # Errors
    /// When the address cannot be bound, or the start time does not fit the clock.
    pub async fn start(config: Config) -> Result<Self, Error> {
        let clock = Clock::start(config.pace, config.start_at)?;
        let (key, jwk) = jws::generate().ok_or(Error::NoRandomness)?;
        let app = ServiceApp {
            client_id: CLIENT_ID.into(),
            kid: KEY_ID.into(),
            jwk,
            scopes: SCOPES.map(str::to_owned).into(),
            roles: vec!["SUPER_ADMIN".into()],
            dpop: false,
        };
        let vendor = Vendor {
            app: app.clone(),
            key,
            settle: Mutex::new(config.settle),
            token_lifetime: config.token_lifetime_seconds,
            skew: config.skew_seconds,
            org: Mutex::new(Org::default()),
        };
        let shared = Shared::new(clock, config.seed, config.request_log, vendor);
        shared.put_app(app);
        let admin = shared.put_user(UserSpec::active(ADMIN).role("SUPER_ADMIN"));
        shared.org().api_tokens.insert(API_TOKEN.into(), admin);
        for user in config.users {
            shared.put_user(user);
        }
        Self::serve(config.listen, shared).await
    }

    /// The default service app as it was at the start.
    pub fn app(&self) -> ServiceApp {
        self.shared.vendor.app.clone()
    }

    /// Its private key, as PEM.
    pub fn private_key(&self) -> &str {
        &self.shared.vendor.key
    }

    /// Changes how late things show from now on.
    pub fn set_settle(&self, settle: Settle) {
        self.shared.set_settle(settle);
    }

    // The organization.

    /// Adds a user and answers their id.
    pub fn put_user(&self, user: UserSpec) -> String {
        self.shared.put_user(user)
    }

    /// A user by id or login.
    pub fn user(&self, id_or_login: &str) -> Option<User> {
        let org = self.shared.org();
        let at = org.find(id_or_login)?;
        org.users.get(at).cloned()
    }

    /// The id of the user with this login.
    pub fn id_of(&self, login: &str) -> Option<String> {
        self.user(login).map(|user| user.id)
    }

    /// Puts a user into a state, as an administrator would. False when there is no such user.
    pub fn set_status(&self, id_or_login: &str, status: Status) -> bool {
        self.shared.set_status(id_or_login, status)
    }

    /// Renames a user. Searches go on finding them by the old name. False when there is no such user.
    pub fn rename(&self, id_or_login: &str, login: &str) -> bool {
        let mut org = self.shared.org();
        let at = org.find(id_or_login);
        let Some(user) = at.and_then(|at| org.users.get_mut(at)) else {
            return false;
        };
        user.indexed = Some(std::mem::replace(&mut user.login, login.to_owned()));
        user.email = login.to_owned();
        true
    }

    /// Writes an event to the System Log and answers its uuid.
    pub fn add_event(&self, event: &EventSpec) -> String {
        logs::write(&self.shared, event)
    }

    /// Every event, oldest first, whether it can be read already or not.
    pub fn events(&self) -> Vec<Value> {
        let org = self.shared.org();
        org.log
            .iter()
            .map(|record| record.document.clone())
            .collect()
    }

    /// What an event hook would deliver of these events.
    pub fn hook_delivery(&self, uuids: &[&str]) -> String {
        let wanted = |event: &Value| {
            let uuid = event.get("uuid").and_then(Value::as_str);
            uuid.is_some_and(|uuid| uuids.contains(&uuid))
        };
        let events: Vec<Value> = self.events().into_iter().filter(wanted).collect();
        json!({
            "eventType": "com.okta.event_hook",
            "eventTypeVersion": "1.0",
            "cloudEventsVersion": "0.1",
            "source": format!("{}/api/v1/eventHooks/who1twin0000000000d7", self.base_url()),
            "eventId": self.shared.ids.uuid(),
            "data": {"events": events},
            "eventTime": stamp(self.shared.now_ns()),
            "contentType": "application/json",
        })
        .to_string()
    }

    // Access.

    /// Adds a service app, or replaces the one with the same client id.
    pub fn put_app(&self, app: ServiceApp) {
        self.shared.put_app(app);
    }

    /// Lets this API token in as the user with this login.
    pub fn put_api_token(&self, token: &str, login: &str) {
        if let Some(id) = self.id_of(login) {
            self.shared.org().api_tokens.insert(token.to_owned(), id);
        }
    }

    /// Takes every access and API token away.
    pub fn revoke_tokens(&self) {
        let mut org = self.shared.org();
        org.tokens.clear();
        org.api_tokens.clear();
    }
}

/// A moment as the vendor writes it: milliseconds, UTC.
pub(crate) fn stamp(ns: i64) -> String {
    format!("{:.3}", timestamp(ns))
}
