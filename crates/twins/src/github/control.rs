//! Control over HTTP for other processes: everything under `/_twin/`. No authentication: whoever reaches the port may
//! use it, so a twin belongs on a loopback address.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::endpoint::Endpoint;
use super::service::encode;
use super::{Credential, ManagedUser, SecretAlert, Shared, User, alerts, auth, people, scim};
use crate::faults::FaultRule;
use crate::http::{Reply, Request};

#[derive(Debug, Deserialize)]
struct Millis {
    millis: u64,
}

#[derive(Debug, Deserialize)]
struct Change {
    settle_millis: Option<u64>,
    accepts_after_millis: Option<u64>,
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
        ("GET", path) if path.starts_with("users/") => {
            let login = path.trim_start_matches("users/");
            Ok(json!(people::named(shared, login)))
        }
        ("POST", "users") => Ok(json!({"id": people::put(shared, body::<User>(request)?)})),
        ("POST", "managed") => {
            let user: ManagedUser = body(request)?;
            let name = user.user_name.clone();
            scim::put(shared, user);
            Ok(json!({"id": scim::id_of(shared, &name)}))
        }
        ("POST", "secrets") => {
            alerts::put(shared, body::<SecretAlert>(request)?);
            done()
        }
        ("POST", "credentials") => {
            auth::put(shared, body::<Credential>(request)?);
            done()
        }
        ("PATCH", "config") => {
            let change: Change = body(request)?;
            let mut forge = shared.forge();
            if let Some(millis) = change.settle_millis {
                forge.settle = Duration::from_millis(millis);
            }
            forge.accepts_after = change.accepts_after_millis.map(Duration::from_millis);
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
