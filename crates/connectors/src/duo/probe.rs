//! Finds out what the application may do, changing nothing: each box is tried by reading what it
//! grants. Writing cannot be tried without a user to write to; a change of nothing to a user that
//! does not exist shows whether it would be allowed.

use quell_connector::{Call, Check, Error, Kind};

use super::Duo;
use super::api::{self, Span};

const ACTIONS: &str = "disable_account, enable_account";
/// An id no user has.
const NOBODY: &str = "DUQUELLPROBE00000000";

pub(super) async fn probe(duo: &Duo, cx: &Call) -> Vec<Check> {
    let found = api::find_users(&duo.plane, cx, "username", "quell-probe").await;
    if let Err(error) = &found
        && matches!(error.kind, Kind::AuthRejected | Kind::ConfigInvalid)
    {
        return vec![check(
            cx,
            "Signature",
            "everything",
            Some(false),
            error.to_string(),
        )];
    }
    let mut checks = Vec::new();
    if !unreachable(found.as_ref().err()) {
        let detail = "Duo accepts the signature.".to_owned();
        checks.push(check(cx, "Signature", "everything", Some(true), detail));
    }
    checks.push(outcome(cx, api::READ_RESOURCE, ACTIONS, found.err()));

    let written = api::set_status(&duo.plane, cx, duo.signature, NOBODY, "active").await;
    // Unknown is what is hoped for: the request got past the check of rights.
    let refusal = written
        .err()
        .filter(|error| error.kind != Kind::TargetNotFound);
    checks.push(outcome(cx, api::WRITE_RESOURCE, ACTIONS, refusal));

    let now = cx.clock().now().as_millisecond();
    let span = Span {
        from: now - 1,
        to: now,
    };
    if duo.poll.authentication_log {
        let read = api::authentication_log(&duo.plane, cx, span, None).await;
        checks.push(outcome(
            cx,
            api::READ_LOG,
            "alerts from the authentication log",
            read.err(),
        ));
    }
    if duo.poll.trust_monitor {
        let read = api::trust_monitor(&duo.plane, cx, span, None).await;
        checks.push(match read.err() {
            Some(error) if error.kind == Kind::PermissionMissing => {
                let detail = format!(
                    "Refused; the plan does not include Trust Monitor, or `{}` is not granted. Without it set `poll.trust_monitor = false`.",
                    api::READ_LOG
                );
                check(cx, "Trust Monitor", "alerts from Trust Monitor", Some(false), detail)
            }
            other => outcome(cx, "Trust Monitor", "alerts from Trust Monitor", other),
        });
    }
    checks
}

fn unreachable(error: Option<&Error>) -> bool {
    error.is_some_and(|error| error.kind != Kind::PermissionMissing)
}

fn outcome(cx: &Call, name: &str, used_by: &str, refusal: Option<Error>) -> Check {
    let (ok, detail) = match refusal {
        None => (Some(true), "Granted.".to_owned()),
        Some(error) if error.kind == Kind::PermissionMissing => (
            Some(false),
            format!("Missing; tick `{name}` on the application's page in the Duo Admin Panel."),
        ),
        Some(error) => (None, format!("Could not be found out: {error}.")),
    };
    check(cx, name, used_by, ok, detail)
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
