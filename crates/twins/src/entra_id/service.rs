//! The way of one request: recognise it, let a fault strike, admit the caller, run the call, finish the reply.

use std::sync::Arc;

use serde_json::{Value, json};

use super::auth::{Caller, invalid_token};
use super::endpoint::{Endpoint, Permission, Route};
use super::{Shared, batch, calls, control, groups, risk_calls};
use crate::clock::{rfc3339_seconds, timestamp};
use crate::faults::Fault;
use crate::http::{Answer, Query, Reply, Request};
use crate::ids::Ids;
use crate::requests::{RequestRecord, body_text};
use crate::sync::lock;

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
        }
    }

    pub(crate) fn forbidden() -> Self {
        let message = "Insufficient privileges to complete the operation.";
        Self::new(403, "Authorization_RequestDenied", message)
    }

    pub(crate) fn not_found(id: &str) -> Self {
        let message = format!(
            "Resource '{id}' does not exist or one of its queried reference-property objects are not present."
        );
        Self::new(404, "Request_ResourceNotFound", message)
    }

    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(400, "Request_BadRequest", message)
    }

    fn body(&self, now: i64, ids: &Ids) -> Value {
        let request = ids.uuid();
        json!({"error": {
            "code": self.code,
            "message": self.message,
            "innerError": {
                "date": rfc3339_seconds(now).trim_end_matches('Z'),
                "request-id": request,
                "client-request-id": request,
            },
        }})
    }

    pub(crate) fn reply(&self, now: i64, ids: &Ids) -> Reply {
        encode(self.status, &self.body(now, ids))
    }
}

pub(crate) fn encode(status: u16, body: &Value) -> Reply {
    let mut reply = Reply::json(status, body.to_string());
    reply.content_type = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";
    reply
}

pub(crate) fn no_content() -> Reply {
    Reply::json(204, "")
}

/// Everything a call needs.
pub(crate) struct Cx<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) caller: &'a Caller,
    pub(crate) request: &'a Request,
    pub(crate) query: &'a Query,
    pub(crate) id: &'a str,
    pub(crate) now: i64,
}

impl Cx<'_> {
    pub(crate) fn require(&self, permission: Permission) -> Result<(), Refusal> {
        match self.caller.may(permission) {
            true => Ok(()),
            false => Err(Refusal::forbidden()),
        }
    }

    pub(crate) fn context(&self, what: &str) -> String {
        format!("{}/v1.0/$metadata#{what}", self.shared.base())
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
        let route = Route::of(&request.method, &request.path);
        shared.log.count(route.endpoint as usize);
        let received = shared.clock.now_ns();
        let answer = serve(shared, &request, &route).await;
        if shared.log.is_on() {
            let target = match request.query_text.as_str() {
                "" => request.path,
                text => format!("{}?{text}", request.path),
            };
            shared.log.push(RequestRecord {
                at: timestamp(received),
                method: request.method.to_string(),
                target,
                endpoint: route.endpoint.name(),
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

/// Serves a request, or a part of a batch.
pub(crate) async fn serve(shared: &Shared, request: &Request, route: &Route) -> Answer {
    let endpoint = route.endpoint;
    let fault = shared.faults.take(endpoint);
    if let Some(Fault::Slow { millis }) = &fault {
        let wait = i64::try_from(*millis).unwrap_or(i64::MAX);
        let due = shared
            .clock
            .now_ns()
            .saturating_add(wait.saturating_mul(1_000_000));
        shared.clock.wait_until(due).await;
    }
    let now = shared.clock.now_ns();
    let refuse = |refusal: Refusal| refusal.reply(now, &shared.ids);
    let early = match &fault {
        Some(Fault::ResetBeforeApply) => return Answer::Reset,
        Some(Fault::StatusBeforeApply { status }) => Some(refuse(failed(*status))),
        Some(Fault::Throttled {
            retry_after_seconds,
        }) => Some(throttled(shared, now, *retry_after_seconds)),
        Some(Fault::TokenRevoked) => {
            shared.auth.forget_presented(request);
            Some(refuse(invalid_token()))
        }
        Some(Fault::ScopeMissing) => Some(refuse(Refusal::forbidden())),
        Some(Fault::ErrorInBody { message, .. }) => {
            let refusal = Refusal::new(200, "UnknownError", message.clone());
            Some(refuse(refusal))
        }
        _ if endpoint.is_identity_protection() && !shared.spend(now) => {
            Some(throttled(shared, now, None))
        }
        _ => None,
    };
    let reply = match early {
        Some(reply) => reply,
        None if endpoint == Endpoint::Batch => match batch::answer(shared, request, now).await {
            Answer::Reply(reply) => reply,
            cut => return cut,
        },
        None => run(shared, request, route, now),
    };
    let reply = match fault {
        Some(Fault::DropAfterApply) => return Answer::HangUp,
        Some(Fault::StatusAfterApply { status }) => refuse(failed(status)),
        Some(fault) => spoil(reply, &fault),
        None => reply,
    };
    let id = shared.ids.uuid();
    Answer::Reply(
        reply
            .header("request-id", &id)
            .header("client-request-id", &id),
    )
}

fn failed(status: u16) -> Refusal {
    let code = match status {
        503 => "serviceNotAvailable",
        500.. => "generalException",
        _ => "Request_BadRequest",
    };
    Refusal::new(status, code, "The request could not be carried out.")
}

/// Identity Protection does not say how long to wait.
fn throttled(shared: &Shared, now: i64, seconds: Option<u64>) -> Reply {
    let refusal = Refusal::new(429, "TooManyRequests", "Too many requests.");
    let reply = refusal.reply(now, &shared.ids);
    match seconds {
        // The vendor's waits may carry a fraction.
        Some(seconds) => reply.header("retry-after", &format!("{seconds}.128")),
        None => reply,
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
        _ => return reply,
    }
    // A damaged reply has a body, whatever the endpoint's own would have had.
    if reply.status == 204 {
        reply.status = 200;
    }
    reply
}

fn run(shared: &Shared, request: &Request, route: &Route, now: i64) -> Reply {
    match route.endpoint {
        Endpoint::Token => return shared.auth.issue(request, &route.id, now, &shared.ids),
        Endpoint::Unknown => {
            let message = format!("Resource not found for the segment '{}'.", request.path);
            return Refusal::new(400, "BadRequest", message).reply(now, &shared.ids);
        }
        _ => {}
    }
    let answer = match shared.auth.admit(request, now) {
        None => Err(invalid_token()),
        Some(caller) => {
            let needs = route.endpoint.needs();
            let query = request.query();
            let cx = Cx {
                shared,
                caller: &caller,
                request,
                query: &query,
                id: &route.id,
                now,
            };
            match needs.is_empty() || needs.iter().any(|needed| caller.may(*needed)) {
                true => call(&cx, route.endpoint),
                false => Err(Refusal::forbidden()),
            }
        }
    };
    answer.unwrap_or_else(|refusal| refusal.reply(now, &shared.ids))
}

fn call(cx: &Cx<'_>, endpoint: Endpoint) -> Result<Reply, Refusal> {
    match endpoint {
        Endpoint::UserRead => calls::read_user(cx),
        Endpoint::UserSearch => calls::search_users(cx),
        Endpoint::UserUpdate => calls::update_user(cx),
        Endpoint::RevokeSessions => calls::revoke_sessions(cx),
        Endpoint::UserRoles => calls::user_roles(cx),
        Endpoint::MemberGroups => groups::check(cx),
        Endpoint::GroupRead => groups::read(cx),
        Endpoint::RoleMembers => calls::role_members(cx),
        Endpoint::DomainRead => calls::read_domain(cx),
        Endpoint::RiskDetections => risk_calls::list_detections(cx),
        Endpoint::RiskDetection => risk_calls::read(cx),
        Endpoint::RiskyUsers => risk_calls::list_users(cx),
        Endpoint::RiskyUser => risk_calls::read_user(cx),
        Endpoint::ConfirmCompromised => risk_calls::decide(
            cx,
            "confirmedCompromised",
            "adminConfirmedUserCompromised",
            "high",
        ),
        Endpoint::DismissRisk => {
            risk_calls::decide(cx, "dismissed", "adminDismissedAllRiskForUser", "none")
        }
        Endpoint::SubscriptionCreate => calls::create_subscription(cx),
        Endpoint::SubscriptionRenew => calls::renew_subscription(cx),
        Endpoint::SubscriptionDelete => calls::delete_subscription(cx),
        Endpoint::Token | Endpoint::Batch | Endpoint::Unknown => Err(Refusal::bad("no such call")),
    }
}

impl Shared {
    /// Takes one request out of Identity Protection's limit, which all apps of a tenant share.
    fn spend(&self, now: i64) -> bool {
        let mut limit = lock(&self.risk_limit);
        let Some(per_second) = limit.per_second else {
            return true;
        };
        let second = now.div_euclid(1_000_000_000);
        if limit.second != second {
            (limit.second, limit.used) = (second, 0);
        }
        limit.used += 1;
        limit.used <= per_second
    }
}
