//! The twin's own control routes.

use serde::Deserialize;
use serde_json::{Value, json};

use super::logs::{EventSpec, write};
use super::org::{ServiceApp, Status, UserSpec};
use super::{Settle, Shared};
use crate::control::{Call, Outcome, common, done};

#[derive(Debug, Deserialize)]
struct ApiToken {
    token: String,
    user: String,
}

#[derive(Debug, Deserialize)]
struct UserChange {
    status: Status,
}

pub(crate) fn route(shared: &Shared, call: &Call<'_>) -> Outcome {
    match call.route() {
        ("GET", ["state"]) => {
            let org = shared.org();
            let events: Vec<&Value> = org.log.iter().map(|record| &record.document).collect();
            Ok(json!({"users": org.users, "events": events, "faults": shared.faults.pending()}))
        }
        ("POST", ["users"]) => {
            let id = shared.put_user(call.body::<UserSpec>()?);
            Ok(json!({"id": id}))
        }
        ("PATCH", ["users", id]) => {
            let status = call.body::<UserChange>()?.status;
            if shared.set_status(id, status) {
                done()
            } else {
                Err((404, format!("no user `{id}`")))
            }
        }
        ("POST", ["events"]) => {
            let uuid = write(shared, &call.body::<EventSpec>()?);
            Ok(json!({"uuid": uuid}))
        }
        ("POST", ["clients"]) => {
            shared.put_app(call.body::<ServiceApp>()?);
            done()
        }
        ("POST", ["api_tokens"]) => {
            let given: ApiToken = call.body()?;
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
            shared.set_settle(call.body::<Settle>()?);
            done()
        }
        _ => common(shared, call),
    }
}
