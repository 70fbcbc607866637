//! A Google Workspace twin with a connection to it, both on one clock that only waiting moves.

use std::sync::Arc;

use quell_connector::clock::SimClock;
use quell_connector::settings::SecretRef;
use quell_connector::{Connected, Plumbing, SecretSource};
use quell_connectors::catalog;
use quell_model::entity::{Account, Entity};
use quell_model::{Clock, Secret};
use quell_twins::google_workspace::{ADMIN, Config, GoogleWorkspace};
use serde_json::{Value, json};

use crate::support::clock::SharedClock;

/// The user most tests are about.
pub(crate) const USER: &str = "ana@northwind.example";

/// Holds the key file under one name, and a key of nobody's under another.
struct Keys(String);

impl SecretSource for Keys {
    fn resolve(&self, reference: &SecretRef) -> Result<Secret, String> {
        match reference.as_str() {
            "file:key.json" => Ok(Secret::new(self.0.clone())),
            "file:other.json" => Ok(Secret::new(
                self.0.replace("quell@twin-project", "nobody@twin-project"),
            )),
            _ => Err("there is no such secret".to_owned()),
        }
    }
}

/// A twin and what it takes to connect to it.
pub(crate) struct Lab {
    pub(crate) twin: Arc<GoogleWorkspace>,
    pub(crate) clock: Arc<SharedClock>,
}

impl Lab {
    pub(crate) async fn start(config: Config) -> Self {
        let ours = SimClock::default();
        let config = Config {
            start_at: Some(ours.now()),
            ..config
        };
        let twin = GoogleWorkspace::start(config).await;
        let twin = Arc::new(twin.expect("the twin starts"));
        let its = twin.clone();
        let clock = SharedClock::new(ours, move |by| its.advance(by));
        Self {
            twin,
            clock: Arc::new(clock),
        }
    }

    /// A connection built from scratch, with these keys beside the usual ones.
    pub(crate) fn connect_with(&self, extra: Value) -> Connected {
        let base = self.twin.base_url();
        let mut config = json!({
            "service_account_key": "file:key.json",
            "admin": ADMIN,
            "endpoints": { "oauth": base, "admin": base, "alert_center": base },
            "write_back": true,
        });
        if let (Some(config), Value::Object(extra)) = (config.as_object_mut(), extra) {
            config.extend(extra);
        }
        let plumbing = Plumbing {
            connection: "workspace".parse().expect("a connection id"),
            clock: self.clock.clone(),
            secrets: Arc::new(Keys(self.twin.service_account_key())),
        };
        let connector = catalog::find("google-workspace").expect("the catalog lists it");
        connector
            .build(config, plumbing)
            .expect("the connection can be built")
    }

    pub(crate) fn connect(&self) -> Connected {
        self.connect_with(json!({}))
    }

    /// A user of the twin as an account that says it is Google's.
    pub(crate) fn account(&self, key: &str) -> Entity {
        let user = self.twin.user(key).expect("the twin has this user");
        Account {
            id: Some(user.id),
            principal: Some(user.primary_email),
            provider: Some("google_workspace".to_owned()),
            ..Account::default()
        }
        .into()
    }
}
