//! Events that mean more when they happen twice: which ones each subject had, and when.
//!
//! Events are told apart by their own ids and compared by their own times, so that neither redelivery
//! nor late arrival, nor a restart in between, changes what counts as the second one.

use std::time::Duration;

use jiff::Timestamp;
use quell_model::OrganizationId;
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::Result;
use crate::{instant, micros};

/// An event that may be one of two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recurrence {
    /// What events are compared with one another (a playbook's name).
    pub scope: String,
    /// Whom it happened to.
    pub subject: String,
    /// Its id. Alerts about one event share it.
    pub event: String,
    /// When it happened.
    pub at: Timestamp,
    /// Longest time between two that belong together.
    pub within: Duration,
}

/// Remembers what the person themselves said of an event: whether it counts, whatever it did before.
pub(crate) fn judge(
    db: &Connection,
    organization: &OrganizationId,
    event: &Recurrence,
    counts: bool,
) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO events (organization, scope, subject, event, at, cleared)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET cleared = excluded.cleared",
    )?
    .execute(params![
        organization.as_str(),
        event.scope,
        event.subject,
        event.event,
        micros(event.at),
        !counts
    ])?;
    Ok(())
}

/// Remembers the event, and says when the nearest other one was that is near enough.
pub(crate) fn happened_again(
    db: &Connection,
    organization: &OrganizationId,
    event: &Recurrence,
) -> Result<Option<Timestamp>> {
    let Recurrence {
        scope,
        subject,
        event: id,
        at,
        within,
    } = event;
    db.prepare_cached(
        "INSERT INTO events (organization, scope, subject, event, at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO NOTHING",
    )?
    .execute(params![
        organization.as_str(),
        scope,
        subject,
        id,
        micros(*at)
    ])?;
    let within = i64::try_from(within.as_micros()).unwrap_or(i64::MAX);
    let (from, to) = (
        micros(*at).saturating_sub(within),
        micros(*at).saturating_add(within),
    );
    let other: Option<i64> = db
        .prepare_cached(
            "SELECT at FROM events WHERE organization = ?1 AND scope = ?2 AND subject = ?3
               AND at BETWEEN ?5 AND ?6 AND event <> ?4 AND cleared = 0
               AND EXISTS (
                 SELECT 1 FROM events WHERE organization = ?1 AND scope = ?2 AND subject = ?3
                   AND event = ?4 AND cleared = 0)
             ORDER BY abs(at - ?7) LIMIT 1",
        )?
        .query_row(
            params![
                organization.as_str(),
                scope,
                subject,
                id,
                from,
                to,
                micros(*at)
            ],
            |row| row.get(0),
        )
        .optional()?;
    Ok(other.map(instant))
}
