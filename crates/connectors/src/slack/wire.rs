//! Requests and replies in Slack's spelling. No logic.

use serde::{Deserialize, Serialize};

/// `chat.postMessage`.
#[derive(Debug, Serialize)]
pub(super) struct Post<'a> {
    pub(super) channel: &'a str,
    pub(super) text: String,
    pub(super) blocks: Vec<Block>,
    pub(super) unfurl_links: bool,
    pub(super) unfurl_media: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block {
    Header { text: Text },
    Section { text: Text },
    Context { elements: Vec<Text> },
    Divider,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Text {
    PlainText {
        text: String,
        emoji: bool,
    },
    /// `verbatim` keeps Slack from making links of what looks like one.
    Mrkdwn {
        text: String,
        verbatim: bool,
    },
}

/// Any reply. A refusal is a success status with `ok: false`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Reply {
    pub(super) ok: bool,
    pub(super) error: Option<String>,
    /// Scope that would be needed, beside `missing_scope`.
    pub(super) needed: Option<String>,
    pub(super) response_metadata: Option<Metadata>,
    /// Members of `auth.test`.
    pub(super) team: Option<String>,
    pub(super) user: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Metadata {
    #[serde(default)]
    pub(super) messages: Vec<String>,
}
