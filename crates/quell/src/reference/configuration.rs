//! The page about the configuration, from the same schema that mistakes are found with.

use serde_json::Value;

use super::markdown::Page;
use super::members::{Words, about, members, properties};
use crate::config::{options, resolve, schema};

pub(super) fn page() -> String {
    let mut page = Page::new("Configuration", INTRODUCTION.trim());
    let schema = schema();
    for (name, section) in properties(&schema) {
        let list = resolve(&schema, section).0.get("items");
        let heading = if list.is_some() {
            format!("`[[{name}]]`")
        } else {
            format!("`[{name}]`")
        };
        page.heading(&heading);
        page.text(&about(&schema, section));
        tables(&mut page, &schema, list.unwrap_or(section), name);
    }
    page.end()
}

/// The keys of a table, and below it those of the tables in it.
pub(super) fn tables(page: &mut Page, root: &Value, table: &Value, path: &str) {
    let (table, _) = resolve(root, table);
    page.text(&members(root, table, Words::Toml));
    for (name, member) in properties(table) {
        let (member, _) = resolve(root, member);
        let inner = options(member)
            .into_iter()
            .next()
            .unwrap_or_else(|| member.clone());
        let (inner, _) = resolve(root, &inner);
        let path = format!("{path}.{name}");
        let items = inner.get("items").map(|items| resolve(root, items).0);
        let entry = inner
            .get("additionalProperties")
            .filter(|entry| entry.is_object());
        if properties(inner).next().is_some() {
            page.subheading(&format!("`[{path}]`"));
            page.text(&about(root, member));
            tables(page, root, inner, &path);
        } else if let Some(items) = items.filter(|items| properties(items).next().is_some()) {
            page.subheading(&format!("`[[{path}]]`"));
            page.text(&about(root, items));
            tables(page, root, items, &path);
        } else if let Some(entry) = entry {
            let names = inner
                .pointer("/propertyNames/enum")
                .and_then(Value::as_array);
            let names: Vec<String> = names
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(|n| format!("`{n}`"))
                .collect();
            page.subheading(&format!("`[{path}]`"));
            page.text(&format!("Keys: {}. Each has a table:", names.join(", ")));
            tables(page, root, entry, &path);
        }
    }
}

const INTRODUCTION: &str = r#"
`quell serve` reads one TOML file. [`quell.example.toml`](../../quell.example.toml) has every key with
an explanation; `quell config check --config quell.toml` names every mistake with its line and column.
A key that does not stand here is refused.

- Durations are texts with a unit: `"30s"`, `"15m"`, `"4h"`.
- A *reference to a secret* says where it is kept: `"env:NAME"` or `"file:/path"`. The secret itself is
  refused, and never repeated.
- Relative paths start at the file's own folder.
"#;
