//! Okta: suspending users, ending their sessions, temporary passwords, alerts from the System Log by
//! polling and from event hooks.
//!
//! This file is the identity and the table; everything else lives in the file of its concern.

mod accounts;
mod api;
mod auth;
mod config;
mod dpop;
mod enablement;
mod events;
mod feed;
mod hook;
mod passwords;
mod probe;
mod sessions;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use quell_connector::ability::Abilities;
use quell_connector::http::{Plane, Url};
use quell_connector::vendor::Normalise;
use quell_connector::{
    Call, Check, ConfigError, Facts, Lifelines, Plumbing, Row, Vendor, control, perform,
};
use quell_model::property::{AccountEnabled, ResetPassword, RevokeSessions};
use tokio::sync::OnceCell;

pub use config::{Config, Poll};
pub use events::normalise;

use auth::{Credentials, Identity};
use hook::Hook;

/// Provider of accounts that Okta holds.
const PROVIDER: &str = "okta";

/// One Okta organization.
pub struct Okta {
    plane: Plane,
    base: Url,
    identity: Identity,
    /// Id of the administrator whose API token it is; looked up once.
    own: OnceCell<String>,
    poll: Poll,
    hook: Option<Hook>,
}

impl Vendor for Okta {
    const ID: &'static str = "okta";
    const NAME: &'static str = "Okta";
    const NORMALISE: Option<Normalise> = Some(normalise);
    const ENVELOPE: &'static [&'static str] = &["data.events"];
    const ROWS: &'static [Row<Self>] = &[
        control::<Self, AccountEnabled>(Facts {
            needs: &[api::USERS_READ, api::USERS_MANAGE, api::ROLES_READ],
            settle: Duration::from_secs(60),
            docs: "https://developer.okta.com/docs/api/openapi/okta-management/management/tag/UserLifecycle/",
            quirks: &[
                "Only active users can be suspended; one who is locked out, or whose password expired or is being recovered, is for a person.",
                "A suspended user's password cannot be reset: unsuspend first.",
                "A user from Active Directory still signs in there.",
            ],
        }),
        perform::<Self, RevokeSessions>(Facts {
            needs: &[
                api::USERS_READ,
                api::USERS_MANAGE,
                api::ROLES_READ,
                api::LOGS_READ,
            ],
            settle: Duration::from_secs(120),
            docs: "https://developer.okta.com/docs/api/openapi/okta-management/management/tag/UserSessions/",
            quirks: &[
                "Applications keep the sessions they made themselves.",
                "Access tokens that an application checks without asking Okta work until they run out.",
                "Without `okta.logs.read` it is done, and nothing proves it.",
                "Without `okta.roles.read` every user counts as an administrator.",
            ],
        }),
        perform::<Self, ResetPassword>(Facts {
            needs: &[api::USERS_READ, api::USERS_MANAGE, api::ROLES_READ],
            settle: Duration::from_secs(60),
            docs: "https://developer.okta.com/docs/api/openapi/okta-management/management/tag/UserCred/",
            quirks: &[
                "Okta makes the temporary password up; Quell keeps it for the person who hands it over.",
                "Users from a directory or another identity provider have no password in Okta.",
                "Afterwards the user cannot be suspended until a new password is set.",
            ],
        }),
    ];

    type Config = Config;

    fn build(config: Config, plumbing: Plumbing) -> Result<Self, ConfigError> {
        let base = config.base()?;
        let hook = match &config.hook_secret {
            Some(reference) => Some(Hook::new(plumbing.secret("hook_secret", reference)?)?),
            None => None,
        };
        let credentials = Credentials::new(&config, &plumbing, base.clone())?;
        let identity = credentials.identity();
        let hosts = base.host_str().map(str::to_owned).into_iter().collect();
        Ok(Self {
            plane: Plane::new(
                &plumbing,
                &config.http,
                api::DIALECT,
                hosts,
                Box::new(credentials),
            )?,
            base,
            identity,
            own: OnceCell::new(),
            poll: config.poll.checked()?,
            hook,
        })
    }

    fn abilities(self: &Arc<Self>) -> Abilities {
        Abilities {
            feed: self.poll.enabled.then(|| self.clone() as _),
            receive: self.hook.is_some().then(|| self.clone() as _),
            ..Abilities::default()
        }
    }

    fn lifelines(&self) -> Lifelines {
        let accounts = match &self.identity {
            Identity::App { client_id } => vec![client_id.clone()],
            // Whose token it is only Okta can tell: it is looked up before anything is done.
            Identity::Token => Vec::new(),
        };
        Lifelines {
            hosts: self
                .base
                .host_str()
                .map(str::to_owned)
                .into_iter()
                .collect(),
            accounts,
            ..Lifelines::default()
        }
    }

    async fn probe(&self, cx: &Call) -> Vec<Check> {
        probe::probe(self, cx).await
    }
}
