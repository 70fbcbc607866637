//! Notices as a Slack message: who must answer sees it in the first line, and how in the last.
//!
//! INVARIANT: whatever the notices say, the message is within Slack's limits and nothing in it but
//! the link to the vendor's console leads anywhere or calls anybody. Texts from alerts are plain
//! text objects, which have no markup; the two pieces of markup are escaped.

use quell_connector::{BoxFuture, Call, Notify, Result};
use quell_model::{Notice, NoticeKind};

use super::wire::{Block, Post, Text};
use super::{Slack, api};
use crate::wording::{self, Console, cut, cut_by, units};

/// Longest header.
const HEADER: usize = 150;
/// Longest text of a section.
const SECTION: usize = 3000;
/// Longest fallback text; notifications show far less.
const FALLBACK: usize = 300;
/// Longest command shown.
const COMMAND: usize = 300;
/// Longest address of a link, escaped; a context element takes 2000.
const LINK: usize = 1500;
/// Longest body of a notice that shares the message with others.
const SHARED_BODY: usize = 700;
/// Longest list of those that are only mentioned.
const MENTIONS: usize = 1500;
/// All texts of the notices shown in full. Slack refuses messages from somewhere above 11,000
/// characters on; its documentation has no number.
const ROOM: usize = 7000;
/// No notice needs less; below it, looking for one that still fits is in vain.
const SMALLEST: usize = 60;
const SMALLEST_BLOCKS: usize = 3;
/// Blocks for the notices shown in full. Slack takes 50; six are kept for what stands around them.
const BLOCKS: usize = 44;

impl Notify for Slack {
    fn notify<'a>(
        &'a self,
        cx: &'a Call,
        _key: &'a str,
        notices: &'a [Notice],
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let Some((text, blocks)) = compose(notices) else {
                return Ok(());
            };
            let post = Post {
                channel: self.channel.as_str(),
                text,
                blocks,
                unfurl_links: false,
                unfurl_media: false,
            };
            api::post_message(self, cx, &post).await
        })
    }
}

/// The fallback text and the blocks; none when there is nothing to tell.
fn compose(notices: &[Notice]) -> Option<(String, Vec<Block>)> {
    let first = wording::most_urgent(notices)?;
    let fallback = escape(&wording::summary(notices, FALLBACK), FALLBACK);
    let sign = sign(first.kind);
    let header = wording::summary(notices, HEADER - units(sign) - 1);
    let mut blocks = vec![Block::Header {
        text: plain(format!("{sign} {header}")),
    }];
    match notices {
        [only] => {
            blocks.extend(body(&lines(only, SECTION), SECTION));
            blocks.extend(answer(only));
            blocks.push(footer(only, &incident(only)));
        }
        several => {
            digest(several, &mut blocks);
            blocks.push(Block::Context {
                elements: vec![plain(incident(first))],
            });
        }
    }
    Some((fallback, blocks))
}

/// What a notice is about that is about no incident.
const OURSELVES: &str = "about Quell itself";

/// What a notice belongs to.
fn incident(notice: &Notice) -> String {
    match notice.incident {
        Some(incident) => format!("incident {incident}"),
        None => OURSELVES.to_owned(),
    }
}

/// Several notices in their order. When there is no room for all of them, the most urgent are
/// shown in full and the others are mentioned.
fn digest(notices: &[Notice], blocks: &mut Vec<Block>) {
    let mut by_urgency: Vec<usize> = (0..notices.len()).collect();
    by_urgency.sort_by_key(|at| notices.get(*at).map(|notice| wording::urgency(notice.kind)));
    let mut full: Vec<Option<Vec<Block>>> = vec![None; notices.len()];
    let (mut room, mut free) = (ROOM, BLOCKS);
    for at in &by_urgency {
        let (Some(notice), Some(slot)) = (notices.get(*at), full.get_mut(*at)) else {
            continue;
        };
        if room < SMALLEST || free < SMALLEST_BLOCKS {
            break;
        }
        let entry = entry(notice);
        let size: usize = entry.iter().map(weight).sum();
        if size <= room && entry.len() <= free {
            room -= size;
            free -= entry.len();
            *slot = Some(entry);
        }
    }
    blocks.extend(full.iter().flatten().flatten().cloned());
    let left = by_urgency
        .iter()
        .filter(|at| full.get(**at).is_some_and(Option::is_none))
        .filter_map(|at| notices.get(*at))
        .collect::<Vec<_>>();
    if !left.is_empty() {
        blocks.push(Block::Divider);
        blocks.push(Block::Section {
            text: plain(mentions(&left)),
        });
    }
}

/// One notice of several.
fn entry(notice: &Notice) -> Vec<Block> {
    let title = cut(&wording::headline(notice), HEADER);
    let text = format!(
        "{} {title}\n{}",
        sign(notice.kind),
        lines(notice, SHARED_BODY)
    );
    let mut blocks = vec![Block::Divider];
    blocks.extend(body(&text, SHARED_BODY));
    blocks.extend(answer(notice));
    let about = notice.action.map(|action| action.to_string());
    blocks.push(footer(notice, about.as_deref().unwrap_or(OURSELVES)));
    blocks
}

/// One line for each, as far as they fit; the rest is counted.
fn mentions(notices: &[&Notice]) -> String {
    let mut text = String::new();
    for (index, notice) in notices.iter().enumerate() {
        let title = cut(&wording::headline(notice), HEADER);
        let answer = match wording::command(notice) {
            Some(command) => format!(" — answer with: {}", cut(&command, COMMAND)),
            None => String::new(),
        };
        let line = format!("{} {title}{answer}\n", sign(notice.kind));
        if units(&text) + units(&line) > MENTIONS {
            let rest = notices.len() - index;
            text.push_str(&format!("… and {rest} more, which the incident shows."));
            break;
        }
        text.push_str(&line);
    }
    text.truncate(text.trim_end().len());
    text
}

/// The notice's sentences, a line each; not many more than fit into `limit`.
fn lines(notice: &Notice, limit: usize) -> String {
    let mut text = String::new();
    for line in &notice.lines {
        if units(&text) > limit {
            break;
        }
        let line = wording::sentence(line);
        if !line.is_empty() {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}

fn body(text: &str, limit: usize) -> Option<Block> {
    let text = cut(text.trim(), limit);
    (!text.is_empty()).then(|| Block::Section { text: plain(text) })
}

fn answer(notice: &Notice) -> Option<Block> {
    // A backtick would end the code early; no command has one.
    let command = wording::command(notice)?.replace('`', "'");
    let command = escape(&command, COMMAND);
    Some(Block::Section {
        text: marked(format!("*To answer, run:*\n```{command}```")),
    })
}

fn footer(notice: &Notice, about: &str) -> Block {
    let mut elements = Vec::new();
    match wording::console(notice) {
        Some(Console::Link { url, host }) => {
            let link = escape(&url, usize::MAX);
            elements.push(if units(&link) <= LINK {
                let host = escape(&host, HEADER);
                marked(format!("<{link}|Open the alert at {host}>"))
            } else {
                plain(format!("The alert: {}", wording::line(&url)))
            });
        }
        Some(Console::Text(text)) => elements.push(plain(format!("The alert: {text}"))),
        None => {}
    }
    elements.push(plain(format!("{} · {about}", wording::time(notice))));
    Block::Context { elements }
}

/// Read at a glance in a busy channel.
const fn sign(kind: NoticeKind) -> &'static str {
    match kind {
        NoticeKind::ApprovalNeeded | NoticeKind::Reminder | NoticeKind::Escalation => "✋",
        NoticeKind::Failed => "⚠️",
        NoticeKind::Completed => "✅",
        NoticeKind::Reverted => "↩️",
        NoticeKind::Decided => "🧭",
        NoticeKind::Proposed => "📝",
    }
}

/// Text without markup. Shortcodes such as `:skull:` stay letters.
fn plain(text: String) -> Text {
    Text::PlainText { text, emoji: false }
}

/// Text whose markup is ours; everything else in it is escaped.
fn marked(text: String) -> Text {
    Text::Mrkdwn {
        text,
        verbatim: true,
    }
}

/// Escapes Slack's three control characters, at most `limit` units long afterwards.
fn escape(text: &str, limit: usize) -> String {
    let cost = |c: char| match c {
        '&' => 5,
        '<' | '>' => 4,
        other => other.len_utf16(),
    };
    cut_by(text, limit, cost)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn weight(block: &Block) -> usize {
    let of = |text: &Text| match text {
        Text::PlainText { text, .. } | Text::Mrkdwn { text, .. } => units(text),
    };
    match block {
        Block::Header { text } | Block::Section { text } => of(text),
        Block::Context { elements } => elements.iter().map(of).sum(),
        Block::Divider => 0,
    }
}
