//! Finds out what the app may do, changing nothing. Reading permissions are tried by reading, writing permissions on a
//! user that does not exist: the vendor answers 404 once the permission is there, and 403 before.

use quell_connector::http::{Body, Method, Repeat, Request};
use quell_connector::{Call, Check, Error, Kind};

use super::{EntraId, api, wire};

/// Statuses that say the permission is there.
const ADMITTED: &[u16] = &[400, 404];
/// An object id that nothing has.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

pub(super) async fn probe(entra: &EntraId, cx: &Call) -> Vec<Check> {
    let signed_in = entra.plane.sign_in(cx).await;
    let found = match &signed_in {
        Ok(_) => (
            Some(true),
            format!("Signed in to the tenant {}.", entra.tenant),
        ),
        Err(error) => (verdict(error), format!("{error}.")),
    };
    let mut checks = vec![check(cx, "Sign-in", "everything", found)];
    if signed_in.is_err() {
        return checks;
    }
    for (name, used_by, request) in trials(entra) {
        let outcome = match request {
            Ok(request) => entra.plane.send(cx, request.answers(ADMITTED)).await,
            Err(error) => Err(error),
        };
        let found = outcome.map(|_| (Some(true), "Granted.".to_owned()));
        checks.push(check(cx, name, used_by, finding(name, found)));
    }
    if entra.groups.ids().next().is_some() {
        let found = finding(api::READ_GROUPS, groups(entra, cx).await);
        let used_by = "every action on accounts: labels by groups";
        checks.push(check(cx, api::READ_GROUPS, used_by, found));
    }
    checks
}

/// What became of a trial, and what to do about it.
type Finding = (Option<bool>, String);

fn finding(name: &str, found: quell_connector::Result<Finding>) -> Finding {
    match found {
        Ok(found) => found,
        Err(error) if error.kind == Kind::PermissionMissing => (
            Some(false),
            format!(
                "Missing; add the application permission `{name}` to the app registration and grant admin consent."
            ),
        ),
        Err(error) if error.kind == Kind::Unsupported => (Some(false), format!("{error}.")),
        Err(error) => (
            None,
            format!("Could not be found out without changing something: {error}."),
        ),
    }
}

/// Whether the configured groups are there and may be read: a mistyped one would protect nobody.
async fn groups(entra: &EntraId, cx: &Call) -> quell_connector::Result<Finding> {
    let mut strangers = Vec::new();
    for id in entra.groups.ids() {
        let reply = entra
            .plane
            .send(cx, api::group(id).answers(ADMITTED))
            .await?;
        if !reply.status.is_success() {
            strangers.push(id);
        }
    }
    if strangers.is_empty() {
        return Ok((Some(true), "Granted, and every group is there.".to_owned()));
    }
    let text = format!(
        "Granted, but the tenant has no group {}; correct `groups`.",
        strangers.join(", ")
    );
    Ok((Some(false), text))
}

/// A failed sign-in is a finding, unless the vendor could not be asked at all.
fn verdict(error: &Error) -> Option<bool> {
    match error.kind {
        Kind::AuthRejected | Kind::ConfigInvalid => Some(false),
        _ => None,
    }
}

fn check(cx: &Call, name: &str, used_by: &str, (ok, detail): Finding) -> Check {
    Check {
        name: name.to_owned(),
        used_by: used_by.to_owned(),
        ok,
        detail,
        at: cx.clock().now(),
    }
}

type Trial = (&'static str, &'static str, quell_connector::Result<Request>);

fn trials(entra: &EntraId) -> Vec<Trial> {
    let user = |rest: &str| format!("/v1.0/users/{NOBODY}{rest}");
    let enablement = wire::Enablement {
        account_enabled: true,
    };
    let profile = wire::NewPassword {
        password_profile: wire::PasswordProfile {
            force_change_password_next_sign_in: true,
            password: None,
        },
    };
    let mut trials = vec![
        (
            api::READ_USERS,
            "every action on accounts, notifications",
            Ok(Request::get(
                api::USER_READ,
                "/v1.0/users?$top=1&$select=id",
            )),
        ),
        (
            api::ENABLE_USERS,
            "disable_account, enable_account",
            Request::json(
                api::USER_ENABLE,
                Method::PATCH,
                user(""),
                &enablement,
                Repeat::Read,
            ),
        ),
        (
            api::REVOKE_SESSIONS,
            "revoke_sessions",
            Ok(Request::new(
                api::USER_REVOKE,
                Method::POST,
                user("/revokeSignInSessions"),
                Body::Empty,
                Repeat::Read,
            )),
        ),
        (
            api::SET_PASSWORDS,
            "reset_password",
            Request::json(
                api::USER_PASSWORD,
                Method::PATCH,
                user(""),
                &profile,
                Repeat::Read,
            ),
        ),
        (
            api::READ_ROLES,
            "disable_account, reset_password: who is an administrator",
            Ok(Request::get(
                api::ROLES_READ,
                api::role_members_path(NOBODY),
            )),
        ),
        (
            api::READ_DOMAINS,
            "reset_password: whether another identity provider holds the password",
            Ok(Request::get(
                api::DOMAIN_READ,
                "/v1.0/domains/quell.invalid",
            )),
        ),
        (api::READ_RISK, "alerts", Ok(api::RISK_DETECTIONS.any())),
    ];
    if entra.poll.risky_users {
        let used_by = "alerts about the risk of users";
        trials.push((api::READ_RISKY, used_by, Ok(api::RISKY_USERS.any())));
    }
    if entra.write_back {
        let nobody = wire::UserIds { user_ids: &[] };
        trials.push((
            api::DECIDE_RISK,
            "what became of alerts",
            api::decision("dismiss", &nobody),
        ));
    }
    trials
}
