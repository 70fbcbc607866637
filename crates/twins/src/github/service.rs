//! What the vendor answers: a token is admitted, its call run, the reply finished.

use http::header::{HOST, USER_AGENT};
use serde_json::{Value, json};

use super::endpoint::{Endpoint, recognise};
use super::{Credential, Right, Shared, Vendor, alerts, auth, people, scim};
use crate::control::{self, Outcome};
use crate::http::{Answer, Reply, Request, encode};
use crate::service::{Exchange, Failure, Simulate};

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

impl crate::Vendor for Vendor {
    type Endpoint = Endpoint;
}

impl Simulate for Vendor {
    /// Whom the path names.
    type Call = String;

    fn recognise(_: &Shared, request: &Request) -> (Endpoint, String) {
        recognise(request)
    }

    async fn answer(exchange: &Exchange<'_, Self>) -> Answer {
        Answer::Reply(run(exchange).unwrap_or_else(Refusal::reply))
    }

    fn fail(exchange: &mut Exchange<'_, Self>, failure: &Failure<'_>) -> Reply {
        match *failure {
            Failure::Status(status) => Refusal::new(status, "Server Error").reply(),
            // The vendor throttles with 403 as well as with 429, and gives seconds or a moment.
            Failure::Throttled(Some(seconds)) => {
                let refusal = Refusal::new(403, "You have exceeded a secondary rate limit.");
                refusal.reply().header("retry-after", &seconds.to_string())
            }
            Failure::Throttled(None) => Refusal::new(429, "Too Many Requests").reply(),
            Failure::TokenRevoked => auth::revoke_presented(exchange.shared, exchange.request),
            Failure::ScopeMissing => forbidden().reply(),
            Failure::InBody { message, .. } => {
                encode(200, &json!({"message": message, "status": "500"}))
            }
        }
    }

    fn finish(exchange: &Exchange<'_, Self>, reply: Reply) -> Reply {
        let id = exchange.shared.ids.hex(1).to_uppercase();
        reply.header("x-github-request-id", &id)
    }

    fn control(shared: &Shared, call: &control::Call<'_>) -> Outcome {
        super::control::route(shared, call)
    }
}

fn forbidden() -> Refusal {
    Refusal::new(403, "Resource not accessible by integration")
}

fn run(exchange: &Exchange<'_, Vendor>) -> Result<Reply, Refusal> {
    let (shared, request) = (exchange.shared, exchange.request);
    if request.header(&USER_AGENT).is_none_or(str::is_empty) {
        return Err(Refusal::new(
            403,
            "Request forbidden by administrative rules.",
        ));
    }
    if exchange.endpoint == Endpoint::InstallationToken {
        return auth::installation_token(shared, request, &exchange.call);
    }
    let caller = auth::admit(shared, request)?;
    let scopes = caller.scopes();
    answered(exchange, &caller).map(|reply| match scopes {
        Some(scopes) => reply.header("x-oauth-scopes", &scopes),
        None => reply,
    })
}

fn answered(exchange: &Exchange<'_, Vendor>, caller: &Credential) -> Result<Reply, Refusal> {
    let (shared, request) = (exchange.shared, exchange.request);
    let subject = exchange.call.as_str();
    if exchange
        .endpoint
        .needs()
        .is_some_and(|right| !caller.rights.contains(&right))
    {
        return Err(forbidden());
    }
    match exchange.endpoint {
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
