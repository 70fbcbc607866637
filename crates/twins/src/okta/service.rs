//! What the vendor answers: a caller is admitted, the call run, the reply finished.

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use serde_json::{Value, json};

use super::auth::{self, Caller};
use super::{Shared, Vendor, logs, users};
use crate::clock::timestamp;
use crate::control::{self, Outcome};
use crate::endpoint::endpoints;
use crate::http::{Answer, Query, Reply, Request, encode};
use crate::service::{Exchange, Failure, Simulate};

endpoints! {
    /// `POST /oauth2/v1/token`.
    Token = "token",
    /// `GET /api/v1/users/{id}`.
    UserRead = "user_read",
    /// `GET /api/v1/users`.
    UserList = "user_list",
    /// `GET /api/v1/users/{id}/roles`.
    UserRoles = "user_roles",
    /// `GET /oauth2/v1/clients/{id}/roles`.
    ClientRoles = "client_roles",
    /// `GET /api/v1/iam/assignees/users`.
    Assignees = "assignees",
    /// `POST /api/v1/users/{id}/lifecycle/suspend`.
    Suspend = "suspend",
    /// `POST /api/v1/users/{id}/lifecycle/unsuspend`.
    Unsuspend = "unsuspend",
    /// `DELETE /api/v1/users/{id}/sessions`.
    SessionsClear = "sessions_clear",
    /// `POST /api/v1/users/{id}/lifecycle/expire_password`.
    PasswordExpire = "password_expire",
    /// `POST /api/v1/users/{id}/lifecycle/expire_password_with_temp_password`.
    PasswordReplace = "password_replace",
    /// `GET /api/v1/logs`.
    Logs = "logs",
    /// Anything else.
    Unknown = "unknown",
}

impl Endpoint {
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

/// What is kept of a request until its reply is finished.
pub(crate) struct Trace {
    /// What the path names, decoded.
    id: String,
    request_id: String,
    /// Seconds after which the reply says that the rate starts anew. Without, it says nothing of a rate, as from
    /// something in between.
    reset: Option<u64>,
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

pub(crate) fn nothing() -> Reply {
    Reply {
        content_type: "",
        ..Reply::json(204, "")
    }
}

impl crate::Vendor for Vendor {
    type Endpoint = Endpoint;
}

impl Simulate for Vendor {
    type Call = Trace;

    fn recognise(shared: &Shared, request: &Request) -> (Endpoint, Trace) {
        let (endpoint, id) = Endpoint::of(request.method.as_str(), &request.path);
        let id = Query::parse(&format!("id={}", id.replace('+', "%2B")));
        let trace = Trace {
            id: id.get("id").unwrap_or_default().to_owned(),
            request_id: shared.ids.hex(2),
            reset: Some(60),
        };
        (endpoint, trace)
    }

    async fn answer(exchange: &Exchange<'_, Self>) -> Answer {
        Answer::Reply(run(exchange))
    }

    fn fail(exchange: &mut Exchange<'_, Self>, failure: &Failure<'_>) -> Reply {
        let refusal = match *failure {
            Failure::Status(status) => Refusal::failed(status),
            Failure::Throttled(seconds) => {
                exchange.call.reset = seconds;
                Refusal::throttled()
            }
            Failure::TokenRevoked => {
                revoke_presented(exchange.shared, exchange.request);
                Refusal::bad_token()
            }
            Failure::ScopeMissing => Refusal::scope(),
            Failure::InBody { message, .. } => Refusal::new(200, "E0000009", message),
        };
        refusal.reply(&exchange.call.request_id)
    }

    /// What every reply carries: whose request it was, when it was answered, and what is left of the rate.
    fn finish(exchange: &Exchange<'_, Self>, reply: Reply) -> Reply {
        let Trace {
            request_id, reset, ..
        } = &exchange.call;
        let now = timestamp(exchange.shared.now_ns());
        let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now);
        let reply = reply
            .header("x-okta-request-id", request_id)
            .header("date", &date.unwrap_or_default());
        let Some(seconds) = reset.and_then(|seconds| i64::try_from(seconds).ok()) else {
            return reply;
        };
        let left = if reply.status == 429 { "0" } else { "599" };
        let reset = now.as_second() + seconds;
        reply
            .header("x-rate-limit-limit", "600")
            .header("x-rate-limit-remaining", left)
            .header("x-rate-limit-reset", &reset.to_string())
    }

    fn control(shared: &Shared, call: &control::Call<'_>) -> Outcome {
        super::control::route(shared, call)
    }
}

fn revoke_presented(shared: &Shared, request: &Request) {
    let presented = request.header(&AUTHORIZATION).unwrap_or_default();
    let secret = presented.split(' ').next_back().unwrap_or_default();
    let mut org = shared.org();
    org.tokens.remove(secret);
}

fn run(exchange: &Exchange<'_, Vendor>) -> Reply {
    let Exchange {
        shared,
        request,
        endpoint,
        call: Trace { id, request_id, .. },
        ..
    } = exchange;
    if *endpoint == Endpoint::Token {
        return auth::token(shared, request);
    }
    if *endpoint == Endpoint::Unknown {
        let refusal = Refusal::new(405, "E0000022", "The endpoint does not support the method.");
        return refusal.reply(request_id);
    }
    let answered = auth::admit(shared, request, *endpoint).and_then(|caller| {
        let call = Call {
            request,
            id,
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
