//! OpenID Connect: the organization's identity provider, asked who somebody is.
//!
//! This file is the identity; everything else lives in the file of its concern. The conversation with the
//! provider is `api`'s, and what is believed of what it signs is `token`'s.

mod api;
mod config;
mod token;

use std::sync::Arc;

use quell_connector::ability::Abilities;
use quell_connector::http::{Authenticate, Exchange, Grant, Plane, Url};
use quell_connector::{
    Attempt, BoxFuture, Call, Check, ConfigError, Identity, Lifelines, Plumbing, Result, Row,
    SignIn, Vendor,
};
use quell_model::Secret;
use tokio::sync::Mutex;

pub use config::Config;

/// One OpenID Connect provider, with Quell as a relying party.
pub struct Oidc {
    plane: Plane,
    /// As `plane`, with Quell's credentials in the header.
    signed_in: Option<Plane>,
    secret: Option<Secret>,
    issuer: Url,
    config: Config,
    known: Mutex<Option<Arc<api::Provider>>>,
}

impl Vendor for Oidc {
    const ID: &'static str = "oidc";
    const NAME: &'static str = "OpenID Connect";
    const ROWS: &'static [Row<Self>] = &[];

    type Config = Config;

    fn build(config: Config, plumbing: Plumbing) -> Result<Self, ConfigError> {
        config.check()?;
        let issuer = config.issuer()?;
        let hosts: Vec<String> = issuer
            .host_str()
            .map(str::to_owned)
            .into_iter()
            .chain(config.hosts.iter().cloned())
            .collect();
        let reference = config.client_secret.as_ref();
        let secret = reference
            .map(|reference| plumbing.secret("client_secret", reference))
            .transpose()?;
        let plane = |authorization| {
            let source = Box::new(Always(Grant {
                base: issuer.clone(),
                authorization,
                refresh_at: jiff::Timestamp::MAX,
            }));
            Plane::new(&plumbing, &config.http, api::DIALECT, hosts.clone(), source)
        };
        let header = secret
            .as_ref()
            .map(|secret| api::basic(&config.client_id, secret));
        Ok(Self {
            plane: plane(None)?,
            signed_in: header.map(|header| plane(Some(header))).transpose()?,
            known: Mutex::new(None),
            secret,
            issuer,
            config,
        })
    }

    fn abilities(self: &Arc<Self>) -> Abilities {
        Abilities {
            sign_in: Some(self.clone()),
            ..Abilities::default()
        }
    }

    fn lifelines(&self) -> Lifelines {
        Lifelines {
            hosts: self
                .issuer
                .host_str()
                .map(str::to_owned)
                .into_iter()
                .collect(),
            ..Lifelines::default()
        }
    }

    async fn probe(&self, cx: &Call) -> Vec<Check> {
        api::probe(self, cx).await
    }
}

impl SignIn for Oidc {
    fn begin<'a>(&'a self, cx: &'a Call, attempt: &'a Attempt) -> BoxFuture<'a, Result<String>> {
        Box::pin(api::begin(self, cx, attempt))
    }

    fn finish<'a>(
        &'a self,
        cx: &'a Call,
        attempt: &'a Attempt,
        code: &'a Secret,
    ) -> BoxFuture<'a, Result<Identity>> {
        Box::pin(api::finish(self, cx, attempt, code))
    }
}

/// Credentials that are good until somebody changes them, or none.
struct Always(Grant);

impl Authenticate for Always {
    fn authenticate<'a>(&'a self, _: &'a Call, _: &'a Exchange) -> BoxFuture<'a, Result<Grant>> {
        Box::pin(async { Ok(self.0.clone()) })
    }
}
