//! Control over HTTP for other processes: everything under `/_twin/`. No authentication: whoever reaches the port may
//! use it, so a twin belongs on a loopback address.

use std::time::Duration;

use http::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Shared;
use super::auth::App;
use super::directory::UserSpec;
use super::endpoint::Endpoint;
use super::risk::RiskSpec;
use super::service::encode;
use crate::faults::FaultRule;
use crate::http::{Reply, Request};
use crate::sync::lock;

#[derive(Debug, Deserialize)]
struct Advance {
    millis: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ConfigChange {
    settle_millis: Option<u64>,
    token_lifetime_seconds: Option<u64>,
    /// Zero switches the limit off.
    risk_requests_per_second: Option<u32>,
}

/// Why a control call was refused: a status and a sentence.
type Refusal = (u16, String);

fn body<T: DeserializeOwned>(request: &Request) -> Result<T, Refusal> {
    serde_json::from_slice(&request.body).map_err(|error| (400, error.to_string()))
}

pub(crate) fn answer(shared: &Shared, request: &Request) -> Reply {
    match route(shared, request) {
        Ok(value) => encode(200, &value),
        Err((status, message)) => encode(status, &json!({"error": message})),
    }
}

fn route(shared: &Shared, request: &Request) -> Result<Value, Refusal> {
    let path = request.path.strip_prefix("/_twin/").unwrap_or_default();
    let done = || Ok(json!({"ok": true}));
    match (&request.method, path) {
        (&Method::GET, "state") => Ok(dump(shared)),
        (&Method::POST, "clock/advance") => {
            let by = Duration::from_millis(body::<Advance>(request)?.millis);
            shared.clock.advance(by);
            Ok(json!({"now": shared.clock.now()}))
        }
        (&Method::POST, "users") => Ok(json!({"id": shared.put_user(body::<UserSpec>(request)?)})),
        (&Method::POST, "risk") => {
            let raised = shared.raise(&body::<RiskSpec>(request)?);
            let id = raised.map_err(|error| (404, error.to_string()))?;
            Ok(json!({"id": id}))
        }
        (&Method::POST, "apps") => {
            shared.auth.put_app(body::<App>(request)?);
            done()
        }
        (&Method::POST, "tokens/revoke") => {
            shared.auth.revoke_all();
            done()
        }
        (&Method::GET, "faults") => Ok(json!(shared.faults.pending())),
        (&Method::POST, "faults") => {
            shared.faults.arm(body::<FaultRule<Endpoint>>(request)?);
            done()
        }
        (&Method::DELETE, "faults") => {
            shared.faults.clear();
            done()
        }
        (&Method::GET, "requests") => Ok(json!(shared.log.records())),
        (&Method::PATCH, "config") => {
            configure(shared, &body(request)?);
            done()
        }
        _ => Err((
            404,
            format!("no control route {} {}", request.method, request.path),
        )),
    }
}

fn configure(shared: &Shared, change: &ConfigChange) {
    if let Some(millis) = change.settle_millis {
        *lock(&shared.settle) = Duration::from_millis(millis);
    }
    if let Some(seconds) = change.token_lifetime_seconds {
        shared.auth.set_lifetime(Duration::from_secs(seconds));
    }
    if let Some(requests) = change.risk_requests_per_second {
        lock(&shared.risk_limit).per_second = (requests > 0).then_some(requests);
    }
}

/// Everything but passwords: whether one was set is enough.
fn dump(shared: &Shared) -> Value {
    let now = shared.clock.now_ns();
    let users: Vec<_> = shared
        .directory()
        .users
        .values()
        .map(|user| {
            json!({
                "document": user.document(now),
                "roles": user.spec.roles,
                "calls": user.calls,
                "must_change_password": user.must_change_password(),
            })
        })
        .collect();
    let detections: Vec<_> = shared.risk().shown(now).cloned().collect();
    let counters = Endpoint::ALL.iter().map(|endpoint| {
        let count = shared.log.counted(*endpoint as usize);
        (endpoint.name().to_owned(), count.into())
    });
    let subscriptions: Vec<_> = shared.subscriptions().0.values().cloned().collect();
    json!({
        "now": shared.clock.now(),
        "pace": shared.clock.pace(),
        "users": users,
        "risk_detections": detections,
        "subscriptions": subscriptions,
        "live_tokens": shared.auth.live_tokens(now),
        "faults": shared.faults.pending(),
        "counters": Value::Object(counters.collect()),
    })
}
