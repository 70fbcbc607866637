//! A Duo twin with a connection to it, both on one clock that only waiting moves.

use std::sync::Arc;

use quell_connector::clock::SimClock;
use quell_connector::settings::SecretRef;
use quell_connector::{Connected, Plumbing, SecretSource};
use quell_connectors::catalog;
use quell_model::{Clock, Secret};
use quell_twins::duo::{Config, Duo, IKEY, SKEY};
use serde_json::{Value, json};

use super::clock::SharedClock;

/// The only secret there is.
struct OneSecret;

impl SecretSource for OneSecret {
    fn resolve(&self, reference: &SecretRef) -> Result<Secret, String> {
        match reference.as_str() {
            "env:DUO_SECRET_KEY" => Ok(Secret::new(SKEY.to_owned())),
            "env:WRONG_SECRET" => Ok(Secret::new("not-the-secret".to_owned())),
            _ => Err("there is no such secret".to_owned()),
        }
    }
}

/// A twin and what it takes to connect to it.
pub(crate) struct Lab {
    pub(crate) twin: Arc<Duo>,
    pub(crate) clock: Arc<SharedClock>,
}

impl Lab {
    pub(crate) async fn start(config: Config) -> Self {
        let ours = SimClock::default();
        let config = Config {
            start_at: Some(ours.now()),
            ..config
        };
        let twin = Arc::new(Duo::start(config).await.expect("the twin starts"));
        let moved = twin.clone();
        let clock = SharedClock::new(ours, move |by| moved.advance(by));
        Self {
            twin,
            clock: Arc::new(clock),
        }
    }

    /// A connection built from scratch, with these keys beside the usual ones.
    pub(crate) fn connect_with(&self, extra: Value) -> Connected {
        connect(&self.twin.base_url(), self.clock.clone(), extra)
    }

    pub(crate) fn connect(&self) -> Connected {
        self.connect_with(json!({}))
    }
}

/// A connection to whatever answers at `base`.
pub(crate) fn connect(base: &str, clock: Arc<dyn Clock>, extra: Value) -> Connected {
    let mut config = json!({
        "api_hostname": base,
        "integration_key": IKEY,
        "secret_key": "env:DUO_SECRET_KEY",
    });
    if let (Some(config), Value::Object(extra)) = (config.as_object_mut(), extra) {
        config.extend(extra);
    }
    let plumbing = Plumbing {
        connection: "duo".parse().expect("a connection id"),
        clock,
        secrets: Arc::new(OneSecret),
    };
    let connector = catalog::find("duo").expect("the catalog lists it");
    connector
        .build(config, plumbing)
        .expect("the connection can be built")
}
