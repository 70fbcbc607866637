//! An Entra ID twin with a connection to it, both on one clock that only waiting moves.

use std::collections::BTreeMap;
use std::sync::Arc;

use quell_connector::clock::SimClock;
use quell_connector::settings::SecretRef;
use quell_connector::{Connected, Plumbing, SecretSource};
use quell_connectors::catalog;
use quell_model::{Clock, Secret};
use quell_twins::entra_id::{CLIENT_ID, CLIENT_SECRET, Config, EntraId, TENANT};
use serde_json::{Value, json};

use super::clock::SharedClock;

/// What notifications must carry.
pub(crate) const CLIENT_STATE: &str = "a-text-nobody-can-guess";

/// Secrets by their reference.
pub(crate) type Secrets = BTreeMap<&'static str, String>;

struct Kept(Secrets);

impl SecretSource for Kept {
    fn resolve(&self, reference: &SecretRef) -> Result<Secret, String> {
        let text = self.0.get(reference.as_str()).cloned();
        text.map(Secret::new)
            .ok_or_else(|| "there is no such secret".to_owned())
    }
}

/// A twin and what it takes to connect to it.
pub(crate) struct Lab {
    pub(crate) twin: Arc<EntraId>,
    pub(crate) clock: Arc<SharedClock>,
    secrets: Arc<Kept>,
}

impl Lab {
    pub(crate) async fn start(config: Config) -> Self {
        Self::start_with(config, Secrets::new()).await
    }

    /// The same with more secrets to refer to.
    pub(crate) async fn start_with(config: Config, mut secrets: Secrets) -> Self {
        secrets.insert("env:ENTRA_SECRET", CLIENT_SECRET.to_owned());
        secrets.insert("env:CLIENT_STATE", CLIENT_STATE.to_owned());
        let ours = SimClock::default();
        let config = Config {
            start_at: Some(ours.now()),
            ..config
        };
        let twin = Arc::new(EntraId::start(config).await.expect("the twin starts"));
        let moved = twin.clone();
        let clock = SharedClock::new(ours, move |by| moved.advance(by));
        Self {
            twin,
            clock: Arc::new(clock),
            secrets: Arc::new(Kept(secrets)),
        }
    }

    /// The usual configuration with these keys beside it; `null` takes one away.
    pub(crate) fn try_connect(
        &self,
        extra: Value,
    ) -> Result<Connected, quell_connector::ConfigError> {
        let mut config = json!({
            "tenant": TENANT,
            "client_id": CLIENT_ID,
            "client_secret": "env:ENTRA_SECRET",
            "login_url": self.twin.base_url(),
            "graph_url": self.twin.base_url(),
            "write_back": true,
            "notifications": {
                "url": "https://quell.example/api/v1/hooks/entra",
                "client_state": "env:CLIENT_STATE",
            },
        });
        if let (Some(config), Value::Object(extra)) = (config.as_object_mut(), extra) {
            config.extend(extra);
            config.retain(|_, value| !value.is_null());
        }
        let plumbing = Plumbing {
            connection: "entra".parse().expect("a connection id"),
            clock: self.clock.clone(),
            secrets: self.secrets.clone(),
        };
        let connector = catalog::find("entra-id").expect("the catalog lists it");
        connector.build(config, plumbing)
    }

    pub(crate) fn connect_with(&self, extra: Value) -> Connected {
        self.try_connect(extra)
            .expect("the connection can be built")
    }

    pub(crate) fn connect(&self) -> Connected {
        self.connect_with(json!({}))
    }
}
