//! What the vendor answers: a caller is admitted, the call run, the reply finished.

use serde_json::{Value, json};

use super::auth::{Caller, invalid_token};
use super::endpoint::{Endpoint, Permission, recognise};
use super::{Shared, Vendor, batch, calls, groups, risk_calls};
use crate::clock::rfc3339_seconds;
use crate::control::{self, Outcome};
use crate::http::{self, Answer, Query, Reply, Request};
use crate::ids::Ids;
use crate::service::{Exchange, Failure, Simulate};
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
    let mut reply = http::encode(status, body);
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
        format!("{}/v1.0/$metadata#{what}", self.shared.origin())
    }
}

impl crate::Vendor for Vendor {
    type Endpoint = Endpoint;
}

impl Simulate for Vendor {
    /// The id in the path.
    type Call = String;

    fn recognise(_: &Shared, request: &Request) -> (Endpoint, String) {
        recognise(&request.method, &request.path)
    }

    async fn answer(exchange: &Exchange<'_, Self>) -> Answer {
        let Exchange {
            shared,
            endpoint,
            now,
            ..
        } = *exchange;
        if endpoint.is_identity_protection() && !shared.spend(now) {
            return Answer::Reply(throttled(shared, now, None));
        }
        match endpoint {
            Endpoint::Batch => batch::answer(exchange).await,
            _ => Answer::Reply(run(exchange)),
        }
    }

    fn fail(exchange: &mut Exchange<'_, Self>, failure: &Failure<'_>) -> Reply {
        let Exchange { shared, now, .. } = *exchange;
        let refusal = match *failure {
            Failure::Status(status) => failed(status),
            Failure::Throttled(seconds) => return throttled(shared, now, seconds),
            Failure::TokenRevoked => {
                shared.vendor.auth.forget_presented(exchange.request);
                invalid_token()
            }
            Failure::ScopeMissing => Refusal::forbidden(),
            Failure::InBody { message, .. } => Refusal::new(200, "UnknownError", message),
        };
        refusal.reply(now, &shared.ids)
    }

    fn finish(exchange: &Exchange<'_, Self>, reply: Reply) -> Reply {
        let id = exchange.shared.ids.uuid();
        reply
            .header("request-id", &id)
            .header("client-request-id", &id)
    }

    fn control(shared: &Shared, call: &control::Call<'_>) -> Outcome {
        super::control::route(shared, call)
    }
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

fn run(exchange: &Exchange<'_, Vendor>) -> Reply {
    let Exchange {
        shared,
        request,
        endpoint,
        ref call,
        now,
    } = *exchange;
    let auth = &shared.vendor.auth;
    match endpoint {
        Endpoint::Token => return auth.issue(request, call, now, &shared.ids),
        Endpoint::Unknown => {
            let message = format!("Resource not found for the segment '{}'.", request.path);
            return Refusal::new(400, "BadRequest", message).reply(now, &shared.ids);
        }
        _ => {}
    }
    let answer = match auth.admit(request, now) {
        None => Err(invalid_token()),
        Some(caller) => {
            let needs = endpoint.needs();
            let query = request.query();
            let cx = Cx {
                shared,
                caller: &caller,
                request,
                query: &query,
                id: call,
                now,
            };
            match needs.is_empty() || needs.iter().any(|needed| caller.may(*needed)) {
                true => answered(&cx, endpoint),
                false => Err(Refusal::forbidden()),
            }
        }
    };
    answer.unwrap_or_else(|refusal| refusal.reply(now, &shared.ids))
}

fn answered(cx: &Cx<'_>, endpoint: Endpoint) -> Result<Reply, Refusal> {
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
        let mut limit = lock(&self.vendor.risk_limit);
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
