//! The twin's own control routes.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::auth::App;
use super::directory::UserSpec;
use super::risk::RiskSpec;
use crate::control::{Call, Outcome, common, done};
use crate::sync::lock;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ConfigChange {
    settle_millis: Option<u64>,
    token_lifetime_seconds: Option<u64>,
    /// Zero switches the limit off.
    risk_requests_per_second: Option<u32>,
}

pub(crate) fn route(shared: &Shared, call: &Call<'_>) -> Outcome {
    match call.route() {
        ("GET", ["state"]) => Ok(dump(shared)),
        ("POST", ["users"]) => Ok(json!({"id": shared.put_user(call.body::<UserSpec>()?)})),
        ("POST", ["risk"]) => {
            let raised = shared.raise(&call.body::<RiskSpec>()?);
            let id = raised.map_err(|error| (404, error.to_string()))?;
            Ok(json!({"id": id}))
        }
        ("POST", ["apps"]) => {
            shared.vendor.auth.put_app(call.body::<App>()?);
            done()
        }
        ("POST", ["tokens", "revoke"]) => {
            shared.vendor.auth.revoke_all();
            done()
        }
        ("PATCH", ["config"]) => {
            configure(shared, &call.body()?);
            done()
        }
        _ => common(shared, call),
    }
}

fn configure(shared: &Shared, change: &ConfigChange) {
    if let Some(millis) = change.settle_millis {
        shared.set_settle(Duration::from_millis(millis));
    }
    if let Some(seconds) = change.token_lifetime_seconds {
        shared
            .vendor
            .auth
            .set_lifetime(Duration::from_secs(seconds));
    }
    if let Some(requests) = change.risk_requests_per_second {
        lock(&shared.vendor.risk_limit).per_second = (requests > 0).then_some(requests);
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
    let subscriptions: Vec<_> = shared.subscriptions().0.values().cloned().collect();
    json!({
        "now": shared.clock.now(),
        "pace": shared.clock.pace(),
        "users": users,
        "risk_detections": detections,
        "subscriptions": subscriptions,
        "live_tokens": shared.vendor.auth.live_tokens(now),
        "faults": shared.faults.pending(),
        "counters": shared.counters(),
    })
}
