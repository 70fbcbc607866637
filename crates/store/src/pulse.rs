//! How often alerts come, by source and by detection of a source, counted where they are taken in.
//!
//! Two counts fade exponentially: a sum of all alerts, each weighing less the longer ago it was. One
//! row a scope is enough then, however many alerts come, and nothing has to be swept.

use std::time::Duration;

use jiff::Timestamp;
use quell_model::OrganizationId;
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::Result;
use crate::group::Group;
use crate::ingest::Ingest;
use crate::micros;

/// How long an alert counts as recent, on average.
pub const RECENT: Duration = Duration::from_secs(10 * 60);
/// How long an alert counts towards what is usual, on average.
const USUAL: Duration = Duration::from_secs(7 * 24 * 3600);
/// What is usual is judged over this long at least: a source is not used to what it did in its first
/// minutes.
const ACQUAINTANCE: Duration = Duration::from_secs(24 * 3600);

/// What alerts are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// The connection they come from.
    Source,
    /// The rule or pattern that fired, at this connection.
    Detection,
}

/// What counts as a storm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StormLimit {
    /// At least this many alerts within [`RECENT`].
    pub at_least: u32,
    /// And this many times as many as usual.
    pub times: u32,
}

/// A sudden rise: so many alerts within [`RECENT`], and so many usually.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Storm {
    /// What sends them.
    pub of: Of,
    /// How many there are.
    pub recent: f64,
    /// How many there usually are.
    pub usual: f64,
}

/// How often alerts like one come.
pub(crate) struct Pulses {
    source: Pulse,
    detection: Pulse,
}

/// The counts of one scope, as they were at the moment of the last alert.
#[derive(Clone, Copy)]
pub(crate) struct Pulse {
    first: i64,
    last: i64,
    recent: f64,
    usual: f64,
}

impl Pulses {
    /// Counts the alert.
    pub(crate) fn beat(group: &Group<'_>, ingest: &Ingest) -> Result<Self> {
        let mut pulses = Self::feel(group, ingest)?;
        for (of, pulse) in [
            (Of::Source, &mut pulses.source),
            (Of::Detection, &mut pulses.detection),
        ] {
            pulse.recent += 1.0;
            pulse.usual += 1.0;
            group.pulses.put(scope(of, ingest), *pulse);
        }
        Ok(pulses)
    }

    /// How it is, without counting the alert: it was counted when it first came.
    pub(crate) fn feel(group: &Group<'_>, ingest: &Ingest) -> Result<Self> {
        let now = micros(ingest.received);
        let pulse = |of| -> Result<Pulse> {
            let scope = scope(of, ingest);
            let read = || Ok(Pulse::read(group, &scope)?.unwrap_or(Pulse::new(now)));
            Ok(group.pulses.get(&scope, read)?.at(now))
        };
        Ok(Self {
            source: pulse(Of::Source)?,
            detection: pulse(Of::Detection)?,
        })
    }

    const fn get(&self, of: Of) -> Pulse {
        match of {
            Of::Source => self.source,
            Of::Detection => self.detection,
        }
    }

    /// Whether the first alert came less than `span` ago.
    pub(crate) fn is_new(&self, of: Of, span: Duration, now: Timestamp) -> bool {
        let span = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        micros(now).saturating_sub(self.get(of).first) < span
    }

    /// The storm there is, of a detection rather than of its source.
    pub(crate) fn storm(&self, limit: StormLimit) -> Option<Storm> {
        [Of::Detection, Of::Source].into_iter().find_map(|of| {
            let storm = self.get(of).rise(of);
            let rises = storm.recent >= f64::from(limit.at_least)
                && storm.recent >= f64::from(limit.times) * storm.usual;
            rises.then_some(storm)
        })
    }
}

impl Pulse {
    const fn new(now: i64) -> Self {
        Self {
            first: now,
            last: now,
            recent: 0.0,
            usual: 0.0,
        }
    }

    fn read(db: &Connection, (organization, scope): &Scope) -> Result<Option<Self>> {
        Ok(db
            .prepare_cached(
                "SELECT first, last, recent, usual FROM pulses WHERE organization = ?1 AND scope = ?2",
            )?
            .query_row(params![organization.as_str(), scope], |row| {
                Ok(Self {
                    first: row.get(0)?,
                    last: row.get(1)?,
                    recent: row.get(2)?,
                    usual: row.get(3)?,
                })
            })
            .optional()?)
    }

    pub(crate) fn save(self, db: &Connection, (organization, scope): &Scope) -> Result<()> {
        db.prepare_cached(
            "INSERT INTO pulses (organization, scope, first, last, recent, usual)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (organization, scope) DO UPDATE
             SET last = excluded.last, recent = excluded.recent, usual = excluded.usual",
        )?
        .execute(params![
            organization.as_str(),
            scope,
            self.first,
            self.last,
            self.recent,
            self.usual
        ])?;
        Ok(())
    }

    /// Faded to a later moment. Clocks of nodes differ a little; what seems earlier fades nothing.
    fn at(mut self, now: i64) -> Self {
        let passed = between(self.last, now);
        self.recent *= (-passed / RECENT.as_secs_f64()).exp();
        self.usual *= (-passed / USUAL.as_secs_f64()).exp();
        self.last = self.last.max(now);
        self
    }

    fn rise(&self, of: Of) -> Storm {
        // The count of a steady rate approaches rate x USUAL from below; how far it got depends on
        // how long there has been anything to count.
        let known = between(self.first, self.last).max(ACQUAINTANCE.as_secs_f64());
        let full = USUAL.as_secs_f64() * (1.0 - (-known / USUAL.as_secs_f64()).exp());
        let before = (self.usual - self.recent).max(0.0);
        Storm {
            of,
            recent: self.recent,
            usual: before * RECENT.as_secs_f64() / full,
        }
    }
}

/// Seconds from one moment in microseconds to a later one.
fn between(from: i64, to: i64) -> f64 {
    let passed = u64::try_from(to.saturating_sub(from)).unwrap_or(0);
    Duration::from_micros(passed).as_secs_f64()
}

/// Whose alerts, and which of them are counted together.
pub(crate) type Scope = (OrganizationId, String);

/// What an alert is counted together with. No connection id and no cleaned text contains the separator.
fn scope(of: Of, ingest: &Ingest) -> Scope {
    let connection = &ingest.connection;
    let scope = match of {
        Of::Source => connection.to_string(),
        Of::Detection => format!("{connection}\u{1f}{}", ingest.alert.detection),
    };
    (ingest.organization.clone(), scope)
}
