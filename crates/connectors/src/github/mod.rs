//! GitHub: whether an account has access to an organization, a server or an enterprise, and alerts about
//! leaked secrets, vulnerable code and vulnerable dependencies.
//!
//! This file is the identity and the table; everything else lives in the file of its concern.

mod accounts;
mod api;
mod auth;
mod config;
mod events;
mod feed;
mod hook;
mod managed;
mod organization;
mod probe;
mod server;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use quell_connector::ability::Abilities;
use quell_connector::http::Plane;
use quell_connector::vendor::Normalise;
use quell_connector::{Call, Check, ConfigError, Facts, Lifelines, Plumbing, Row, Vendor, control};
use quell_model::Secret;
use quell_model::property::AccountEnabled;
use tokio::sync::OnceCell;

pub use config::{App, Config, Poll, Product};
pub use events::normalise;

use api::Api;
use auth::Credentials;

/// One organization, server or enterprise at GitHub.
pub struct GitHub {
    api: Api,
    product: Product,
    poll: Poll,
    webhook_secret: Option<Secret>,
    /// Login of the token's user, once asked for; an App has none.
    own: OnceCell<Option<String>>,
    /// The API's host name.
    host: String,
}

/// What entities of GitHub are marked with.
const PROVIDER: &str = "github";

impl Vendor for GitHub {
    const ID: &'static str = "github";
    const NAME: &'static str = "GitHub";
    const NORMALISE: Option<Normalise> = Some(normalise);
    const ROWS: &'static [Row<Self>] = &[control::<Self, AccountEnabled>(Facts {
        needs: &[api::MEMBERS, api::SITE_ADMIN, api::SCIM],
        settle: Duration::from_secs(60),
        docs: "https://docs.github.com/en/rest/orgs/members#remove-organization-membership-for-a-user",
        quirks: &[
            "With `product = \"org\"` disabling removes the person from the organization (`Members: write`); undoing sends an invitation that the person must accept, and teams and forks do not come back.",
            "With `product = \"ghes\"` the user is suspended on the Enterprise Server (`site_admin`); undoing is complete.",
            "With `product = \"emu\"` the managed user is deactivated over SCIM (`scim:enterprise`); the identity provider may activate it again.",
            "An owner is left to a person: Quell could not give ownership back.",
            "No call ends sessions or takes back tokens that others issued.",
        ],
    })];

    type Config = Config;

    fn build(config: Config, plumbing: Plumbing) -> Result<Self, ConfigError> {
        let place = config.checked()?;
        let host = place.base.host_str().unwrap_or_default().to_owned();
        let credentials = Credentials::new(&config, &plumbing, &place)?;
        let own = if credentials.is_app() {
            OnceCell::from(None)
        } else {
            OnceCell::new()
        };
        let webhook_secret = match &config.webhook_secret {
            Some(reference) => Some(plumbing.secret("webhook_secret", reference)?),
            None => None,
        };
        let plane = Plane::new(
            &plumbing,
            &config.http,
            api::DIALECT,
            vec![host.clone()],
            Box::new(credentials),
        )?;
        Ok(Self {
            api: Api::new(plane, &place),
            product: config.product,
            poll: config.poll.checked(place.organization.is_some())?,
            webhook_secret,
            own,
            host,
        })
    }

    fn abilities(self: &Arc<Self>) -> Abilities {
        Abilities {
            feed: self.poll.enabled.then(|| self.clone() as _),
            receive: self.webhook_secret.is_some().then(|| self.clone() as _),
            ..Abilities::default()
        }
    }

    fn lifelines(&self) -> Lifelines {
        // Whose the token is only GitHub knows; a look at that account finds it before it is disabled.
        Lifelines {
            hosts: vec![self.host.clone()],
            ..Lifelines::default()
        }
    }

    async fn probe(&self, cx: &Call) -> Vec<Check> {
        probe::probe(self, cx).await
    }
}
