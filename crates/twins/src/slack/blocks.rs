//! Block Kit's limits, as the vendor checks them before it takes a message.

use serde_json::Value;

/// About where `msg_blocks_too_long` begins. The vendor documents no number; reports put it between 11,000 and 13,300
/// characters of text, so the twin refuses from the lower end.
pub(crate) const WEIGHT_LIMIT: usize = 11_000;

/// Characters of all texts in the blocks together.
pub(crate) fn weight(blocks: &[Value]) -> usize {
    blocks.iter().map(texts).sum()
}

fn texts(value: &Value) -> usize {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| match value {
                Value::String(text) if name == "text" => length(text),
                other => texts(other),
            })
            .sum(),
        Value::Array(items) => items.iter().map(texts).sum(),
        _ => 0,
    }
}

/// The vendor's clients count UTF-16 units; counting the same errs on the strict side.
fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// What is wrong with the blocks, in the vendor's words with its JSON pointers; empty when nothing is.
pub(crate) fn problems(blocks: &[Value]) -> Vec<String> {
    let mut found = Found(Vec::new());
    if blocks.len() > 50 {
        found.add("no more than 50 items allowed", "/blocks");
    }
    for (index, block) in blocks.iter().enumerate() {
        check(block, &format!("/blocks/{index}"), &mut found);
    }
    found.0
}

struct Found(Vec<String>);

impl Found {
    fn add(&mut self, what: impl std::fmt::Display, at: &str) {
        self.0.push(format!("{what} [json-pointer:{at}]"));
    }
}

/// Which text objects a place takes.
#[derive(Clone, Copy, PartialEq)]
enum Style {
    Plain,
    Any,
}

fn check(block: &Value, at: &str, found: &mut Found) {
    if !block.is_object() {
        return found.add("must be an object", at);
    }
    id(block.get("block_id"), &format!("{at}/block_id"), found);
    let member = |name: &str| (block.get(name), format!("{at}/{name}"));
    match block.get("type").and_then(Value::as_str) {
        Some("header") => {
            let (text, at) = member("text");
            text_object(text, &at, Style::Plain, 150, found);
        }
        Some("section") => section(block, at, found),
        Some("context") => {
            let (elements, at) = member("elements");
            items(elements, &at, 10, found, |element, at, found| {
                if element.get("type").and_then(Value::as_str) != Some("image") {
                    text_object(Some(element), at, Style::Any, 2000, found);
                }
            });
        }
        Some("actions") => {
            let (elements, at) = member("elements");
            items(elements, &at, 25, found, button);
        }
        Some("divider" | "image" | "rich_text") => {}
        Some(other) => found.add(
            format_args!("unsupported type: {other}"),
            &format!("{at}/type"),
        ),
        None => found.add("missing required field: type", at),
    }
}

fn section(block: &Value, at: &str, found: &mut Found) {
    let (text, fields) = (block.get("text"), block.get("fields"));
    if text.is_none() && fields.is_none() {
        return found.add("must define either `text` or `fields`", at);
    }
    if text.is_some() {
        text_object(text, &format!("{at}/text"), Style::Any, 3000, found);
    }
    if fields.is_some() {
        items(
            fields,
            &format!("{at}/fields"),
            10,
            found,
            |field, at, found| text_object(Some(field), at, Style::Any, 2000, found),
        );
    }
}

fn button(element: &Value, at: &str, found: &mut Found) {
    if element.get("type").and_then(Value::as_str) != Some("button") {
        return;
    }
    let text = element.get("text");
    text_object(text, &format!("{at}/text"), Style::Plain, 75, found);
    id(element.get("action_id"), &format!("{at}/action_id"), found);
    for (name, limit) in [("value", 2000), ("url", 3000)] {
        if let Some(value) = element.get(name).and_then(Value::as_str)
            && length(value) > limit
        {
            found.add(
                format_args!("must be less than {} characters", limit + 1),
                &format!("{at}/{name}"),
            );
        }
    }
}

fn items(
    list: Option<&Value>,
    at: &str,
    limit: usize,
    found: &mut Found,
    each: fn(&Value, &str, &mut Found),
) {
    let Some(list) = list.and_then(Value::as_array).filter(|l| !l.is_empty()) else {
        return found.add("must provide at least 1 item", at);
    };
    if list.len() > limit {
        found.add(format_args!("no more than {limit} items allowed"), at);
    }
    for (index, item) in list.iter().enumerate() {
        each(item, &format!("{at}/{index}"), found);
    }
}

fn id(value: Option<&Value>, at: &str, found: &mut Found) {
    if value
        .and_then(Value::as_str)
        .is_some_and(|id| length(id) > 255)
    {
        found.add("must be less than 256 characters", at);
    }
}

fn text_object(object: Option<&Value>, at: &str, style: Style, limit: usize, found: &mut Found) {
    let Some(object) = object.filter(|object| object.is_object()) else {
        return found.add("missing required field: text", at);
    };
    match object.get("type").and_then(Value::as_str) {
        Some("plain_text") => {}
        Some("mrkdwn") if style == Style::Any => {
            if object.get("emoji").is_some() {
                found.add("additional property \"emoji\" not allowed", at);
            }
        }
        _ => found.add("unsupported type for text", &format!("{at}/type")),
    }
    let at = format!("{at}/text");
    match object.get("text").and_then(Value::as_str).map(length) {
        None => found.add("missing required field: text", &at),
        Some(0) => found.add("must be more than 0 characters", &at),
        Some(length) if length > limit => {
            found.add(
                format_args!("must be less than {} characters", limit + 1),
                &at,
            );
        }
        Some(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(blocks: Value) -> Vec<String> {
        problems(blocks.as_array().unwrap())
    }

    #[test]
    fn blocks_within_the_limits_have_no_problem() {
        let blocks = json!([
            {"type": "header", "text": {"type": "plain_text", "text": "a".repeat(150)}},
            {"type": "section", "text": {"type": "mrkdwn", "text": "b".repeat(3000)}},
            {"type": "divider"},
            {"type": "context", "elements": [{"type": "plain_text", "text": "c", "emoji": false}]},
        ]);
        assert_eq!(found(blocks), [""; 0]);
    }

    #[test]
    fn every_limit_is_named_with_its_place() {
        let text = |text: String| json!({"type": "plain_text", "text": text});
        let header = |length| json!([{"type": "header", "text": text("a".repeat(length))}]);
        assert_eq!(
            found(header(151)),
            ["must be less than 151 characters [json-pointer:/blocks/0/text/text]"]
        );
        assert_eq!(
            found(header(0)),
            ["must be more than 0 characters [json-pointer:/blocks/0/text/text]"]
        );
        assert_eq!(
            found(json!([{"type": "header", "text": {"type": "mrkdwn", "text": "a"}}])),
            ["unsupported type for text [json-pointer:/blocks/0/text/type]"]
        );
        assert_eq!(
            found(json!([{"type": "section"}])),
            ["must define either `text` or `fields` [json-pointer:/blocks/0]"]
        );
        assert_eq!(
            found(json!([{"type": "context", "elements": vec![text("a".into()); 11]}])),
            ["no more than 10 items allowed [json-pointer:/blocks/0/elements]"]
        );
        assert_eq!(
            found(json!(vec![json!({"type": "divider"}); 51])),
            ["no more than 50 items allowed [json-pointer:/blocks]"]
        );
        assert_eq!(
            found(json!([{"type": "banner"}])),
            ["unsupported type: banner [json-pointer:/blocks/0/type]"]
        );
    }
}
