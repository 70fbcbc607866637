//! The calls, and what the Admin API's errors mean.

use std::time::Duration;

use jiff::Timestamp;
use quell_connector::http::{
    Body, Complaint, Dialect, HeaderMap, Method, Plane, Quota, Repeat, Reply, Request, encode,
    epoch_or_delta_seconds,
};
use quell_connector::{Call, Error, Kind, Result};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::json;

use super::config::SignatureVersion;
use super::wire::{AuthenticationLog, Envelope, Events, User};

pub(super) const USERS_FIND: &str = "users.find";
pub(super) const USERS_READ: &str = "users.read";
pub(super) const USERS_MODIFY: &str = "users.modify";
pub(super) const TRUST_MONITOR: &str = "trust_monitor.events";
pub(super) const AUTHENTICATION_LOG: &str = "logs.authentication";

/// Boxes of the application, as the Admin Panel names them.
pub(super) const READ_RESOURCE: &str = "Grant read resource";
pub(super) const WRITE_RESOURCE: &str = "Grant write resource";
pub(super) const READ_LOG: &str = "Grant read log";

/// The box an operation needs.
pub(super) fn needs(operation: &str) -> Option<&'static str> {
    Some(match operation {
        USERS_FIND | USERS_READ => READ_RESOURCE,
        USERS_MODIFY => WRITE_RESOURCE,
        TRUST_MONITOR | AUTHENTICATION_LOG => READ_LOG,
        _ => return None,
    })
}

/// How Duo speaks HTTP. Its limits are not published; about fifty calls a minute are known to be safe.
pub(super) const DIALECT: Dialect = Dialect {
    request_id: "x-request-id",
    retry_after,
    complaint,
    quotas: &[Quota {
        bucket: "default",
        per_minute: 50,
        burst: 10,
    }],
    concurrency: 4,
};

/// The vendor does not say how long to wait; something in between may.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    epoch_or_delta_seconds(headers, "retry-after", now)
}

fn complaint(reply: &Reply) -> Option<Complaint> {
    let envelope: Envelope<IgnoredAny> = reply.json().ok()?;
    let said = words(&envelope);
    let words = match reply.status.as_u16() {
        401 => format!(
            "Duo refuses the signature ({said}); the keys are wrong, or this machine's clock is: check this machine's clock first"
        ),
        403 => match needs(reply.operation) {
            Some(needed) if reply.operation == TRUST_MONITOR => format!(
                "Duo refuses Trust Monitor; the plan does not include it, or the application lacks `{needed}`"
            ),
            Some(needed) => format!("the application lacks `{needed}`"),
            None => said,
        },
        _ => said,
    };
    Some(Complaint {
        kind: None,
        code: envelope.code.0.map(|code| code.to_string()),
        words,
    })
}

fn words<T>(envelope: &Envelope<T>) -> String {
    let message = envelope.message.line().unwrap_or_default();
    match envelope.message_detail.line() {
        Some(detail) => format!("{message}: {detail}"),
        None => message,
    }
}

async fn call<T: DeserializeOwned>(plane: &Plane, cx: &Call, request: Request) -> Result<T> {
    let reply = plane.send(cx, request).await?;
    let envelope: Envelope<T> = reply.json()?;
    // Failures have a status of their own, but nothing promises that all of them do.
    if envelope.stat.raw() != Some("OK") {
        let detail = format!("Duo answered with a failure: {}", words(&envelope));
        let error = Error::new(Kind::VendorRejected, reply.operation, detail);
        let code = envelope
            .code
            .0
            .map_or_else(String::new, |code| code.to_string());
        return Err(error.code(code).request_id(reply.request_id));
    }
    envelope.response.ok_or_else(|| {
        let detail = "Duo's reply has no `response`";
        Error::new(Kind::ReplyUnreadable, reply.operation, detail).request_id(reply.request_id)
    })
}

fn user_path(id: &str) -> String {
    let mut path = "/admin/v1/users/".to_owned();
    encode(&mut path, id);
    path
}

/// Users by one criterion: `username` (aliases too) or `email`.
pub(super) async fn find_users(
    plane: &Plane,
    cx: &Call,
    criterion: &str,
    value: &str,
) -> Result<Vec<User>> {
    let request = Request::get(USERS_FIND, "/admin/v1/users").query(criterion, value);
    call(plane, cx, request).await
}

pub(super) async fn read_user(plane: &Plane, cx: &Call, id: &str) -> Result<User> {
    call(plane, cx, Request::get(USERS_READ, user_path(id))).await
}

pub(super) async fn set_status(
    plane: &Plane,
    cx: &Call,
    version: SignatureVersion,
    id: &str,
    status: &str,
) -> Result<User> {
    let body = match version {
        SignatureVersion::V5 => Body::Json(json!({ "status": status }).to_string().into()),
        SignatureVersion::V2 => Body::form(&[("status", status)]),
    };
    let path = user_path(id);
    let request = Request::new(USERS_MODIFY, Method::POST, path, body, Repeat::Idempotent);
    call(plane, cx, request).await
}

/// A span of time in milliseconds, both ends included.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) from: i64,
    pub(super) to: i64,
}

fn log(operation: &'static str, path: &str, limit: u16, span: Span) -> Request {
    Request::get(operation, path)
        .query("limit", &limit.to_string())
        .query("maxtime", &span.to.to_string())
        .query("mintime", &span.from.to_string())
}

pub(super) async fn trust_monitor(
    plane: &Plane,
    cx: &Call,
    span: Span,
    offset: Option<&str>,
) -> Result<Events> {
    let mut request = log(TRUST_MONITOR, "/admin/v1/trust_monitor/events", 200, span);
    if let Some(offset) = offset {
        request = request.query("offset", offset);
    }
    call(plane, cx, request).await
}

pub(super) async fn authentication_log(
    plane: &Plane,
    cx: &Call,
    span: Span,
    offset: Option<&str>,
) -> Result<AuthenticationLog> {
    let mut request = log(
        AUTHENTICATION_LOG,
        "/admin/v2/logs/authentication",
        1000,
        span,
    );
    if let Some(offset) = offset {
        request = request.query("next_offset", offset);
    }
    call(plane, cx, request.query("sort", "ts:asc")).await
}
