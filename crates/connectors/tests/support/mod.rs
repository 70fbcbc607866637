//! A Falcon twin with a connection to it, both on one clock that only waiting moves.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use quell_connector::clock::SimClock;
use quell_connector::settings::SecretRef;
use quell_connector::{BoxFuture, Connected, Plumbing, SecretSource};
use quell_connectors::catalog;
use quell_model::{Clock, Secret};
use quell_twins::crowdstrike::{CLIENT_ID, CLIENT_SECRET, Config, CrowdStrike};
use serde_json::{Value, json};

/// A clock whose sleepers move the twin's clock too.
pub(crate) struct SharedClock {
    ours: SimClock,
    twin: OnceLock<Arc<CrowdStrike>>,
}

impl SharedClock {
    pub(crate) fn advance(&self, by: Duration) {
        if let Some(twin) = self.twin.get() {
            twin.advance(by);
        }
        self.ours.advance(by);
    }
}

impl Clock for SharedClock {
    fn now(&self) -> jiff::Timestamp {
        self.ours.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.advance(duration);
            tokio::task::yield_now().await;
        })
    }

    fn until(&self, at: jiff::Timestamp) -> BoxFuture<'_, ()> {
        self.ours.until(at)
    }
}

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
        let clock = SharedClock {
            ours,
            twin: OnceLock::from(twin.clone()),
        };
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
