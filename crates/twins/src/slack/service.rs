//! What the vendor answers: a token is admitted, its call run, the reply finished.

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Map, Value, json};

use super::{App, Shared, TokenState, Vendor, calls};
use crate::control::{self, Outcome};
use crate::endpoint::endpoints;
use crate::http::{Answer, Query, Reply, Request, encode};
use crate::service::{Exchange, Failure, Simulate};

endpoints! {
    /// `auth.test`.
    AuthTest = "auth_test",
    /// `chat.postMessage`.
    PostMessage = "post_message",
    /// Any other method.
    Unknown = "unknown",
}

impl Endpoint {
    fn of(path: &str) -> Self {
        match path {
            "/api/auth.test" => Self::AuthTest,
            "/api/chat.postMessage" => Self::PostMessage,
            _ => Self::Unknown,
        }
    }
}

/// Why a call is refused: the code and what else stands beside it in the reply.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    error: String,
    beside: Map<String, Value>,
    retry_after: Option<u64>,
}

impl Refusal {
    pub(crate) fn new(error: &str) -> Self {
        Self {
            error: error.to_owned(),
            beside: Map::new(),
            retry_after: None,
        }
    }

    pub(crate) fn with(mut self, name: &str, value: Value) -> Self {
        self.beside.insert(name.to_owned(), value);
        self
    }

    /// The rate limit, the only refusal with a status of its own.
    pub(crate) fn rate_limited(seconds: Option<u64>) -> Self {
        Self {
            retry_after: seconds,
            ..Self::new("ratelimited")
        }
    }

    pub(crate) fn missing_scope(needed: &str, app: &App) -> Self {
        Self::new("missing_scope")
            .with("needed", needed.into())
            .with("provided", app.scopes.join(",").into())
    }

    fn reply(self) -> Reply {
        let status = if self.error == "ratelimited" {
            429
        } else {
            200
        };
        let mut body = self.beside;
        body.insert("ok".to_owned(), false.into());
        body.insert("error".to_owned(), self.error.into());
        let reply = encode(status, &Value::Object(body));
        match self.retry_after {
            Some(seconds) => reply.header("retry-after", &seconds.to_string()),
            None => reply,
        }
    }
}

impl crate::Vendor for Vendor {
    type Endpoint = Endpoint;

    const API_PATH: &'static str = "/api/";
}

impl Simulate for Vendor {
    type Call = ();

    fn recognise(_: &Shared, request: &Request) -> (Endpoint, ()) {
        (Endpoint::of(&request.path), ())
    }

    async fn answer(exchange: &Exchange<'_, Self>) -> Answer {
        Answer::Reply(run(exchange))
    }

    fn fail(exchange: &mut Exchange<'_, Self>, failure: &Failure<'_>) -> Reply {
        match *failure {
            Failure::Status(status) => {
                encode(status, &json!({"ok": false, "error": "internal_error"}))
            }
            Failure::Throttled(seconds) => Refusal::rate_limited(seconds).reply(),
            Failure::TokenRevoked => {
                revoke_presented(exchange.shared, exchange.request);
                Refusal::new("token_revoked").reply()
            }
            Failure::ScopeMissing => {
                let refusal = Refusal::new("missing_scope").with("needed", "chat:write".into());
                refusal.with("provided", "".into()).reply()
            }
            // The vendor names its errors by words; the number has no place in its replies.
            Failure::InBody { message, .. } => Refusal::new(message).reply(),
        }
    }

    fn finish(exchange: &Exchange<'_, Self>, reply: Reply) -> Reply {
        reply.header("x-slack-req-id", &exchange.shared.ids.hex(2))
    }

    fn control(shared: &Shared, call: &control::Call<'_>) -> Outcome {
        super::control::route(shared, call)
    }
}

fn revoke_presented(shared: &Shared, request: &Request) {
    let presented = token(request);
    for app in &mut shared.workspace().apps {
        if Some(app.token.as_str()) == presented.as_deref() {
            app.state = TokenState::Revoked;
        }
    }
}

/// The token of a request, from where the vendor looks for it: the header, then the body or query.
fn token(request: &Request) -> Option<String> {
    let bearer = request
        .header(&AUTHORIZATION)
        .and_then(|value| value.strip_prefix("Bearer "))
        .map(|token| token.trim().to_owned());
    bearer.or_else(|| {
        let fields = Query::parse(std::str::from_utf8(&request.body).ok()?);
        let found = fields
            .get("token")
            .or_else(|| fields.get("access_token"))
            .map(ToOwned::to_owned);
        found.or_else(|| request.query().get("token").map(ToOwned::to_owned))
    })
}

fn run(exchange: &Exchange<'_, Vendor>) -> Reply {
    let Exchange {
        shared,
        request,
        endpoint,
        ..
    } = *exchange;
    if endpoint == Endpoint::Unknown {
        return Refusal::new("unknown_method").reply();
    }
    let app = match admit(shared, request) {
        Ok(app) => app,
        Err(refusal) => return refusal.reply(),
    };
    let accepted = match endpoint {
        Endpoint::PostMessage => "chat:write",
        Endpoint::AuthTest | Endpoint::Unknown => "",
    };
    let called = match endpoint {
        Endpoint::PostMessage if !app.scopes.iter().any(|scope| scope == accepted) => {
            Err(Refusal::missing_scope(accepted, &app))
        }
        Endpoint::PostMessage => {
            arguments(request).and_then(|body| calls::post_message(shared, &app, &body))
        }
        Endpoint::AuthTest | Endpoint::Unknown => Ok(calls::auth_test(shared, &app)),
    };
    let reply = match called {
        Ok(mut body) => {
            warn_of_charset(request, &mut body);
            encode(200, &body)
        }
        Err(refusal) => refusal.reply(),
    };
    reply
        .header("x-oauth-scopes", &app.scopes.join(","))
        .header("x-accepted-oauth-scopes", accepted)
}

fn admit(shared: &Shared, request: &Request) -> Result<App, Refusal> {
    let token = token(request).ok_or_else(|| Refusal::new("not_authed"))?;
    let workspace = shared.workspace();
    let app = workspace.apps.iter().find(|app| app.token == token);
    let app = app.ok_or_else(|| Refusal::new("invalid_auth"))?;
    match app.state {
        TokenState::Active => Ok(app.clone()),
        TokenState::Revoked => Err(Refusal::new("token_revoked")),
        TokenState::Expired => Err(Refusal::new("token_expired")),
        TokenState::Inactive => Err(Refusal::new("account_inactive")),
    }
}

/// The arguments, from JSON or from form fields; in a form, structures are JSON text.
fn arguments(request: &Request) -> Result<Map<String, Value>, Refusal> {
    let kind = request.header(&CONTENT_TYPE).unwrap_or_default();
    if kind.starts_with("application/json") {
        return match serde_json::from_slice(&request.body) {
            Ok(Value::Object(body)) => Ok(body),
            Ok(_) => Err(Refusal::new("json_not_object")),
            Err(_) => Err(Refusal::new("invalid_json")),
        };
    }
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return Err(Refusal::new("invalid_post_type"));
    }
    let text = std::str::from_utf8(&request.body).unwrap_or_default();
    let fields = Query::parse(text);
    let member = |name: &str| {
        let value = fields.get(name)?;
        let value = match name {
            "blocks" => {
                serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()))
            }
            "unfurl_links" | "unfurl_media" => Value::Bool(matches!(value, "true" | "1")),
            _ => Value::String(value.to_owned()),
        };
        Some((name.to_owned(), value))
    };
    Ok([
        "channel",
        "text",
        "blocks",
        "thread_ts",
        "unfurl_links",
        "unfurl_media",
    ]
    .into_iter()
    .filter_map(member)
    .collect())
}

/// The vendor takes JSON without a charset, and says that it would rather have one.
fn warn_of_charset(request: &Request, body: &mut Value) {
    let kind = request.header(&CONTENT_TYPE).unwrap_or_default();
    if kind.starts_with("application/json")
        && !kind.contains("charset")
        && let Value::Object(body) = body
    {
        body.insert("warning".to_owned(), "missing_charset".into());
        body.insert(
            "response_metadata".to_owned(),
            json!({"warnings": ["missing_charset"]}),
        );
    }
}
