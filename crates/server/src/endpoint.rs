//! What a route is: one row of the table that router, authorization and documentation are made from.
//!
//! A handler names the types of its body and its reply, and the row takes both from there, so that
//! the document cannot say something else than the code does.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{FromRequestParts, Query, RawPathParams, Request};
use axum::routing::{MethodFilter, MethodRouter, on};
use http::StatusCode;
use http::request::Parts;
use quell_connector::document;
use quell_model::Person;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Role;
use crate::app::App;
use crate::auth::{Access, must_be};
use crate::body::announced;
use crate::problem::{Code, Refusal};

/// Largest body of an order, in bytes, unless it says otherwise.
const ORDER_LIMIT: usize = 64 * 1024;
/// How long a request may take, unless its row says otherwise.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// The HTTP methods that are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Reads.
    Get,
    /// Changes something.
    Post,
    /// Takes something away.
    Delete,
}

impl Verb {
    /// The method's name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }

    pub(crate) const fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Delete => MethodFilter::DELETE,
        }
    }
}

/// Where a parameter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the path.
    Path,
    /// In the query. A request with a query parameter that is not in the table is refused.
    Query,
}

/// A parameter of a route.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Where it is.
    pub place: Place,
    /// What it says, one sentence.
    pub about: &'static str,
    pub(crate) schema: SchemaOf,
}

/// What a route answers when it does what it was asked.
#[derive(Debug, Clone, Copy)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The media type.
    pub media: &'static str,
    /// What it says, one sentence.
    pub about: &'static str,
    pub(crate) schema: Option<SchemaOf>,
}

/// One row of the table.
pub struct Route {
    /// The method.
    pub verb: Verb,
    /// The path, with its parameters in braces.
    pub path: &'static str,
    /// Its name in generated clients.
    pub name: &'static str,
    /// Who may use it.
    pub access: Access,
    /// What it does, one line.
    pub summary: &'static str,
    /// What else there is to know, if anything.
    pub details: &'static str,
    /// Its parameters.
    pub parameters: &'static [Parameter],
    /// What it answers when it does what it was asked.
    pub reply: Reply,
    /// The refusals particular to it. Those that any route may give are not repeated.
    pub refusals: &'static [Code],
    pub(crate) bodies: &'static [(&'static str, SchemaOf)],
    pub(crate) mount: fn(MethodFilter) -> MethodRouter<Arc<App>>,
    pub(crate) patience: Duration,
}

pub(crate) fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// A path parameter.
pub(crate) const fn in_path<T: JsonSchema>(name: &'static str, about: &'static str) -> Parameter {
    Parameter {
        name,
        place: Place::Path,
        about,
        schema: schema::<T>,
    }
}

/// A query parameter.
pub(crate) const fn in_query<T: JsonSchema>(name: &'static str, about: &'static str) -> Parameter {
    Parameter {
        name,
        place: Place::Query,
        about,
        schema: schema::<T>,
    }
}

/// A handler that reads something.
pub(crate) trait Read: 'static {
    /// What it answers.
    type Reply: Serialize + JsonSchema;
    /// The status it answers with.
    const STATUS: StatusCode = StatusCode::OK;
    /// What the answer says, one sentence.
    const ABOUT: &'static str;

    fn handle(cx: Context) -> impl Future<Output = Result<Self::Reply, Refusal>> + Send;
}

/// A handler that carries out an order.
pub(crate) trait Order: 'static {
    /// The order.
    type Body: DeserializeOwned + JsonSchema + Send;
    /// What it answers.
    type Reply: Serialize + JsonSchema;
    /// What the answer says, one sentence.
    const ABOUT: &'static str;
    /// Largest order, in bytes.
    const LIMIT: usize = ORDER_LIMIT;

    fn handle(
        cx: Context,
        body: Self::Body,
    ) -> impl Future<Output = Result<Self::Reply, Refusal>> + Send;
}

/// The rest of a row is up to its file.
const BLANK: Route = Route {
    verb: Verb::Get,
    path: "",
    name: "",
    access: Access::Role(crate::Role::Administrator),
    summary: "",
    details: "",
    parameters: &[],
    reply: Reply {
        status: 200,
        media: JSON,
        about: "",
        schema: None,
    },
    refusals: &[],
    bodies: &[],
    mount: |_| MethodRouter::new(),
    patience: PATIENCE,
};

pub(crate) const JSON: &str = "application/json";

/// The row of a handler that reads something.
pub(crate) const fn read<E: Read>() -> Route {
    Route {
        reply: Reply {
            status: E::STATUS.as_u16(),
            media: JSON,
            about: E::ABOUT,
            schema: Some(schema::<E::Reply>),
        },
        mount: |filter| {
            on(filter, async |cx: Context| {
                E::handle(cx).await.map(|reply| (E::STATUS, Json(reply)))
            })
        },
        ..BLANK
    }
}

/// The row of a handler that carries out an order.
pub(crate) const fn order<E: Order>() -> Route {
    Route {
        verb: Verb::Post,
        reply: Reply {
            status: 200,
            media: JSON,
            about: E::ABOUT,
            schema: Some(schema::<E::Reply>),
        },
        bodies: const { &[(JSON, schema::<E::Body> as SchemaOf)] },
        mount: |filter| {
            on(filter, async |cx: Context, request: Request| {
                let body = body(&cx.app, request, E::LIMIT).await?;
                E::handle(cx, body).await.map(Json)
            })
        },
        ..BLANK
    }
}

/// The row of a handler that answers something other than one JSON document.
pub(crate) const fn raw(reply: Reply, mount: fn(MethodFilter) -> MethodRouter<Arc<App>>) -> Route {
    Route {
        reply,
        mount,
        ..BLANK
    }
}

/// What a handler is given: the parts of the request that the row allows.
pub(crate) struct Context {
    pub(crate) app: Arc<App>,
    person: Option<Person>,
    path: Vec<(String, String)>,
    query: Vec<(String, String)>,
}

impl Context {
    /// The name for the journal of whoever asks. Only routes that need a role have one.
    pub(crate) fn person(&self) -> Result<String, Refusal> {
        self.caller().map(|person| person.name)
    }

    /// Whoever asks, with their role.
    pub(crate) fn caller(&self) -> Result<Person, Refusal> {
        self.person.clone().ok_or_else(Refusal::unauthorized)
    }

    /// For the part of an order that not everybody may give who may use the route.
    ///
    /// # Errors
    /// When the role of whoever asks is a lower one.
    pub(crate) fn needs(&self, role: Role) -> Result<(), Refusal> {
        let person = self.person.as_ref().ok_or_else(Refusal::unauthorized)?;
        must_be(person, role)
    }

    /// A path parameter.
    pub(crate) fn path<T>(&self, name: &str) -> Result<T, Refusal>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        let text = self.path.iter().find(|(key, _)| key == name);
        let text = text.map(|(_, value)| value.as_str()).unwrap_or_default();
        parse(name, text)
    }

    /// Every value of a query parameter that may be repeated or a comma list.
    pub(crate) fn each<T>(&self, name: &str) -> Result<Vec<T>, Refusal>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        self.texts(name)
            .flat_map(|text| text.split(','))
            .map(|text| parse(name, text))
            .collect()
    }

    /// A query parameter that may be there once.
    pub(crate) fn once<T>(&self, name: &str) -> Result<Option<T>, Refusal>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        let mut texts = self.texts(name);
        let first = texts.next().map(|text| parse(name, text)).transpose();
        if texts.next().is_some() {
            return Err(invalid(name, "it may be given once"));
        }
        first
    }

    fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.query
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

fn parse<T>(name: &str, text: &str) -> Result<T, Refusal>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    text.parse()
        .map_err(|error: T::Err| invalid(name, &error.to_string()))
}

pub(crate) fn invalid(name: &str, problem: &str) -> Refusal {
    Refusal::new(Code::InvalidParameter, format!("{name}: {problem}")).field(name)
}

impl FromRequestParts<Arc<App>> for Context {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let path = RawPathParams::from_request_parts(parts, app)
            .await
            .map_err(|_| Refusal::new(Code::InvalidParameter, "the path is not UTF-8 text"))?;
        let path = path
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let Query(query) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|_| Refusal::new(Code::InvalidParameter, "the query cannot be read"))?;
        let known: &[Parameter] = parts
            .extensions
            .get::<&'static Route>()
            .map(|route| route.parameters)
            .unwrap_or_default();
        for (name, _) in &query {
            let allowed = |p: &Parameter| p.place == Place::Query && p.name == name;
            if !known.iter().any(allowed) {
                let name = quell_model::text::line(name);
                let problem = "there is no such query parameter here";
                return Err(invalid(&name, problem));
            }
        }
        Ok(Self {
            app: app.clone(),
            person: parts.extensions.get::<Person>().cloned(),
            path,
            query,
        })
    }
}

/// The body of an order. An empty one is an order without members.
async fn body<T: DeserializeOwned>(
    app: &App,
    request: Request,
    limit: usize,
) -> Result<T, Refusal> {
    let (parts, body) = request.into_parts();
    let read = app.text(body, limit).await?;
    if read.text.trim().is_empty() {
        return document::from_str("{}").map_err(Refusal::body);
    }
    announced(&parts.headers, &[JSON], limit)?;
    document::from_str(&read.text).map_err(Refusal::body)
}

/// The reason of an order as it goes into the journal: one line, without what could forge a log line.
///
/// # Errors
/// When there is none: whoever reads the journal later needs one.
pub(crate) fn reason(text: &str) -> Result<String, Refusal> {
    let reason = quell_model::text::line(text);
    if reason.trim().is_empty() {
        let message = "$.reason: say why; it is kept in the journal";
        return Err(Refusal::new(Code::InvalidBody, message).path("$.reason"));
    }
    Ok(reason)
}
