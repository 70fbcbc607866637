//! `GET` and `POST /was-it-you/{token}`, `GET /was-it-you/callback`
//!
//! The pages of whoever was asked whether it was them. Following the link changes nothing; an answer is a
//! form sent by the browser that has just signed in as the person the question is about.

use std::sync::Arc;

use axum::extract::{Path, Query, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::on;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use quell_connector::sign::same;
use quell_connector::{Attempt, Kind};
use quell_engine::{AnswerError, AskUser, Seal};
use quell_model::Secret;
use quell_store::{Answered, Asked};
use tracing::{info, warn};

use crate::app::{App, detached};
use crate::auth::Access;
use crate::body::announced;
use crate::browser::{Stage, Visit};
use crate::endpoint::{Reply, Route, SchemaOf, in_path, in_query, raw};
use crate::pages;
use crate::problem::{Code, Refusal};

const HTML: &str = "text/html";
const FORM: &str = "application/x-www-form-urlencoded";
/// Largest form, in bytes.
const LIMIT: usize = 4096;

const PAGE: Reply = Reply {
    status: 200,
    media: HTML,
    about: "A page for the person.",
    schema: None,
};

pub(super) const SHOW: Route = Route {
    path: "/was-it-you/{token}",
    name: "show_question",
    access: Access::Public,
    summary: "The page a letter links to: asks the person to sign in, then whether it was them.",
    details: "With `sign_in` it sends the browser to the organization's identity provider. Nothing is answered by it.",
    parameters: &[
        in_path::<String>("token", "What the link holds."),
        in_query::<String>("sign_in", "Go and sign in."),
    ],
    refusals: &[Code::NotFound, Code::StoreUnavailable],
    ..raw(PAGE, |filter| on(filter, show))
};

pub(super) const BACK: Route = Route {
    path: "/was-it-you/callback",
    name: "finish_sign_in",
    access: Access::Public,
    summary: "Where the identity provider sends the person back to.",
    parameters: &[
        in_query::<String>("code", "What is redeemed for who they are."),
        in_query::<String>("state", "What the browser was sent away with."),
        in_query::<String>("error", "Why the provider vouches for nobody."),
    ],
    refusals: &[Code::NotFound, Code::Overloaded, Code::StoreUnavailable],
    ..raw(PAGE, |filter| on(filter, back))
};

pub(super) const ANSWER: Route = Route {
    verb: crate::Verb::Post,
    path: "/was-it-you/{token}",
    name: "answer_question",
    access: Access::Public,
    summary: "The person's answer, once.",
    details: "Counts only from the browser that signed in as the person the question is about, within ten minutes of it.",
    parameters: &[in_path::<String>("token", "What the link holds.")],
    refusals: &[
        Code::NotFound,
        Code::BodyTooLarge,
        Code::UnsupportedMediaType,
        Code::StoreUnavailable,
    ],
    bodies: &[(FORM, form as SchemaOf)],
    ..raw(PAGE, |filter| on(filter, answer))
};

fn form(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "properties": { "answer": { "enum": ["yes", "no"] }, "csrf": { "type": "string" } },
        "required": ["answer", "csrf"],
    })
}

/// What every page needs: the question, still open, and what the browser carries.
struct Open<'a> {
    asked: Asked,
    ask: &'a AskUser,
    seal: &'a Seal,
    visit: Option<Visit>,
}

impl App {
    /// The open question of a link; a page that says why there is none.
    async fn open<'a>(
        &'a self,
        token: &str,
        headers: &HeaderMap,
    ) -> Result<Result<Open<'a>, Response>, Refusal> {
        let engine = &self.engine;
        let (Some(ask), Some(seal)) = (engine.ask_user(), engine.seal()) else {
            return Ok(Err(pages::unknown()));
        };
        let Some(asked) = engine.asked(token).await? else {
            return Ok(Err(pages::unknown()));
        };
        if asked.answer.is_some() {
            return Ok(Err(pages::answered()));
        }
        if asked.question.expires <= self.now() {
            return Ok(Err(pages::late()));
        }
        let visit = Visit::of(headers, seal, self.now()).filter(|visit| visit.token == token);
        Ok(Ok(Open {
            asked,
            ask,
            seal,
            visit,
        }))
    }
}

async fn show(
    State(app): State<Arc<App>>,
    Path(token): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let open = match app.open(&token, &headers).await? {
        Ok(open) => open,
        Err(page) => return Ok(page),
    };
    if uri.query().is_some() {
        return away(&app, &open, &token).await;
    }
    Ok(match open.visit.map(|visit| visit.stage) {
        Some(Stage::Back { csrf, .. }) => pages::ask(&token, &open.asked.question, &csrf),
        _ => pages::start(&token),
    })
}

async fn away(app: &App, open: &Open<'_>, token: &str) -> Result<Response, Refusal> {
    let attempt = Attempt::new(open.ask.redirect_uri());
    let turn = app.sign_ins.try_acquire();
    let _turn = turn.map_err(|_| Refusal::overloaded())?;
    match app.engine.begin_sign_in(&attempt).await {
        Ok(address) => {
            let visit = Visit::away(token, &attempt, app.now());
            Ok(redirect(&address, visit.cookie(open.seal)))
        }
        Err(error) => {
            warn!(
                error = &error as &dyn std::error::Error,
                "a sign-in cannot begin"
            );
            let sentence =
                "Your organization's sign-in cannot be reached now. Try again in a few minutes.";
            Ok(pages::again(StatusCode::BAD_GATEWAY, Some(token), sentence))
        }
    }
}

async fn back(
    State(app): State<Arc<App>>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let lost = || {
        let sentence = "This browser did not begin the sign-in, or it took too long. Open the link in the message again.";
        pages::again(StatusCode::BAD_REQUEST, None, sentence)
    };
    let Some(seal) = app
        .engine
        .seal()
        .filter(|_| app.engine.ask_user().is_some())
    else {
        return Ok(pages::unknown());
    };
    let Some(visit) = Visit::of(&headers, seal, app.now()) else {
        return Ok(lost());
    };
    let open = match app.open(&visit.token, &headers).await? {
        Ok(open) => open,
        Err(page) => return Ok(page),
    };
    let Stage::Away {
        state,
        nonce,
        verifier,
    } = visit.stage
    else {
        return Ok(lost());
    };
    // Providers add members of their own, so unknown ones are not refused.
    let Ok(Query(query)) = Query::<Vec<(String, String)>>::try_from_uri(&uri) else {
        return Ok(lost());
    };
    let member = |name: &str| {
        let found = query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    if state.is_empty() || !same(member("state").as_bytes(), state.as_bytes()) {
        return Ok(lost());
    }
    let token = visit.token;
    let failed = |status, sentence: &str| Ok(pages::again(status, Some(&token), sentence));
    if member("code").is_empty() {
        let sentence = "Your organization's sign-in did not let you in.";
        return failed(StatusCode::BAD_REQUEST, sentence);
    }
    let attempt = Attempt {
        redirect_uri: open.ask.redirect_uri(),
        state,
        nonce,
        verifier: Secret::new(verifier),
    };
    let turn = app.sign_ins.try_acquire();
    let _turn = turn.map_err(|_| Refusal::overloaded())?;
    let code = Secret::new(member("code").to_owned());
    let identity = match app.engine.finish_sign_in(&attempt, &code).await {
        Ok(identity) => identity,
        Err(error) => {
            warn!(
                error = &error as &dyn std::error::Error,
                "a sign-in is not believed"
            );
            return match error.kind {
                Kind::AuthRejected | Kind::VendorRejected => failed(
                    StatusCode::BAD_REQUEST,
                    "Your organization's sign-in did not say who you are.",
                ),
                _ => failed(
                    StatusCode::BAD_GATEWAY,
                    "Your organization's sign-in cannot be used now. Try again in a few minutes.",
                ),
            };
        }
    };
    if !quell_engine::is_about(&open.asked.question, &identity) {
        info!(question.id = %open.asked.question.id, "somebody else signed in");
        let sentence = "You signed in, and the question is about another account. Sign in with the account the message was sent to.";
        return failed(StatusCode::FORBIDDEN, sentence);
    }
    let visit = Visit::back(token.clone(), identity, app.now());
    let address = format!("{}/{token}", AskUser::PATH);
    Ok(redirect(&address, visit.cookie(open.seal)))
}

async fn answer(
    State(app): State<Arc<App>>,
    Path(token): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let open = match app.open(&token, &parts.headers).await? {
        Ok(open) => open,
        Err(page) => return Ok(page),
    };
    announced(&parts.headers, &[FORM], LIMIT)?;
    let body = app.text(body, LIMIT).await?;
    // Both members are plain words, so there is nothing to decode.
    let member = |name: &str| {
        let mut pairs = body.text.split('&').filter_map(|pair| pair.split_once('='));
        let found = pairs.find(|(key, _)| *key == name);
        found.map(|(_, value)| value).unwrap_or_default()
    };
    let again = |sentence| Ok(pages::again(StatusCode::FORBIDDEN, Some(&token), sentence));
    let Some(Stage::Back { identity, csrf }) = open.visit.map(|visit| visit.stage) else {
        return again("You are not signed in any more.");
    };
    if csrf.is_empty() || !same(member("csrf").as_bytes(), csrf.as_bytes()) {
        return again("The answer did not come from the page that asked.");
    }
    let yes = match member("answer") {
        "yes" => true,
        "no" => false,
        _ => return again("The answer is neither yes nor no."),
    };
    let (engine, question) = (app.engine.clone(), open.asked.question);
    let answered = detached(async move { engine.answer_question(&question, &identity, yes).await });
    let mut page = match answered.await? {
        Ok(Answered::Now) => pages::thanks(yes),
        Ok(Answered::Before(_)) => pages::answered(),
        Ok(Answered::Late) => pages::late(),
        Err(AnswerError::SomebodyElse) => return again("The question is about another account."),
        Err(AnswerError::Store(error)) => return Err(error.into()),
    };
    with_cookie(&mut page, Visit::over());
    Ok(page)
}

fn redirect(address: &str, cookie: Option<HeaderValue>) -> Response {
    let (Ok(address), Some(cookie)) = (HeaderValue::from_str(address), cookie) else {
        let sentence = "Something went wrong inside Quell; its log says what.";
        return pages::again(StatusCode::INTERNAL_SERVER_ERROR, None, sentence);
    };
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, address)]).into_response();
    with_cookie(&mut response, Some(cookie));
    response
}

fn with_cookie(response: &mut Response, cookie: Option<HeaderValue>) {
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}
