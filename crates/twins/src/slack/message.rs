//! A posted message, and what it does to the people who see it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A message as it was posted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Id of the channel.
    pub channel: String,
    /// Name of the channel.
    pub channel_name: String,
    /// The message's id within the channel: text, never a number.
    pub ts: String,
    /// Text for notifications and for clients without blocks.
    pub text: String,
    /// Blocks.
    pub blocks: Vec<Value>,
    /// The message it answers to, when it is in a thread.
    pub thread_ts: Option<String>,
    /// Whether links may be expanded.
    pub unfurl_links: bool,
    /// Whether media may be expanded.
    pub unfurl_media: bool,
}

impl Message {
    /// What the message's markup would do beyond showing text: `<!channel>` and other special mentions, user, group and
    /// channel references, as written between the angle brackets. Plain text objects have no markup.
    pub fn references(&self) -> Vec<String> {
        self.marked(|inner| matches!(inner.chars().next(), Some('!' | '@' | '#')))
    }

    /// Where the message's markup links to.
    pub fn links(&self) -> Vec<String> {
        let links = self.marked(|inner| !matches!(inner.chars().next(), Some('!' | '@' | '#')));
        let target = |link: String| link.split('|').next().unwrap_or_default().to_owned();
        links.into_iter().map(target).collect()
    }

    /// The buttons, menus and inputs: what a person could act with.
    pub fn controls(&self) -> Vec<&Value> {
        let with_controls = |block: &&Value| {
            block.get("accessory").is_some()
                || matches!(
                    block.get("type").and_then(Value::as_str),
                    Some("actions" | "input")
                )
        };
        self.blocks.iter().filter(with_controls).collect()
    }

    /// The message as a person reads it, one block after the other, entities decoded.
    pub fn shown(&self) -> String {
        let mut lines = Vec::new();
        for block in &self.blocks {
            let kind = block.get("type").and_then(Value::as_str);
            let mut texts = Vec::new();
            text_objects(block, &mut |_, text| texts.push(decoded(text)));
            lines.push(match kind {
                Some("header") => format!("# {}", texts.concat()),
                Some("divider") => "---".to_owned(),
                Some("context") => format!("({})", texts.join(" · ")),
                _ => texts.join("\n"),
            });
        }
        lines.join("\n")
    }

    fn marked(&self, wanted: fn(&str) -> bool) -> Vec<String> {
        let mut found = angled(&self.text);
        for block in &self.blocks {
            text_objects(block, &mut |kind, text| {
                if kind == "mrkdwn" {
                    found.extend(angled(text));
                }
            });
        }
        found.retain(|inner| wanted(inner));
        found
    }

    pub(crate) fn next_ts(&self) -> String {
        let (seconds, micros) = self.ts.split_once('.').unwrap_or((&self.ts, "0"));
        let seconds: u64 = seconds.parse().unwrap_or(0);
        let micros: u64 = micros.parse::<u64>().unwrap_or(0) + 1;
        format!("{}.{:06}", seconds + micros / 1_000_000, micros % 1_000_000)
    }
}

fn text_objects(value: &Value, each: &mut impl FnMut(&str, &str)) {
    match value {
        Value::Object(members) => {
            let text = |name: &str| members.get(name).and_then(Value::as_str);
            match (text("type"), text("text")) {
                (Some(kind @ ("plain_text" | "mrkdwn")), Some(text)) => each(kind, text),
                _ => members
                    .values()
                    .for_each(|member| text_objects(member, each)),
            }
        }
        Value::Array(items) => items.iter().for_each(|item| text_objects(item, each)),
        _ => {}
    }
}

/// What stands behind each angle bracket, up to its partner or the end.
fn angled(text: &str) -> Vec<String> {
    let parts = text.split('<').skip(1);
    parts
        .map(|part| part.split('>').next().unwrap_or(part).to_owned())
        .collect()
}

fn decoded(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}
