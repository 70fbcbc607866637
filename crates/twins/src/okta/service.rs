//! The way of one request: recognise it, let a fault strike, admit the caller, run the call, finish the reply.

use std::sync::Arc;

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::auth::{self, Caller};
use super::{Shared, control, logs, users};
use crate::clock::timestamp;
use crate::faults::Fault;
use crate::http::{Answer, Reply, Request};
use crate::requests::{RequestRecord, body_text};

/// What a request is for. Fault rules and counters go by this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Endpoint {
    /// `POST /oauth2/v1/token`.
    Token,
    /// `GET /api/v1/users/{id}`.
    UserRead,
    /// `GET /api/v1/users`.
    UserList,
    /// `GET /api/v1/users/{id}/roles`.
    UserRoles,
    /// `GET /oauth2/v1/clients/{id}/roles`.
    ClientRoles,
    /// `GET /api/v1/iam/assignees/users`.
    Assignees,
    /// `POST /api/v1/users/{id}/lifecycle/suspend`.
    Suspend,
    /// `POST /api/v1/users/{id}/lifecycle/unsuspend`.
    Unsuspend,
    /// `DELETE /api/v1/users/{id}/sessions`.
    SessionsClear,
    /// `POST /api/v1/users/{id}/lifecycle/expire_password`.
    PasswordExpire,
    /// `POST /api/v1/users/{id}/lifecycle/expire_password_with_temp_password`.
    PasswordReplace,
    /// `GET /api/v1/logs`.
    Logs,
    /// Anything else.
    Unknown,
}

impl Endpoint {
    /// Every endpoint, in the order they are counted.
    pub const ALL: [Self; 13] = [
        Self::Token,
        Self::UserRead,
        Self::UserList,
        Self::UserRoles,
        Self::ClientRoles,
        Self::Assignees,
        Self::Suspend,
        Self::Unsuspend,
        Self::SessionsClear,
        Self::PasswordExpire,
        Self::PasswordReplace,
        Self::Logs,
        Self::Unknown,
    ];

    /// The endpoint of a path, and what the path names.
    fn of<'a>(method: &str, path: &'a str) -> (Self, &'a str) {
        let parts: Vec<&'a str> = path.trim_start_matches('/').split('/').collect();
        match (method, parts.as_slice()) {
            ("POST", ["oauth2", "v1", "token"]) => (Self::Token, ""),
            ("GET", ["oauth2", "v1", "clients", id, "roles"]) => (Self::ClientRoles, id),
            ("GET", ["api", "v1", "iam", "assignees", "users"]) => (Self::Assignees, ""),
            ("GET", ["api", "v1", "logs"]) => (Self::Logs, ""),
            ("GET", ["api", "v1", "users"]) => (Self::UserList, ""),
            ("GET", ["api", "v1", "users", id]) => (Self::UserRead, id),
            ("GET", ["api", "v1", "users", id, "roles"]) => (Self::UserRoles, id),
            ("DELETE", ["api", "v1", "users", id, "sessions"]) => (Self::SessionsClear, id),
            ("POST", ["api", "v1", "users", id, "lifecycle", verb]) => match *verb {
                "suspend" => (Self::Suspend, id),
                "unsuspend" => (Self::Unsuspend, id),
                "expire_password" => (Self::PasswordExpire, id),
                "expire_password_with_temp_password" => (Self::PasswordReplace, id),
                _ => (Self::Unknown, ""),
            },
            _ => (Self::Unknown, ""),
        }
    }

    /// The name as fault rules spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::UserRead => "user_read",
            Self::UserList => "user_list",
            Self::UserRoles => "user_roles",
            Self::ClientRoles => "client_roles",
            Self::Assignees => "assignees",
            Self::Suspend => "suspend",
            Self::Unsuspend => "unsuspend",
            Self::SessionsClear => "sessions_clear",
            Self::PasswordExpire => "password_expire",
            Self::PasswordReplace => "password_replace",
            Self::Logs => "logs",
            Self::Unknown => "unknown",
        }
    }

    /// Scopes of which a token needs one.
    pub(crate) const fn scopes(self) -> &'static [&'static str] {
        match self {
            Self::UserRead | Self::UserList => &["okta.users.read", "okta.users.manage"],
            Self::UserRoles | Self::ClientRoles | Self::Assignees => {
                &["okta.roles.read", "okta.roles.manage"]
            }
            Self::Suspend
            | Self::Unsuspend
            | Self::SessionsClear
            | Self::PasswordExpire
            | Self::PasswordReplace => &["okta.users.manage"],
            Self::Logs => &["okta.logs.read"],
            Self::Token | Self::Unknown => &[],
        }
    }
}

/// One admitted request.
pub(crate) struct Call<'a> {
    pub(crate) request: &'a Request,
    /// What the path names, decoded.
    pub(crate) id: &'a str,
    pub(crate) caller: Caller,
    pub(crate) request_id: &'a str,
}

/// Why a call is refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: u16,
    code: &'static str,
    summary: String,
    causes: Vec<String>,
    scope: bool,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &'static str, summary: &str) -> Self {
        Self {
            status,
            code,
            summary: summary.to_owned(),
            causes: Vec::new(),
            scope: false,
        }
    }

    pub(crate) fn because(mut self, cause: &str) -> Self {
        self.causes.push(cause.to_owned());
        self
    }

    pub(crate) fn invalid(cause: &str) -> Self {
        let summary = "Api validation failed";
        Self::new(400, "E0000001", summary).because(cause)
    }

    pub(crate) fn not_found(id: &str, kind: &str) -> Self {
        let summary = format!("Not found: Resource not found: {id} ({kind})");
        Self::new(404, "E0000007", &summary)
    }

    pub(crate) fn bad_token() -> Self {
        Self::new(401, "E0000011", "Invalid token provided")
    }

    pub(crate) fn forbidden() -> Self {
        let summary = "You do not have permission to perform the requested action";
        Self::new(403, "E0000006", summary)
    }

    pub(crate) fn scope() -> Self {
        Self {
            scope: true,
            ..Self::new(
                403,
                "E0000006",
                "The access token provided does not contain the required scopes.",
            )
        }
    }

    fn throttled() -> Self {
        Self::new(
            429,
            "E0000047",
            "API call exceeded rate limit due to too many requests.",
        )
    }

    fn failed(status: u16) -> Self {
        Self::new(status, "E0000009", "Internal Server Error")
    }

    fn body(&self, id: &str) -> Value {
        let causes: Vec<Value> = self
            .causes
            .iter()
            .map(|cause| json!({"errorSummary": cause}))
            .collect();
        json!({
            "errorCode": self.code,
            "errorSummary": self.summary,
            "errorLink": self.code,
            "errorId": format!("oae{id}"),
            "errorCauses": causes,
        })
    }

    fn reply(&self, id: &str) -> Reply {
        let mut reply = encode(self.status, &self.body(id));
        if self.scope {
            let header = auth::insufficient_scope();
            reply.headers.push((WWW_AUTHENTICATE, header));
        }
        reply
    }
}

pub(crate) fn encode(status: u16, body: &Value) -> Reply {
    Reply::json(status, body.to_string())
}

pub(crate) fn nothing() -> Reply {
    Reply {
        content_type: "",
        ..Reply::json(204, "")
    }
}

/// The twin behind the server.
#[derive(Debug)]
pub(crate) struct Service(pub(crate) Arc<Shared>);

impl crate::http::Service for Service {
    async fn answer(&self, request: Request) -> Answer {
        let shared = &*self.0;
        if request.path.starts_with("/_twin") {
            return Answer::Reply(control::answer(shared, &request));
        }
        let (endpoint, id) = Endpoint::of(request.method.as_str(), &request.path);
        shared.log.count(endpoint as usize);
        let received = shared.clock.now_ns();
        let answer = serve(shared, &request, endpoint, id).await;
        if shared.log.is_on() {
            let target = match request.query_text.as_str() {
                "" => request.path.clone(),
                query => format!("{}?{query}", request.path),
            };
            shared.log.push(RequestRecord {
                at: timestamp(received),
                method: request.method.to_string(),
                target,
                endpoint: endpoint.name(),
                body: body_text(&request.body),
                status: match &answer {
                    Answer::Reply(reply) => Some(reply.status),
                    Answer::HangUp | Answer::Reset => None,
                },
            });
        }
        answer
    }
}

async fn serve(shared: &Shared, request: &Request, endpoint: Endpoint, id: &str) -> Answer {
    let fault = shared.faults.take(endpoint);
    if let Some(Fault::Slow { millis }) = &fault {
        let wait = i64::try_from(*millis)
            .unwrap_or(i64::MAX)
            .saturating_mul(1_000_000);
        let due = shared.clock.now_ns().saturating_add(wait);
        shared.clock.wait_until(due).await;
    }
    let request_id = shared.ids.hex(2);
    let early = match &fault {
        Some(Fault::ResetBeforeApply) => return Answer::Reset,
        Some(Fault::StatusBeforeApply { status }) => {
            Some(Refusal::failed(*status).reply(&request_id))
        }
        Some(Fault::Throttled { .. }) => Some(Refusal::throttled().reply(&request_id)),
        Some(Fault::TokenRevoked) => {
            revoke(shared, request);
            Some(Refusal::bad_token().reply(&request_id))
        }
        Some(Fault::ScopeMissing) => Some(Refusal::scope().reply(&request_id)),
        Some(Fault::ErrorInBody { message, .. }) => {
            let refusal = Refusal::new(200, "E0000009", message);
            Some(encode(200, &refusal.body(&request_id)))
        }
        _ => None,
    };
    let reply = early.unwrap_or_else(|| run(shared, request, endpoint, id, &request_id));
    let reply = match &fault {
        Some(Fault::DropAfterApply) => return Answer::HangUp,
        Some(Fault::StatusAfterApply { status }) => Refusal::failed(*status).reply(&request_id),
        Some(fault) => spoil(reply, fault),
        None => reply,
    };
    // Without seconds there is no header, as from something in between.
    let reset = match fault {
        Some(Fault::Throttled {
            retry_after_seconds,
        }) => retry_after_seconds,
        _ => Some(60),
    };
    Answer::Reply(finish(shared, reply, &request_id, reset))
}

/// What every reply carries: whose request it was, when it was answered, and what is left of the rate.
fn finish(shared: &Shared, reply: Reply, request_id: &str, reset: Option<u64>) -> Reply {
    let now = timestamp(shared.now_ns());
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now);
    let reply = reply
        .header("x-okta-request-id", request_id)
        .header("date", &date.unwrap_or_default());
    let Some(seconds) = reset.and_then(|seconds| i64::try_from(seconds).ok()) else {
        return reply;
    };
    let left = if reply.status == 429 { "0" } else { "599" };
    reply
        .header("x-rate-limit-limit", "600")
        .header("x-rate-limit-remaining", left)
        .header(
            "x-rate-limit-reset",
            &(now.as_second() + seconds).to_string(),
        )
}

fn revoke(shared: &Shared, request: &Request) {
    let presented = request.header(&AUTHORIZATION).unwrap_or_default();
    let secret = presented.split(' ').next_back().unwrap_or_default();
    let mut org = shared.org();
    org.tokens.remove(secret);
}

/// Damages a finished reply.
fn spoil(mut reply: Reply, fault: &Fault) -> Reply {
    match fault {
        Fault::GarbageBody => reply.body = "\u{fffd}\u{1}not json at all {{{".into(),
        Fault::TruncatedBody => reply.body = reply.body.slice(..reply.body.len() / 2),
        Fault::TornBody => reply.torn = true,
        Fault::OversizedBody { bytes } => {
            let mut body = reply.body.to_vec();
            body.resize(body.len().saturating_add(*bytes), b' ');
            reply.body = body.into();
        }
        Fault::WrongContentType => {
            reply.content_type = "text/html; charset=utf-8";
            reply.body = "<html><body><h1>Sign in to continue</h1></body></html>".into();
        }
        _ => {}
    }
    reply
}

fn run(
    shared: &Shared,
    request: &Request,
    endpoint: Endpoint,
    id: &str,
    request_id: &str,
) -> Reply {
    if endpoint == Endpoint::Token {
        return auth::token(shared, request);
    }
    if endpoint == Endpoint::Unknown {
        let refusal = Refusal::new(405, "E0000022", "The endpoint does not support the method.");
        return refusal.reply(request_id);
    }
    let answered = auth::admit(shared, request, endpoint).and_then(|caller| {
        let id = crate::http::Query::parse(&format!("id={}", id.replace('+', "%2B")));
        let call = Call {
            request,
            id: id.get("id").unwrap_or_default(),
            caller,
            request_id,
        };
        match endpoint {
            Endpoint::UserRead => users::read(shared, &call),
            Endpoint::UserList => users::list(shared, &call),
            Endpoint::UserRoles => users::roles(shared, &call),
            Endpoint::ClientRoles => users::client_roles(shared, &call),
            Endpoint::Assignees => users::assignees(shared, &call),
            Endpoint::Suspend => users::suspend(shared, &call),
            Endpoint::Unsuspend => users::unsuspend(shared, &call),
            Endpoint::SessionsClear => users::clear_sessions(shared, &call),
            Endpoint::PasswordExpire => users::expire_password(shared, &call, false),
            Endpoint::PasswordReplace => users::expire_password(shared, &call, true),
            Endpoint::Logs => logs::list(shared, &call),
            Endpoint::Token | Endpoint::Unknown => Err(Refusal::failed(500)),
        }
    });
    answered.unwrap_or_else(|refusal| refusal.reply(request_id))
}
