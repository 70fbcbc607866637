//! A letter to one person: text first, HTML beside it, both saying the same.
//!
//! INVARIANT: the only link is the letter's own, which Quell made. Nothing reaches a header but through
//! the line that strips control characters, and nothing reaches the HTML unescaped.

use std::time::SystemTime;

use jiff::Timestamp;
use lettre::Address;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};
use quell_connector::{BoxFuture, Call, Error, Kind, Letter, Result, Tell};
use quell_model::text;

use super::Smtp;
use super::mail::{STYLE, digest, escape, message_id};

const OPERATION: &str = "smtp.letter";

impl Tell for Smtp {
    fn tell<'a>(
        &'a self,
        cx: &'a Call,
        key: &'a str,
        to: &'a str,
        letter: &'a Letter,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let refuse = |detail: &str| Error::new(Kind::Unsupported, OPERATION, detail);
            let to: Address = to
                .parse()
                .ok()
                .filter(|to: &Address| to.to_string().is_ascii())
                .ok_or_else(|| refuse("the account's name is not a mail address"))?;
            let message = compose(self, key, &to, letter, cx.clock().now())
                .ok_or_else(|| refuse("the message cannot be written"))?;
            self.carry(cx, key, &[to], &message).await
        })
    }
}

fn compose(
    smtp: &Smtp,
    key: &str,
    to: &Address,
    letter: &Letter,
    now: Timestamp,
) -> Option<Vec<u8>> {
    let domain = smtp.from.email.domain();
    let lines: Vec<String> = letter.lines.iter().map(|line| text::block(line)).collect();
    let mut builder = Message::builder()
        .from(smtp.from.clone())
        .to(Mailbox::new(None, to.clone()))
        .subject(text::line(&letter.subject))
        .date(SystemTime::from(now))
        .message_id(Some(format!("<{}@{domain}>", message_id(key))));
    for (name, value) in [
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
    ] {
        let name = HeaderName::new_from_ascii(name.to_owned()).ok()?;
        builder = builder.raw_header(HeaderValue::new(name, value.to_owned()));
    }
    let link = &letter.link;
    let plain = format!(
        "{}\n\n{link}\n\n-- \nSent by Quell for your security team. Replies are not read.\n",
        lines.join("\n\n")
    );
    let paragraphs: String = lines
        .iter()
        .map(|line| format!("<p>{}</p>\n", escape(line)))
        .collect();
    let (subject, link) = (escape(&text::line(&letter.subject)), escape(link));
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{subject}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n{paragraphs}<p><a href=\"{link}\">{link}</a></p>\n\
         <hr>\n<p><small>Sent by Quell for your security team. Replies are not read.</small></p>\n\
         </body>\n</html>\n"
    );
    let body = MultiPart::alternative()
        .boundary(format!("quell-{}", digest(key)))
        .singlepart(SinglePart::plain(plain))
        .singlepart(SinglePart::html(html));
    builder
        .multipart(body)
        .ok()
        .map(|message| message.formatted())
}
