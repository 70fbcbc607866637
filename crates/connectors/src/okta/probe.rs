//! Finds out what the credentials may do, changing nothing. Reading is tried by reading one record,
//! changing by a change to a user that does not exist: Okta answers 404 once the scope is there.

use quell_connector::http::{Body, Method, Repeat, Request};
use quell_connector::{Call, Check, Error, Kind};

use super::accounts::role_names;
use super::{Okta, api};

/// Letters and digits as in an id, and no id: those begin with `00u`.
const NOBODY: &str = "/api/v1/users/nobodyquellprobe0000/lifecycle/suspend";

const ACTIONS: &str = "disable_account, enable_account, revoke_sessions, reset_password";

pub(super) async fn probe(okta: &Okta, cx: &Call) -> Vec<Check> {
    let trials = [
        (
            api::USERS_READ,
            ACTIONS,
            Request::get(api::USER_READ, "/api/v1/users?limit=1"),
        ),
        (
            api::USERS_MANAGE,
            ACTIONS,
            Request::new(
                api::SUSPEND,
                Method::POST,
                NOBODY,
                Body::Empty,
                Repeat::Read,
            ),
        ),
        (
            api::ROLES_READ,
            "every action: who is an administrator",
            Request::get(api::ASSIGNEES, "/api/v1/iam/assignees/users?limit=1"),
        ),
        (
            api::LOGS_READ,
            "alerts, proof of revoke_sessions",
            Request::get(api::LOGS, "/api/v1/logs?limit=1"),
        ),
    ];
    let signed_in = match okta.plane.sign_in(cx).await {
        Ok(_) => check(
            cx,
            "Sign-in",
            "everything",
            Some(true),
            "Signed in.".to_owned(),
        ),
        Err(error) => {
            let detail = error.to_string();
            return vec![check(cx, "Sign-in", "everything", verdict(&error), detail)];
        }
    };
    let mut checks = vec![signed_in];
    for (scope, used_by, request) in trials {
        let outcome = okta.plane.send(cx, request.answers(&[404])).await;
        checks.push(match outcome {
            Ok(_) => check(cx, scope, used_by, Some(true), "Granted.".to_owned()),
            Err(error) if error.kind == Kind::PermissionMissing => {
                let detail = format!("Missing; grant `{scope}` to the app in the Okta console.");
                check(cx, scope, used_by, Some(false), detail)
            }
            // An API token is only refused when it is first used.
            Err(error) if error.kind == Kind::AuthRejected => {
                let detail = error.to_string();
                return vec![check(cx, "Sign-in", "everything", Some(false), detail)];
            }
            Err(error) => {
                let detail = format!("Could not be found out: {error}.");
                check(cx, scope, used_by, None, detail)
            }
        });
    }
    checks.push(role(okta, cx).await);
    checks
}

/// Scopes alone change nobody: a role has to cover the users, too.
async fn role(okta: &Okta, cx: &Call) -> Check {
    let (name, used_by) = ("Administrator role", ACTIONS);
    match okta.own_roles(cx).await.map(|roles| role_names(&roles)) {
        Ok(roles) if roles.is_empty() => {
            let detail =
                "Missing; assign a role that covers the users, such as Organization Administrator.";
            check(cx, name, used_by, Some(false), detail.to_owned())
        }
        Ok(roles) => {
            let detail = format!("{roles}. Whether that covers a user shows when one is acted on.");
            check(cx, name, used_by, Some(true), detail)
        }
        Err(error) => {
            let detail = format!("Could not be found out: {error}.");
            check(cx, name, used_by, None, detail)
        }
    }
}

/// A failed sign-in is a finding, unless the vendor could not be asked at all.
fn verdict(error: &Error) -> Option<bool> {
    match error.kind {
        Kind::AuthRejected | Kind::ConfigInvalid => Some(false),
        _ => None,
    }
}

fn check(cx: &Call, name: &str, used_by: &str, ok: Option<bool>, detail: String) -> Check {
    Check {
        name: name.to_owned(),
        used_by: used_by.to_owned(),
        ok,
        detail,
        at: cx.clock().now(),
    }
}
