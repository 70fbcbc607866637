//! What every channel that tells people shares: words for the moments, text made harmless, links.
//!
//! It knows no channel. Each of them still has to escape for its own format; what comes from here
//! is plain text without control characters in which nothing looks like a link to anywhere.

use quell_connector::http::Url;
use quell_model::{Notice, NoticeKind, text};

/// What a moment is called.
pub(crate) const fn label(kind: NoticeKind) -> &'static str {
    match kind {
        NoticeKind::Proposed => "Recorded, not done",
        NoticeKind::ApprovalNeeded => "Approval needed",
        NoticeKind::Reminder => "Still waiting",
        NoticeKind::Escalation => "Nobody decided",
        NoticeKind::Decided => "Decided",
        NoticeKind::Completed => "Done",
        NoticeKind::Failed => "Needs attention",
        NoticeKind::Reverted => "Taken back",
    }
}

/// How soon people must see it; the smallest first.
pub(crate) const fn urgency(kind: NoticeKind) -> u8 {
    match kind {
        NoticeKind::Escalation => 0,
        NoticeKind::ApprovalNeeded => 1,
        NoticeKind::Reminder => 2,
        NoticeKind::Failed => 3,
        NoticeKind::Completed => 4,
        NoticeKind::Reverted => 5,
        NoticeKind::Decided => 6,
        NoticeKind::Proposed => 7,
    }
}

/// The notice people must see first.
pub(crate) fn most_urgent(notices: &[Notice]) -> Option<&Notice> {
    notices.iter().min_by_key(|notice| urgency(notice.kind))
}

/// At most `limit` of them, the most urgent, in the order in which they came.
pub(crate) fn shown(notices: &[Notice], limit: usize) -> Vec<&Notice> {
    let mut by_urgency: Vec<(usize, &Notice)> = notices.iter().enumerate().collect();
    by_urgency.sort_by_key(|(_, notice)| urgency(notice.kind));
    by_urgency.truncate(limit);
    by_urgency.sort_by_key(|(at, _)| *at);
    by_urgency.into_iter().map(|(_, notice)| notice).collect()
}

/// "Approval needed: contain host WS-042": the title, harmless. It says what moment it is itself.
pub(crate) fn headline(notice: &Notice) -> String {
    match line(&notice.title) {
        title if title.is_empty() => label(notice.kind).to_owned(),
        title => title,
    }
}

/// One line that stands for all of them, at most `limit` UTF-16 units long: the headline of the
/// most urgent one, and how many more there are.
pub(crate) fn summary(notices: &[Notice], limit: usize) -> String {
    let Some(first) = most_urgent(notices) else {
        return String::new();
    };
    let more = match notices.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    let room = limit.saturating_sub(units(&more));
    format!("{}{more}", cut(&headline(first), room))
}

/// A harmless line.
pub(crate) fn line(words: &str) -> String {
    defang(text::line(words).trim())
}

/// A harmless sentence, which may be longer than a line.
pub(crate) fn sentence(words: &str) -> String {
    defang(text::block(words).trim())
}

/// The answer as people type it: one line, not defanged, because it is a command to copy.
pub(crate) fn command(notice: &Notice) -> Option<String> {
    let answer = text::line(notice.answer.as_deref()?);
    Some(answer.trim().to_owned()).filter(|answer| !answer.is_empty())
}

/// "2026-09-21 14:13:20 UTC".
pub(crate) fn time(notice: &Notice) -> String {
    notice.at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A way into the vendor's console.
pub(crate) enum Console {
    /// An address that may be made a link. The host is shown, so that a link never hides where it
    /// leads.
    Link {
        /// The address, with everything percent-encoded that could end it early.
        url: String,
        /// Its host, in ASCII, so that look-alike letters are seen.
        host: String,
    },
    /// Something else, as harmless text.
    Text(String),
}

/// Longest address that is made a link.
const LINK_LIMIT: usize = 600;

/// The way into the vendor's console, if the notice names one.
pub(crate) fn console(notice: &Notice) -> Option<Console> {
    let words = notice.console_url.as_deref().map(str::trim)?;
    if words.is_empty() {
        return None;
    }
    let link = Url::parse(words).ok().and_then(|url| {
        let host = url.host_str()?.to_owned();
        let plain = url.scheme() == "https" && url.username().is_empty();
        // The parser leaves these alone; each means something to a channel's own format.
        let url = url
            .as_str()
            .replace('|', "%7C")
            .replace('\'', "%27")
            .replace('`', "%60");
        (plain && url.len() <= LINK_LIMIT).then_some(Console::Link { url, host })
    });
    Some(link.unwrap_or_else(|| Console::Text(cut(&line(words), LINK_LIMIT))))
}

/// Length as the channels' own limits count it.
pub(crate) fn units(words: &str) -> usize {
    words.chars().map(char::len_utf16).sum()
}

/// The text, cut to `limit` UTF-16 units with a visible mark.
pub(crate) fn cut(words: &str, limit: usize) -> String {
    cut_by(words, limit, char::len_utf16)
}

/// As [`cut`], for a format in which a character costs what `cost` says.
pub(crate) fn cut_by(words: &str, limit: usize, cost: impl Fn(char) -> usize) -> String {
    if words.chars().map(&cost).sum::<usize>() <= limit {
        return words.to_owned();
    }
    let mut left = limit.saturating_sub(1);
    let mut kept: String = words
        .chars()
        .take_while(|c| {
            let (rest, fits) = left.overflowing_sub(cost(*c));
            left = rest;
            !fits
        })
        .collect();
    kept.truncate(kept.trim_end().len());
    if limit > 0 {
        kept.push('…');
    }
    kept
}

/// The text with network indicators written so that nothing turns them into links: `hxxp`, `[.]`.
///
/// Names of files and of hosts in private domains stay as they are, because people copy them; so do
/// mail addresses, which lead nowhere by being opened.
pub(crate) fn defang(words: &str) -> String {
    let pieces = pieces(words);
    let mut out = String::with_capacity(words.len() + 16);
    for (index, piece) in pieces.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|at| pieces.get(at));
        let next = pieces.get(index + 1);
        if piece.is_name {
            let scheme = next.is_some_and(|next| next.text.starts_with("://"));
            let address = next.is_some_and(|_| is_mailbox(&pieces, index + 1))
                || before.is_some_and(|_| is_mailbox(&pieces, index - 1));
            if scheme && is_web(piece.text) {
                out.push_str(if piece.text.len() == 4 {
                    "hxxp"
                } else {
                    "hxxps"
                });
            } else if !address && let Some((host, rest)) = host(piece.text) {
                out.push_str(&host.replace(DOTS, "[.]"));
                out.push_str(rest);
            } else {
                out.push_str(piece.text);
            }
        } else {
            let web = before.is_some_and(|before| is_web(before.text));
            if web {
                out.push_str(piece.text);
            } else {
                out.push_str(&piece.text.replace("://", "[:]//"));
            }
        }
    }
    out
}

/// What programs take for a dot between the labels of a domain.
const DOTS: [char; 4] = ['.', '\u{3002}', '\u{ff0e}', '\u{ff61}'];

/// A run of characters that a host name may have, or a run of others.
struct Piece<'a> {
    text: &'a str,
    is_name: bool,
}

fn pieces(words: &str) -> Vec<Piece<'_>> {
    let in_name = |c: char| c.is_alphanumeric() || c == '-' || c == '_' || DOTS.contains(&c);
    let mut pieces = Vec::new();
    let mut rest = words;
    while let Some(first) = rest.chars().next() {
        let is_name = in_name(first);
        let end = rest.find(|c| in_name(c) != is_name).unwrap_or(rest.len());
        let (text, after) = rest.split_at(end);
        pieces.push(Piece { text, is_name });
        rest = after;
    }
    pieces
}

fn is_web(name: &str) -> bool {
    name.eq_ignore_ascii_case("http") || name.eq_ignore_ascii_case("https")
}

/// The host name at the start of a run, and the punctuation after it.
fn host(name: &str) -> Option<(&str, &str)> {
    let bare = name.trim_end_matches(|c| c == '-' || c == '_' || DOTS.contains(&c));
    let rest = name.get(bare.len()..)?;
    let labels: Vec<&str> = bare.split(DOTS).collect();
    let last = labels.last()?;
    let domain = labels.len() > 1
        && (last.starts_with("xn--")
            || last.chars().count() > 1 && last.chars().all(char::is_alphabetic))
        && !NO_DOMAINS.contains(&last.to_ascii_lowercase().as_str());
    let address = labels.len() == 4 && labels.iter().all(|label| label.parse::<u8>().is_ok());
    (domain || address).then_some((bare, rest))
}

/// Whether the piece at `at` is the `@` of a mail address that stands by itself.
fn is_mailbox(pieces: &[Piece<'_>], at: usize) -> bool {
    let text = |at: Option<usize>| at.and_then(|at| pieces.get(at)).map(|piece| piece.text);
    let slash = |text: Option<&str>| text.is_some_and(|text| text.ends_with(['/', '\\']));
    let leads_on =
        |text: Option<&str>| text.is_some_and(|t| t.starts_with(['/', ':', '@', '\\', '?']));
    text(Some(at)) == Some("@")
        && text(at.checked_sub(1)).is_some()
        && text(Some(at + 1)).is_some_and(|domain| host(domain).is_some())
        && !slash(text(at.checked_sub(2)))
        && !leads_on(text(Some(at + 2)))
}

/// Endings that follow a dot in alerts and are no public top-level domain: types of files, and
/// domains that exist only inside.
const NO_DOMAINS: &[&str] = &[
    "bak", "bat", "bin", "bmp", "cer", "cfg", "chm", "class", "cmd", "conf", "cpl", "crt", "csv",
    "dat", "db", "deb", "dll", "dmg", "dmp", "doc", "docm", "docx", "dylib", "elf", "eml", "evtx",
    "exe", "gif", "gz", "hta", "htm", "html", "img", "inf", "ini", "iso", "jar", "jpeg", "jpg",
    "js", "jse", "json", "jsp", "key", "lnk", "log", "msg", "msi", "msix", "ocx", "pdf", "pem",
    "pfx", "php", "pkg", "plist", "png", "ppt", "pptx", "psd", "psm", "rar", "reg", "rpm", "rtf",
    "scr", "sys", "tar", "tmp", "txt", "vbe", "vbs", "wsf", "xls", "xlsm", "xlsx", "xml", "yaml",
    "yml", "corp", "internal", "lan", "local",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(words: &str, harmless: &str) {
        assert_eq!(defang(words), harmless);
    }

    #[test]
    fn nothing_that_reads_like_a_link_is_left_one() {
        check("https://evil.com/a.php?x=1", "hxxps://evil[.]com/a.php?x=1");
        check("HTTP://Evil.COM", "hxxp://Evil[.]COM");
        check("see evil.com.", "see evil[.]com.");
        check("www.paypal.com.evil.net", "www[.]paypal[.]com[.]evil[.]net");
        check("203.0.113.7:443", "203[.]0[.]113[.]7:443");
        check("ftp://evil.com", "ftp[:]//evil[.]com");
        check("xn--pypal-4ve.xn--p1ai", "xn--pypal-4ve[.]xn--p1ai");
        check("evil\u{3002}com", "evil[.]com");
        check("пример.рф", "пример[.]рф");
        check("https://me@evil.com/", "hxxps://me@evil[.]com/");
        check("me@evil.com/path", "me@evil[.]com/path");
        check("@evil.com", "@evil[.]com");
    }

    #[test]
    fn what_people_copy_stays_as_it_is() {
        for same in [
            r"C:\Users\a\invoice.exe",
            "powershell.exe -File run.vbs",
            "dc01.corp.local",
            "version 4.18.2203.5",
            "alice@acme.com",
            "john.doe@mail.acme.com, bob@acme.com",
            "a. b. c",
            "No such host. Done.",
            "1.5 hours",
            "e.g. this",
        ] {
            check(same, same);
        }
    }

    #[test]
    fn a_cut_never_exceeds_the_limit_and_is_visible() {
        for limit in 0..12 {
            assert!(units(&cut("😀😀 abcdef", limit)) <= limit, "{limit}");
        }
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert_eq!(cut("😀😀😀", 5), "😀😀…");
    }
}
