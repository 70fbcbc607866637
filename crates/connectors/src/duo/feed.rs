//! Alerts by polling: Trust Monitor, and the records of the authentication log that are alerts by
//! themselves. Each keeps its own place, so that one that fails does not hold up the other's.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use quell_connector::{Batch, BoxFuture, Call, Error, Feed, Kind, Result, document};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::Duo;
use super::api::{self, Span};
use super::events::SignIn;
use crate::lenient::{Number, Text};

/// How far back every sweep of Trust Monitor starts before the latest event seen: events may be
/// surfaced late.
const TRUST_OVERLAP: SignedDuration = SignedDuration::from_mins(10);
/// The same for the authentication log, whose records are in order.
const LOG_OVERLAP: SignedDuration = SignedDuration::from_mins(2);
/// How long a record takes to show in the authentication log.
const LOG_DELAY: SignedDuration = SignedDuration::from_mins(2);
/// How long Trust Monitor rests after Duo refused it.
const REST: SignedDuration = SignedDuration::from_hours(1);
/// Events remembered so that the overlap does not bring them again. Beyond this they come again,
/// which is allowed.
const MOST_REMEMBERED: usize = 2000;

/// Where the feed stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Cursor {
    trust_monitor: Place,
    authentication_log: Place,
    /// Trust Monitor was refused, and is asked again from here on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resting_until: Option<Timestamp>,
}

/// Where one of the two sources stands. A sweep reads everything between two moments, page by page.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Place {
    /// Begin of the sweep.
    from: Timestamp,
    /// Its end, while there are more pages of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<Timestamp>,
    /// The latest event seen; the next sweep starts a little before it.
    latest: Timestamp,
    /// The vendor's mark of the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offset: Option<String>,
    /// Events inside the overlap that were handed on: `<time>@<id>`.
    #[serde(default)]
    seen: BTreeSet<String>,
}

impl Place {
    const fn at(from: Timestamp) -> Self {
        Self {
            from,
            to: None,
            latest: from,
            offset: None,
            seen: BTreeSet::new(),
        }
    }

    fn span(&self, to: Timestamp) -> Span {
        Span {
            from: self.from.as_millisecond(),
            to: self.to.unwrap_or(to).as_millisecond(),
        }
    }

    /// Takes an event in, and says whether it is new. One dated in the future must not carry the
    /// place past events still to come.
    fn take(&mut self, id: Option<&str>, at: Option<Timestamp>, now: Timestamp) -> bool {
        let (Some(id), Some(at)) = (id, at) else {
            return true;
        };
        self.latest = self.latest.max(at.min(now));
        self.seen.insert(format!("{at:.3}@{id}"))
    }

    /// Goes on to the next page of the sweep to `to`, or ends the sweep.
    fn go_on(&mut self, next: Option<String>, empty: bool, to: Timestamp, overlap: SignedDuration) {
        if let Some(next) = next.filter(|next| !empty && self.offset.as_ref() != Some(next)) {
            self.to = self.to.or(Some(to));
            self.offset = Some(next);
            return;
        }
        (self.to, self.offset) = (None, None);
        self.from = back(self.latest, overlap).max(self.from);
        self.seen = self.seen.split_off(&format!("{:.3}", self.from));
        while self.seen.len() > MOST_REMEMBERED {
            self.seen.pop_first();
        }
    }

    const fn has_more(&self) -> bool {
        self.offset.is_some()
    }
}

fn back(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// What the feed needs of a Trust Monitor event.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Stamp {
    sekey: Text,
    surfaced_timestamp: Number,
}

impl Duo {
    async fn sweep(&self, cx: &Call, stored: Option<&Value>) -> Result<Batch> {
        let now = cx.clock().now();
        let mut cursor = match stored {
            Some(stored) => Cursor::deserialize(stored).map_err(|error| {
                // Starting over could leave alerts out, so a person has to decide.
                let detail = "the stored place in the feed cannot be read";
                Error::new(Kind::ConfigInvalid, "feed", detail).source(error)
            })?,
            None => {
                let from = Place::at(back(now, self.poll.lookback));
                Cursor {
                    trust_monitor: from.clone(),
                    authentication_log: from,
                    resting_until: None,
                }
            }
        };
        let mut documents = Vec::new();
        if self.poll.authentication_log {
            let place = &mut cursor.authentication_log;
            documents.extend(self.signed_in(cx, place, now).await?);
        }
        if self.poll.trust_monitor && cursor.resting_until.is_none_or(|until| now >= until) {
            let place = &mut cursor.trust_monitor;
            cursor.resting_until = None;
            match self.surfaced(cx, place, now).await {
                Ok(surfaced) => documents.extend(surfaced),
                // A plan without it must not cost the other source.
                Err(error) if self.rests_on(&error) => {
                    tracing::warn!(%error, "Trust Monitor is left out for an hour");
                    cursor.resting_until = Some(now.checked_add(REST).unwrap_or(now));
                }
                Err(error) => return Err(error),
            }
        }
        let more = cursor.authentication_log.has_more() || cursor.trust_monitor.has_more();
        let cursor = serde_json::to_value(&cursor).map_err(|error| {
            let detail = "the place in the feed cannot be stored";
            Error::new(Kind::ReplyUnreadable, "feed", detail).source(error)
        })?;
        Ok(Batch {
            documents,
            cursor,
            more,
        })
    }

    fn rests_on(&self, error: &Error) -> bool {
        error.kind == Kind::PermissionMissing && self.poll.authentication_log
    }

    async fn surfaced(
        &self,
        cx: &Call,
        place: &mut Place,
        now: Timestamp,
    ) -> Result<Vec<Box<RawValue>>> {
        let offset = place.offset.as_deref();
        let page = api::trust_monitor(&self.plane, cx, place.span(now), offset).await?;
        let (next, empty) = (page.metadata.next(), page.events.is_empty());
        let mut documents = page.events;
        documents.retain(|json| {
            let stamp: Stamp = document::read(json).unwrap_or_default();
            let at = stamp
                .surfaced_timestamp
                .0
                .and_then(|ms| Timestamp::from_millisecond(ms).ok());
            place.take(stamp.sekey.raw(), at, now)
        });
        place.go_on(next, empty, now, TRUST_OVERLAP);
        Ok(documents)
    }

    async fn signed_in(
        &self,
        cx: &Call,
        place: &mut Place,
        now: Timestamp,
    ) -> Result<Vec<Box<RawValue>>> {
        let to = back(now, LOG_DELAY).max(place.from);
        let offset = place.offset.as_deref();
        let page = api::authentication_log(&self.plane, cx, place.span(to), offset).await?;
        let (next, empty) = (page.metadata.next(), page.authlogs.is_empty());
        let mut documents = page.authlogs;
        documents.retain(|json| {
            // What cannot be read is handed on: intake says what is wrong with it.
            let Ok(record) = document::read::<SignIn>(json) else {
                return true;
            };
            place.take(record.transaction(), record.time(), now) && record.tells()
        });
        place.go_on(next, empty, to, LOG_OVERLAP);
        Ok(documents)
    }
}

impl Feed for Duo {
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

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_event_is_taken_once_and_only_the_overlap_is_remembered() {
        let now = at("2026-01-01T12:00:00Z");
        let mut place = Place::at(at("2026-01-01T11:00:00Z"));
        let (old, new) = (at("2026-01-01T11:30:00Z"), at("2026-01-01T11:59:00Z"));
        assert!(place.take(Some("a"), Some(old), now));
        assert!(place.take(Some("b"), Some(new), now));
        assert!(!place.take(Some("b"), Some(new), now));
        place.go_on(None, false, now, TRUST_OVERLAP);
        assert_eq!(place.from, at("2026-01-01T11:49:00Z"));
        assert_eq!(place.seen.len(), 1);
        assert!(!place.take(Some("b"), Some(new), now));
    }

    #[test]
    fn an_event_dated_in_the_future_does_not_carry_the_place_away() {
        let now = at("2026-01-01T12:00:00Z");
        let mut place = Place::at(at("2026-01-01T11:00:00Z"));
        assert!(place.take(Some("a"), Some(at("2099-01-01T00:00:00Z")), now));
        assert_eq!(place.latest, now);
    }

    #[test]
    fn a_sweep_keeps_its_end_until_its_last_page() {
        let (start, end) = (at("2026-01-01T12:00:00Z"), at("2026-01-01T12:01:00Z"));
        let mut place = Place::at(at("2026-01-01T11:00:00Z"));
        place.go_on(Some("2".to_owned()), false, start, TRUST_OVERLAP);
        assert_eq!(place.span(end).to, start.as_millisecond());
        // The vendor's mark of the same page again is no next page.
        place.go_on(Some("2".to_owned()), false, end, TRUST_OVERLAP);
        assert!(!place.has_more());
        assert_eq!(place.span(end).to, end.as_millisecond());
    }

    #[test]
    fn an_event_without_id_or_time_is_handed_on() {
        let now = at("2026-01-01T12:00:00Z");
        let mut place = Place::at(now);
        assert!(place.take(None, Some(now), now));
        assert!(place.take(Some("a"), None, now));
        assert!(place.take(Some("a"), None, now));
    }
}
