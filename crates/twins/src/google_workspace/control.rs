//! Control over HTTP for other processes: everything under `/_twin/`. No authentication: whoever reaches the port may
//! use it, so a twin belongs on a loopback address.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::endpoint::{Endpoint, Scope};
use super::wire::encode;
use super::{AlertSpec, LoginEvent, Shared, User};
use crate::faults::FaultRule;
use crate::http::{Reply, Request};

#[derive(Debug, Deserialize)]
struct Advance {
    millis: u64,
}

#[derive(Debug, Deserialize)]
struct ConfigChange {
    delegated: Option<Vec<Scope>>,
    settle_millis: Option<u64>,
    token_lifetime_seconds: Option<u64>,
}

/// Why a control call was refused: a status and a sentence.
type Refusal = (u16, String);

fn body<T: DeserializeOwned>(request: &Request) -> Result<T, Refusal> {
    serde_json::from_slice(&request.body).map_err(|error| (400, error.to_string()))
}

pub(crate) fn add_user(shared: &Shared, user: User) -> String {
    // Google's ids have 21 digits.
    shared
        .company()
        .users
        .put(user, || format!("1{}", shared.ids.decimal(18)))
}

pub(crate) fn add_alert(shared: &Shared, alert: &AlertSpec) -> String {
    let id = shared.ids.uuid();
    let now = shared.clock.stamp();
    shared
        .company()
        .alerts
        .raise(alert, id.clone(), &shared.customer, now);
    id
}

pub(crate) fn add_login_event(shared: &Shared, event: &LoginEvent) {
    let qualifier = shared.ids.decimal(18);
    let now = shared.clock.now_ns();
    let mut company = shared.company();
    let profile = company.users.find(&event.email).map(|user| user.id.clone());
    let about = (profile.as_deref(), qualifier.as_str());
    company.activities.add(event, about, &shared.customer, now);
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
        ("GET", "state") => {
            let company = shared.company();
            Ok(json!({
                "now": shared.clock.now(),
                "customer": shared.customer,
                "users": company.users.all(),
                "alerts": company.alerts.all(),
                "feedback": company.alerts.feedback(),
                "faults": shared.faults.pending(),
            }))
        }
        ("POST", "users") => Ok(json!({"id": add_user(shared, body(request)?)})),
        ("POST", "alerts") => Ok(json!({"id": add_alert(shared, &body(request)?)})),
        ("POST", "alerts/raw") => {
            let document: Map<String, Value> = body(request)?;
            let id = shared.company().alerts.put(&document);
            let missing = |member: &str| (400, format!("alert document without `{member}`"));
            Ok(json!({"id": id.map_err(missing)?}))
        }
        ("POST", "login_events") => {
            add_login_event(shared, &body(request)?);
            done()
        }
        ("PATCH", "config") => {
            let change: ConfigChange = body(request)?;
            if let Some(scopes) = change.delegated {
                shared.auth.delegate(scopes);
            }
            if let Some(millis) = change.settle_millis {
                shared.company().settle = Duration::from_millis(millis);
            }
            if let Some(seconds) = change.token_lifetime_seconds {
                shared.auth.set_lifetime(Duration::from_secs(seconds));
            }
            done()
        }
        ("POST", "tokens/revoke") => {
            shared.auth.revoke_all();
            done()
        }
        ("POST", "clock/advance") => {
            let by = Duration::from_millis(body::<Advance>(request)?.millis);
            shared.clock.advance(by);
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
