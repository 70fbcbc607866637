//! Control over HTTP for other processes: everything under `/_twin/`. No authentication: whoever reaches the port may
//! use it, so a twin belongs on a loopback address.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::service::{Endpoint, encode};
use super::{App, Channel, ChannelRate, Shared};
use crate::faults::FaultRule;
use crate::http::{Reply, Request};

pub(crate) fn put_app(shared: &Shared, app: App) {
    let mut workspace = shared.workspace();
    workspace.apps.retain(|other| other.token != app.token);
    workspace.apps.push(app);
}

pub(crate) fn put_channel(shared: &Shared, channel: Channel) {
    let mut workspace = shared.workspace();
    workspace.channels.retain(|other| other.id != channel.id);
    workspace.channels.push(channel);
}

pub(crate) fn set_rate(shared: &Shared, rate: Option<ChannelRate>) {
    let mut workspace = shared.workspace();
    workspace.channel_rate = rate;
    workspace.paid_until.clear();
}

#[derive(Debug, Deserialize)]
struct Advance {
    millis: u64,
}

#[derive(Debug, Deserialize)]
struct RateChange {
    channel_rate: Option<ChannelRate>,
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
        ("GET", "messages") => Ok(json!(shared.workspace().messages)),
        ("DELETE", "messages") => {
            shared.workspace().messages.clear();
            done()
        }
        ("GET", "channels") => Ok(json!(shared.workspace().channels)),
        ("POST", "channels") => {
            put_channel(shared, body(request)?);
            done()
        }
        ("POST", "apps") => {
            put_app(shared, body(request)?);
            done()
        }
        ("PATCH", "config") => {
            set_rate(shared, body::<RateChange>(request)?.channel_rate);
            done()
        }
        ("POST", "clock/advance") => {
            shared
                .clock
                .advance(Duration::from_millis(body::<Advance>(request)?.millis));
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
