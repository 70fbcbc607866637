//! The way of one request: recognise it, let a fault strike, admit the token, run the call, finish the reply.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::endpoint::{Call, Endpoint, Scope};
use super::page::page;
use super::wire::{Refusal, encode};
use super::{Shared, control};
use crate::clock::{nanos, timestamp};
use crate::faults::Fault;
use crate::http::{Answer, Reply, Request};
use crate::requests::{RequestRecord, body_text};

/// The twin behind the server.
#[derive(Debug)]
pub(crate) struct Service(pub(crate) Arc<Shared>);

impl crate::http::Service for Service {
    async fn answer(&self, request: Request) -> Answer {
        let shared = &*self.0;
        if request.path.starts_with("/_twin") {
            return Answer::Reply(control::answer(shared, &request));
        }
        let call = Call::of(&request.method, &request.path);
        shared.log.count(call.endpoint as usize);
        let received = shared.clock.now_ns();
        let answer = serve(shared, &request, &call).await;
        if shared.log.is_on() {
            let target = match request.query_text.as_str() {
                "" => request.path,
                text => format!("{}?{text}", request.path),
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
    let endpoint = call.endpoint;
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
        Some(Fault::StatusBeforeApply { status }) => Some(failed(endpoint, *status)),
        Some(Fault::Throttled {
            retry_after_seconds,
        }) => Some(throttled(endpoint, *retry_after_seconds)),
        Some(Fault::TokenRevoked) => {
            shared.auth.forget_presented(request);
            Some(Refusal::unauthenticated().reply(endpoint))
        }
        Some(Fault::ScopeMissing) => Some(Refusal::lacks_scope().reply(endpoint)),
        Some(Fault::ErrorInBody { code, message }) => Some(encode(
            200,
            &json!({"error": {"code": code, "message": message}}),
        )),
        _ => None,
    };
    let reply = early.unwrap_or_else(|| {
        let done = run(shared, request, call);
        done.unwrap_or_else(|refusal| refusal.reply(endpoint))
    });
    match fault {
        Some(Fault::DropAfterApply) => Answer::HangUp,
        Some(Fault::StatusAfterApply { status }) => Answer::Reply(failed(endpoint, status)),
        Some(fault) => Answer::Reply(spoil(reply, &fault)),
        None => Answer::Reply(reply),
    }
}

fn failed(endpoint: Endpoint, status: u16) -> Reply {
    match endpoint {
        Endpoint::Token => Refusal::new(status, "internal_failure", "Backend Error"),
        _ => Refusal::failed(status),
    }
    .reply(endpoint)
}

/// With a wait, the newer 429; without, the older 403 that only its reason tells from a refusal for good.
fn throttled(endpoint: Endpoint, seconds: Option<u64>) -> Reply {
    match seconds {
        Some(seconds) => Refusal::new(429, "rateLimitExceeded", "Rate Limit Exceeded")
            .reply(endpoint)
            .header("retry-after", &seconds.to_string()),
        None if endpoint.is_newer() || endpoint == Endpoint::Token => {
            Refusal::new(429, "rateLimitExceeded", "Resource has been exhausted").reply(endpoint)
        }
        None => {
            Refusal::new(403, "userRateLimitExceeded", "User Rate Limit Exceeded").reply(endpoint)
        }
    }
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
    let (endpoint, now) = (call.endpoint, shared.clock.now_ns());
    let mut company = shared.company();
    if endpoint == Endpoint::Token {
        return shared.auth.issue(request, &company.users, now, &shared.ids);
    }
    if endpoint == Endpoint::Unknown {
        return Err(Refusal::new(404, "notFound", "Not Found"));
    }
    let caller = shared.auth.admit(request, endpoint, now)?.subject;
    let is_off = |scope: &Scope| company.switched_off.contains(scope);
    if endpoint.scopes().iter().any(is_off) {
        return Err(Refusal::switched_off());
    }
    let (query, customer) = (request.query(), &shared.customer);
    let mut names = call.names.iter().map(String::as_str);
    let (name, second) = (
        names.next().unwrap_or_default(),
        names.next().unwrap_or_default(),
    );
    let admin = company
        .users
        .find(&caller)
        .is_some_and(|user| user.is_admin || user.is_delegated_admin);
    let body = match endpoint {
        Endpoint::UserRead => company.users.read(&caller, name, customer, now)?,
        Endpoint::UserList => {
            if query.get("customer").is_none() && query.get("domain").is_none() {
                return Err(Refusal::new(400, "badRequest", "Bad Request"));
            }
            let wanted = query.get("query").unwrap_or_default();
            let users = company.users.list(&caller, wanted, customer, now)?;
            let (users, next) = page(users, &query, "maxResults", 500)?;
            let mut body = Map::new();
            body.insert("kind".into(), "admin#directory#users".into());
            if !users.is_empty() {
                body.insert("users".into(), users.into());
            }
            if let Some(next) = next {
                body.insert("nextPageToken".into(), next.into());
            }
            Value::Object(body)
        }
        Endpoint::UserUpdate => {
            let body = object(request)?;
            let times = (now, nanos(company.settle));
            company
                .users
                .update(&caller, name, &body, times, customer)?
        }
        Endpoint::UserSignOut => {
            company.users.sign_out(&caller, name)?;
            return Ok(Reply::json(204, ""));
        }
        _ if !admin => return Err(Refusal::forbidden()),
        Endpoint::AlertList => company.alerts.list(&query)?,
        Endpoint::AlertRead => company.alerts.read(name)?,
        Endpoint::AlertFeedback => {
            let with = (caller.as_str(), shared.ids.uuid(), now);
            company
                .alerts
                .give_feedback(name, &object(request)?, with)?
        }
        Endpoint::Activities => company.activities.list((name, second), &query, now)?,
        Endpoint::Token | Endpoint::Unknown => Value::Null,
    };
    Ok(encode(200, &body))
}

fn object(request: &Request) -> Result<Map<String, Value>, Refusal> {
    match serde_json::from_slice(&request.body) {
        Ok(Value::Object(body)) => Ok(body),
        _ => Err(Refusal::new(400, "parseError", "Parse Error")),
    }
}
