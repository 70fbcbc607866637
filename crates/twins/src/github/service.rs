//! The way of one request: recognise it, let a fault strike, admit the token, run the call, finish the reply.

use std::sync::Arc;

use http::header::{HOST, USER_AGENT};
use serde_json::{Value, json};

use super::endpoint::{Call, Endpoint, recognise};
use super::{Credential, Right, Shared, alerts, auth, control, people, scim};
use crate::clock::timestamp;
use crate::faults::Fault;
use crate::http::{Answer, Reply, Request};
use crate::requests::{RequestRecord, body_text};

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    status: u16,
    message: String,
    /// SCIM has errors of its own shape.
    scim: bool,
}

impl Refusal {
    pub(crate) fn new(status: u16, message: &str) -> Self {
        Self {
            status,
            message: message.to_owned(),
            scim: false,
        }
    }

    pub(crate) fn scim(status: u16, message: &str) -> Self {
        Self {
            scim: true,
            ..Self::new(status, message)
        }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(404, "Not Found")
    }

    pub(crate) fn reply(self) -> Reply {
        let body = if self.scim {
            json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
                "status": self.status,
                "detail": self.message,
            })
        } else {
            json!({
                "message": self.message,
                "documentation_url": "https://docs.github.com/rest",
                "status": self.status.to_string(),
            })
        };
        encode(self.status, &body)
    }
}

pub(crate) fn encode(status: u16, body: &Value) -> Reply {
    Reply::json(status, body.to_string())
}

/// One page by number, with a `Link` to the next.
pub(crate) fn paged(request: &Request, all: &[Value]) -> Result<Reply, Refusal> {
    let query = request.query();
    let number = |name: &str, usual: usize| {
        query
            .get(name)
            .and_then(|text| text.parse().ok())
            .unwrap_or(usual)
    };
    let (size, page) = (
        number("per_page", 30).clamp(1, 100),
        number("page", 1).max(1),
    );
    let shown: Vec<&Value> = all.iter().skip((page - 1) * size).take(size).collect();
    let reply = encode(200, &json!(shown));
    if page * size >= all.len() {
        return Ok(reply);
    }
    Ok(linked(reply, request, "page", &(page + 1).to_string()))
}

/// One page after a mark, with a `Link` to the next.
pub(crate) fn paged_by(request: &Request, all: &[(String, Value)]) -> Result<Reply, Refusal> {
    let query = request.query();
    let size = query
        .get("per_page")
        .and_then(|text| text.parse().ok())
        .unwrap_or(30);
    let size = usize::clamp(size, 1, 100);
    let start = match query.get("after").filter(|mark| !mark.is_empty()) {
        None => 0,
        Some(mark) => all
            .iter()
            .position(|(key, _)| key == mark)
            .map(|at| at + 1)
            .ok_or_else(|| Refusal::new(422, "Validation Failed"))?,
    };
    let shown: Vec<&(String, Value)> = all.iter().skip(start).take(size).collect();
    let reply = encode(
        200,
        &json!(shown.iter().map(|(_, body)| body).collect::<Vec<_>>()),
    );
    match shown.last() {
        Some((last, _)) if start + size < all.len() => Ok(linked(reply, request, "after", last)),
        _ => Ok(reply),
    }
}

fn linked(reply: Reply, request: &Request, name: &str, value: &str) -> Reply {
    let kept: Vec<&str> = request
        .query_text
        .split('&')
        .filter(|pair| !pair.is_empty() && pair.split('=').next() != Some(name))
        .collect();
    let value = value.replace('/', "%2F");
    let query = format!("{}&{name}={value}", kept.join("&"));
    let host = request.header(&HOST).unwrap_or_default();
    let link = format!("<http://{host}{}?{query}>; rel=\"next\"", request.path);
    reply.header("link", &link)
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
        let call = recognise(&request);
        shared.log.count(call.endpoint as usize);
        let received = shared.clock.now_ns();
        let answer = serve(shared, &request, &call).await;
        if shared.log.is_on() {
            let target = match request.query_text.as_str() {
                "" => request.path.clone(),
                query => format!("{}?{query}", request.path),
            };
            shared.log.push(RequestRecord {
                at: timestamp(received),
                method: request.method.to_string(),
                target,
                endpoint: call.endpoint.name(),
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

async fn serve(shared: &Shared, request: &Request, call: &Call) -> Answer {
    let fault = shared.faults.take(call.endpoint);
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
        // The vendor throttles with 403 as well as with 429, and gives seconds or a moment.
        Some(Fault::Throttled {
            retry_after_seconds: Some(seconds),
        }) => {
            let refusal = Refusal::new(403, "You have exceeded a secondary rate limit.");
            Some(refusal.reply().header("retry-after", &seconds.to_string()))
        }
        Some(Fault::Throttled { .. }) => Some(Refusal::new(429, "Too Many Requests").reply()),
        Some(Fault::TokenRevoked) => Some(auth::revoke_presented(shared, request)),
        Some(Fault::ScopeMissing) => Some(forbidden().reply()),
        Some(Fault::ErrorInBody { message, .. }) => {
            Some(encode(200, &json!({"message": message, "status": "500"})))
        }
        _ => None,
    };
    let reply = early.unwrap_or_else(|| run(shared, request, call).unwrap_or_else(Refusal::reply));
    let reply = match fault {
        Some(Fault::DropAfterApply) => return Answer::HangUp,
        Some(Fault::StatusAfterApply { status }) => failed(status),
        Some(fault) => spoil(reply, &fault),
        None => reply,
    };
    let id = shared.ids.hex(1).to_uppercase();
    Answer::Reply(reply.header("x-github-request-id", &id))
}

fn forbidden() -> Refusal {
    Refusal::new(403, "Resource not accessible by integration")
}

fn failed(status: u16) -> Reply {
    Refusal::new(status, "Server Error").reply()
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

fn run(shared: &Shared, request: &Request, call: &Call) -> Result<Reply, Refusal> {
    if request.header(&USER_AGENT).is_none_or(str::is_empty) {
        return Err(Refusal::new(
            403,
            "Request forbidden by administrative rules.",
        ));
    }
    let subject = call.subject.as_str();
    if call.endpoint == Endpoint::InstallationToken {
        return auth::installation_token(shared, request, subject);
    }
    let caller = auth::admit(shared, request)?;
    let scopes = caller.scopes();
    answered(shared, request, call, &caller).map(|reply| match scopes {
        Some(scopes) => reply.header("x-oauth-scopes", &scopes),
        None => reply,
    })
}

fn answered(
    shared: &Shared,
    request: &Request,
    call: &Call,
    caller: &Credential,
) -> Result<Reply, Refusal> {
    let subject = call.subject.as_str();
    if call
        .endpoint
        .needs()
        .is_some_and(|right| !caller.rights.contains(&right))
    {
        return Err(forbidden());
    }
    match call.endpoint {
        Endpoint::OwnUser => people::own(shared, caller),
        Endpoint::ReadUser => {
            people::read(shared, subject, caller.rights.contains(&Right::SiteAdmin))
        }
        Endpoint::ReadMembership => people::read_membership(shared, subject),
        Endpoint::SetMembership => people::set_membership(shared, request, subject),
        Endpoint::RemoveMembership => people::remove_membership(shared, subject),
        Endpoint::ListMembers => people::members(shared, request),
        Endpoint::Suspend => people::suspend(shared, caller, subject, true),
        Endpoint::Unsuspend => people::suspend(shared, caller, subject, false),
        Endpoint::FindManaged => scim::find(shared, request),
        Endpoint::ReadManaged => scim::read(shared, subject),
        Endpoint::ChangeManaged => scim::change(shared, request, subject),
        Endpoint::SecretAlerts => alerts::list(shared, request),
        Endpoint::InstallationToken | Endpoint::Unknown => Err(Refusal::not_found()),
    }
}
