//! Risk detections by polling, with the risk of users if wanted, and one detection by its id.
//!
//! Every poll reads what was found from a little before the latest detection on. Now and then one reads further back:
//! a detection's state changes days later, and the vendor lets nobody ask for changes.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use quell_connector::{Batch, BoxFuture, Call, Error, Feed, Fetch, Kind, Result, document};
use quell_model::text;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::alerts::is_detection_id;
use super::api::RiskList;
use super::wire::DetectionStamp;
use super::{EntraId, api};

/// How far back every sweep starts before the latest detection seen: detections show up late.
const OVERLAP: SignedDuration = SignedDuration::from_mins(15);
/// How often a sweep reads further back.
const LOOKS_BACK_EVERY: SignedDuration = SignedDuration::from_mins(15);
/// How far back it reads.
const LOOKS_BACK: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Detections remembered so that sweeps do not bring them again. What is older than all of them is not read again.
const MOST_REMEMBERED: usize = 1000;

/// Where the feed stands. A sweep reads all detections found from `from` on, page by page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Cursor {
    /// Where the feed began; nothing before it is ever read.
    start: Timestamp,
    /// The sweep reads detections found at or after this moment.
    from: Timestamp,
    /// When the latest detection seen was found.
    latest: Timestamp,
    /// When the next sweep is due that reads further back.
    back_at: Timestamp,
    /// The vendor's link to the next page, in the middle of a sweep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// Detections that were handed on, by id.
    #[serde(default)]
    seen: BTreeMap<String, Seen>,
    /// The same of risky users, once they were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    users: Option<Box<Self>>,
}

/// A detection that was handed on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Seen {
    /// When it was found.
    found: Timestamp,
    /// Its last change, as the vendor wrote it.
    change: String,
}

impl Cursor {
    fn first(now: Timestamp, lookback: SignedDuration) -> Self {
        let from = before(now, lookback);
        Self {
            start: from,
            from,
            latest: from,
            back_at: after(now, LOOKS_BACK_EVERY),
            next: None,
            seen: BTreeMap::new(),
            users: None,
        }
    }

    fn read(stored: &Value) -> Result<Self> {
        Self::deserialize(stored).map_err(|error| {
            // Starting over could leave alerts out, so a person has to decide.
            let detail = "the stored place in the feed cannot be read";
            Error::new(Kind::ConfigInvalid, api::RISK_READ, detail).source(error)
        })
    }

    /// The beginning of the next sweep.
    fn again(&mut self, now: Timestamp) {
        self.next = None;
        self.from = before(self.latest, OVERLAP).max(self.start);
        if now >= self.back_at {
            self.back_at = after(now, LOOKS_BACK_EVERY);
            self.from = self.horizon(now).min(self.from);
        }
    }

    /// How far back a sweep may read without bringing again what is no longer remembered.
    fn horizon(&self, now: Timestamp) -> Timestamp {
        let edge = before(now, LOOKS_BACK).max(self.start);
        if self.seen.len() < MOST_REMEMBERED {
            return edge;
        }
        let oldest = self.seen.values().map(|seen| seen.found).min();
        oldest.unwrap_or(edge).max(edge)
    }

    /// Takes a document in, and says whether it or its state is new. A detection dated in the future must not carry
    /// the cursor past those still to come.
    fn take(&mut self, json: &RawValue, now: Timestamp) -> bool {
        let stamp: DetectionStamp = document::read(json).unwrap_or_default();
        let (Some(id), Some(found)) = (stamp.id, stamp.detected_date_time) else {
            return true;
        };
        let Ok(found) = found.parse::<Timestamp>() else {
            return true;
        };
        self.latest = self.latest.max(found.min(now));
        let change = format!(
            "{} {}",
            stamp.last_updated_date_time.unwrap_or_default(),
            stamp.risk_state.unwrap_or_default()
        );
        let seen = Seen {
            found,
            change: text::line(&change),
        };
        self.seen.insert(text::line(&id), seen.clone()).as_ref() != Some(&seen)
    }

    /// Forgets what no sweep from now on reads, and the oldest beyond the limit.
    fn forget(&mut self, now: Timestamp) {
        let edge = before(now, LOOKS_BACK).min(self.from);
        self.seen.retain(|_, seen| seen.found >= edge);
        let excess = self.seen.len().saturating_sub(MOST_REMEMBERED);
        if excess > 0 {
            let mut found: Vec<_> = self.seen.values().map(|seen| seen.found).collect();
            found.sort_unstable();
            let edge = found.get(excess).copied().unwrap_or(Timestamp::MAX);
            // What the next ordinary sweep reads stays, however much it is.
            let edge = edge.min(before(self.latest, OVERLAP));
            self.seen.retain(|_, seen| seen.found >= edge);
        }
    }
}

fn before(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn after(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

impl EntraId {
    async fn sweep(&self, cx: &Call, stored: Option<&Value>) -> Result<Batch> {
        let now = cx.clock().now();
        let first = || Cursor::first(now, self.poll.lookback);
        let mut cursor = match stored {
            Some(stored) => Cursor::read(stored)?,
            None => first(),
        };
        // Detections first, then users, and each failure of users is followed by detections.
        let users_turn = self.users_turn.swap(false, Ordering::Relaxed);
        let (documents, more) = if users_turn && self.poll.risky_users {
            let mut users = cursor.users.take().map_or_else(first, |users| *users);
            let (documents, more) = self.advance(cx, &api::RISKY_USERS, &mut users).await?;
            cursor.users = Some(Box::new(users));
            self.users_turn.store(more, Ordering::Relaxed);
            (documents, more)
        } else {
            let page = self.advance(cx, &api::RISK_DETECTIONS, &mut cursor);
            let (documents, more) = page.await?;
            let users_next = !more && self.poll.risky_users;
            self.users_turn.store(users_next, Ordering::Relaxed);
            (documents, more || users_next)
        };
        let cursor = serde_json::to_value(&cursor).map_err(|error| {
            let detail = "the place in the feed cannot be stored";
            Error::new(Kind::ReplyUnreadable, api::RISK_READ, detail).source(error)
        })?;
        Ok(Batch {
            documents,
            cursor,
            more,
        })
    }

    /// Reads the next page of a list: what is new on it, and whether the sweep has more.
    async fn advance(
        &self,
        cx: &Call,
        list: &RiskList,
        cursor: &mut Cursor,
    ) -> Result<(Vec<Box<RawValue>>, bool)> {
        let now = cx.clock().now();
        let (from, size) = (cursor.from, self.poll.page_size);
        let page = async |next: Option<&str>| list.page(&self.plane, cx, from, size, next).await;
        let page = match page(cursor.next.as_deref()).await {
            // The vendor no longer knows its own mark: read from where the sweep began.
            Err(error) if error.kind == Kind::VendorRejected && cursor.next.is_some() => {
                cursor.next = None;
                page(None).await?
            }
            page => page?,
        };
        let next = match page.next {
            Some(link) => Some(
                api::local(&link, list.path).ok_or_else(|| api::strange_link(list.operation))?,
            ),
            None => None,
        };
        // A link to the page just read would never end.
        let next = next.filter(|next| cursor.next.as_ref() != Some(next));
        let documents = page
            .value
            .into_iter()
            .filter(|json| cursor.take(json, now))
            .collect();
        let more = next.is_some();
        cursor.next = next;
        if !more {
            cursor.again(now);
            cursor.forget(now);
        }
        Ok((documents, more))
    }

    async fn one(&self, cx: &Call, id: &str) -> Result<Option<Box<RawValue>>> {
        if !is_detection_id(id) {
            return Ok(None);
        }
        match api::RISK_DETECTIONS.one(&self.plane, cx, id).await {
            Ok(reply) => reply.json().map(Some),
            Err(error) if error.kind == Kind::TargetNotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Feed for EntraId {
    fn interval(&self) -> Duration {
        self.poll.pause()
    }

    fn poll<'a>(&'a self, cx: &'a Call, cursor: Option<&'a Value>) -> BoxFuture<'a, Result<Batch>> {
        Box::pin(self.sweep(cx, cursor))
    }
}

impl Fetch for EntraId {
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

    const NOW: &str = "2026-01-10T12:00:00Z";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn document(id: &str, found: &str, state: &str) -> Box<RawValue> {
        let text = format!(
            r#"{{"id":"{id}","detectedDateTime":"{found}","lastUpdatedDateTime":"{found}","riskState":"{state}"}}"#
        );
        RawValue::from_string(text).unwrap()
    }

    fn cursor() -> Cursor {
        Cursor::first(at(NOW), SignedDuration::from_hours(1))
    }

    #[test]
    fn a_detection_is_taken_once_and_again_when_its_state_changes() {
        let mut cursor = cursor();
        let found = "2026-01-10T11:59:00.1234567Z";
        assert!(cursor.take(&document("a", found, "atRisk"), at(NOW)));
        assert!(!cursor.take(&document("a", found, "atRisk"), at(NOW)));
        assert!(cursor.take(&document("a", found, "dismissed"), at(NOW)));
        assert_eq!(cursor.latest, at(found));
    }

    #[test]
    fn a_detection_dated_in_the_future_does_not_carry_the_cursor_away() {
        let mut cursor = cursor();
        assert!(cursor.take(&document("a", "2099-01-01T00:00:00Z", "atRisk"), at(NOW)));
        assert_eq!(cursor.latest, at(NOW));
    }

    #[test]
    fn a_sweep_that_looks_back_reads_no_further_than_the_feed_began_or_remembers() {
        let mut cursor = cursor();
        let later = after(at(NOW), LOOKS_BACK_EVERY);
        cursor.latest = later;
        cursor.again(later);
        assert_eq!(cursor.from, cursor.start);
        cursor.again(later);
        assert_eq!(cursor.from, before(later, OVERLAP));
        for second in 0..=MOST_REMEMBERED {
            let found = after(
                at(NOW),
                SignedDuration::from_secs(i64::try_from(second).unwrap() - 3000),
            );
            cursor.take(
                &document(&second.to_string(), &found.to_string(), "atRisk"),
                later,
            );
        }
        cursor.forget(later);
        assert_eq!(cursor.seen.len(), MOST_REMEMBERED);
        cursor.again(after(later, LOOKS_BACK_EVERY));
        assert_eq!(
            cursor.from,
            after(at(NOW), SignedDuration::from_secs(-2999))
        );
    }

    #[test]
    fn a_document_without_a_stamp_is_handed_on() {
        let json = RawValue::from_string("{}".to_owned()).unwrap();
        assert!(cursor().take(&json, at(NOW)));
    }
}
