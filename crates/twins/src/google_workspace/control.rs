//! The twin's own control routes.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{AlertSpec, LoginEvent, Scope, Shared, User};
use crate::control::{Call, Outcome, common, done};

#[derive(Debug, Deserialize)]
struct ConfigChange {
    delegated: Option<Vec<Scope>>,
    settle_millis: Option<u64>,
    token_lifetime_seconds: Option<u64>,
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
        .raise(alert, id.clone(), &shared.vendor.customer, now);
    id
}

pub(crate) fn add_login_event(shared: &Shared, event: &LoginEvent) {
    let qualifier = shared.ids.decimal(18);
    let now = shared.clock.now_ns();
    let mut company = shared.company();
    let profile = company.users.find(&event.email).map(|user| user.id.clone());
    let about = (profile.as_deref(), qualifier.as_str());
    company
        .activities
        .add(event, about, &shared.vendor.customer, now);
}

pub(crate) fn route(shared: &Shared, call: &Call<'_>) -> Outcome {
    match call.route() {
        ("GET", ["state"]) => {
            let company = shared.company();
            Ok(json!({
                "now": shared.clock.now(),
                "customer": shared.vendor.customer,
                "users": company.users.all(),
                "alerts": company.alerts.all(),
                "feedback": company.alerts.feedback(),
                "faults": shared.faults.pending(),
            }))
        }
        ("POST", ["users"]) => Ok(json!({"id": add_user(shared, call.body()?)})),
        ("POST", ["alerts"]) => Ok(json!({"id": add_alert(shared, &call.body()?)})),
        ("POST", ["alerts", "raw"]) => {
            let document: Map<String, Value> = call.body()?;
            let id = shared.company().alerts.put(&document);
            let missing = |member: &str| (400, format!("alert document without `{member}`"));
            Ok(json!({"id": id.map_err(missing)?}))
        }
        ("POST", ["login_events"]) => {
            add_login_event(shared, &call.body()?);
            done()
        }
        ("PATCH", ["config"]) => {
            let change: ConfigChange = call.body()?;
            if let Some(scopes) = change.delegated {
                shared.vendor.auth.delegate(scopes);
            }
            if let Some(millis) = change.settle_millis {
                shared.company().settle = Duration::from_millis(millis);
            }
            if let Some(seconds) = change.token_lifetime_seconds {
                shared
                    .vendor
                    .auth
                    .set_lifetime(Duration::from_secs(seconds));
            }
            done()
        }
        ("POST", ["tokens", "revoke"]) => {
            shared.vendor.auth.revoke_all();
            done()
        }
        _ => common(shared, call),
    }
}
