//! The page about `quell plan`, with an example that was really planned.

use quell_connectors::catalog;
use quell_model::{Entity, EntityType};
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::markdown::{Page, table};
use super::members::{Words, about, members, properties, values};
use crate::failure::{Failure, Result};
use crate::plan::{ActionView, PlanView, PolicyView, plan, shipped, text};

/// The document of the example. Everything in it is made up.
pub(super) const EXAMPLE: &str = include_str!("../../tests/fixtures/endpoint-alert.json");

pub(super) fn page() -> Result<String> {
    let mut page = Page::new("`quell plan`", INTRODUCTION.trim());
    let connector = catalog::find("crowdstrike")
        .ok_or_else(|| Failure::failed("the connector of the example is not in the catalog"))?;
    let policy = PolicyView { config: None };
    let view = plan(connector, &shipped()?, policy, EXAMPLE)
        .map_err(|error| Failure::failed("the example cannot be planned").because(&error))?;
    page.heading("An example");
    page.code(
        "console",
        &format!(
            "$ quell plan --source crowdstrike alert.json\n{}",
            plain(&text(&view, connector.name))
        ),
    );
    page.text("With `--format json`, one of its actions:");
    page.code("json", &excerpt(&view)?);

    page.heading("The answer");
    let schema = schema_of::<PlanView>();
    page.text(&members(&schema, &schema, Words::Json));
    for (name, title) in [
        ("AlertView", "`alerts`"),
        ("ActionView", "`actions`"),
        ("SkippedView", "`skipped`"),
        ("PolicyView", "`policy`"),
    ] {
        page.subheading(title);
        page.text(&members(&schema, definition(&schema, name), Words::Json));
    }
    page.heading("Words");
    for (name, title) in [
        ("Severity", "Severity"),
        ("AlertKind", "Kind of alert"),
        ("AlertStatus", "Status"),
    ] {
        page.subheading(title);
        page.text(&words(&schema, definition(&schema, name)));
    }
    page.subheading("Decision");
    let decision = definition(&schema, "ActionView")
        .pointer("/properties/decision")
        .unwrap_or(&Value::Null);
    page.text(&words(&schema, decision));

    page.heading("Entity");
    page.text("What an alert is about and an action can target. `type` says which of these it is; members without a value are left out.");
    let entity = schema_of::<Entity>();
    for variant in EntityType::ALL {
        page.subheading(&format!("`{}`", variant.as_str()));
        let fields = fields(&entity, variant.as_str());
        let article = if variant.words().starts_with(['a', 'e', 'i', 'o', 'u']) {
            "An"
        } else {
            "A"
        };
        page.text(&format!("{article} {}.", variant.words()));
        page.text(&members(&entity, &fields, Words::Json).replace(" or null |", " |"));
    }
    for name in ["AssetFacts", "Technique", "Note", "Reason", "Prevention"] {
        page.heading(name);
        let of = definition(&schema, name);
        page.text(&about(&schema, of));
        page.text(&members(&schema, of, Words::Json));
    }
    Ok(page.end())
}

fn schema_of<T: schemars::JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<T>().into()
}

fn definition<'s>(schema: &'s Value, name: &str) -> &'s Value {
    schema
        .pointer(&format!("/$defs/{name}"))
        .unwrap_or(&Value::Null)
}

fn words(root: &Value, schema: &Value) -> String {
    let rows = values(root, schema)
        .into_iter()
        .map(|(name, about)| [format!("`{name}`"), about]);
    table(["Word", "Meaning"], rows)
}

/// The fields of one kind of entity: its struct's, without the tag.
fn fields(schema: &Value, tag: &str) -> Value {
    let variants = crate::config::options(schema);
    let variant = variants.iter().find(|variant| {
        let name = variant.pointer("/properties/type/const");
        name.and_then(Value::as_str) == Some(tag)
    });
    let mut variant = variant.cloned().unwrap_or_default();
    if variant.get("$ref").is_some() {
        variant = crate::config::resolve(schema, &variant).0.clone();
    }
    let own: serde_json::Map<String, Value> = properties(&variant)
        .filter(|(name, _)| *name != "type")
        .map(|(name, member)| (name.to_owned(), member.clone()))
        .collect();
    serde_json::json!({ "properties": own })
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

fn excerpt(view: &PlanView) -> Result<String> {
    let contains = |action: &&ActionView| action.action.as_str() == "contain_host";
    let action = view.actions.iter().find(contains);
    serde_json::to_string_pretty(&action)
        .map_err(|error| Failure::failed("the example cannot be written").because(&error))
}

const INTRODUCTION: &str = r#"
Says what would be done about alerts, and why. It touches nothing: no network, no writes. It decides
with the same functions as the server.

- Input is a file, or `-` for standard input: one alert document, an array of them, one a line
  (NDJSON), or a vendor's list reply.
- Without `--config` the rules that ship with Quell decide. Whether the organization opted in to an
  action type is the server's to know, and not asked.
- A document that cannot be read ends it with exit code 2: a sentence with the JSON path at fault on
  standard error, and with `--format json` also on standard output as
  `{"error": {"code", "message", "path", "problem"}}`. Nothing is planned then, for no document.
- Members may be added in later versions; those that are here stay.
"#;
