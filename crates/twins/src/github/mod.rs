//! A twin of GitHub, as far as containing accounts and leaked secrets goes: members of an organization, suspended users
//! of an Enterprise Server, managed users over SCIM, secret scanning alerts, with personal tokens and GitHub Apps.
//!
//! Facts come from the vendor's published API descriptions (`@octokit/openapi`) and its documentation. Where those leave
//! a question open, the crate's README says what the twin does. One twin serves all three products at once: which calls
//! a client makes is the client's business.

mod alerts;
mod auth;
mod control;
mod endpoint;
mod people;
mod scim;
mod service;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;

pub use alerts::SecretAlert;
pub use auth::{APP_ID, Credential, INSTALLATION, Right, TOKEN, app_key};
pub use endpoint::Endpoint;
pub use people::{Membership, User};
pub use scim::ManagedUser;

use crate::clock::{Clock, Pace};
use crate::sync::lock;
use crate::{Error, Twin};

/// The organization every twin has.
pub const ORGANIZATION: &str = "acme";
/// The enterprise every twin has.
pub const ENTERPRISE: &str = "acme-inc";
/// Login of the owner whose personal token [`TOKEN`] is.
pub const OWNER: &str = "octo-owner";

/// How to start a twin.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen. Port 0 picks a free one.
    pub listen: SocketAddr,
    /// Who moves the clock.
    pub pace: Pace,
    /// What the clock shows at the start; the present when absent.
    pub start_at: Option<Timestamp>,
    /// Users beside the owner of the personal token.
    pub users: Vec<User>,
    /// Managed users.
    pub managed: Vec<ManagedUser>,
    /// How long a change takes to show when it is read.
    pub settle: Duration,
    /// How long an invited person takes to accept; never when absent.
    pub accepts_after: Option<Duration>,
    /// How long an installation's token lives.
    pub token_lifetime: Duration,
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
            managed: Vec::new(),
            settle: Duration::from_secs(1),
            accepts_after: None,
            token_lifetime: Duration::from_secs(3600),
            request_log: 4096,
            seed: None,
        }
    }
}

impl Config {
    /// For tests: only [`GitHub::advance`] moves time, and changes show at once.
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

    /// The same with these managed users.
    #[must_use]
    pub fn with_managed(mut self, users: impl IntoIterator<Item = ManagedUser>) -> Self {
        self.managed.extend(users);
        self
    }
}

/// What the vendor holds.
#[derive(Debug)]
pub(crate) struct Forge {
    pub(crate) credentials: Vec<Credential>,
    pub(crate) users: Vec<people::Record>,
    pub(crate) managed: Vec<scim::Record>,
    pub(crate) secrets: Vec<alerts::Record>,
    pub(crate) settle: Duration,
    pub(crate) accepts_after: Option<Duration>,
    /// What the App was granted.
    pub(crate) app_rights: Vec<Right>,
}

/// What the twin keeps of the vendor.
#[derive(Debug)]
pub struct Vendor {
    pub(crate) token_lifetime: Duration,
    forge: Mutex<Forge>,
}

pub(crate) type Shared = crate::twin::Shared<Vendor>;

impl Shared {
    pub(crate) fn forge(&self) -> MutexGuard<'_, Forge> {
        lock(&self.vendor.forge)
    }
}

/// A running twin. Its base URL is what a client of github.com takes; an Enterprise Server's has `/api/v3` behind it.
pub type GitHub = Twin<Vendor>;

impl GitHub {
    /// Starts a twin on the current Tokio runtime.
    ///
    /// # Errors
    /// When the address cannot be bound, or the start time does not fit the clock.
    pub async fn start(config: Config) -> Result<Self, Error> {
        let clock = Clock::start(config.pace, config.start_at)?;
        let vendor = Vendor {
            token_lifetime: config.token_lifetime,
            forge: Mutex::new(Forge {
                credentials: vec![Credential::personal(TOKEN, OWNER, &Right::ALL)],
                users: Vec::new(),
                managed: Vec::new(),
                secrets: Vec::new(),
                settle: config.settle,
                accepts_after: config.accepts_after,
                app_rights: Right::ALL.to_vec(),
            }),
        };
        let shared = Shared::new(clock, config.seed, config.request_log, vendor);
        for user in [User::owner(OWNER)].into_iter().chain(config.users) {
            people::put(&shared, user);
        }
        for user in config.managed {
            scim::put(&shared, user);
        }
        Self::serve(config.listen, shared).await
    }

    /// Adds a user, or replaces the one with the same login. Answers the numeric id.
    pub fn put_user(&self, user: User) -> u64 {
        people::put(&self.shared, user)
    }

    /// A user as it really is, whatever is shown.
    pub fn user(&self, login: &str) -> Option<User> {
        people::named(&self.shared, login)
    }

    /// Numeric id of a user.
    pub fn id_of(&self, login: &str) -> Option<u64> {
        people::id_of(&self.shared, login)
    }

    /// A managed user as it really is.
    pub fn managed(&self, user_name: &str) -> Option<ManagedUser> {
        scim::named(&self.shared, user_name)
    }

    /// SCIM id of a managed user.
    pub fn scim_id_of(&self, user_name: &str) -> Option<String> {
        scim::id_of(&self.shared, user_name)
    }

    /// How often access of a user, or of a managed user, was really changed.
    pub fn changes(&self, name: &str) -> u64 {
        people::changes(&self.shared, name) + scim::changes(&self.shared, name)
    }

    /// Raises a secret scanning alert, or changes the one with the same repository and number.
    pub fn put_secret(&self, alert: SecretAlert) {
        alerts::put(&self.shared, alert);
    }

    /// Adds a credential, or replaces the one with the same token.
    pub fn put_credential(&self, credential: Credential) {
        auth::put(&self.shared, credential);
    }

    /// What the App is granted from now on.
    pub fn grant_app(&self, rights: &[Right]) {
        self.shared.forge().app_rights = rights.to_vec();
    }

    /// How long a change takes to show.
    pub fn set_settle(&self, settle: Duration) {
        self.shared.forge().settle = settle;
    }

    /// How long an invited person takes to accept.
    pub fn set_accepts_after(&self, after: Option<Duration>) {
        self.shared.forge().accepts_after = after;
    }
}
