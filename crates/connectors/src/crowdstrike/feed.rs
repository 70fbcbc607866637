//! Alerts by polling, oldest change first, and one alert by its id.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use quell_connector::http::Reply;
use quell_connector::{Batch, BoxFuture, Call, Error, Feed, Fetch, Kind, Result, document};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::wire::{AlertStamp, Alerts};
use super::{CrowdStrike, api};

/// How far back every sweep starts before the latest change seen: alerts may become searchable after
/// others that changed later.
const OVERLAP: SignedDuration = SignedDuration::from_mins(2);
/// Changes remembered so that the overlap does not bring them again. Beyond this they come again,
/// which is allowed.
const MOST_REMEMBERED: usize = 2000;

/// Where the feed stands. A sweep reads everything changed after `from`, page by page.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Cursor {
    /// The sweep reads changes after this moment.
    from: Timestamp,
    /// The latest change seen; the next sweep starts a little before it.
    latest: Timestamp,
    /// The vendor's mark of the next page, in the middle of a sweep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    /// Changes inside the overlap that were handed on: `<updated>@<composite id>`.
    #[serde(default)]
    seen: BTreeSet<String>,
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

    fn read(stored: &Value) -> Result<Self> {
        Self::deserialize(stored).map_err(|error| {
            // Starting over could leave alerts out, so a person has to decide.
            let detail = "the stored place in the feed cannot be read";
            Error::new(Kind::ConfigInvalid, api::ALERTS_SEARCH, detail).source(error)
        })
    }

    /// A sweep from the latest change seen.
    fn again(mut self) -> Self {
        self.from = back(self.latest, OVERLAP).max(self.from);
        self.after = None;
        self
    }

    /// Takes a document in, and says whether it is new. A change dated in the future must not carry
    /// the cursor past changes still to come.
    fn take(&mut self, json: &RawValue, now: Timestamp) -> bool {
        let stamp: AlertStamp = document::read(json).unwrap_or_default();
        let (id, updated) = (stamp.composite_id.raw(), stamp.updated_timestamp.raw());
        let (Some(id), Some(updated)) = (id, updated) else {
            return true;
        };
        let Ok(at) = updated.parse::<Timestamp>() else {
            return true;
        };
        self.latest = self.latest.max(at.min(now));
        let key = format!("{at:.9}@{id}");
        if self.seen.contains(&key) {
            return false;
        }
        self.seen.insert(key);
        true
    }

    /// Forgets changes that no sweep from now on brings again, and the oldest beyond the limit.
    fn forget(&mut self) {
        let edge = format!("{:.9}", back(self.latest, OVERLAP).max(self.from));
        self.seen = self.seen.split_off(&edge);
        while self.seen.len() > MOST_REMEMBERED {
            self.seen.pop_first();
        }
    }
}

fn back(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::UNIX_EPOCH)
}

impl CrowdStrike {
    async fn page(&self, cx: &Call, cursor: &Cursor) -> Result<(Alerts, Reply)> {
        let filter = format!("updated_timestamp:>'{:.9}'", cursor.from);
        let after = cursor.after.as_deref();
        api::search_alerts(&self.plane, cx, &filter, self.poll.page_size, after).await
    }

    async fn sweep(&self, cx: &Call, stored: Option<&Value>) -> Result<Batch> {
        let now = cx.clock().now();
        let mut cursor = match stored {
            Some(stored) => Cursor::read(stored)?,
            None => Cursor::first(now, self.poll.lookback),
        };
        let (envelope, reply) = match self.page(cx, &cursor).await {
            // The vendor no longer knows its own mark: start the sweep again where it had come to.
            Err(error) if error.kind == Kind::VendorRejected && cursor.after.is_some() => {
                cursor = cursor.again();
                self.page(cx, &cursor).await?
            }
            result => result?,
        };
        if let Some(error) = envelope.errors.iter().next() {
            // Part of the page may be missing, so the cursor must not move.
            return Err(error.meaning(&reply, false));
        }
        let page = envelope.resources.unwrap_or_default();
        let next = envelope
            .meta
            .pagination
            .and_then(|pages| pages.after.raw().map(str::to_owned));
        let more = !page.is_empty() && next.is_some() && next != cursor.after;
        let documents = page
            .into_iter()
            .filter(|json| cursor.take(json, now))
            .collect();
        if more {
            cursor.after = next;
        } else {
            cursor = cursor.again();
        }
        cursor.forget();
        let cursor = serde_json::to_value(&cursor).map_err(|error| {
            let detail = "the place in the feed cannot be stored";
            Error::new(Kind::ReplyUnreadable, api::ALERTS_SEARCH, detail).source(error)
        })?;
        Ok(Batch {
            documents,
            cursor,
            more,
        })
    }

    async fn one(&self, cx: &Call, id: &str) -> Result<Option<Box<RawValue>>> {
        let (envelope, reply) = api::read_alerts(&self.plane, cx, &[id]).await?;
        let about = |json: &RawValue| {
            let stamp: AlertStamp = document::read(json).unwrap_or_default();
            stamp.composite_id.raw() == Some(id)
        };
        let found = envelope
            .resources
            .unwrap_or_default()
            .into_iter()
            .find(|json| about(json));
        match (found, envelope.errors.iter().next()) {
            (Some(json), _) => Ok(Some(json)),
            (None, Some(error)) => match error.meaning(&reply, false) {
                error if error.kind == Kind::TargetNotFound => Ok(None),
                error => Err(error),
            },
            (None, None) => Ok(None),
        }
    }
}

impl Feed for CrowdStrike {
    fn interval(&self) -> Duration {
        self.poll.pause()
    }

    fn poll<'a>(&'a self, cx: &'a Call, cursor: Option<&'a Value>) -> BoxFuture<'a, Result<Batch>> {
        Box::pin(self.sweep(cx, cursor))
    }
}

impl Fetch for CrowdStrike {
    fn fetch<'a>(
        &'a self,
        cx: &'a Call,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Option<Box<RawValue>>>> {
        Box::pin(self.one(cx, id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn document(id: &str, updated: &str) -> Box<RawValue> {
        let text = format!(r#"{{"composite_id":"{id}","updated_timestamp":"{updated}"}}"#);
        RawValue::from_string(text).unwrap()
    }

    #[test]
    fn a_change_is_taken_once_and_a_new_change_of_the_same_alert_again() {
        let now = at("2026-01-01T12:00:00Z");
        let mut cursor = Cursor::first(now, SignedDuration::from_mins(15));
        let json = document("c:ind:a:1", "2026-01-01T11:59:00.5Z");
        assert!(cursor.take(&json, now));
        // The same instant in another spelling is the same change.
        assert!(!cursor.take(
            &document("c:ind:a:1", "2026-01-01T11:59:00.500000000Z"),
            now
        ));
        assert!(cursor.take(&document("c:ind:a:1", "2026-01-01T11:59:01Z"), now));
        assert_eq!(cursor.latest, at("2026-01-01T11:59:01Z"));
    }

    #[test]
    fn a_change_dated_in_the_future_does_not_carry_the_cursor_away() {
        let now = at("2026-01-01T12:00:00Z");
        let mut cursor = Cursor::first(now, SignedDuration::from_mins(15));
        assert!(cursor.take(&document("c:ind:a:1", "2099-01-01T00:00:00Z"), now));
        assert_eq!(cursor.latest, now);
    }

    #[test]
    fn only_what_the_overlap_may_bring_again_is_remembered() {
        let now = at("2026-01-01T12:00:00Z");
        let mut cursor = Cursor::first(now, SignedDuration::from_hours(1));
        assert!(cursor.take(&document("old", "2026-01-01T11:50:00Z"), now));
        assert!(cursor.take(&document("new", "2026-01-01T11:59:30Z"), now));
        cursor = cursor.again();
        cursor.forget();
        assert_eq!(cursor.from, at("2026-01-01T11:57:30Z"));
        assert_eq!(cursor.seen.len(), 1);
        assert!(!cursor.take(&document("new", "2026-01-01T11:59:30Z"), now));
    }

    #[test]
    fn a_document_without_a_stamp_is_handed_on() {
        let now = at("2026-01-01T12:00:00Z");
        let mut cursor = Cursor::first(now, SignedDuration::from_hours(1));
        let json = RawValue::from_string("{}".to_owned()).unwrap();
        assert!(cursor.take(&json, now));
    }
}
