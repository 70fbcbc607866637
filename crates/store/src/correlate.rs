//! Correlation: the incident an alert belongs to.

use quell_model::IncidentId;
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::Result;
use crate::ingest::{Freshness, Ingest, parse};
use crate::micros;

/// Alerts after which an incident spreads no further: nobody reads more, and by then what its alerts
/// share is more likely something that is everywhere.
const FULL: u32 = 150;

/// Something an alert may share with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Key of the entity.
    pub key: String,
    /// It happened there, on this host or with this account; the rest, such as a file, can be anywhere.
    pub place: bool,
}

/// An incident that an entity was last seen in, and its number of alerts.
type Seen = (IncidentId, u32);

/// The incident that saw one of the entities within the window; the oldest, if several did. One that is
/// full only takes alerts about places that are all its own.
pub(crate) fn find(db: &Connection, ingest: &Ingest) -> Result<Option<IncidentId>> {
    let mut seen = Vec::with_capacity(ingest.links.len());
    for link in &ingest.links {
        seen.push((link.place, last_seen(db, ingest, &link.key)?));
    }
    let open = |incident: IncidentId, alerts: u32| {
        let mut places = seen.iter().filter(|(place, _)| *place).peekable();
        let own = |(_, seen): &(bool, Option<Seen>)| seen.is_some_and(|(id, _)| id == incident);
        alerts < FULL || places.peek().is_some() && places.all(own)
    };
    let found = seen.iter().filter_map(|(_, seen)| *seen);
    Ok(found
        .filter(|(incident, alerts)| open(*incident, *alerts))
        .map(|(incident, _)| incident)
        .min())
}

fn last_seen(db: &Connection, ingest: &Ingest, key: &str) -> Result<Option<Seen>> {
    let since = micros(ingest.since());
    let row: Option<(String, u32)> = db
        .prepare_cached(
            "SELECT i.id, i.alerts FROM entities e JOIN incidents i ON i.id = e.incident
             WHERE e.organization = ?1 AND e.entity = ?2 AND e.seen >= ?3",
        )?
        .query_row(params![ingest.organization.as_str(), key, since], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    row.map(|(id, alerts)| Ok((parse(&id)?, alerts)))
        .transpose()
}

/// Remembers that the incident saw the alert and what it links to.
pub(crate) fn touch(
    db: &Connection,
    ingest: &Ingest,
    incident: IncidentId,
    freshness: Freshness,
) -> Result<()> {
    let now = micros(ingest.received);
    db.prepare_cached(
        "INSERT INTO incidents (id, organization, title, severity, opened, updated, alerts)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6)
         ON CONFLICT (id) DO UPDATE
         SET updated = max(updated, excluded.updated), severity = max(severity, excluded.severity),
             alerts = alerts + excluded.alerts",
    )?
    .execute(params![
        incident.to_string(),
        ingest.organization.as_str(),
        ingest.alert.title,
        ingest.alert.severity.level(),
        now,
        u32::from(freshness == Freshness::New)
    ])?;
    for link in &ingest.links {
        db.prepare_cached(
            "INSERT INTO entities (organization, entity, incident, seen) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (organization, entity) DO UPDATE SET incident = excluded.incident, seen = excluded.seen",
        )?
        .execute(params![ingest.organization.as_str(), link.key, incident.to_string(), now])?;
    }
    Ok(())
}
