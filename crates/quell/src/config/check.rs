//! Checks a configuration text against the schema its types generate, with the place of every
//! mistake. It knows TOML and JSON Schema and nothing of what the keys mean.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::Timestamp;
use quell_policy::{Diagnostic, listing, suggestion};
use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::secrets;

/// Name of the schema definition that stands for a reference to a secret.
const SECRET: &str = "SecretRef";

/// Finds the schema of a table whose shape depends on its neighbours: given the path of the parent
/// table, the key and the parent itself.
pub(super) type Choose<'a> = &'a dyn Fn(&str, &str, &Value) -> Option<Value>;

/// A text that was read: its content as JSON and where each part stands.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) value: Value,
    pub(super) source: Places,
    /// Everything that is wrong; the value is only complete when nothing is.
    pub(super) problems: Vec<Diagnostic>,
    /// Every reference to a secret, by path.
    pub(super) secrets: Vec<(String, String)>,
}

/// Where the parts of a text stand.
#[derive(Debug, Clone)]
pub(super) struct Places {
    file: String,
    text: String,
    spans: BTreeMap<String, Range<usize>>,
}

impl Places {
    /// A problem with the value at `path`, or with the nearest table around it that is written down.
    pub(super) fn problem(&self, path: &str, message: impl Into<String>) -> Diagnostic {
        let mut at = path;
        let span = loop {
            if let Some(span) = self.spans.get(at) {
                break span.clone();
            }
            at = match at.rfind(['.', '[']) {
                Some(cut) => at.get(..cut).unwrap_or_default(),
                None if at.is_empty() => break 0..0,
                None => "",
            };
        };
        let key = path.rsplit('.').next().unwrap_or(path);
        self.at(span.start, about(key, &message.into()), None)
    }

    fn at(&self, offset: usize, message: impl Into<String>, help: Option<String>) -> Diagnostic {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Diagnostic {
            file: self.file.clone(),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            message: message.into(),
            help,
        }
    }
}

/// Reads `text` and compares it with `schema`.
pub(super) fn check(file: &str, text: &str, schema: &Value, choose: Choose<'_>) -> Checked {
    let mut walk = Walk {
        root: schema,
        choose,
        source: Places {
            file: file.to_owned(),
            text: text.to_owned(),
            spans: BTreeMap::new(),
        },
        problems: Vec::new(),
        secrets: Vec::new(),
    };
    let value = match DeTable::parse(text) {
        Ok(table) => {
            walk.source.spans.insert(String::new(), 0..0);
            walk.table(table.get_ref(), 0..0, schema, "")
        }
        Err(error) => {
            // The parser's own report would print the line, which may hold a secret.
            let offset = error.span().map_or(0, |span| span.start);
            let message = error
                .message()
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ");
            let help =
                Some("this is a mistake in the TOML itself; strings stand in quotes".to_owned());
            walk.problems.push(walk.source.at(offset, message, help));
            Value::Null
        }
    };
    Checked {
        value,
        source: walk.source,
        problems: walk.problems,
        secrets: walk.secrets,
    }
}

struct Walk<'a> {
    root: &'a Value,
    choose: Choose<'a>,
    source: Places,
    problems: Vec<Diagnostic>,
    secrets: Vec<(String, String)>,
}

impl Walk<'_> {
    fn complain(&mut self, span: Range<usize>, message: impl Into<String>, help: Option<String>) {
        let problem = self.source.at(span.start, message, help);
        self.problems.push(problem);
    }

    fn value(&mut self, node: &Spanned<DeValue<'_>>, schema: &Value, path: &str) -> Value {
        let span = node.span();
        self.source.spans.insert(path.to_owned(), span.clone());
        let (schema, name) = resolve(self.root, schema);
        let options = options(schema);
        if !options.is_empty() {
            return self.choice(node, &options, path);
        }
        if name == Some(SECRET) {
            return self.secret(node, path);
        }
        let schema = schema.clone();
        match node.get_ref() {
            DeValue::Table(table) if accepts(&schema, "object") => {
                self.table(table, span, &schema, path)
            }
            DeValue::Array(array) if accepts(&schema, "array") => {
                let inner = schema.get("items").cloned().unwrap_or(Value::Bool(true));
                let items = array.iter().enumerate();
                items
                    .map(|(index, item)| self.value(item, &inner, &format!("{path}[{index}]")))
                    .collect()
            }
            DeValue::String(text) if accepts(&schema, "string") => {
                self.text(text, span, &schema);
                Value::String(text.to_string())
            }
            DeValue::Datetime(at) if format_of(&schema) == Some("date-time") => {
                // TOML also knows times without an offset; nobody could say when those are.
                self.text(&at.to_string(), span, &schema);
                Value::String(at.to_string())
            }
            DeValue::Boolean(flag) if accepts(&schema, "boolean") => Value::Bool(*flag),
            DeValue::Integer(digits)
                if accepts(&schema, "integer") || accepts(&schema, "number") =>
            {
                match i64::from_str_radix(&digits.as_str().replace('_', ""), digits.radix()) {
                    Ok(number) => {
                        self.bounds(number, span, &schema, path);
                        number.into()
                    }
                    Err(_) => {
                        self.complain(span, "the number is too large", None);
                        Value::Null
                    }
                }
            }
            DeValue::Float(digits) if accepts(&schema, "number") => digits
                .as_str()
                .parse::<f64>()
                .map_or(Value::Null, Value::from),
            found => {
                let message = format!("expected {}, found {}", wanted(&schema), found_words(found));
                let help = help_for(&schema);
                self.complain(span, message, help);
                Value::Null
            }
        }
    }

    fn table(
        &mut self,
        table: &DeTable<'_>,
        span: Range<usize>,
        schema: &Value,
        path: &str,
    ) -> Value {
        let empty = Map::new();
        let known = schema
            .get("properties")
            .and_then(Value::as_object)
            .unwrap_or(&empty);
        let others = schema.get("additionalProperties");
        let names = schema
            .get("propertyNames")
            .and_then(|names| names.get("enum"));
        // What the shape of a neighbour depends on has to be known first: plain values before tables.
        let mut keys: Vec<_> = table.iter().collect();
        keys.sort_by_key(|(_, value)| value.get_ref().is_table());
        let mut result = Map::new();
        for (key, value) in keys {
            let name: &str = key.get_ref();
            let inner = if path.is_empty() {
                name.to_owned()
            } else {
                format!("{path}.{name}")
            };
            let here = Value::Object(result.clone());
            let schema = match (known.get(name), others) {
                (Some(schema), _) => {
                    (self.choose)(path, name, &here).unwrap_or_else(|| schema.clone())
                }
                (None, Some(Value::Object(other))) if named(names, name) => {
                    Value::Object(other.clone())
                }
                (None, Some(Value::Bool(true))) => Value::Bool(true),
                (None, None) if known.is_empty() => Value::Bool(true),
                _ => {
                    let listed = names.and_then(Value::as_array).into_iter().flatten();
                    let allowed: Vec<&str> = known
                        .keys()
                        .map(String::as_str)
                        .chain(listed.filter_map(Value::as_str))
                        .collect();
                    let moved = schema
                        .get("x-moved")
                        .and_then(|moved| moved.get(name)?.as_str());
                    let (message, help) = match moved {
                        Some(to) => (format!("`{name}` has moved"), to.to_owned()),
                        None => (
                            format!("unknown key `{}`", printable(name)),
                            suggestion(name, &allowed),
                        ),
                    };
                    self.complain(key.span(), message, Some(help));
                    continue;
                }
            };
            let value = self.value(value, &schema, &inner);
            result.insert(name.to_owned(), value);
        }
        let required = schema.get("required").and_then(Value::as_array);
        for key in required.into_iter().flatten().filter_map(Value::as_str) {
            let written = table.iter().any(|(name, _)| name.get_ref() == key);
            if !written {
                let about = known
                    .get(key)
                    .and_then(|schema| described(self.root, schema));
                self.complain(span.clone(), format!("`{key}` is missing"), about);
            }
        }
        Value::Object(result)
    }

    fn choice(&mut self, node: &Spanned<DeValue<'_>>, options: &[Value], path: &str) -> Value {
        let names: Vec<&str> = options
            .iter()
            .flat_map(|option| {
                let listed = option.get("enum").and_then(Value::as_array);
                let one = option.get("const");
                listed.into_iter().flatten().chain(one)
            })
            .filter_map(Value::as_str)
            .collect();
        let plain = options
            .iter()
            .all(|option| option.get("const").is_some() || option.get("enum").is_some());
        if plain {
            return match node.get_ref() {
                DeValue::String(text) => {
                    if !names.contains(&&**text) {
                        let message = format!("`{}` is not one of the values", printable(text));
                        self.complain(node.span(), message, Some(suggestion(text, &names)));
                    }
                    Value::String(text.to_string())
                }
                found => {
                    let message =
                        format!("expected one of the values, found {}", found_words(found));
                    let help = Some(format!("one of {}", listing(&names)));
                    self.complain(node.span(), message, help);
                    Value::Null
                }
            };
        }
        // The first form that fits; none fitting, the mistakes of the form of the same type.
        let mut closest = None;
        for option in options {
            let (before, secrets) = (self.problems.len(), self.secrets.len());
            let value = self.value(node, option, path);
            let mistakes = self.problems.split_off(before);
            if mistakes.is_empty() {
                return value;
            }
            self.secrets.truncate(secrets);
            let same_type = accepts(resolve(self.root, option).0, type_name(node.get_ref()));
            if closest.is_none() || same_type {
                closest = Some(mistakes);
            }
        }
        self.problems.extend(closest.into_iter().flatten());
        Value::Null
    }

    fn secret(&mut self, node: &Spanned<DeValue<'_>>, path: &str) -> Value {
        match node.get_ref() {
            DeValue::String(text) if secrets::is_reference(text) => {
                self.secrets.push((path.to_owned(), text.to_string()));
                Value::String(text.to_string())
            }
            _ => {
                let key = path.rsplit('.').next().unwrap_or(path);
                self.complain(node.span(), about(key, secrets::NOT_A_REFERENCE), None);
                Value::Null
            }
        }
    }

    fn text(&mut self, text: &str, span: Range<usize>, schema: &Value) {
        let allowed = schema.get("enum").and_then(Value::as_array);
        if format_of(schema) == Some("date-time") && text.parse::<Timestamp>().is_err() {
            let message = format!("`{}` is not a time", printable(text));
            self.complain(span.clone(), message, help_for(schema));
        }
        let Some(allowed) = allowed else { return };
        let names: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
        if !names.contains(&text) {
            let message = format!("`{}` is not one of the values", printable(text));
            self.complain(span, message, Some(suggestion(text, &names)));
        }
    }

    fn bounds(&mut self, number: i64, span: Range<usize>, schema: &Value, path: &str) {
        let bound = |name: &str| schema.get(name).and_then(Value::as_i64);
        let (least, most) = (bound("minimum"), bound("maximum"));
        if least.is_some_and(|least| number < least) || most.is_some_and(|most| number > most) {
            let message = match (least, most) {
                (Some(least), Some(most)) => format!("must be from {least} to {most}"),
                (Some(least), None) => format!("must be at least {least}"),
                (None, Some(most)) => format!("must be at most {most}"),
                (None, None) => return,
            };
            let key = path.rsplit('.').next().unwrap_or(path);
            self.complain(span, about(key, &message), None);
        }
    }
}

/// A message with the key it is about, where the place alone would leave it half a sentence.
pub(crate) fn about(key: &str, message: &str) -> String {
    let half = ["is ", "must ", "needs ", "names ", "has ", "cannot "];
    if half.iter().any(|verb| message.starts_with(verb)) {
        format!("`{key}` {message}")
    } else {
        message.to_owned()
    }
}

/// Follows references; says the name of the last definition passed.
pub(crate) fn resolve<'s>(root: &'s Value, mut schema: &'s Value) -> (&'s Value, Option<&'s str>) {
    let mut name = None;
    while let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let Some(target) = reference
            .strip_prefix('#')
            .and_then(|path| root.pointer(path))
        else {
            break;
        };
        name = reference.rsplit('/').next();
        schema = target;
    }
    (schema, name)
}

/// The forms a value may take, without the one that stands for its absence; none when there is
/// only one way to write it.
pub(crate) fn options(schema: &Value) -> Vec<Value> {
    ["anyOf", "oneOf"]
        .into_iter()
        .filter_map(|word| schema.get(word)?.as_array())
        .flatten()
        .filter(|option| option.get("type").and_then(Value::as_str) != Some("null"))
        .cloned()
        .collect()
}

fn accepts(schema: &Value, name: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(one)) => one == name,
        Some(Value::Array(many)) => many.iter().any(|one| one == name),
        _ => true,
    }
}

fn format_of(schema: &Value) -> Option<&str> {
    schema.get("format").and_then(Value::as_str)
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) | DeValue::Datetime(_) => "string",
        DeValue::Integer(_) => "integer",
        DeValue::Float(_) => "number",
        DeValue::Boolean(_) => "boolean",
        DeValue::Array(_) => "array",
        DeValue::Table(_) => "object",
    }
}

fn found_words(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::Datetime(_) => "a date",
        other => words(type_name(other)),
    }
}

fn words(name: &str) -> &'static str {
    match name {
        "string" => "a text in quotes",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list in brackets",
        "object" => "a table",
        _ => "something else",
    }
}

/// What belongs here, in words.
pub(crate) fn wanted(schema: &Value) -> String {
    if format_of(schema) == Some("date-time") {
        return "a time".to_owned();
    }
    let names: Vec<&str> = match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many
            .iter()
            .filter_map(Value::as_str)
            .filter(|one| *one != "null")
            .collect(),
        _ => return "something else".to_owned(),
    };
    names
        .into_iter()
        .map(words)
        .collect::<Vec<_>>()
        .join(" or ")
}

fn help_for(schema: &Value) -> Option<String> {
    if format_of(schema) == Some("date-time") {
        return Some("write for example 2026-05-01T09:00:00Z".to_owned());
    }
    None
}

fn described(root: &Value, schema: &Value) -> Option<String> {
    let own = schema.get("description");
    let text = own
        .or_else(|| resolve(root, schema).0.get("description"))?
        .as_str()?;
    Some(first_sentence(text))
}

/// The first sentence of a description, in one line.
pub(crate) fn first_sentence(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.find(". ") {
        Some(end) => line.get(..=end).unwrap_or(&line).to_owned(),
        None => line,
    }
}

fn named(names: Option<&Value>, name: &str) -> bool {
    let Some(names) = names.and_then(Value::as_array) else {
        return true;
    };
    names.iter().any(|known| known == name)
}

/// A name from the file, fit to be shown.
fn printable(name: &str) -> String {
    crate::output::shorten(&quell_model::text::line(name), 64)
}
