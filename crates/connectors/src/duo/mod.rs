//! Duo: whether an account may sign in, and alerts from Trust Monitor and from the authentication log.
//!
//! This file is the identity and the table; everything else lives in the file of its concern.

mod api;
mod config;
mod events;
mod feed;
mod probe;
mod signature;
mod users;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use quell_connector::ability::Abilities;
use quell_connector::http::Plane;
use quell_connector::vendor::Normalise;
use quell_connector::{Call, Check, ConfigError, Facts, Lifelines, Plumbing, Row, Vendor, control};
use quell_model::property::AccountEnabled;

pub use config::{Config, Poll, SignatureVersion};
pub use events::normalise;

use signature::Keys;

/// One Duo account.
pub struct Duo {
    plane: Plane,
    poll: Poll,
    signature: SignatureVersion,
    /// The API's host name.
    host: String,
}

/// What entities of Duo are marked with.
const PROVIDER: &str = "duo";

impl Vendor for Duo {
    const ID: &'static str = "duo";
    const NAME: &'static str = "Duo";
    const NORMALISE: Option<Normalise> = Some(normalise);
    const ENVELOPE: &'static [&'static str] = &["response.events", "response.authlogs", "response"];
    const ROWS: &'static [Row<Self>] = &[control::<Self, AccountEnabled>(Facts {
        needs: &[api::READ_RESOURCE, api::WRITE_RESOURCE],
        settle: Duration::from_secs(30),
        docs: "https://duo.com/docs/adminapi#modify-user",
        quirks: &[
            "Only sign-ins that ask Duo are refused; sessions that exist, and applications without Duo, go on.",
            "A user in bypass or locked out is left to a person: neither status could be restored.",
            "A directory that synchronises the user may enable it again.",
        ],
    })];

    type Config = Config;

    fn build(config: Config, plumbing: Plumbing) -> Result<Self, ConfigError> {
        let base = config.base()?;
        let host = base.host_str().unwrap_or_default().to_owned();
        let keys = Keys::new(&config, &plumbing, base)?;
        let plane = Plane::new(
            &plumbing,
            &config.http,
            api::DIALECT,
            vec![host.clone()],
            Box::new(keys),
        )?;
        Ok(Self {
            plane,
            poll: config.poll.checked()?,
            signature: config.signature,
            host,
        })
    }

    fn abilities(self: &Arc<Self>) -> Abilities {
        Abilities {
            feed: self.poll.wants_anything().then(|| self.clone() as _),
            ..Abilities::default()
        }
    }

    fn lifelines(&self) -> Lifelines {
        // The connection signs in as an application, which is no account anything could be done to.
        Lifelines {
            hosts: vec![self.host.clone()],
            ..Lifelines::default()
        }
    }

    async fn probe(&self, cx: &Call) -> Vec<Check> {
        probe::probe(self, cx).await
    }
}
