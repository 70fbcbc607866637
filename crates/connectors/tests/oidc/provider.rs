//! A connection to the independent provider.

use std::sync::Arc;
use std::time::Duration;

use quell_connector::settings::SecretRef;
use quell_connector::{
    Attempt, Call, Check, Connected, Identity, Plumbing, Result, SecretSource, SignIn, SystemClock,
};
use quell_connectors::catalog;
use quell_model::Secret;
use serde_json::json;

use crate::peer::Peer;

impl Peer {
    pub(crate) fn connect(&self, client: &str, secret: bool) -> Oidc {
        let secret = secret.then_some("env:SECRET");
        self.connect_with(client, secret, &self.issuer)
    }

    pub(crate) fn connect_with(&self, client: &str, secret: Option<&str>, issuer: &str) -> Oidc {
        let mut config = json!({ "issuer": issuer, "client_id": client });
        if let Some(secret) = secret {
            config["client_secret"] = secret.into();
        }
        // The provider lives in real time.
        let plumbing = Plumbing {
            connection: "login".parse().unwrap(),
            clock: Arc::new(SystemClock),
            secrets: Arc::new(Secrets),
        };
        let connector = catalog::find("oidc").unwrap();
        Oidc(connector.build(config, plumbing).unwrap())
    }

    /// What a person's browser brings back who was sent away with this attempt.
    pub(crate) async fn sign_in(&mut self, oidc: &Oidc, attempt: &Attempt, login: &str) -> String {
        let address = oidc.begin(attempt).await.unwrap();
        self.sign_in_at(&address, login).await
    }
}

struct Secrets;

impl SecretSource for Secrets {
    fn resolve(&self, reference: &SecretRef) -> std::result::Result<Secret, String> {
        let secret = match reference.as_str() {
            "env:SECRET" => "s3cret/+ :%",
            _ => "not-the-secret",
        };
        Ok(Secret::new(secret.to_owned()))
    }
}

/// A connection, as the engine uses it.
pub(crate) struct Oidc(Connected);

impl Oidc {
    fn sign_in(&self) -> &dyn SignIn {
        self.0.abilities.sign_in.as_deref().unwrap()
    }

    pub(crate) async fn begin(&self, attempt: &Attempt) -> Result<String> {
        self.sign_in().begin(&call(), attempt).await
    }

    pub(crate) async fn finish(&self, attempt: &Attempt, code: &Secret) -> Result<Identity> {
        self.sign_in().finish(&call(), attempt, code).await
    }

    pub(crate) async fn probe(&self) -> Vec<Check> {
        self.0.probe(&call()).await
    }
}

fn call() -> Call {
    Call::new(Arc::new(SystemClock), Duration::from_secs(20), "test")
}

pub(crate) fn attempt() -> Attempt {
    Attempt::new("https://quell.example.com/was-it-you/callback".to_owned())
}

pub(crate) fn code(back: &str) -> Secret {
    let (_, rest) = back.split_once("code=").unwrap();
    Secret::new(rest.split('&').next().unwrap().to_owned())
}
