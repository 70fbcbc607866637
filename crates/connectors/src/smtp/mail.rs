//! Notices as a mail: text first, HTML beside it, both saying the same.
//!
//! INVARIANT: nothing from a notice reaches a header but through the line that strips control
//! characters, and nothing reaches the HTML unescaped. The only link is the one to the vendor's
//! console; there is no image, and nothing acts by being opened.

use std::fmt::Write as _;
use std::time::SystemTime;

use jiff::Timestamp;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Message, MultiPart, SinglePart};
use quell_connector::{Error, Kind, Result};
use quell_model::{Notice, NoticeKind};
use sha2::{Digest, Sha256};

use super::Smtp;
use crate::wording::{self, Console, cut};

const OPERATION: &str = "smtp.compose";
/// Longest subject; more is not seen in any list of messages.
const SUBJECT: usize = 200;
/// Longest body of one notice. A mail has room; the limit is for hostile input.
const BODY: usize = 20_000;
/// Notices shown, the most urgent ones; the rest is counted.
const SHOWN: usize = 50;

/// The message as bytes. The same key gives the same `Message-ID`.
pub(super) fn compose(
    smtp: &Smtp,
    key: &str,
    notices: &[Notice],
    now: Timestamp,
) -> Result<Vec<u8>> {
    let refuse = || {
        Error::new(
            Kind::Unsupported,
            OPERATION,
            "the message cannot be written",
        )
    };
    let first = wording::most_urgent(notices).ok_or_else(refuse)?;
    let domain = smtp.from.email.domain();
    // A root that was never sent: mail programs put what refers to it into one conversation.
    let mut builder = Message::builder()
        .from(smtp.from.clone())
        .subject(format!("[Quell] {}", wording::summary(notices, SUBJECT)))
        .date(SystemTime::from(now))
        .message_id(Some(format!("<{}@{domain}>", message_id(key))));
    if let Some(incident) = first.incident {
        let incident = format!("<{incident}@{domain}>");
        builder = builder.in_reply_to(incident.clone()).references(incident);
    }
    for recipient in &smtp.to {
        builder = builder.to(recipient.clone());
    }
    let list = format!("Quell <{}.quell.{domain}>", smtp.connection);
    let mut headers = vec![
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
        ("List-Id", list.as_str()),
    ];
    if matches!(
        first.kind,
        NoticeKind::ApprovalNeeded | NoticeKind::Escalation
    ) {
        headers.push(("Importance", "high"));
    }
    for (name, value) in headers {
        let name = HeaderName::new_from_ascii(name.to_owned()).map_err(|_| refuse())?;
        builder = builder.raw_header(HeaderValue::new(name, value.to_owned()));
    }
    let body = MultiPart::alternative()
        .boundary(format!("quell-{}", digest(key)))
        .singlepart(SinglePart::plain(plain(smtp, notices)))
        .singlepart(SinglePart::html(html(smtp, notices)));
    let message = builder
        .multipart(body)
        .map_err(|error| refuse().source(error))?;
    Ok(message.formatted())
}

/// The key as the left part of a `Message-ID`: different keys stay different.
pub(super) fn message_id(key: &str) -> String {
    let mut id = String::new();
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            id.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            write!(id, "={byte:02X}").ok();
        }
    }
    if id.is_empty() || id.len() > 120 {
        digest(key)
    } else {
        id
    }
}

pub(super) fn digest(key: &str) -> String {
    let digest = Sha256::digest(key.as_bytes());
    let mut text = String::with_capacity(32);
    for byte in digest.iter().take(16) {
        write!(text, "{byte:02x}").ok();
    }
    text
}

/// The pieces of one notice, harmless but not escaped.
struct Told {
    headline: String,
    lines: Vec<String>,
    command: Option<String>,
    console: Option<Console>,
    about: String,
}

fn told(notice: &Notice) -> Told {
    let mut left = BODY;
    let mut lines = Vec::new();
    for line in &notice.lines {
        if left == 0 {
            break;
        }
        let line = cut(&wording::sentence(line), left);
        left = left.saturating_sub(wording::units(&line));
        if !line.is_empty() {
            lines.push(line);
        }
    }
    Told {
        headline: wording::headline(notice),
        lines,
        command: wording::command(notice),
        console: wording::console(notice),
        about: match notice.action {
            Some(action) => format!("{} · action {action}", wording::time(notice)),
            None => wording::time(notice),
        },
    }
}

fn overflow(notices: &[Notice]) -> Option<String> {
    let more = notices.len().checked_sub(SHOWN).filter(|more| *more > 0)?;
    Some(format!("… and {more} more, which the incident shows."))
}

fn signature(smtp: &Smtp, notices: &[Notice]) -> String {
    let incident = notices.first().and_then(|notice| notice.incident);
    let about = incident.map(|incident| format!(" about incident {incident}"));
    format!(
        "Sent by Quell (connection {}){}. Replies are not read.",
        smtp.connection,
        about.unwrap_or_default()
    )
}

fn plain(smtp: &Smtp, notices: &[Notice]) -> String {
    let mut parts = Vec::new();
    for notice in wording::shown(notices, SHOWN) {
        let told = told(notice);
        let mut part = vec![told.headline];
        if !told.lines.is_empty() {
            part.push(told.lines.join("\n"));
        }
        if let Some(command) = told.command {
            part.push(format!("To answer, run:\n\n    {command}"));
        }
        match told.console {
            Some(Console::Link { url, host }) => {
                part.push(format!("The alert at {host}:\n{url}"));
            }
            Some(Console::Text(text)) => part.push(format!("The alert: {text}")),
            None => {}
        }
        part.push(told.about);
        parts.push(part.join("\n\n"));
    }
    parts.extend(overflow(notices));
    let rule = format!("\n\n{}\n\n", "-".repeat(40));
    format!(
        "{}\n\n-- \n{}\n",
        parts.join(&rule),
        signature(smtp, notices)
    )
}

/// Set once, in the head: mail programs that drop it show plain headings and paragraphs.
pub(super) const STYLE: &str = "body{font-family:system-ui,sans-serif;line-height:1.45;max-width:44em}\
    h1{font-size:1.25em}pre{padding:.7em;border:1px solid;overflow-x:auto}\
    hr{margin:1.5em 0}small{opacity:.75}";

fn html(smtp: &Smtp, notices: &[Notice]) -> String {
    let mut body = Vec::new();
    for notice in wording::shown(notices, SHOWN) {
        let told = told(notice);
        let mut part = format!("<h1>{}</h1>\n", escape(&told.headline));
        for line in &told.lines {
            part.push_str(&format!("<p>{}</p>\n", escape(line)));
        }
        if let Some(command) = &told.command {
            let command = escape(command);
            part.push_str(&format!(
                "<p>To answer, run:</p>\n<pre><code>{command}</code></pre>\n"
            ));
        }
        match &told.console {
            Some(Console::Link { url, host }) => {
                let (url, host) = (escape(url), escape(host));
                part.push_str(&format!(
                    "<p><a href=\"{url}\">Open the alert at {host}</a></p>\n"
                ));
            }
            Some(Console::Text(text)) => {
                part.push_str(&format!("<p>The alert: {}</p>\n", escape(text)));
            }
            None => {}
        }
        part.push_str(&format!("<p><small>{}</small></p>\n", escape(&told.about)));
        body.push(part);
    }
    body.extend(overflow(notices).map(|text| format!("<p>{}</p>\n", escape(&text))));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n{}<hr>\n<p><small>{}</small></p>\n</body>\n</html>\n",
        escape(&wording::summary(notices, SUBJECT)),
        body.join("<hr>\n"),
        escape(&signature(smtp, notices)),
    )
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_keys_never_share_a_message_id() {
        let keys = [
            "a/b",
            "a=2Fb",
            "a b",
            "ä",
            "",
            &"x".repeat(500),
            &"y".repeat(500),
        ];
        let ids: std::collections::BTreeSet<String> = keys.iter().map(|k| message_id(k)).collect();
        assert_eq!(ids.len(), keys.len());
        for id in ids {
            assert!(
                id.bytes()
                    .all(|b| b.is_ascii_graphic() && !b"<>@()[]\\,;:\"".contains(&b)),
                "{id}"
            );
        }
    }
}
