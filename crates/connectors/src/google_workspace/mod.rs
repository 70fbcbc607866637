//! Google Workspace: accounts of the Directory service (suspended, signed out, a new password), alerts of the
//! Alert Center by polling or by id, suspicious sign-ins of the audit, and feedback on alerts.
//!
//! This file is the identity and the table; everything else lives in the file of its concern.

mod access;
mod alerts;
mod api;
mod config;
mod deeds;
mod feed;
mod probe;
mod users;
mod wire;
mod write_back;

use std::sync::Arc;
use std::time::Duration;

use quell_connector::ability::Abilities;
use quell_connector::vendor::{Normalise, Reference};
use quell_connector::{
    Call, Check, ConfigError, Facts, Lifelines, Plumbing, Row, Vendor, control, perform,
};
use quell_model::property::{AccountEnabled, ResetPassword, RevokeSessions};

pub use alerts::{alert_id_in, normalise};
pub use config::{Config, Endpoints, Poll};

use access::Access;

/// Its id in configuration and policy.
const CONNECTOR: &str = "google-workspace";
/// What accounts say they are from.
const PROVIDER: &str = "google_workspace";

/// One Google Workspace organization.
pub struct GoogleWorkspace {
    access: Access,
    /// Address of the administrator Quell acts as, in lower case.
    admin: String,
    poll: Poll,
    login_audit: bool,
    write_back: bool,
    /// Hosts of the services.
    hosts: Vec<String>,
}

impl Vendor for GoogleWorkspace {
    const ID: &'static str = CONNECTOR;
    const NAME: &'static str = "Google Workspace";
    const NORMALISE: Option<Normalise> = Some(normalise);
    const REFERENCE: Option<Reference> = Some(alert_id_in);
    const ENVELOPE: &'static [&'static str] = &["alerts", "items"];
    const ROWS: &'static [Row<Self>] = &[
        control::<Self, AccountEnabled>(Facts {
            needs: &[
                access::USERS,
                "Users > Read",
                "Users > Update > Suspend users",
            ],
            settle: Duration::from_secs(120),
            docs: "https://developers.google.com/workspace/admin/directory/reference/rest/v1/users/update",
            quirks: &[
                "Suspending ends web sessions. Grants of apps rest with the account and are back when it is.",
                "A directory synchronisation may take a suspension back; Google does not say that one runs.",
                "An archived user counts as disabled, and is not brought back.",
            ],
        }),
        perform::<Self, RevokeSessions>(Facts {
            needs: &[
                access::USERS,
                access::SECURITY,
                "Users > Read",
                "Security > User security management",
            ],
            settle: Duration::from_secs(30),
            docs: "https://developers.google.com/workspace/admin/directory/reference/rest/v1/users/signOut",
            quirks: &[
                "Google shows nowhere that sessions ended, so this is never confirmed.",
                "Apps the account granted access, and app passwords, are left alone and work on.",
                "Where people sign in through another identity provider, a session there signs them in again at once; end it there.",
            ],
        }),
        perform::<Self, ResetPassword>(Facts {
            needs: &[
                access::USERS,
                "Users > Read",
                "Users > Update > Reset password",
                "Users > Update > Force password change",
            ],
            settle: Duration::from_secs(120),
            docs: "https://developers.google.com/workspace/admin/directory/reference/rest/v1/users/update",
            quirks: &[
                "Where people sign in through another identity provider, Google's password is not the one they use, and nothing in the record shows it: reset it there.",
                "The proof is that the account has to change its password; whoever does so before Quell looks leaves none.",
                "Whether it ends sessions is not documented; revoke them as well.",
            ],
        }),
    ];

    type Config = Config;

    fn build(config: Config, plumbing: Plumbing) -> Result<Self, ConfigError> {
        let (bases, admin) = (config.bases()?, config.admin()?);
        Ok(Self {
            access: Access::new(&config, &bases, &admin, &plumbing)?,
            admin,
            poll: config.poll.checked()?,
            login_audit: config.login_audit,
            write_back: config.write_back,
            hosts: bases.hosts(),
        })
    }

    fn abilities(self: &Arc<Self>) -> Abilities {
        Abilities {
            feed: self.poll.enabled.then(|| self.clone() as _),
            fetch: Some(self.clone()),
            write_back: self.write_back.then(|| self.clone() as _),
            ..Abilities::default()
        }
    }

    fn lifelines(&self) -> Lifelines {
        Lifelines {
            hosts: self.hosts.clone(),
            accounts: vec![self.admin.clone(), self.access.service_account.clone()],
            ..Lifelines::default()
        }
    }

    async fn probe(&self, cx: &Call) -> Vec<Check> {
        probe::probe(self, cx).await
    }
}
