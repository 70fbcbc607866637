//! The members of a JSON schema's objects, as rows of a table.

use jiff::SignedDuration;
use serde_json::Value;

use super::markdown::table;
use crate::config::{options, resolve};

/// How a type is spelled on a page.
#[derive(Clone, Copy)]
pub(super) enum Words {
    /// As JSON has it.
    Json,
    /// As somebody writes it into a configuration file.
    Toml,
}

/// The members of an object: name, type, whether it must be there or what holds without it, meaning.
pub(super) fn members(root: &Value, schema: &Value, words: Words) -> String {
    let (schema, _) = resolve(root, schema);
    let rows = properties(schema).map(|(name, member)| {
        let required = requires(schema, name);
        [
            format!("`{name}`"),
            kind(root, member, words),
            match words {
                Words::Json => String::new(),
                Words::Toml if required => "required".to_owned(),
                Words::Toml => default(member),
            },
            about(root, member),
        ]
    });
    match words {
        Words::Toml => table(["Key", "Value", "Without it", "Meaning"], rows),
        Words::Json => table(
            ["Member", "Type", "Meaning"],
            rows.map(|[name, kind, _, about]| [name, kind, about]),
        ),
    }
}

/// The properties of an object schema.
pub(super) fn properties(schema: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties
        .into_iter()
        .flatten()
        .map(|(name, member)| (name.as_str(), member))
}

fn requires(schema: &Value, name: &str) -> bool {
    let required = schema.get("required").and_then(Value::as_array);
    required.into_iter().flatten().any(|other| other == name)
}

fn default(member: &Value) -> String {
    match member.get("default") {
        None | Some(Value::Null) => String::new(),
        Some(Value::Array(items)) if items.is_empty() => "none".to_owned(),
        Some(Value::Object(_)) => String::new(),
        Some(value) => format!("`{}`", duration(value).unwrap_or_else(|| value.to_string())),
    }
}

/// A duration the way somebody writes it.
fn duration(value: &Value) -> Option<String> {
    let duration: SignedDuration = value
        .as_str()
        .filter(|text| text.starts_with("PT"))?
        .parse()
        .ok()?;
    Some(format!("\"{duration:#}\""))
}

/// What a member means, in one line.
pub(super) fn about(root: &Value, member: &Value) -> String {
    let own = member.get("description");
    let shared = || resolve(root, member).0.get("description");
    let text = own
        .or_else(shared)
        .and_then(Value::as_str)
        .unwrap_or_default();
    // Links that only rustdoc can follow become plain code.
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.replace("[`", "`").replace("`]", "`")
}

/// The values of an enumeration with what each means; empty when it is none.
pub(super) fn values(root: &Value, schema: &Value) -> Vec<(String, String)> {
    let (schema, _) = resolve(root, schema);
    let mut values = Vec::new();
    let name = |value: &Value| value.as_str().map(str::to_owned);
    for value in schema
        .get("enum")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        values.extend(name(value).map(|name| (name, String::new())));
    }
    for option in options(schema) {
        let about = about(root, &option);
        if let Some(value) = option.get("const").and_then(name) {
            values.push((value, about));
        } else {
            let listed = option
                .get("enum")
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            values.extend(listed.filter_map(name).map(|name| (name, String::new())));
        }
    }
    values
}

/// The type of a member, in words.
pub(super) fn kind(root: &Value, member: &Value, words: Words) -> String {
    let (schema, name) = resolve(root, member);
    if name == Some("SecretRef") {
        return "reference to a secret".to_owned();
    }
    if name == Some("ActionType") {
        return "[action](actions.md)".to_owned();
    }
    let listed = values(root, schema);
    if !listed.is_empty() {
        let names: Vec<String> = listed
            .into_iter()
            .map(|(name, _)| format!("`{name}`"))
            .collect();
        return names.join(", ");
    }
    if let Some(name @ ("Entity" | "AssetFacts" | "Technique" | "Note" | "Reason" | "Prevention")) =
        name
    {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    let several = options(schema);
    if !several.is_empty() {
        let kinds: Vec<String> = several
            .iter()
            .map(|option| kind(root, option, words))
            .collect();
        let or_null = matches!(words, Words::Json) && allows_null(schema);
        return with_null(kinds.join(" or "), or_null);
    }
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let or_null = matches!(words, Words::Json) && types.contains(&"null");
    let named = types
        .iter()
        .filter(|one| **one != "null")
        .map(|one| match (*one, words) {
            ("array", _) => {
                let inner = schema
                    .get("items")
                    .map_or_else(|| "anything".to_owned(), |items| kind(root, items, words));
                let plural = if inner == "table" { "s" } else { "" };
                format!("list of {inner}{plural}")
            }
            ("string", _) if schema.get("format").and_then(Value::as_str) == Some("date-time") => {
                "time".to_owned()
            }
            ("string", Words::Toml) => "text".to_owned(),
            ("integer", _) => bounded(schema),
            ("boolean", Words::Toml) => "`true`, `false`".to_owned(),
            ("object", Words::Toml) => "table".to_owned(),
            (other, _) => other.to_owned(),
        });
    with_null(named.collect::<Vec<_>>().join(" or "), or_null)
}

fn allows_null(schema: &Value) -> bool {
    let options = schema.get("anyOf").and_then(Value::as_array);
    options
        .into_iter()
        .flatten()
        .any(|option| option.get("type").and_then(Value::as_str) == Some("null"))
}

fn with_null(kind: String, or_null: bool) -> String {
    if or_null {
        format!("{kind} or null")
    } else {
        kind
    }
}

fn bounded(schema: &Value) -> String {
    let bound = |name: &str| schema.get(name).and_then(Value::as_i64);
    match (bound("minimum"), bound("maximum")) {
        // The whole range of a machine's number says nothing about what is sensible.
        (Some(0), Some(255 | 65_535)) => "number".to_owned(),
        (Some(least), Some(most)) => format!("number from {least} to {most}"),
        (Some(least), None) if least > 0 => format!("number from {least}"),
        _ => "number".to_owned(),
    }
}
