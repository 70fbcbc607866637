//! The twin's own control routes.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::{Credential, ManagedUser, SecretAlert, Shared, User, alerts, auth, people, scim};
use crate::control::{Call, Outcome, common, done};

#[derive(Debug, Deserialize)]
struct Change {
    settle_millis: Option<u64>,
    accepts_after_millis: Option<u64>,
}

pub(crate) fn route(shared: &Shared, call: &Call<'_>) -> Outcome {
    match call.route() {
        ("GET", ["users", login]) => Ok(json!(people::named(shared, login))),
        ("POST", ["users"]) => Ok(json!({"id": people::put(shared, call.body::<User>()?)})),
        ("POST", ["managed"]) => {
            let user: ManagedUser = call.body()?;
            let name = user.user_name.clone();
            scim::put(shared, user);
            Ok(json!({"id": scim::id_of(shared, &name)}))
        }
        ("POST", ["secrets"]) => {
            alerts::put(shared, call.body::<SecretAlert>()?);
            done()
        }
        ("POST", ["credentials"]) => {
            auth::put(shared, call.body::<Credential>()?);
            done()
        }
        ("PATCH", ["config"]) => {
            let change: Change = call.body()?;
            let mut forge = shared.forge();
            if let Some(millis) = change.settle_millis {
                forge.settle = Duration::from_millis(millis);
            }
            forge.accepts_after = change.accepts_after_millis.map(Duration::from_millis);
            done()
        }
        _ => common(shared, call),
    }
}
