//! What the vendor answers: a token is admitted, its call run.

use serde_json::{Map, Value, json};

use super::endpoint::{Endpoint, Scope, recognise};
use super::page::page;
use super::wire::Refusal;
use super::{Shared, Vendor};
use crate::clock::nanos;
use crate::control::{self, Outcome};
use crate::http::{Answer, Reply, Request, encode};
use crate::service::{Exchange, Failure, Simulate};

impl crate::Vendor for Vendor {
    type Endpoint = Endpoint;
}

impl Simulate for Vendor {
    /// The names in the path: a user's key, an alert's id, or the user and application of an audit listing.
    type Call = Vec<String>;

    fn recognise(_: &Shared, request: &Request) -> (Endpoint, Vec<String>) {
        recognise(&request.method, &request.path)
    }

    async fn answer(exchange: &Exchange<'_, Self>) -> Answer {
        let done = run(exchange);
        Answer::Reply(done.unwrap_or_else(|refusal| refusal.reply(exchange.endpoint)))
    }

    fn fail(exchange: &mut Exchange<'_, Self>, failure: &Failure<'_>) -> Reply {
        let Exchange {
            shared, endpoint, ..
        } = *exchange;
        match *failure {
            Failure::Status(status) => Refusal::failed(status, endpoint).reply(endpoint),
            Failure::Throttled(seconds) => throttled(endpoint, seconds),
            Failure::TokenRevoked => {
                shared.vendor.auth.forget_presented(exchange.request);
                Refusal::unauthenticated().reply(endpoint)
            }
            Failure::ScopeMissing => Refusal::lacks_scope().reply(endpoint),
            Failure::InBody { code, message } => {
                encode(200, &json!({"error": {"code": code, "message": message}}))
            }
        }
    }

    fn control(shared: &Shared, call: &control::Call<'_>) -> Outcome {
        super::control::route(shared, call)
    }
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

fn run(exchange: &Exchange<'_, Vendor>) -> Result<Reply, Refusal> {
    let Exchange {
        shared,
        request,
        endpoint,
        now,
        ..
    } = *exchange;
    let Vendor { auth, customer, .. } = &shared.vendor;
    let mut company = shared.company();
    if endpoint == Endpoint::Token {
        return auth.issue(request, &company.users, now, &shared.ids);
    }
    if endpoint == Endpoint::Unknown {
        return Err(Refusal::new(404, "notFound", "Not Found"));
    }
    let caller = auth.admit(request, endpoint, now)?.subject;
    let is_off = |scope: &Scope| company.switched_off.contains(scope);
    if endpoint.scopes().iter().any(is_off) {
        return Err(Refusal::switched_off());
    }
    let query = request.query();
    let mut names = exchange.call.iter().map(String::as_str);
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
