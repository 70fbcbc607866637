//! `POST /api/v1/intake/{connection}`
//!
//! What a stranger sees depends on what they send alone, never on whether the connection exists or
//! how it authenticates: a request with webhook headers is read and checked against some key, and
//! one without is not read at all.

use std::sync::{Arc, LazyLock};

use axum::Extension;
use axum::Json;
use axum::extract::Request;
use axum::routing::on;
use http::StatusCode;
use quell_connector::document;
use quell_engine::IntakeError;
use quell_model::{ConnectionId, text};
use tokio::sync::OwnedSemaphorePermit;
use tracing::info;

use crate::api::{IntakeReply, TakenView};
use crate::app::{App, detached};
use crate::auth::{Access, Caller};
use crate::body::{Text, announced};
use crate::endpoint::{Context, JSON, Reply, Route, SchemaOf, in_path, raw, schema};
use crate::guard::CountedAs;
use crate::problem::{Code, Refusal};
use crate::settings::IntakeAuth;
use crate::webhook::{Message, TOLERANCE, Verifier};

const PREFIX: &str = "/api/v1/intake/";
const NDJSON: &str = "application/x-ndjson";
/// Most alerts that one body may ask to be fetched.
const REFERENCES: usize = 100;

pub(super) const ROUTE: Route = Route {
    verb: crate::Verb::Post,
    path: "/api/v1/intake/{connection}",
    name: "push_alerts",
    access: Access::Intake,
    summary: "Takes in what a connection pushes: an alert document, a list of them, or one a line.",
    details: "The answer comes when everything is durable. All documents of a body are taken in, or none. Sending the same again is harmless. Where the connector can fetch alerts by their ids, documents that are no more than an id are fetched from the vendor; the reply lists them in `fetching`. The connection proves that it is the sender by a bearer token or a Standard Webhooks signature, as it is configured.",
    parameters: &[in_path::<ConnectionId>(
        "connection",
        "The connection that pushes.",
    )],
    bodies: &[
        (JSON, document_schema as SchemaOf),
        (NDJSON, document_schema as SchemaOf),
    ],
    refusals: &[
        Code::TimestampOutOfRange,
        Code::ForeignTenant,
        Code::NotFound,
        Code::BodyNotText,
        Code::BodyInterrupted,
        Code::BodyTooSlow,
        Code::BodyTooLarge,
        Code::UnsupportedMediaType,
        Code::UnsupportedEncoding,
        Code::InvalidDocument,
        Code::NotASource,
        Code::Replayed,
        Code::Overloaded,
        Code::StoreUnavailable,
    ],
    ..raw(
        Reply {
            status: 202,
            media: JSON,
            about: "Everything is durable.",
            schema: Some(schema::<IntakeReply>),
        },
        |filter| on(filter, take),
    )
};

fn document_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "description": "As the vendor writes it." })
}

/// A body whose sender has proven who it is. Only [`admit`] makes one.
#[derive(Clone)]
struct Admitted(Arc<Inside>);

struct Inside {
    connection: ConnectionId,
    /// The id and time of a signed message, which is good for one use.
    once: Option<String>,
    body: Text,
    _slot: Option<OwnedSemaphorePermit>,
}

impl App {
    fn slot(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let slot = self.intake_slots.clone().try_acquire_owned();
        slot.map_err(|_| Refusal::overloaded())
    }
}

/// The connection in the path, if there is one of that name.
fn named<'a>(app: &'a App, request: &Request) -> Option<&'a ConnectionId> {
    let name = request.uri().path().strip_prefix(PREFIX)?;
    let id: ConnectionId = name.parse().ok()?;
    app.engine
        .connection(&id)
        .map(|connection| &connection.connected.id)
}

/// The label a refusal is counted under.
pub(crate) fn counted_as(app: &App, request: &Request) -> CountedAs {
    CountedAs(named(app, request).map_or_else(|| "unknown".to_owned(), ToString::to_string))
}

/// Reads the body of a sender that proves who it is, before anything in it is parsed.
///
/// # Errors
/// When it does not, or the body cannot be read.
pub(crate) async fn admit(app: &Arc<App>, request: Request) -> Result<Request, Refusal> {
    let connection = named(app, &request).cloned();
    let (mut parts, body) = request.into_parts();
    let caller = app.caller(&parts.headers);
    let by_token = connection
        .as_ref()
        .filter(|id| matches!(&caller, Caller::Connections(theirs) if theirs.contains(id)));
    let message = Message::of(&parts.headers);
    if by_token.is_none() && message.is_none() {
        return Err(stranger(caller, connection.is_some()));
    }
    announced(&parts.headers, &[JSON, NDJSON], app.body_limit)?;
    // Only senders that are known take a slot: slow strangers must not keep them out.
    let mut slot = by_token.map(|_| app.slot()).transpose()?;
    let body = app.text(body, app.body_limit).await?;
    let (connection, once) = match (by_token, message) {
        (Some(connection), _) => (connection.clone(), None),
        (None, message) => {
            let auth = connection.as_ref().and_then(|id| app.intake.get(id));
            let (verifier, real) = match auth {
                Some(IntakeAuth::StandardWebhooks(verifier)) => (verifier, true),
                // It is used so that a stranger waits about as long either way.
                _ => (&*NOBODYS, false),
            };
            let message = message.filter(|m| verifier.signed(m, &body.text) && real);
            let (Some(connection), Some(message)) = (&connection, message) else {
                return Err(stranger(caller, connection.is_some()));
            };
            // Only whoever holds the key learns that their clock is off.
            if !message.fresh(app.now()) {
                let text = format!(
                    "the signature is more than {} seconds from this server's time; check the sender's clock",
                    TOLERANCE.as_secs()
                );
                return Err(
                    Refusal::new(Code::TimestampOutOfRange, text).field("webhook-timestamp")
                );
            }
            slot = Some(app.slot()?);
            let once = format!("{connection}:{}:{}", message.id, message.timestamp);
            (connection.clone(), Some(once))
        }
    };
    parts.extensions.insert(Admitted(Arc::new(Inside {
        connection,
        once,
        body,
        _slot: slot,
    })));
    Ok(Request::from_parts(parts, axum::body::Body::empty()))
}

/// The refusal of somebody who may not push here. Who is known to Quell may know a little more.
fn stranger(caller: Caller, exists: bool) -> Refusal {
    match caller {
        Caller::Nobody => Refusal::unauthorized(),
        _ if !exists => Refusal::new(Code::NotFound, "there is no such connection"),
        Caller::Person(_) => Refusal::new(
            Code::Forbidden,
            "only the connection itself may push its alerts, by its own credentials",
        ),
        Caller::Connections(_) => {
            Refusal::new(Code::Forbidden, "this token belongs to another connection")
        }
    }
}

static NOBODYS: LazyLock<Verifier> = LazyLock::new(Verifier::nobodys);

async fn take(
    cx: Context,
    Extension(Admitted(inside)): Extension<Admitted>,
) -> Result<(StatusCode, Json<IntakeReply>), Refusal> {
    let app = cx.app;
    let reply = detached(async move { inside.take(&app).await }).await??;
    Ok((StatusCode::ACCEPTED, Json(reply)))
}

impl Inside {
    async fn take(&self, app: &App) -> Result<IntakeReply, Refusal> {
        let Some(once) = &self.once else {
            return self.accept(app).await;
        };
        let store = app.engine.store();
        let now = app.now();
        let replayed = || {
            let message = "this very message was received before; a retry is signed anew, with the time of the retry";
            Refusal::new(Code::Replayed, message)
        };
        if store.was_used(once, now).await? {
            return Err(replayed());
        }
        // Remembered in the same group of writes as the alerts, which saves a flush. Two of the same
        // message in the same instant may both get here; they are then one alert and its duplicate.
        // Twice the tolerance and a little more: a message may come from the future, and is fresh to
        // the end of the last second.
        let expires = quell_connector::call::later(now, TOLERANCE * 3);
        let (accepted, first) = tokio::join!(
            biased;
            self.accept(app),
            store.first_use(once, now, expires),
        );
        let reply = accepted?;
        if first? { Ok(reply) } else { Err(replayed()) }
    }

    async fn accept(&self, app: &App) -> Result<IntakeReply, Refusal> {
        match app.engine.accept(&self.connection, &self.body.text).await {
            Ok(accepted) => Ok(IntakeReply {
                alerts: accepted
                    .alerts
                    .into_iter()
                    .map(|taken| TakenView {
                        id: taken.id,
                        incident: taken.incident,
                        freshness: taken.freshness.into(),
                        actions: taken.actions,
                    })
                    .collect(),
                fetching: Vec::new(),
            }),
            // A document that is whole but for what makes it an alert may point to one; a damaged one
            // is refused, whatever id it still shows.
            Err(IntakeError::Document(error)) if error.missing => match self.references(app) {
                Some(fetching) => self.fetch(app, fetching).await,
                None => Err(IntakeError::Document(error).into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// The vendor's ids of the alerts the body is about, if it names one in each document and the
    /// connection can fetch alerts.
    fn references(&self, app: &App) -> Option<Vec<String>> {
        let connected = &app.engine.connection(&self.connection)?.connected;
        let reference = connected
            .reference
            .filter(|_| connected.abilities.fetch.is_some())?;
        let documents = document::split(&self.body.text, connected.envelope).ok()?;
        if !(1..=REFERENCES).contains(&documents.len()) {
            return None;
        }
        documents
            .iter()
            .map(|document| {
                reference(document.json).filter(|id| !id.is_empty() && text::line(id) == *id)
            })
            .collect()
    }

    async fn fetch(&self, app: &App, fetching: Vec<String>) -> Result<IntakeReply, Refusal> {
        for id in &fetching {
            app.engine.fetch_later(&self.connection, id).await?;
        }
        info!(connection = %self.connection, count = fetching.len(), "alerts will be fetched by their ids");
        Ok(IntakeReply {
            alerts: Vec::new(),
            fetching,
        })
    }
}
