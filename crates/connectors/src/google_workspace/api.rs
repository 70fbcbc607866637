//! One function per endpoint: the request, what may be repeated, and how its reply is decoded.

use quell_connector::http::{
    Body, Complaint, Dialect, Method, Plane, Quota, Repeat, Reply, Request, SIGN_IN, encode,
    epoch_or_delta_seconds,
};
use quell_connector::{Call, Error, Kind, Result};
use quell_model::{Secret, text};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::access::Need;
use super::wire;

pub(super) const USER_READ: &str = "users.get";
pub(super) const USER_LIST: &str = "users.list";
pub(super) const USER_SUSPEND: &str = "users.suspend";
pub(super) const USER_RESTORE: &str = "users.restore";
pub(super) const USER_PASSWORD: &str = "users.password";
pub(super) const USER_SIGN_OUT: &str = "users.sign_out";
pub(super) const ALERT_LIST: &str = "alerts.list";
pub(super) const ALERT_READ: &str = "alerts.get";
pub(super) const ALERT_FEEDBACK: &str = "alerts.feedback";
pub(super) const LOGIN_EVENTS: &str = "activities.list";

/// What an operation needs: the scope, and the privilege of the administrator's role as the Admin
/// console names it.
pub(super) fn needs(operation: &str) -> Option<(Need, &'static str)> {
    Some(match operation {
        USER_READ | USER_LIST => (Need::Users, "Users > Read"),
        USER_SUSPEND | USER_RESTORE => (Need::Users, "Users > Update > Suspend users"),
        USER_PASSWORD => (Need::Users, "Users > Update > Reset password"),
        USER_SIGN_OUT => (Need::Security, "Security > User security management"),
        ALERT_LIST | ALERT_READ => (Need::Alerts, "Alert center > View access"),
        ALERT_FEEDBACK => (Need::Alerts, "Alert center > Full access"),
        LOGIN_EVENTS => (Need::Audit, "Reports"),
        _ => return None,
    })
}

/// How Google speaks HTTP.
pub(super) const fn dialect(need: Need) -> Dialect {
    Dialect {
        // Google's services send none; a gateway in between may.
        request_id: "x-request-id",
        retry_after: |headers, now| epoch_or_delta_seconds(headers, "retry-after", now),
        complaint,
        quotas: match need {
            Need::Users | Need::Security => &[
                Quota {
                    bucket: "default",
                    per_minute: 1200,
                    burst: 50,
                },
                TOKENS,
            ],
            Need::Alerts | Need::Audit => &[
                Quota {
                    bucket: "default",
                    per_minute: 300,
                    burst: 10,
                },
                TOKENS,
            ],
        },
        concurrency: 8,
    }
}

const TOKENS: Quota = Quota {
    bucket: SIGN_IN,
    per_minute: 60,
    burst: 10,
};

/// A 403 can mean "too fast"; only its reason tells.
const TOO_FAST: [&str; 3] = [
    "rateLimitExceeded",
    "userRateLimitExceeded",
    "quotaExceeded",
];

fn complaint(reply: &Reply) -> Option<Complaint> {
    let error = reply.json::<wire::ErrorReply>().ok()?.error?;
    let reason = error.reason();
    let said = text::line(error.message.as_deref().unwrap_or_default());
    let code = Some(reason.to_owned()).filter(|reason| !reason.is_empty());
    let needed = needs(reply.operation);
    let (kind, words) = match (reply.status.as_u16(), reason, needed) {
        (403, reason, _) if TOO_FAST.contains(&reason) => (Some(Kind::RateLimited), said),
        (403, "insufficientPermissions" | "ACCESS_TOKEN_SCOPE_INSUFFICIENT", Some((need, _))) => {
            let words = format!("the token lacks `{}`", need.scope());
            (Some(Kind::PermissionMissing), words)
        }
        (403, "accessNotConfigured" | "SERVICE_DISABLED", Some((need, _))) => {
            let words = format!(
                "`{}` is not enabled in the Google Cloud project of the service account",
                need.service()
            );
            (Some(Kind::PermissionMissing), words)
        }
        (403, _, Some((_, privilege))) => {
            let words = format!(
                "Google refuses it to the administrator Quell acts as: its role lacks `{privilege}`, or the account belongs to another organization or to a higher administrator"
            );
            (Some(Kind::PermissionMissing), words)
        }
        // A key of no form the Directory service knows is nobody's.
        (400, "invalid", _) if reply.operation == USER_READ => (Some(Kind::TargetNotFound), said),
        _ => (None, said),
    };
    Some(Complaint { kind, code, words })
}

/// A reply that says nothing of what was asked. After a write, only reading can tell.
pub(super) fn unreadable(operation: &'static str, wrote: bool, detail: &str) -> Error {
    let kind = if wrote {
        Kind::MaybeApplied
    } else {
        Kind::ReplyUnreadable
    };
    Error::new(kind, operation, detail)
}

/// An error inside a success reply, which a gateway in between may make of another one.
fn refused_inside(reply: &Reply, wrote: bool) -> Option<Error> {
    let error = reply.json::<wire::ErrorReply>().ok()?.error?;
    let kind = match error.code.unwrap_or_default() {
        500..=599 if wrote => Kind::MaybeApplied,
        500..=599 => Kind::VendorUnavailable,
        429 => Kind::RateLimited,
        404 => Kind::TargetNotFound,
        _ => Kind::VendorRejected,
    };
    let said = text::line(
        error
            .message
            .as_deref()
            .unwrap_or("an error without a sentence"),
    );
    Some(Error::new(kind, reply.operation, said).code(error.code.unwrap_or_default()))
}

async fn ask<T: DeserializeOwned>(plane: &Plane, cx: &Call, request: Request) -> Result<T> {
    let wrote = request.repeat != Repeat::Read;
    let reply = plane.send(cx, request).await?;
    if let Some(error) = refused_inside(&reply, wrote) {
        return Err(error);
    }
    reply.json().map_err(|mut error| {
        // The status said yes, so the write may well have happened.
        if wrote && error.kind == Kind::ReplyUnreadable {
            error.kind = Kind::MaybeApplied;
        }
        error
    })
}

/// `key` is a number or an address; nothing else may get here, because `..` is a path of its own.
fn user_path(key: &str, rest: &str) -> String {
    let mut path = "/admin/directory/v1/users/".to_owned();
    encode(&mut path, key);
    path.push_str(rest);
    path
}

/// A user by number or by any of its addresses.
pub(super) async fn read_user(plane: &Plane, cx: &Call, key: &str) -> Result<wire::User> {
    ask(plane, cx, Request::get(USER_READ, user_path(key, ""))).await
}

/// A page of super administrators.
pub(super) async fn list_admins(
    plane: &Plane,
    cx: &Call,
    page: Option<&str>,
) -> Result<wire::Users> {
    let mut request = Request::get(USER_LIST, "/admin/directory/v1/users")
        .query("customer", "my_customer")
        .query("query", "isAdmin=true")
        .query("maxResults", "100");
    if let Some(page) = page {
        request = request.query("pageToken", page);
    }
    ask(plane, cx, request).await
}

/// Suspends a user or takes that back.
pub(super) async fn suspend(
    plane: &Plane,
    cx: &Call,
    id: &str,
    suspended: bool,
) -> Result<wire::User> {
    let operation = if suspended {
        USER_SUSPEND
    } else {
        USER_RESTORE
    };
    let body = wire::Suspension { suspended };
    let path = user_path(id, "");
    let request = Request::json(operation, Method::PUT, path, &body, Repeat::Idempotent)?;
    ask(plane, cx, request).await
}

/// Sets a password that has to be changed at the next sign-in.
pub(super) async fn set_password(
    plane: &Plane,
    cx: &Call,
    id: &str,
    password: &Secret,
) -> Result<wire::User> {
    let body = wire::NewPassword {
        password: password.expose(),
        change_password_at_next_login: true,
    };
    let path = user_path(id, "");
    let request = Request::json(USER_PASSWORD, Method::PUT, path, &body, Repeat::Once)?;
    ask(plane, cx, request).await
}

/// Ends all sessions of a user. The reply is empty.
pub(super) async fn sign_out(plane: &Plane, cx: &Call, id: &str) -> Result<()> {
    let path = user_path(id, "/signOut");
    let request = Request::new(USER_SIGN_OUT, Method::POST, path, Body::Empty, Repeat::Once);
    let reply = plane.send(cx, request).await?;
    match refused_inside(&reply, true) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// A page of whole documents is larger than any other reply.
const DOCUMENTS_LIMIT: usize = 64 << 20;

/// A page of alerts, oldest first, that were created at `since` or later.
pub(super) async fn created_alerts(
    plane: &Plane,
    cx: &Call,
    since: jiff::Timestamp,
    size: u16,
    page: Option<&str>,
) -> Result<wire::Documents> {
    let request = Request::get(ALERT_LIST, "/v1beta1/alerts")
        .query("orderBy", "create_time asc")
        .query("filter", &format!("createTime >= \"{since:.3}\""));
    alerts(plane, cx, request, size, page).await
}

/// A page of alerts, those changed last first. Whether changes can be filtered is not documented.
pub(super) async fn changed_alerts(
    plane: &Plane,
    cx: &Call,
    size: u16,
    page: Option<&str>,
) -> Result<wire::Documents> {
    let request = Request::get(ALERT_LIST, "/v1beta1/alerts").query("orderBy", "update_time desc");
    alerts(plane, cx, request, size, page).await
}

async fn alerts(
    plane: &Plane,
    cx: &Call,
    request: Request,
    size: u16,
    page: Option<&str>,
) -> Result<wire::Documents> {
    let mut request = request
        .query("pageSize", &size.to_string())
        .reply_limit(DOCUMENTS_LIMIT);
    if let Some(page) = page {
        request = request.query("pageToken", page);
    }
    ask(plane, cx, request).await
}

/// One alert document; none when Google does not know the id.
pub(super) async fn read_alert(
    plane: &Plane,
    cx: &Call,
    id: &str,
) -> Result<Option<Box<RawValue>>> {
    let mut path = "/v1beta1/alerts/".to_owned();
    encode(&mut path, id);
    match ask(plane, cx, Request::get(ALERT_READ, path)).await {
        Ok(document) => Ok(Some(document)),
        Err(error) if error.kind == Kind::TargetNotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Says whether an alert was useful. Twice would be two opinions.
pub(super) async fn give_feedback(
    plane: &Plane,
    cx: &Call,
    id: &str,
    kind: &'static str,
) -> Result<()> {
    let mut path = "/v1beta1/alerts/".to_owned();
    encode(&mut path, id);
    path.push_str("/feedback");
    let body = wire::Feedback { r#type: kind };
    let request = Request::json(ALERT_FEEDBACK, Method::POST, path, &body, Repeat::Once)?;
    ask::<serde::de::IgnoredAny>(plane, cx, request)
        .await
        .map(drop)
}

/// A page of events of one name from the audit of sign-ins, newest first.
pub(super) async fn login_events(
    plane: &Plane,
    cx: &Call,
    name: &str,
    since: jiff::Timestamp,
    page: Option<&str>,
) -> Result<wire::Documents> {
    let path = "/admin/reports/v1/activity/users/all/applications/login";
    let mut request = Request::get(LOGIN_EVENTS, path)
        .query("eventName", name)
        .query("startTime", &format!("{since:.3}"))
        .query("maxResults", "1000")
        .reply_limit(DOCUMENTS_LIMIT);
    if let Some(page) = page {
        request = request.query("pageToken", page);
    }
    ask(plane, cx, request).await
}
