//! The application as tests use it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{HeaderMap, Request, StatusCode};
use jiff::Timestamp;
use quell_connector::clock::SimClock;
use quell_connector::{Connected, Vendor};
use quell_engine::{AskUser, Connection, Engine, Guardrails, OptIn, OptIns, Rules, Seal};
use quell_model::{ActionType, Clock, ConnectionId, IdSource, Secret};
use quell_policy::{Diagnostics, Playbooks, Policy, Source};
use quell_server::{IntakeAuth, Role, Settings, Token};
use quell_store::{ActionFilter, Store, Stored};
use serde_json::Value;
use standardwebhooks::Webhook;
use tower::ServiceExt;
use uuid::Uuid;

use crate::vendor::{Desk, Mute};

pub(crate) const VIEWER: &str = "viewer-token-0123456789";
pub(crate) const RESPONDER: &str = "responder-token-0123456789";
pub(crate) const ADMINISTRATOR: &str = "administrator-token-0123456789";
pub(crate) const DESK: &str = "desk-intake-token-0123456789";
pub(crate) const MUTE: &str = "mute-intake-token-0123456789";
pub(crate) const OLD_KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub(crate) const NEW_KEY: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

#[derive(Default)]
struct Ids(AtomicU64);

impl IdSource for Ids {
    fn uuid(&self) -> Uuid {
        let count = u128::from(self.0.fetch_add(1, Ordering::SeqCst));
        Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | count)
    }
}

pub(crate) fn id(text: &str) -> ConnectionId {
    text.parse().unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

/// Connections: `desk` pushes with a bearer token and is of tenant `t1`, `signed` signs, `closed`
/// may push nothing, `mute` is no source of alerts.
pub(crate) struct TestApp {
    pub(crate) router: Router,
    pub(crate) engine: Engine,
    pub(crate) store: Store,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) vendor: Desk,
}

/// A reply, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or("")
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!(self.status.is_success(), "{self:?}");
        self.body
    }
}

impl TestApp {
    pub(crate) fn new() -> Self {
        Self::with(|_| ())
    }

    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::over(Store::in_memory().unwrap(), change)
    }

    pub(crate) fn over(store: Store, change: impl FnOnce(&mut Settings)) -> Self {
        Self::built(store, Vec::new(), None, change)
    }

    /// With these connections more, and asking people this way.
    pub(crate) fn built(
        store: Store,
        more: Vec<Connection>,
        ask_user: Option<AskUser>,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let clock = Arc::<SimClock>::default();
        let vendor = Desk::default();
        let desk = |name: &str, tenant: Option<&str>| Connection {
            tenant: tenant.map(str::to_owned),
            ..Connection::new(Connected::new(id(name), &Arc::new(vendor.clone())))
        };
        let mute: Arc<Mute> = Arc::default();
        let mut connections = vec![
            desk("desk", Some("t1")),
            desk("signed", None),
            desk("closed", None),
            Connection::new(Connected::new(id(Mute::ID), &mute)),
        ];
        connections.extend(more);
        let mut settings = quell_engine::Settings::new("acme".parse().unwrap());
        settings.ask_user = ask_user;
        settings.seal = Some(Seal::new(&[7; Seal::KEY]).unwrap());
        // All work goes through the queue, so that tests decide when it is done.
        settings.workers = 0;
        let ids: Arc<Ids> = Arc::default();
        let engine = Engine::new(
            store.clone(),
            clock.clone(),
            ids,
            settings,
            rules(KNOWN).unwrap(),
            connections,
        );
        engine.replace_opt_ins(opt_ins());
        let token = |name: &str, role, text| Token::new(name, role, &secret(text)).unwrap();
        let mut settings = Settings {
            tokens: vec![
                token("vera", Role::Viewer, VIEWER),
                token("rosa", Role::Responder, RESPONDER),
                token("ada", Role::Administrator, ADMINISTRATOR),
            ],
            intake: BTreeMap::from([
                (id("desk"), IntakeAuth::bearer(&[secret(DESK)]).unwrap()),
                (id("mute"), IntakeAuth::bearer(&[secret(MUTE)]).unwrap()),
                (
                    id("signed"),
                    IntakeAuth::standard_webhooks(&[secret(OLD_KEY), secret(NEW_KEY)]).unwrap(),
                ),
            ]),
            ..Settings::default()
        };
        change(&mut settings);
        Self {
            router: quell_server::router(engine.clone(), settings),
            engine,
            store,
            clock,
            vendor,
        }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8(bytes.into()).unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
        }
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> Answer {
        self.send(request("GET", path, token).body(Body::empty()).unwrap())
            .await
    }

    pub(crate) async fn post(&self, token: &str, path: &str, body: Value) -> Answer {
        let request = request("POST", path, token).header("content-type", "application/json");
        self.send(request.body(body.to_string().into()).unwrap())
            .await
    }

    /// What connection `desk` pushes.
    pub(crate) async fn push(&self, body: impl ToString) -> Answer {
        let request = request("POST", "/api/v1/intake/desk", DESK)
            .header("content-type", "application/json")
            .body(body.to_string().into());
        self.send(request.unwrap()).await
    }

    /// A signed push of connection `signed`, by `key`, `offset` seconds from now.
    pub(crate) fn signed(
        &self,
        key: &str,
        message: &str,
        offset: i64,
        body: &str,
    ) -> http::request::Builder {
        let timestamp = self.clock.now().as_second() + offset;
        let signature = Webhook::new(key)
            .unwrap()
            .sign(message, timestamp, body.as_bytes())
            .unwrap();
        Request::builder()
            .method("POST")
            .uri("/api/v1/intake/signed")
            .header("content-type", "application/json")
            .header("webhook-id", message)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature)
    }

    /// Does everything that falls due within a quarter of an hour, moving the clock as far as needed.
    pub(crate) async fn work(&self) {
        let end = self
            .clock
            .now()
            .checked_add(Duration::from_secs(900))
            .unwrap();
        for _ in 0..1000 {
            if self.engine.run_due().await.unwrap() > 0 {
                continue;
            }
            match self.store.next_due().await.unwrap() {
                Some(due) if due <= end => {
                    let wait = Duration::try_from(due.duration_since(self.clock.now()))
                        .unwrap_or_default();
                    self.clock.advance(wait.max(Duration::from_micros(1)));
                }
                _ => return,
            }
        }
        panic!("work never ends");
    }

    pub(crate) async fn stored(&self) -> Vec<Stored> {
        let filter = ActionFilter {
            limit: 1000,
            ..ActionFilter::default()
        };
        self.store
            .actions(self.engine.organization(), filter)
            .await
            .unwrap()
    }
}

pub(crate) fn request(method: &str, path: &str, token: &str) -> http::request::Builder {
    let request = Request::builder().method(method).uri(path);
    match token {
        "" => request,
        token => request.header("authorization", format!("Bearer {token}")),
    }
}

fn opt_ins() -> OptIns {
    let opt_in = OptIn {
        by: "ada".into(),
        at: Timestamp::UNIX_EPOCH,
        agreed: "Yes.".into(),
    };
    [(ActionType::ContainHost, opt_in)].into_iter().collect()
}

/// The connections are no new ones.
const KNOWN: &str = "[budgets.new-connection]\noff = true";

/// The shipped rules, with these changes to `policy.toml`.
pub(crate) fn rules(text: &str) -> Result<Rules, Diagnostics> {
    let name = "policy/policy.toml";
    let settings = quell_policy::Settings::load(&Source { name, text })?;
    Ok(Rules {
        playbooks: Playbooks::builtin()?,
        policy: Policy::with(&settings.matrix, &[Policy::builtin_source()])?.into(),
        settings,
        guardrails: Guardrails::new(Vec::new(), quell_policy::lists::Lists::default()),
    })
}
