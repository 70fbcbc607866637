//! A GitHub twin with a connection to it, both on one clock that only waiting moves.

use std::sync::Arc;

use quell_connector::clock::SimClock;
use quell_connector::settings::SecretRef;
use quell_connector::{Connected, Plumbing, SecretSource};
use quell_connectors::catalog;
use quell_model::{Clock, Secret};
use quell_twins::github::{
    APP_ID, Config, ENTERPRISE, GitHub, INSTALLATION, ORGANIZATION, TOKEN, app_key,
};
use serde_json::{Value, json};

use super::clock::SharedClock;

/// Everything that is secret here.
struct Secrets;

impl SecretSource for Secrets {
    fn resolve(&self, reference: &SecretRef) -> Result<Secret, String> {
        let secret = match reference.as_str() {
            "env:GITHUB_TOKEN" => TOKEN,
            "env:OTHER_TOKEN" => "ghp_other",
            "env:APP_KEY" => app_key(),
            "env:WEBHOOK_SECRET" => "It's a Secret to Everybody",
            _ => return Err("there is no such secret".to_owned()),
        };
        Ok(Secret::new(secret.to_owned()))
    }
}

/// A twin and what it takes to connect to it.
pub(crate) struct Lab {
    pub(crate) twin: Arc<GitHub>,
    pub(crate) clock: Arc<SharedClock>,
}

impl Lab {
    pub(crate) async fn start(config: Config) -> Self {
        let ours = SimClock::default();
        let config = Config {
            start_at: Some(ours.now()),
            ..config
        };
        let twin = Arc::new(GitHub::start(config).await.expect("the twin starts"));
        let moved = twin.clone();
        let clock = SharedClock::new(ours, move |by| moved.advance(by));
        Self {
            twin,
            clock: Arc::new(clock),
        }
    }

    /// A connection built from scratch, with these keys beside the usual ones; `null` takes one away.
    pub(crate) fn connect_with(&self, product: &str, extra: Value) -> Connected {
        let mut config = json!({
            "product": product,
            "organization": ORGANIZATION,
            "enterprise": ENTERPRISE,
            "base_url": self.twin.base_url(),
            "token": "env:GITHUB_TOKEN",
        });
        if let (Some(config), Value::Object(extra)) = (config.as_object_mut(), extra) {
            config.extend(extra);
            config.retain(|_, value| !value.is_null());
        }
        let plumbing = Plumbing {
            connection: "github".parse().expect("a connection id"),
            clock: self.clock.clone(),
            secrets: Arc::new(Secrets),
        };
        let connector = catalog::find("github").expect("the catalog lists it");
        connector
            .build(config, plumbing)
            .expect("the connection can be built")
    }

    pub(crate) fn connect(&self, product: &str) -> Connected {
        self.connect_with(product, json!({}))
    }

    /// A connection through the App instead of a token.
    pub(crate) fn connect_app(&self) -> Connected {
        let app =
            json!({ "id": APP_ID, "installation": INSTALLATION, "private_key": "env:APP_KEY" });
        self.connect_with("org", json!({ "token": null, "app": app }))
    }
}
