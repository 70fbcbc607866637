//! Reading: actions with their history, alerts, incidents.

use jiff::Timestamp;
use quell_model::{
    ActionId, ActionState, Alert, AlertId, ConnectionId, IncidentId, OrganizationId, Transition,
};
use rusqlite::{OptionalExtension, params, params_from_iter};

use crate::actions::{self, Stored};
use crate::error::{Error, Result};
use crate::ingest::parse;
use crate::sqlite::Store;
use crate::{instant, micros};

/// Which actions to list, newest first.
#[derive(Debug, Clone, Default)]
pub struct ActionFilter {
    /// Only in these states; any, when empty.
    pub states: Vec<ActionState>,
    /// Only of this incident.
    pub incident: Option<IncidentId>,
    /// Only older than this one: where the page before ended.
    pub before: Option<ActionId>,
    /// How many at most.
    pub limit: usize,
}

/// An alert as stored.
#[derive(Debug, Clone)]
pub struct AlertRecord {
    /// Its id.
    pub id: AlertId,
    /// Where it came from.
    pub connection: ConnectionId,
    /// The incident it belongs to.
    pub incident: IncidentId,
    /// When it was received.
    pub received: Timestamp,
    /// The alert.
    pub alert: Alert,
}

/// An incident as stored.
#[derive(Debug, Clone)]
pub struct IncidentRecord {
    /// Its id.
    pub id: IncidentId,
    /// Title of the alert that opened it.
    pub title: String,
    /// Highest severity level seen, 1 to 5.
    pub severity: u8,
    /// When it was opened.
    pub opened: Timestamp,
    /// When it last took an alert in.
    pub updated: Timestamp,
}

impl Store {
    /// An action of an organization.
    ///
    /// # Errors
    /// [`Error::Missing`] when the organization has no such action.
    pub async fn action(&self, organization: &OrganizationId, id: ActionId) -> Result<Stored> {
        let organization = organization.clone();
        self.read(move |db| {
            db.prepare_cached(
                "SELECT document, version FROM actions WHERE id = ?1 AND organization = ?2",
            )?
            .query_row(
                params![id.to_string(), organization.as_str()],
                actions::row_to_stored,
            )
            .optional()?
            .ok_or_else(|| Error::Missing {
                what: "action",
                id: id.to_string(),
            })?
        })
        .await
    }

    /// An action a job is about, whoever's it is.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is none.
    pub async fn job_action(&self, subject: &str) -> Result<Stored> {
        let subject = subject.to_owned();
        self.read(move |db| {
            db.prepare_cached("SELECT document, version FROM actions WHERE id = ?1")?
                .query_row([&subject], actions::row_to_stored)
                .optional()?
                .ok_or(Error::Missing {
                    what: "action",
                    id: subject,
                })?
        })
        .await
    }

    /// Actions of an organization, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn actions(
        &self,
        organization: &OrganizationId,
        filter: ActionFilter,
    ) -> Result<Vec<Stored>> {
        let organization = organization.clone();
        self.read(move |db| {
            let mut sql = "SELECT document, version FROM actions WHERE organization = ?".to_owned();
            let mut values = vec![organization.to_string()];
            if !filter.states.is_empty() {
                let marks = vec!["?"; filter.states.len()].join(", ");
                sql.push_str(&format!(" AND state IN ({marks})"));
                if filter.states.iter().copied().all(actions::attention) {
                    // Said literally, so that the index that has only these is used.
                    sql.push_str(" AND attention = 1");
                }
                values.extend(filter.states.iter().map(|state| state.as_str().to_owned()));
            }
            if let Some(incident) = filter.incident {
                sql.push_str(" AND incident = ?");
                values.push(incident.to_string());
            }
            if let Some(before) = filter.before {
                sql.push_str(" AND id < ?");
                values.push(before.to_string());
            }
            sql.push_str(&format!(" ORDER BY id DESC LIMIT {}", filter.limit));
            let mut statement = db.prepare_cached(&sql)?;
            let rows = statement.query_map(params_from_iter(values), actions::row_to_stored)?;
            rows.map(|row| row?).collect()
        })
        .await
    }

    /// The history of an action, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn history(&self, id: ActionId) -> Result<Vec<Transition>> {
        self.read(move |db| {
            let mut statement = db.prepare_cached(
                "SELECT transitions, budgets FROM journal WHERE action = ?1 ORDER BY version",
            )?;
            let rows = statement.query_map([id.to_string()], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?))
            })?;
            let mut history = Vec::new();
            for row in rows {
                let (transitions, budgets) = row?;
                history.extend(actions::row_to_transitions(
                    &transitions,
                    budgets.as_deref(),
                )?);
            }
            Ok(history)
        })
        .await
    }

    /// The alerts that asked for an action, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn alerts_of(&self, id: ActionId) -> Result<Vec<AlertRecord>> {
        self.read(move |db| {
            let mut statement = db.prepare_cached(
                "SELECT id, connection, incident, received, document FROM alerts
                 WHERE id IN (
                   SELECT alert FROM actions WHERE id = ?1 UNION SELECT alert FROM joined WHERE action = ?1)
                 ORDER BY id",
            )?;
            let rows = statement.query_map([id.to_string()], row_to_alert)?;
            rows.map(|row| row?).collect()
        })
        .await
    }

    /// Alerts of an organization received from `since` on, oldest first, after the one a page before
    /// ended with, `limit` at most.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn alerts_since(
        &self,
        organization: &OrganizationId,
        since: Timestamp,
        after: Option<AlertId>,
        limit: usize,
    ) -> Result<Vec<AlertRecord>> {
        let organization = organization.clone();
        self.read(move |db| {
            let mut statement = db.prepare_cached(
                // The + keeps SQLite from sorting all alerts of the organization for each page.
                "SELECT id, connection, incident, received, document FROM alerts
                 WHERE +organization = ?1 AND received >= ?2 AND id > ?3 ORDER BY id LIMIT ?4",
            )?;
            let after = after.map(|id| id.to_string()).unwrap_or_default();
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = statement.query_map(
                params![organization.as_str(), micros(since), after, limit],
                row_to_alert,
            )?;
            rows.map(|row| row?).collect()
        })
        .await
    }

    /// The alerts of an incident, newest first, `limit` at most.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn alerts_in(&self, incident: IncidentId, limit: usize) -> Result<Vec<AlertRecord>> {
        self.read(move |db| {
            let mut statement = db.prepare_cached(
                "SELECT id, connection, incident, received, document FROM alerts
                 WHERE incident = ?1 ORDER BY id DESC LIMIT ?2",
            )?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = statement.query_map(params![incident.to_string(), limit], row_to_alert)?;
            rows.map(|row| row?).collect()
        })
        .await
    }

    /// The history of all actions of an incident, newest first, `limit` rows at most.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn history_of(
        &self,
        incident: IncidentId,
        limit: usize,
    ) -> Result<Vec<(ActionId, Transition)>> {
        self.read(move |db| {
            let mut statement = db.prepare_cached(
                "SELECT j.action, j.transitions, j.budgets FROM actions a JOIN journal j ON j.action = a.id
                 WHERE a.incident = ?1 ORDER BY j.at DESC, j.action DESC, j.version DESC LIMIT ?2",
            )?;
            // A change has at least one row of the history.
            let rows = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = statement.query_map(params![incident.to_string(), rows], |row| {
                let budgets: Option<String> = row.get(2)?;
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, budgets))
            })?;
            let mut history = Vec::new();
            for row in rows {
                let (action, transitions, budgets) = row?;
                let action = parse(&action)?;
                let transitions = actions::row_to_transitions(&transitions, budgets.as_deref())?;
                history.extend(transitions.into_iter().rev().map(|t| (action, t)));
            }
            history.truncate(limit);
            Ok(history)
        })
        .await
    }

    /// An incident of an organization.
    ///
    /// # Errors
    /// [`Error::Missing`] when the organization has no such incident.
    pub async fn incident(
        &self,
        organization: &OrganizationId,
        id: IncidentId,
    ) -> Result<IncidentRecord> {
        let organization = organization.clone();
        self.read(move |db| {
            db.prepare_cached(
                "SELECT title, severity, opened, updated FROM incidents WHERE id = ?1 AND organization = ?2",
            )?
            .query_row(params![id.to_string(), organization.as_str()], |row| {
                Ok(IncidentRecord {
                    id,
                    title: row.get(0)?,
                    severity: row.get(1)?,
                    opened: instant(row.get(2)?),
                    updated: instant(row.get(3)?),
                })
            })
            .optional()?
            .ok_or_else(|| Error::Missing { what: "incident", id: id.to_string() })
        })
        .await
    }

    /// How many alerts and how many actions per state an organization has.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn counts(&self, organization: &OrganizationId) -> Result<Vec<(ActionState, u64)>> {
        let organization = organization.clone();
        self.read(move |db| {
            let mut statement = db.prepare_cached(
                "SELECT state, count(*) FROM actions WHERE organization = ?1 GROUP BY state",
            )?;
            let rows = statement.query_map([organization.as_str()], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
            })?;
            let mut counts = Vec::new();
            for row in rows {
                let (name, count) = row?;
                let state = ActionState::ALL
                    .iter()
                    .copied()
                    .find(|state| state.as_str() == name);
                counts.extend(state.map(|state| (state, u64::try_from(count).unwrap_or(0))));
            }
            Ok(counts)
        })
        .await
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<()> {
        self.read(|db| Ok(db.query_row("SELECT 1", [], |_| Ok(()))?))
            .await
    }
}

fn row_to_alert(row: &rusqlite::Row<'_>) -> rusqlite::Result<Result<AlertRecord>> {
    let (id, connection, incident): (String, String, String) =
        (row.get(0)?, row.get(1)?, row.get(2)?);
    let (received, document): (i64, String) = (row.get(3)?, row.get(4)?);
    let record = || {
        Ok(AlertRecord {
            id: parse(&id)?,
            connection: parse(&connection)?,
            incident: parse(&incident)?,
            received: instant(received),
            alert: serde_json::from_str(&document)?,
        })
    };
    Ok(record())
}
