//! Microsoft Entra ID through Microsoft Graph: whether a user may sign in, ending sessions, resetting passwords, risk
//! detections by polling or by id with change notifications, and verdicts written back to them.
//!
//! This file is the identity and the table; everything else lives in the file of its concern.

mod account;
mod alerts;
mod api;
mod auth;
mod batch;
mod cloud;
mod config;
mod dialect;
mod feed;
mod groups;
mod notifications;
mod obstacles;
mod probe;
mod risky_users;
mod users;
mod wire;
mod write_back;
mod written;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use quell_connector::ability::Abilities;
use quell_connector::http::Plane;
use quell_connector::vendor::{Normalise, Reference};
use quell_connector::{
    Call, Check, ConfigError, Facts, Lifelines, Plumbing, Row, Vendor, control, perform,
};
use quell_model::property::{AccountEnabled, ResetPassword, RevokeSessions};

pub use alerts::{detection_id_in, normalise};
pub use cloud::Cloud;
pub use config::{Config, Notifications, Poll};

use auth::{Credentials, Standing};
use batch::Reads;
use groups::Groups;
use notifications::Subscription;
use written::Written;

const ID: &str = "entra-id";
/// Where accounts of this connector live, as entities spell it.
const PROVIDER: &str = "entra_id";

/// One tenant of Microsoft Entra ID.
pub struct EntraId {
    plane: Arc<Plane>,
    reads: Reads,
    groups: Groups,
    standing: Arc<Standing>,
    written: Written,
    poll: Poll,
    /// The feed's next page is one of risky users. Not kept: a failure there must not keep detections from being read.
    users_turn: AtomicBool,
    write_back: bool,
    subscription: Option<Arc<Subscription>>,
    tenant: String,
    client_id: String,
    /// Hosts of the login and the API.
    home: Vec<String>,
}

impl Vendor for EntraId {
    const ID: &'static str = ID;
    const NAME: &'static str = "Microsoft Entra ID";
    const NORMALISE: Option<Normalise> = Some(normalise);
    const REFERENCE: Option<Reference> = Some(detection_id_in);
    const ENVELOPE: &'static [&'static str] = &["value", "records"];
    const ROWS: &'static [Row<Self>] = &[
        control::<Self, AccountEnabled>(Facts {
            needs: &[api::READ_USERS, api::READ_ROLES, api::ENABLE_USERS],
            settle: Duration::from_secs(60),
            docs: "https://learn.microsoft.com/graph/api/user-update",
            quirks: &[
                "Disabling ends no session by itself; revoke the sessions as well.",
                "Users synchronised from Active Directory are disabled there, or the next synchronisation enables them again.",
                "Administrators are reached only when the app holds Privileged Authentication Administrator.",
                "The only Global Administrator who can sign in is never disabled.",
            ],
        }),
        perform::<Self, RevokeSessions>(Facts {
            needs: &[api::READ_USERS, api::READ_ROLES, api::REVOKE_SESSIONS],
            settle: Duration::from_secs(120),
            docs: "https://learn.microsoft.com/graph/api/user-revokesigninsessions",
            quirks: &[
                "Access tokens that are out already work on for up to 90 minutes, in apps that do not check them continuously.",
                "Guests sign in at their own tenant and are not affected.",
            ],
        }),
        perform::<Self, ResetPassword>(Facts {
            needs: &[api::READ_USERS, api::READ_ROLES, api::SET_PASSWORDS],
            settle: Duration::from_secs(120),
            docs: "https://learn.microsoft.com/graph/api/user-update",
            quirks: &[
                "The app needs the directory role User Administrator, for administrators Privileged Authentication Administrator.",
                "Passwords of synchronised and federated users are not Microsoft's to set.",
                "With `Domain.Read.All` as well, Quell knows federated domains before it tries; without it, Microsoft refuses.",
            ],
        }),
    ];

    type Config = Config;

    fn build(config: Config, plumbing: Plumbing) -> Result<Self, ConfigError> {
        let standing = Arc::new(Standing::default());
        let credentials = Credentials::new(&config, &plumbing, standing.clone())?;
        let hosts = [config.login()?, config.graph()?];
        let hosts = hosts.iter().filter_map(|url| url.host_str());
        let home: Vec<String> = hosts.map(str::to_owned).collect();
        let plane = Arc::new(Plane::new(
            &plumbing,
            &config.http,
            dialect::DIALECT,
            home.clone(),
            Box::new(credentials),
        )?);
        let subscription = match &config.notifications {
            Some(wanted) => Some(Arc::new(Subscription {
                client_state: wanted.checked(&plumbing)?,
                url: wanted.url.clone(),
                resource: wanted.resource.trim().to_owned(),
                made: AtomicBool::new(false),
            })),
            None => None,
        };
        Ok(Self {
            reads: Reads::new(&plane),
            plane,
            standing,
            written: Written::default(),
            write_back: config.write_back,
            subscription,
            tenant: config.tenant()?,
            client_id: config.client_id,
            poll: config.poll.checked()?,
            users_turn: AtomicBool::new(false),
            groups: Groups::checked(config.groups)?,
            home,
        })
    }

    fn abilities(self: &Arc<Self>) -> Abilities {
        let subscription = self.subscription.as_ref();
        Abilities {
            feed: self.poll.enabled.then(|| self.clone() as _),
            fetch: Some(self.clone()),
            receive: subscription.map(|subscription| subscription.clone() as _),
            upkeep: subscription.map(|_| self.clone() as _),
            write_back: self.write_back.then(|| self.clone() as _),
            ..Abilities::default()
        }
    }

    fn lifelines(&self) -> Lifelines {
        Lifelines {
            hosts: self.home.clone(),
            accounts: vec![self.client_id.clone()],
            ..Lifelines::default()
        }
    }

    async fn probe(&self, cx: &Call) -> Vec<Check> {
        probe::probe(self, cx).await
    }
}
