//! Control over HTTP for other processes: everything under `/_twin/`. No authentication: whoever reaches the port may
//! use it, so a twin belongs on a loopback address.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::logs::{EventSpec, write};
use super::org::{ServiceApp, Status, UserSpec};
use super::service::{Endpoint, encode};
use super::{Settle, Shared};
use crate::faults::FaultRule;
use crate::http::{Reply, Request};

#[derive(Debug, Deserialize)]
struct Advance {
    millis: u64,
}

#[derive(Debug, Deserialize)]
struct ApiToken {
    token: String,
    user: String,
}

#[derive(Debug, Deserialize)]
struct UserChange {
    status: Status,
}

/// Why a control call was refused: a status and a sentence.
type Refused = (u16, String);

fn body<T: DeserializeOwned>(request: &Request) -> Result<T, Refused> {
    serde_json::from_slice(&request.body).map_err(|error| (400, error.to_string()))
}

pub(crate) fn answer(shared: &Shared, request: &Request) -> Reply {
    match route(shared, request) {
        Ok(value) => encode(200, &value),
        Err((status, message)) => encode(status, &json!({"error": message})),
    }
}

fn route(shared: &Shared, request: &Request) -> Result<Value, Refused> {
    let path = request.path.strip_prefix("/_twin/").unwrap_or_default();
    let parts: Vec<&str> = path.split('/').collect();
    let done = || Ok(json!({"ok": true}));
    match (request.method.as_str(), parts.as_slice()) {
        ("GET", ["state"]) => {
            let org = shared.org();
            let events: Vec<&Value> = org.log.iter().map(|record| &record.document).collect();
            Ok(json!({"users": org.users, "events": events, "faults": shared.faults.pending()}))
        }
        ("POST", ["users"]) => {
            let id = shared.put_user(body::<UserSpec>(request)?);
            Ok(json!({"id": id}))
        }
        ("PATCH", ["users", id]) => {
            let status = body::<UserChange>(request)?.status;
            if shared.set_status(id, status) {
                done()
            } else {
                Err((404, format!("no user `{id}`")))
            }
        }
        ("POST", ["events"]) => {
            let uuid = write(shared, &body::<EventSpec>(request)?);
            Ok(json!({"uuid": uuid}))
        }
        ("POST", ["clients"]) => {
            shared.put_app(body::<ServiceApp>(request)?);
            done()
        }
        ("POST", ["api_tokens"]) => {
            let given: ApiToken = body(request)?;
            let mut org = shared.org();
            let owner = org.find(&given.user).and_then(|at| org.users.get(at));
            let owner = owner.map(|user| user.id.clone());
            let owner = owner.ok_or_else(|| (404, format!("no user `{}`", given.user)))?;
            org.api_tokens.insert(given.token, owner);
            done()
        }
        ("POST", ["tokens", "revoke"]) => {
            shared.org().tokens.clear();
            done()
        }
        ("PATCH", ["config"]) => {
            shared.set_settle(body::<Settle>(request)?);
            done()
        }
        ("POST", ["clock", "advance"]) => {
            let by = Duration::from_millis(body::<Advance>(request)?.millis);
            shared.clock.advance(by);
            Ok(json!({"now": shared.clock.now()}))
        }
        ("GET", ["clock"]) => Ok(json!({"now": shared.clock.now(), "pace": shared.clock.pace()})),
        ("GET", ["faults"]) => Ok(json!(shared.faults.pending())),
        ("POST", ["faults"]) => {
            shared.faults.arm(body::<FaultRule<Endpoint>>(request)?);
            done()
        }
        ("DELETE", ["faults"]) => {
            shared.faults.clear();
            done()
        }
        ("GET", ["requests"]) => Ok(json!(shared.log.records())),
        _ => Err((
            404,
            format!("no control route {} {}", request.method, request.path),
        )),
    }
}
