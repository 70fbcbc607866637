//! Control over HTTP for other processes: everything under `/_twin/`. No authentication: whoever reaches the port may
//! use it, so a twin belongs on a loopback address.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::service::{Endpoint, encode};
use super::{Application, Shared, SignIn, TrustEvent, User, events, users};
use crate::faults::FaultRule;
use crate::http::{Reply, Request};

pub(crate) fn put_application(shared: &Shared, application: Application) {
    let mut account = shared.account();
    account
        .applications
        .retain(|other| other.ikey != application.ikey);
    account.applications.push(application);
}

#[derive(Debug, Deserialize)]
struct Millis {
    millis: u64,
}

#[derive(Debug, Deserialize)]
struct Change {
    settle_millis: Option<u64>,
    trust_monitor: Option<bool>,
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
    match (request.method.as_str(), path) {
        ("GET", "users") => Ok(json!(users::all(shared))),
        ("POST", "users") => Ok(json!({"user_id": users::put(shared, body::<User>(request)?)})),
        ("POST", "trust_events") => {
            let sekey = events::surface(shared, &body::<TrustEvent>(request)?);
            Ok(json!({"sekey": sekey}))
        }
        ("POST", "sign_ins") => {
            let txid = events::sign_in(shared, &body::<SignIn>(request)?);
            Ok(json!({"txid": txid}))
        }
        ("POST", "applications") => {
            put_application(shared, body(request)?);
            done()
        }
        ("PATCH", "config") => {
            let change: Change = body(request)?;
            let mut account = shared.account();
            if let Some(millis) = change.settle_millis {
                account.settle = Duration::from_millis(millis);
            }
            account.trust_monitor = change.trust_monitor.unwrap_or(account.trust_monitor);
            done()
        }
        ("POST", "clock/advance") => {
            let by = body::<Millis>(request)?.millis;
            shared.clock.advance(Duration::from_millis(by));
            Ok(json!({"now": shared.clock.now()}))
        }
        ("GET", "clock") => Ok(json!({"now": shared.clock.now(), "pace": shared.clock.pace()})),
        ("GET", "faults") => Ok(json!(shared.faults.pending())),
        ("POST", "faults") => {
            shared.faults.arm(body::<FaultRule<Endpoint>>(request)?);
            done()
        }
        ("DELETE", "faults") => {
            shared.faults.clear();
            done()
        }
        ("GET", "requests") => Ok(json!(shared.log.records())),
        _ => Err((
            404,
            format!("no control route {} {}", request.method, request.path),
        )),
    }
}
