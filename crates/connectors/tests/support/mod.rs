//! A Falcon twin with a connection to it, both on one clock that only waiting moves.

pub(crate) mod clock;

use std::sync::Arc;

use quell_connector::clock::SimClock;
use quell_connector::settings::SecretRef;
use quell_connector::{Connected, Plumbing, SecretSource};
use quell_connectors::catalog;
use quell_model::{Clock, Secret};
use quell_twins::crowdstrike::{CLIENT_ID, CLIENT_SECRET, Config, CrowdStrike};
use serde_json::{Value, json};

use clock::SharedClock;

/// The only secret there is.
struct OneSecret;

impl SecretSource for OneSecret {
    fn resolve(&self, reference: &SecretRef) -> Result<Secret, String> {
        match reference.as_str() {
            "env:FALCON_SECRET" => Ok(Secret::new(CLIENT_SECRET.to_owned())),
            "env:WRONG_SECRET" => Ok(Secret::new("not-the-secret".to_owned())),
            _ => Err("there is no such secret".to_owned()),
        }
    }
}

/// A twin and what it takes to connect to it.
pub(crate) struct Lab {
    pub(crate) twin: Arc<CrowdStrike>,
    pub(crate) clock: Arc<SharedClock>,
}

impl Lab {
    pub(crate) async fn start(config: Config) -> Self {
        let ours = SimClock::default();
        let config = Config {
            start_at: Some(ours.now()),
            ..config
        };
        let twin = Arc::new(CrowdStrike::start(config).await.expect("the twin starts"));
        let moved = twin.clone();
        let clock = SharedClock::new(ours, move |by| moved.advance(by));
        Self {
            twin,
            clock: Arc::new(clock),
        }
    }

    /// A connection built from scratch, with these keys beside the usual ones.
    pub(crate) fn connect_with(&self, extra: Value) -> Connected {
        let mut config = json!({
            "base_url": self.twin.base_url(),
            "client_id": CLIENT_ID,
            "client_secret": "env:FALCON_SECRET",
            "write_back": true,
        });
        if let (Some(config), Value::Object(extra)) = (config.as_object_mut(), extra) {
            config.extend(extra);
        }
        let plumbing = Plumbing {
            connection: "falcon".parse().expect("a connection id"),
            clock: self.clock.clone(),
            secrets: Arc::new(OneSecret),
        };
        let connector = catalog::find("crowdstrike").expect("the catalog lists it");
        connector
            .build(config, plumbing)
            .expect("the connection can be built")
    }

    pub(crate) fn connect(&self) -> Connected {
        self.connect_with(json!({}))
    }
}
