//! An Okta twin with a connection to it, both on one clock that only waiting moves.

use std::collections::BTreeMap;
use std::sync::Arc;

use quell_connector::clock::SimClock;
use quell_connector::settings::SecretRef;
use quell_connector::{ConfigError, Connected, Plumbing, SecretSource};
use quell_connectors::catalog;
use quell_model::entity::{Account, Entity};
use quell_model::{Clock, Secret};
use quell_twins::okta::{API_TOKEN, CLIENT_ID, Config, KEY_ID, Okta};
use serde_json::{Value, json};

use crate::clock::SharedClock;

/// What the event hook sends.
pub(crate) const HOOK_SECRET: &str = "5f1c-a-long-random-text";

/// Secrets by their references.
struct Secrets(BTreeMap<&'static str, String>);

impl SecretSource for Secrets {
    fn resolve(&self, reference: &SecretRef) -> Result<Secret, String> {
        let found = self.0.get(reference.as_str());
        found
            .map(|text| Secret::new(text.clone()))
            .ok_or_else(|| "there is no such secret".to_owned())
    }
}

/// A twin and what it takes to connect to it.
pub(crate) struct Lab {
    pub(crate) twin: Arc<Okta>,
    pub(crate) clock: Arc<SharedClock>,
}

impl Lab {
    pub(crate) async fn start(config: Config) -> Self {
        let ours = SimClock::default();
        let config = Config {
            start_at: Some(ours.now()),
            ..config
        };
        let twin = Arc::new(Okta::start(config).await.expect("the twin starts"));
        let moved = twin.clone();
        let clock = SharedClock::new(ours, move |by| moved.advance(by));
        Self {
            twin,
            clock: Arc::new(clock),
        }
    }

    /// A connection from this configuration.
    pub(crate) fn build(&self, config: Value) -> Result<Connected, ConfigError> {
        let secrets = BTreeMap::from([
            ("env:OKTA_KEY", self.twin.private_key().to_owned()),
            ("env:OKTA_TOKEN", API_TOKEN.to_owned()),
            ("env:OTHER_TOKEN", "00other-token".to_owned()),
            ("env:OKTA_HOOK", HOOK_SECRET.to_owned()),
            ("env:SHORT", "short".to_owned()),
        ]);
        let plumbing = Plumbing {
            connection: "okta".parse().expect("a connection id"),
            clock: self.clock.clone(),
            secrets: Arc::new(Secrets(secrets)),
        };
        let connector = catalog::find("okta").expect("the catalog lists it");
        connector.build(config, plumbing)
    }

    /// A service app's connection built from scratch, with these keys beside the usual ones.
    pub(crate) fn connect_with(&self, extra: Value) -> Connected {
        let mut config = json!({
            "org_url": self.twin.base_url(),
            "client_id": CLIENT_ID,
            "key_id": KEY_ID,
            "private_key": "env:OKTA_KEY",
            "hook_secret": "env:OKTA_HOOK",
        });
        if let (Some(config), Value::Object(extra)) = (config.as_object_mut(), extra) {
            config.extend(extra);
        }
        self.build(config).expect("the connection can be built")
    }

    pub(crate) fn connect(&self) -> Connected {
        self.connect_with(json!({}))
    }
}

/// An account by an id of Okta's.
pub(crate) fn by_id(id: &str) -> Entity {
    Account {
        id: Some(id.to_owned()),
        provider: Some("okta".to_owned()),
        ..Account::default()
    }
    .into()
}
