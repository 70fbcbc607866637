//! `POST` and `GET /api/v1/hooks/{connection}`
//!
//! What vendors push in their own way: the connection's connector looks at the raw request first and says
//! whether it is the vendor's. A stranger learns nothing but that it was refused.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::on;
use http::{Method, StatusCode, header};
use quell_connector::{Push, Receive, Received};
use quell_model::ConnectionId;
use tracing::info;

use crate::app::{App, detached};
use crate::auth::Access;
use crate::endpoint::{JSON, Reply, Route, SchemaOf, in_path, raw};
use crate::problem::{Code, Refusal};

const TEXT: &str = "text/plain";
const PREFIX: &str = "/api/v1/hooks/";
/// How long a message is remembered that must not count twice.
const REMEMBERED: std::time::Duration = std::time::Duration::from_secs(7 * 24 * 3600);

pub(super) const PUSH: Route = Route {
    verb: crate::Verb::Post,
    name: "receive_push",
    summary: "Takes in what a vendor pushes in its own way: webhooks, event hooks, change notifications.",
    details: "The connection's connector tells by the vendor's own means (a signature, a shared secret) whether it comes from there, before anything in it is read. The answer comes when everything is durable; sending the same again is harmless. A vendor's handshake gets the answer the vendor expects.",
    refusals: &[
        Code::Unauthorized,
        Code::ForeignTenant,
        Code::BodyNotText,
        Code::BodyInterrupted,
        Code::BodyTooSlow,
        Code::BodyTooLarge,
        Code::InvalidDocument,
        Code::Overloaded,
        Code::StoreUnavailable,
    ],
    bodies: &[(JSON, any as SchemaOf), (TEXT, any as SchemaOf)],
    ..HANDSHAKE
};

fn any(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "description": "As the vendor writes it." })
}

pub(super) const HANDSHAKE: Route = Route {
    path: "/api/v1/hooks/{connection}",
    name: "answer_handshake",
    access: Access::Vendor,
    summary: "Answers the handshake by which a vendor makes sure that Quell wants its pushes.",
    parameters: &[in_path::<ConnectionId>(
        "connection",
        "The connection whose vendor pushes.",
    )],
    refusals: &[Code::Unauthorized],
    ..raw(
        Reply {
            status: 200,
            media: TEXT,
            about: "Everything is durable, or the answer to a handshake.",
            schema: None,
        },
        |filter| on(filter, take),
    )
};

async fn take(State(app): State<Arc<App>>, request: Request) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let id = parts.uri.path().strip_prefix(PREFIX);
    let id = id.and_then(|id| id.parse::<ConnectionId>().ok());
    let found = id.and_then(|id| receiver(&app, &id).map(|receive| (id, receive)));
    let (id, receive) = found.ok_or_else(Refusal::unauthorized)?;
    let body = match parts.method {
        Method::GET => None,
        _ => Some(app.text(body, app.body_limit).await?),
    };
    let push = Push {
        method: &parts.method,
        query: parts.uri.query(),
        headers: &parts.headers,
        body: body.as_ref().map_or("", |body| &body.text),
    };
    match receive.receive(&push) {
        Received::Refused => Err(Refusal::unauthorized()),
        Received::Answer { content_type, body } => {
            Ok(([(header::CONTENT_TYPE, content_type)], body).into_response())
        }
        Received::Nothing => Ok(StatusCode::NO_CONTENT.into_response()),
        Received::Nudge => {
            app.engine.poll_now(&id);
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        Received::Alerts { documents, once } => {
            let taken = detached(async move { accept(&app, &id, &documents, once).await });
            taken.await??;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
    }
}

fn receiver(app: &App, id: &ConnectionId) -> Option<Arc<dyn Receive>> {
    let connected = &app.engine.connection(id)?.connected;
    connected.abilities.receive.clone()
}

async fn accept(
    app: &App,
    id: &ConnectionId,
    documents: &str,
    once: Option<String>,
) -> Result<(), Refusal> {
    let store = app.engine.store();
    let once = once.map(|once| format!("{id}:{once}"));
    if let Some(once) = &once
        && store.was_used(once, app.now()).await?
    {
        info!(connection = %id, "a push that was received before came again");
        return Ok(());
    }
    app.engine.accept(id, documents).await?;
    // Remembered once it is durable: a crash in between takes the same documents in again, which are
    // then duplicates.
    if let Some(once) = &once {
        let expires = quell_connector::call::later(app.now(), REMEMBERED);
        store.first_use(once, app.now(), expires).await?;
    }
    Ok(())
}
