//! What the vendor answers: a request's signature is checked, its call run, the reply wrapped.

use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::{Right, Shared, Vendor, events, signature, users};
use crate::control::{self, Outcome};
use crate::endpoint::endpoints;
use crate::http::{Answer, Query, Reply, Request, encode};
use crate::service::{Exchange, Failure, Simulate};

endpoints! {
    /// `GET /admin/v1/users`
    FindUsers = "find_users",
    /// `GET /admin/v1/users/{id}`
    ReadUser = "read_user",
    /// `POST /admin/v1/users/{id}`
    ModifyUser = "modify_user",
    /// `GET /admin/v1/trust_monitor/events`
    TrustMonitor = "trust_monitor",
    /// `GET /admin/v2/logs/authentication`
    AuthenticationLog = "authentication_log",
    /// `GET /admin/v1/logs/administrator`
    AdministratorLog = "administrator_log",
    /// Anything else.
    Unknown = "unknown",
}

impl Endpoint {
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

    fn forbidden() -> Self {
        Self::new(403, 40301, "Access forbidden")
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

impl crate::Vendor for Vendor {
    type Endpoint = Endpoint;
}

impl Simulate for Vendor {
    type Call = ();

    fn recognise(_: &Shared, request: &Request) -> (Endpoint, ()) {
        (Endpoint::of(request), ())
    }

    async fn answer(exchange: &Exchange<'_, Self>) -> Answer {
        Answer::Reply(run(exchange).map_or_else(Refusal::reply, Page::reply))
    }

    fn fail(_: &mut Exchange<'_, Self>, failure: &Failure<'_>) -> Reply {
        match *failure {
            Failure::Status(status) => {
                Refusal::new(status, u32::from(status) * 100, "The server failed").reply()
            }
            Failure::Throttled(retry_after) => Refusal {
                retry_after,
                ..Refusal::new(429, 42901, "Too Many Requests")
            }
            .reply(),
            // There are no tokens to revoke: a request is refused as if it were signed with another key.
            Failure::TokenRevoked => {
                Refusal::new(401, 40103, "Invalid signature in request credentials").reply()
            }
            Failure::ScopeMissing => Refusal::forbidden().reply(),
            Failure::InBody { code, message } => Refusal::new(200, code, message).reply(),
        }
    }

    fn control(shared: &Shared, call: &control::Call<'_>) -> Outcome {
        super::control::route(shared, call)
    }
}

fn run(exchange: &Exchange<'_, Vendor>) -> Result<Page, Refusal> {
    let Exchange {
        shared,
        request,
        endpoint,
        ..
    } = *exchange;
    let application = signature::admit(shared, request)?;
    if endpoint
        .needs()
        .is_some_and(|right| !application.rights.contains(&right))
    {
        return Err(Refusal::forbidden());
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
