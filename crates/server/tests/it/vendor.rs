//! A small made-up vendor: hosts that can be contained, and alerts of four members.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use quell_connector::ability::Abilities;
use quell_connector::{
    BoxFuture, Call, Check, ConfigError, Control, DocumentError, Facts, Fetch, Normalise, Observed,
    Plumbing, Push, Reading, Receipt, Receive, Received, Reference, Result, Row, Vendor, control,
    document,
};
use quell_model::alert::Prevention;
use quell_model::entity::Host;
use quell_model::property::{Containment, HostContainment};
use quell_model::{Alert, AlertKind, AlertStatus, AssetClass, AssetFacts, Severity, text};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

#[derive(Clone, Copy, Default)]
pub(crate) enum Mood {
    #[default]
    Answers,
    Hangs,
    Panics,
}

#[derive(Clone, Default)]
pub(crate) struct Desk {
    /// How its connection check behaves.
    pub(crate) mood: Arc<Mutex<Mood>>,
    pub(crate) contained: Arc<Mutex<BTreeSet<String>>>,
}

/// A document with all that the vendor gives.
pub(crate) fn alert(id: &str, host: &str, class: &str) -> Value {
    json!({ "alert_id": id, "host": host, "class": class, "tenant": "t1" })
}

#[derive(Deserialize)]
struct Document {
    alert_id: String,
    host: Option<String>,
    #[serde(default)]
    class: AssetClass,
    tenant: Option<String>,
    title: Option<String>,
}

fn normalise(json: &RawValue) -> std::result::Result<Alert, DocumentError> {
    let read: Document = document::read(json)?;
    let named = read
        .host
        .ok_or_else(|| DocumentError::missing("$.host", "missing"))?;
    let host = Host {
        id: Some(text::line(&named)),
        name: Some(text::line(&named)),
        class: read.class,
        ..Host::default()
    };
    Ok(Alert {
        occurrence: None,
        source: Desk::ID.into(),
        id: text::line(&read.alert_id),
        title: text::line(read.title.as_deref().unwrap_or("Something runs")),
        description: None,
        severity: Severity::High,
        confidence: Some(80),
        kind: AlertKind::MaliciousProcess,
        detection: "Made up".into(),
        time: Timestamp::constant(1_789_999_990, 0),
        updated: None,
        techniques: Vec::new(),
        status: AlertStatus::New,
        console_url: None,
        tenant: read.tenant,
        prevention: Prevention::default(),
        asset: AssetFacts::default(),
        entities: vec![host.into()],
        notes: Vec::new(),
    })
}

fn reference(json: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Id {
        alert_id: String,
    }
    document::read::<Id>(json).ok().map(|read| read.alert_id)
}

const FACTS: Facts = Facts {
    needs: &["Hosts: write"],
    settle: Duration::from_secs(60),
    docs: "https://desk.example/docs",
    quirks: &["It is made up."],
};

impl Vendor for Desk {
    const ID: &'static str = "desk";
    const NAME: &'static str = "Desk";
    const ROWS: &'static [Row<Self>] = &[control::<Self, HostContainment>(FACTS)];
    const NORMALISE: Option<Normalise> = Some(normalise);
    const REFERENCE: Option<Reference> = Some(reference);
    const ENVELOPE: &'static [&'static str] = &["alerts"];

    type Config = Value;

    fn build(_: Value, _: Plumbing) -> std::result::Result<Self, ConfigError> {
        Ok(Self::default())
    }

    fn abilities(self: &Arc<Self>) -> Abilities {
        Abilities {
            fetch: Some(self.clone()),
            receive: Some(self.clone()),
            ..Abilities::default()
        }
    }

    async fn probe(&self, cx: &Call) -> Vec<Check> {
        let mood = *self.mood.lock().unwrap();
        match mood {
            Mood::Answers => {}
            Mood::Hangs => std::future::pending().await,
            Mood::Panics => panic!("the password is hunter2"),
        }
        vec![Check {
            name: "Hosts: write".into(),
            used_by: "contain_host, release_host".into(),
            ok: Some(false),
            detail: "The token lacks `Hosts: write`.".into(),
            at: cx.clock().now(),
        }]
    }
}

/// The secret in its pushes.
pub(crate) const PUSHED: &str = "correct horse battery";

impl Receive for Desk {
    fn receive(&self, push: &Push<'_>) -> Received {
        if let Some(("challenge", text)) = push.query.and_then(|query| query.split_once('=')) {
            return Received::Answer {
                content_type: "text/plain",
                body: text.to_owned(),
            };
        }
        let header = |name: &str| push.headers.get(name).and_then(|value| value.to_str().ok());
        match (push.method.as_str(), header("x-desk-secret"), push.body) {
            ("POST", Some(PUSHED), "ping") => Received::Nothing,
            ("POST", Some(PUSHED), body) => Received::Alerts {
                documents: body.to_owned(),
                once: header("x-desk-delivery").map(str::to_owned),
            },
            _ => Received::Refused,
        }
    }
}

impl Control<HostContainment> for Desk {
    async fn read(&self, _: &Call, target: &Host) -> Result<Observed<Containment>> {
        let id = target.id.clone().unwrap_or_default();
        let value = if self.contained.lock().unwrap().contains(&id) {
            Containment::Contained
        } else {
            Containment::Released
        };
        Ok(Observed::of(Reading::Settled(value)))
    }

    async fn write(&self, _: &Call, target: &Host, want: &Containment) -> Result<Receipt> {
        let id = target.id.clone().unwrap_or_default();
        let mut contained = self.contained.lock().unwrap();
        match want {
            Containment::Contained => contained.insert(id),
            Containment::Released => contained.remove(&id),
        };
        Ok(Receipt::default())
    }
}

impl Fetch for Desk {
    fn fetch<'a>(
        &'a self,
        _: &'a Call,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Option<Box<RawValue>>>> {
        let document = alert(id, "fetched-host", "server").to_string();
        Box::pin(async move { Ok(Some(RawValue::from_string(document).unwrap())) })
    }
}

/// A vendor that is no source of alerts.
#[derive(Default)]
pub(crate) struct Mute;

impl Vendor for Mute {
    const ID: &'static str = "mute";
    const NAME: &'static str = "Mute";
    const ROWS: &'static [Row<Self>] = &[];

    type Config = Value;

    fn build(_: Value, _: Plumbing) -> std::result::Result<Self, ConfigError> {
        Ok(Self)
    }

    async fn probe(&self, _: &Call) -> Vec<Check> {
        Vec::new()
    }
}
