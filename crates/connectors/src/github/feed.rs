//! Secret scanning alerts by polling, newest change first: what a webhook lost comes this way.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use quell_connector::http::Url;
use quell_connector::{Batch, BoxFuture, Call, Error, Feed, Kind, Result, document};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{GitHub, api};
use crate::lenient::Text;

/// How far back every sweep reaches beyond the latest change seen.
const OVERLAP: SignedDuration = SignedDuration::from_mins(2);
/// Changes remembered so that the overlap does not bring them again. Beyond this they come again,
/// which is allowed.
const MOST_REMEMBERED: usize = 2000;
const PAGE: u16 = 100;

/// Where the feed stands. A sweep reads from the newest change back to `from`.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Cursor {
    /// The sweep ends with the first change before this moment.
    from: Timestamp,
    /// The latest change seen; the next sweep reaches a little further back.
    latest: Timestamp,
    /// The vendor's mark of the next page, in the middle of a sweep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    /// Changes inside the overlap that were handed on: `<updated>@<address>`.
    #[serde(default)]
    seen: BTreeSet<String>,
}

/// What the feed needs of an alert.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Stamp {
    url: Text,
    updated_at: Text,
    created_at: Text,
}

impl Cursor {
    fn first(now: Timestamp, lookback: SignedDuration) -> Self {
        let from = back(now, lookback);
        Self {
            from,
            latest: from,
            after: None,
            seen: BTreeSet::new(),
        }
    }

    /// Takes an alert in: whether it is new, and whether the sweep has come to its end.
    fn take(&mut self, json: &RawValue, now: Timestamp) -> (bool, bool) {
        let stamp: Stamp = document::read(json).unwrap_or_default();
        let at = stamp.updated_at.raw().or_else(|| stamp.created_at.raw());
        let at = at.and_then(|at| at.parse::<Timestamp>().ok());
        let (Some(at), Some(url)) = (at, stamp.url.raw()) else {
            return (true, false);
        };
        if at < self.from {
            return (false, true);
        }
        // A change dated in the future must not carry the cursor past changes still to come.
        self.latest = self.latest.max(at.min(now));
        (self.seen.insert(format!("{at:.3}@{url}")), false)
    }

    /// Starts the next sweep, and forgets what it cannot bring again.
    fn finish(&mut self) {
        self.after = None;
        self.from = back(self.latest, OVERLAP).max(self.from);
        self.seen = self.seen.split_off(&format!("{:.3}", self.from));
        while self.seen.len() > MOST_REMEMBERED {
            self.seen.pop_first();
        }
    }
}

fn back(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The mark of the next page in a `Link` header. Only the mark is taken, never the address.
fn next_page(link: &str) -> Option<String> {
    let next = link.split(',').find(|part| part.contains("rel=\"next\""))?;
    let url = next.split('<').nth(1)?.split('>').next()?;
    let url = Url::parse(url).ok()?;
    let (_, mark) = url.query_pairs().find(|(name, _)| name == "after")?;
    (!mark.is_empty()).then(|| mark.into_owned())
}

impl GitHub {
    async fn sweep(&self, cx: &Call, stored: Option<&Value>) -> Result<Batch> {
        let now = cx.clock().now();
        let mut cursor = match stored {
            Some(stored) => Cursor::deserialize(stored).map_err(|error| {
                // Starting over could leave alerts out, so a person has to decide.
                let detail = "the stored place in the feed cannot be read";
                Error::new(Kind::ConfigInvalid, api::SECRETS, detail).source(error)
            })?,
            None => Cursor::first(now, self.poll.lookback),
        };
        let request = self.api.secrets(PAGE, cursor.after.as_deref());
        let reply = match self.api.send(cx, request).await {
            // The vendor no longer knows its own mark: start the sweep again.
            Err(error) if error.kind == Kind::VendorRejected && cursor.after.is_some() => {
                self.api.send(cx, self.api.secrets(PAGE, None)).await?
            }
            result => result?,
        };
        let page: Vec<Box<RawValue>> = reply.json()?;
        let mut at_end = page.is_empty();
        let mut documents = page;
        documents.retain(|json| {
            let (new, end) = cursor.take(json, now);
            at_end |= end;
            new
        });
        let next = reply.header("link").and_then(next_page);
        let more = !at_end && next.is_some() && next != cursor.after;
        if more {
            cursor.after = next;
        } else {
            cursor.finish();
        }
        let cursor = serde_json::to_value(&cursor).map_err(|error| {
            let detail = "the place in the feed cannot be stored";
            Error::new(Kind::ReplyUnreadable, api::SECRETS, detail).source(error)
        })?;
        Ok(Batch {
            documents,
            cursor,
            more,
        })
    }
}

impl Feed for GitHub {
    fn interval(&self) -> Duration {
        self.poll.pause()
    }

    fn poll<'a>(&'a self, cx: &'a Call, cursor: Option<&'a Value>) -> BoxFuture<'a, Result<Batch>> {
        Box::pin(self.sweep(cx, cursor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_mark_of_the_next_page_is_taken_from_a_link() {
        let link = "<https://evil.example/x?before=a>; rel=\"prev\", <https://evil.example/y?per_page=2&after=Y3Vyc29yOnYyOpK5%3D%3D>; rel=\"next\"";
        assert_eq!(next_page(link).as_deref(), Some("Y3Vyc29yOnYyOpK5=="));
        for last in [
            "",
            "<https://x.example/?after=>; rel=\"next\"",
            "<https://x.example/?after=a>; rel=\"last\"",
            "rel=\"next\"",
        ] {
            assert_eq!(next_page(last), None, "{last}");
        }
    }

    #[test]
    fn a_change_is_taken_once_and_an_older_one_ends_the_sweep() {
        let now: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
        let alert = |at: &str| {
            let text = format!(r#"{{"url":"https://api.github.com/a/1","updated_at":"{at}"}}"#);
            RawValue::from_string(text).unwrap()
        };
        let mut cursor = Cursor::first(now, SignedDuration::from_hours(1));
        assert_eq!(
            cursor.take(&alert("2026-01-01T11:59:00Z"), now),
            (true, false)
        );
        assert_eq!(
            cursor.take(&alert("2026-01-01T11:59:00Z"), now),
            (false, false)
        );
        assert_eq!(
            cursor.take(&alert("2026-01-01T10:00:00Z"), now),
            (false, true)
        );
        cursor.finish();
        assert_eq!(cursor.from, "2026-01-01T11:57:00Z".parse().unwrap());
        assert_eq!(
            cursor.take(&alert("2026-01-01T11:59:00Z"), now),
            (false, false)
        );
        assert_eq!(
            cursor.take(&alert("2099-01-01T00:00:00Z"), now),
            (true, false)
        );
        assert_eq!(cursor.latest, now);
    }
}
