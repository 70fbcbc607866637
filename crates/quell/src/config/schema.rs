//! The JSON schema of the configuration, made from its types and those of every connector.

use quell_connectors::catalog::CATALOG;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::Config;

/// Path in the schema below which the settings of each connector stand, by connector.
const SETTINGS: &str = "x-settings";

/// The schema, for editors and for finding mistakes.
#[must_use]
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = Value::from(Config::json_schema(&mut generator));
    let settings: Map<String, Value> = CATALOG
        .iter()
        .map(|connector| {
            let schema = connector.schema(&mut generator);
            (connector.id.to_owned(), schema.into())
        })
        .collect();
    let mut definitions = Value::from(generator.take_definitions(true));
    if let Some(connection) = definitions
        .pointer_mut("/Connection")
        .and_then(Value::as_object_mut)
    {
        let branches: Vec<Value> = settings
            .iter()
            .map(|(id, settings)| {
                json!({
                    "if": { "properties": { "connector": { "const": id } } },
                    "then": { "properties": { "settings": settings } },
                })
            })
            .collect();
        connection.insert("allOf".into(), branches.into());
    }
    if let Some(root) = schema.as_object_mut() {
        root.insert(
            "$schema".into(),
            "https://json-schema.org/draft/2020-12/schema".into(),
        );
        root.insert("title".into(), "quell.toml".into());
        root.insert("$defs".into(), definitions);
        root.insert(SETTINGS.into(), settings.into());
    }
    schema
}

/// The schema of a connector's settings.
pub(crate) fn settings<'s>(schema: &'s Value, connector: &str) -> Option<&'s Value> {
    schema.get(SETTINGS)?.get(connector)
}
