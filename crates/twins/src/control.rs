//! Control over HTTP for other processes: everything under `/_twin/`. No authentication: whoever reaches the port may
//! use it, so a twin belongs on a loopback address. The routes that every twin has are here.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::faults::FaultRule;
use crate::http::{Reply, Request, encode};
use crate::service::Simulate;
use crate::twin::{Shared, Vendor};

/// Why a control call is refused: a status and a sentence.
pub(crate) type Refusal = (u16, String);

/// What a control call answers.
pub(crate) type Outcome = Result<Value, Refusal>;

/// A control call.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    request: &'a Request,
    steps: Vec<&'a str>,
}

impl<'a> Call<'a> {
    fn of(request: &'a Request) -> Self {
        let path = request.path.strip_prefix("/_twin/").unwrap_or_default();
        Self {
            request,
            steps: path.split('/').collect(),
        }
    }

    /// The method, and the steps of the path behind `/_twin`.
    pub(crate) fn route(&self) -> (&str, &[&'a str]) {
        (self.request.method.as_str(), &self.steps)
    }

    /// The body, read as JSON.
    pub(crate) fn body<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_slice(&self.request.body).map_err(|error| (400, error.to_string()))
    }
}

/// The answer of a call that only does something.
pub(crate) fn done() -> Outcome {
    Ok(json!({"ok": true}))
}

pub(crate) fn answer<V: Simulate>(shared: &Shared<V>, request: &Request) -> Reply {
    let (status, body) = match V::control(shared, &Call::of(request)) {
        Ok(value) => (200, value),
        Err((status, message)) => (status, json!({"error": message})),
    };
    encode(status, &body)
}

#[derive(Debug, Deserialize)]
struct Advance {
    millis: u64,
}

/// The routes that every twin has.
pub(crate) fn common<V: Vendor>(shared: &Shared<V>, call: &Call<'_>) -> Outcome {
    match call.route() {
        ("GET", ["clock"]) => Ok(json!({"now": shared.clock.now(), "pace": shared.clock.pace()})),
        ("POST", ["clock", "advance"]) => {
            let by = Duration::from_millis(call.body::<Advance>()?.millis);
            shared.clock.advance(by);
            Ok(json!({"now": shared.clock.now()}))
        }
        ("GET", ["faults"]) => Ok(json!(shared.faults.pending())),
        ("POST", ["faults"]) => {
            shared.faults.arm(call.body::<FaultRule<V::Endpoint>>()?);
            done()
        }
        ("DELETE", ["faults"]) => {
            shared.faults.clear();
            done()
        }
        ("GET", ["requests"]) => Ok(json!(shared.log.records())),
        _ => {
            let Request { method, path, .. } = call.request;
            Err((404, format!("no control route {method} {path}")))
        }
    }
}
