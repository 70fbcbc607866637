//! Finds out what the service account may do and as whom, changing nothing. A scope shows when a token is
//! asked for; a privilege of the administrator's role shows in reading, and for writing in whether the
//! administrator is a super administrator.

use quell_connector::http::Plane;
use quell_connector::{Call, Check, Error, Kind, Result};

use super::access::Need;
use super::{GoogleWorkspace, api, wire};

const ACCOUNTS: &str = "disable_account, enable_account, revoke_sessions, reset_password";

pub(super) async fn probe(google: &GoogleWorkspace, cx: &Call) -> Vec<Check> {
    let access = &google.access;
    let users = access.users.sign_in(cx).await;
    // A scope that is not delegated still shows that the key counts.
    let refused = users.as_ref().err();
    if let Some(error) = refused.filter(|error| error.kind != Kind::PermissionMissing) {
        let ok = match error.kind {
            Kind::AuthRejected | Kind::ConfigInvalid => Some(false),
            _ => None,
        };
        return vec![check(cx, "Sign-in", "everything", ok, error.to_string())];
    }
    let mut checks = vec![check(
        cx,
        "Sign-in",
        "everything",
        Some(true),
        format!("The service account may act as `{}`.", google.admin),
    )];
    let delegated = users.is_ok();
    checks.push(scope(cx, Need::Users, ACCOUNTS, users.map(drop)));
    let security = access.security.sign_in(cx).await.map(drop);
    checks.push(scope(cx, Need::Security, "revoke_sessions", security));
    if delegated {
        let own = api::read_user(&access.users, cx, &google.admin).await;
        checks.push(role(cx, own));
    }
    if google.poll.enabled || google.write_back {
        let read = read(&access.alerts, cx, Need::Alerts).await;
        checks.push(scope(cx, Need::Alerts, "alerts", read));
    }
    if google.login_audit {
        let read = read(&access.audit, cx, Need::Audit).await;
        checks.push(scope(cx, Need::Audit, "sign-ins of the audit", read));
    }
    checks
}

async fn read(plane: &Plane, cx: &Call, need: Need) -> Result<()> {
    plane.sign_in(cx).await?;
    match need {
        Need::Audit => {
            let now = cx.clock().now();
            api::login_events(plane, cx, "suspicious_login", now, None).await
        }
        _ => api::changed_alerts(plane, cx, 1, None).await,
    }
    .map(drop)
}

fn scope(cx: &Call, need: Need, used_by: &str, found: Result<()>) -> Check {
    let (ok, detail) = match found {
        Ok(()) => (Some(true), "Delegated.".to_owned()),
        Err(error) => (missing(&error), format!("{}.", error.detail)),
    };
    check(cx, need.scope(), used_by, ok, detail)
}

fn missing(error: &Error) -> Option<bool> {
    (error.kind == Kind::PermissionMissing).then_some(false)
}

fn role(cx: &Call, own: Result<wire::User>) -> Check {
    let (ok, detail) = match own {
        Ok(user) if user.is_admin => (
            Some(true),
            "A super administrator: may act on every account but its own.".to_owned(),
        ),
        Ok(user) if user.is_delegated_admin => (
            None,
            "An administrator with a limited role: cannot act on other administrators, and whether the role has `Users > Update > Suspend users`, `Users > Update > Reset password`, `Users > Update > Force password change` and `Security > User security management` shows only when they are used.".to_owned(),
        ),
        Ok(_) => (
            Some(false),
            "No administrator; give the account a role in the Admin console.".to_owned(),
        ),
        Err(error) => (missing(&error), format!("{}.", error.detail)),
    };
    check(cx, "Administrator's role", ACCOUNTS, ok, detail)
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
