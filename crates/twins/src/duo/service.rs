//! The way of one request: recognise it, let a fault strike, check its signature, run the call, wrap the reply.

use std::sync::Arc;

use http::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Right, Shared, control, events, signature, users};
use crate::clock::timestamp;
use crate::faults::Fault;
use crate::http::{Answer, Query, Reply, Request};
use crate::requests::{RequestRecord, body_text};

/// What a request is for. Fault rules and counters go by this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Endpoint {
    /// `GET /admin/v1/users`
    FindUsers,
    /// `GET /admin/v1/users/{id}`
    ReadUser,
    /// `POST /admin/v1/users/{id}`
    ModifyUser,
    /// `GET /admin/v1/trust_monitor/events`
    TrustMonitor,
    /// `GET /admin/v2/logs/authentication`
    AuthenticationLog,
    /// `GET /admin/v1/logs/administrator`
    AdministratorLog,
    /// Anything else.
    Unknown,
}

impl Endpoint {
    /// Every endpoint, in the order they are counted.
    pub const ALL: [Self; 7] = [
        Self::FindUsers,
        Self::ReadUser,
        Self::ModifyUser,
        Self::TrustMonitor,
        Self::AuthenticationLog,
        Self::AdministratorLog,
        Self::Unknown,
    ];

    fn of(request: &Request) -> Self {
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/admin/v1/users") => Self::FindUsers,
            ("GET", "/admin/v1/trust_monitor/events") => Self::TrustMonitor,
            ("GET", "/admin/v2/logs/authentication") => Self::AuthenticationLog,
            ("GET", "/admin/v1/logs/administrator") => Self::AdministratorLog,
            ("GET", path) if user_id(path).is_some() => Self::ReadUser,
            ("POST", path) if user_id(path).is_some() => Self::ModifyUser,
            _ => Self::Unknown,
        }
    }

    /// The name as fault rules spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FindUsers => "find_users",
            Self::ReadUser => "read_user",
            Self::ModifyUser => "modify_user",
            Self::TrustMonitor => "trust_monitor",
            Self::AuthenticationLog => "authentication_log",
            Self::AdministratorLog => "administrator_log",
            Self::Unknown => "unknown",
        }
    }

    const fn needs(self) -> Option<Right> {
        match self {
            Self::FindUsers | Self::ReadUser => Some(Right::ReadResource),
            Self::ModifyUser => Some(Right::WriteResource),
            Self::TrustMonitor | Self::AuthenticationLog | Self::AdministratorLog => {
                Some(Right::ReadLog)
            }
            Self::Unknown => None,
        }
    }
}

fn user_id(path: &str) -> Option<String> {
    let id = path.strip_prefix("/admin/v1/users/")?;
    let whole = !id.is_empty() && !id.contains('/');
    whole.then(|| crate::http::percent_decode(id))
}

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    status: u16,
    code: u32,
    message: String,
    detail: Option<String>,
    retry_after: Option<u64>,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: u32, message: &str) -> Self {
        Self {
            status,
            code,
            message: message.to_owned(),
            detail: None,
            retry_after: None,
        }
    }

    pub(crate) fn detail(mut self, detail: &str) -> Self {
        self.detail = Some(detail.to_owned());
        self
    }

    pub(crate) fn not_found() -> Self {
        Self::new(404, 40401, "Resource not found")
    }

    fn reply(self) -> Reply {
        let mut body = json!({"stat": "FAIL", "code": self.code, "message": self.message});
        if let (Some(body), Some(detail)) = (body.as_object_mut(), self.detail) {
            body.insert("message_detail".to_owned(), detail.into());
        }
        let reply = encode(self.status, &body);
        match self.retry_after {
            Some(seconds) => reply.header("retry-after", &seconds.to_string()),
            None => reply,
        }
    }
}

/// What a call answers, before it is wrapped.
#[derive(Debug)]
pub(crate) struct Page {
    response: Value,
    /// Stands beside the response; the newer logs put theirs inside it.
    metadata: Option<Value>,
}

impl Page {
    pub(crate) fn of(response: Value) -> Self {
        Self {
            response,
            metadata: None,
        }
    }

    pub(crate) fn listed(response: Value, metadata: Value) -> Self {
        Self {
            response,
            metadata: Some(metadata),
        }
    }

    fn reply(self) -> Reply {
        let mut body = json!({"stat": "OK", "response": self.response});
        if let (Some(body), Some(metadata)) = (body.as_object_mut(), self.metadata) {
            body.insert("metadata".to_owned(), metadata);
        }
        encode(200, &body)
    }
}

pub(crate) fn encode(status: u16, body: &Value) -> Reply {
    Reply::json(status, body.to_string())
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
        let endpoint = Endpoint::of(&request);
        shared.log.count(endpoint as usize);
        let received = shared.clock.now_ns();
        let answer = serve(shared, &request, endpoint).await;
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

async fn serve(shared: &Shared, request: &Request, endpoint: Endpoint) -> Answer {
    let fault = shared.faults.take(endpoint);
    if let Some(Fault::Slow { millis }) = &fault {
        let wait = i64::try_from(*millis)
            .unwrap_or(i64::MAX)
            .saturating_mul(1_000_000);
        let due = shared.clock.now_ns().saturating_add(wait);
        shared.clock.wait_until(due).await;
    }
    let early = match &fault {
        Some(Fault::ResetBeforeApply) => return Answer::Reset,
        Some(Fault::StatusBeforeApply { status }) => Some(failed(*status)),
        Some(Fault::Throttled {
            retry_after_seconds,
        }) => {
            let mut refusal = Refusal::new(429, 42901, "Too Many Requests");
            refusal.retry_after = *retry_after_seconds;
            Some(refusal.reply())
        }
        // There are no tokens to revoke: a request is refused as if it were signed with another key.
        Some(Fault::TokenRevoked) => {
            Some(Refusal::new(401, 40103, "Invalid signature in request credentials").reply())
        }
        Some(Fault::ScopeMissing) => Some(Refusal::new(403, 40301, "Access forbidden").reply()),
        Some(Fault::ErrorInBody { code, message }) => Some(encode(
            200,
            &json!({"stat": "FAIL", "code": code, "message": message}),
        )),
        _ => None,
    };
    let reply = early.unwrap_or_else(|| match run(shared, request, endpoint) {
        Ok(page) => page.reply(),
        Err(refusal) => refusal.reply(),
    });
    match fault {
        Some(Fault::DropAfterApply) => Answer::HangUp,
        Some(Fault::StatusAfterApply { status }) => Answer::Reply(failed(status)),
        Some(fault) => Answer::Reply(spoil(reply, &fault)),
        None => Answer::Reply(reply),
    }
}

fn failed(status: u16) -> Reply {
    Refusal::new(status, u32::from(status) * 100, "The server failed").reply()
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

fn run(shared: &Shared, request: &Request, endpoint: Endpoint) -> Result<Page, Refusal> {
    let application = signature::admit(shared, request)?;
    if endpoint
        .needs()
        .is_some_and(|right| !application.rights.contains(&right))
    {
        return Err(Refusal::new(403, 40301, "Access forbidden"));
    }
    let query = request.query();
    let id = user_id(&request.path).unwrap_or_default();
    match endpoint {
        Endpoint::FindUsers => users::find(shared, &query),
        Endpoint::ReadUser => users::read(shared, &id),
        Endpoint::ModifyUser => {
            let status = field(request, "status")?;
            users::modify(shared, &application, &id, status.as_deref())
        }
        Endpoint::TrustMonitor => events::trust_monitor(shared, &query),
        Endpoint::AuthenticationLog => events::authentication_log(shared, &query),
        Endpoint::AdministratorLog => events::administrator_log(shared, &query),
        Endpoint::Unknown => Err(Refusal::not_found()),
    }
}

/// A parameter of a POST: JSON goes with the newer signature, a form with the older.
fn field(request: &Request, name: &str) -> Result<Option<String>, Refusal> {
    let kind = request.header(&CONTENT_TYPE).unwrap_or_default();
    if kind.starts_with("application/json") {
        let body: Value = serde_json::from_slice(&request.body)
            .map_err(|_| Refusal::new(400, 40001, "Missing required request parameters"))?;
        return Ok(body.get(name).and_then(Value::as_str).map(str::to_owned));
    }
    let text = String::from_utf8_lossy(&request.body);
    Ok(Query::parse(&text).get(name).map(str::to_owned))
}
