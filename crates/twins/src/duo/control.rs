//! The twin's own control routes.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::{Application, Shared, SignIn, TrustEvent, User, events, users};
use crate::control::{Call, Outcome, common, done};

pub(crate) fn put_application(shared: &Shared, application: Application) {
    let mut account = shared.account();
    account
        .applications
        .retain(|other| other.ikey != application.ikey);
    account.applications.push(application);
}

#[derive(Debug, Deserialize)]
struct Change {
    settle_millis: Option<u64>,
    trust_monitor: Option<bool>,
}

pub(crate) fn route(shared: &Shared, call: &Call<'_>) -> Outcome {
    match call.route() {
        ("GET", ["users"]) => Ok(json!(users::all(shared))),
        ("POST", ["users"]) => Ok(json!({"user_id": users::put(shared, call.body::<User>()?)})),
        ("POST", ["trust_events"]) => {
            let sekey = events::surface(shared, &call.body::<TrustEvent>()?);
            Ok(json!({"sekey": sekey}))
        }
        ("POST", ["sign_ins"]) => {
            let txid = events::sign_in(shared, &call.body::<SignIn>()?);
            Ok(json!({"txid": txid}))
        }
        ("POST", ["applications"]) => {
            put_application(shared, call.body::<Application>()?);
            done()
        }
        ("PATCH", ["config"]) => {
            let change: Change = call.body()?;
            let mut account = shared.account();
            if let Some(millis) = change.settle_millis {
                account.settle = Duration::from_millis(millis);
            }
            account.trust_monitor = change.trust_monitor.unwrap_or(account.trust_monitor);
            done()
        }
        _ => common(shared, call),
    }
}
