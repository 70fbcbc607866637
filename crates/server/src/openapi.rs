//! The OpenAPI document, from the table of routes and the types its handlers name.

use std::collections::BTreeMap;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::api::{LaggedView, Problem};
use crate::auth::Access;
use crate::endpoint::{Place, Route, Verb, schema};
use crate::problem::Code;
use crate::routes::routes;

/// The OpenAPI 3.1 document of the API.
#[must_use]
pub fn openapi() -> Value {
    // What is sent may leave out members that what is answered always has.
    let mut sent = generator(SchemaSettings::draft2020_12().for_deserialize());
    let mut answered = generator(SchemaSettings::draft2020_12().for_serialize());
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let problem = schema::<Problem>(&mut answered).to_value();
    // Events are a stream of several types, of which a route can name one.
    schema::<LaggedView>(&mut answered);
    for route in routes() {
        let operation = operation(route, &problem, &mut sent, &mut answered);
        paths
            .entry(route.path)
            .or_default()
            .insert(route.verb.as_str().to_lowercase(), operation);
    }
    let mut schemas = sent.take_definitions(true);
    schemas.extend(answered.take_definitions(true));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Quell",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Automated security remediation. Every reply with a status of 400 or more is a `Problem`; decide on its `code`. Authentication is by bearer token or webhook signature alone: no cookie counts here, so there is nothing a page in a browser could forge. The pages below `/was-it-you` are for people and answer in HTML.",
            "license": { "name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE") }
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {
                    "type": "http", "scheme": "bearer",
                    "description": "A person's token. Its role is viewer, responder or administrator; each may do what those before it may."
                },
                "intake_token": {
                    "type": "http", "scheme": "bearer",
                    "description": "The token of the connection that pushes."
                },
                "standard_webhooks": {
                    "type": "apiKey", "in": "header", "name": "webhook-signature",
                    "description": "A Standard Webhooks signature (`v1`), together with the headers `webhook-id` and `webhook-timestamp`."
                }
            }
        }
    })
}

fn generator(settings: SchemaSettings) -> SchemaGenerator {
    settings
        .with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        })
        .into_generator()
}

fn operation(
    route: &Route,
    problem: &Value,
    sent: &mut SchemaGenerator,
    answered: &mut SchemaGenerator,
) -> Value {
    let parameters: Vec<_> = route
        .parameters
        .iter()
        .map(|parameter| {
            let (place, required) = match parameter.place {
                Place::Path => ("path", true),
                Place::Query => ("query", false),
            };
            json!({
                "name": parameter.name,
                "in": place,
                "required": required,
                "description": parameter.about,
                "schema": (parameter.schema)(sent).to_value()
            })
        })
        .collect();
    let mut content = json!({});
    if let Some(schema) = route.reply.schema {
        content = json!({ "schema": schema(answered).to_value() });
    }
    let mut responses = Map::new();
    responses.insert(
        route.reply.status.to_string(),
        json!({ "description": route.reply.about, "content": { route.reply.media: content } }),
    );
    for (status, codes) in refusals(route) {
        responses.insert(
            status,
            json!({ "description": codes, "content": { "application/json": { "schema": problem } } }),
        );
    }
    let mut operation = Map::from_iter([
        ("operationId".to_owned(), route.name.into()),
        ("summary".to_owned(), route.summary.into()),
        ("description".to_owned(), description(route).into()),
        ("parameters".to_owned(), parameters.into()),
        ("responses".to_owned(), responses.into()),
        ("security".to_owned(), security(route.access)),
    ]);
    if !route.bodies.is_empty() {
        let content: Map<String, Value> = route
            .bodies
            .iter()
            .map(|(media, schema)| {
                (
                    (*media).to_owned(),
                    json!({ "schema": schema(sent).to_value() }),
                )
            })
            .collect();
        let body = json!({ "required": true, "content": content });
        operation.insert("requestBody".to_owned(), body);
    }
    operation.into()
}

fn description(route: &Route) -> String {
    let who = match route.access {
        Access::Public => "Anybody may ask.".to_owned(),
        Access::Role(role) => format!("Needs the role {role}."),
        Access::Intake => "Needs the credentials of the connection.".to_owned(),
        Access::Vendor => {
            "Needs the proof by which the vendor signs or marks its pushes.".to_owned()
        }
    };
    format!("{} {who}", route.details).trim().to_owned()
}

fn security(access: Access) -> Value {
    match access {
        Access::Public | Access::Vendor => json!([]),
        Access::Role(role) => json!([{ "token": [role.as_str()] }]),
        Access::Intake => json!([{ "intake_token": [] }, { "standard_webhooks": [] }]),
    }
}

/// The statuses a route may refuse with, each with its codes.
fn refusals(route: &Route) -> BTreeMap<String, String> {
    let mut codes = vec![Code::InvalidParameter, Code::Timeout, Code::Internal];
    if route.access != Access::Public {
        codes.extend([Code::Unauthorized, Code::Forbidden, Code::StoreUnavailable]);
    }
    if route.verb != Verb::Get {
        codes.extend([
            Code::BodyNotText,
            Code::BodyInterrupted,
            Code::BodyTooSlow,
            Code::BodyTooLarge,
            Code::UnsupportedMediaType,
            Code::UnsupportedEncoding,
            Code::Overloaded,
        ]);
    }
    codes.extend(route.refusals);
    let mut named: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for code in codes {
        let names = named.entry(code.status().as_u16().to_string()).or_default();
        if !names.contains(&code.as_str()) {
            names.push(code.as_str());
        }
    }
    named
        .into_iter()
        .map(|(status, names)| (status, format!("`{}`", names.join("`, `"))))
        .collect()
}
