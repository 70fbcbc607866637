//! Opt-ins: who allowed Quell to do what, and who took it back. Rows are only added.

use jiff::Timestamp;
use quell_model::{ActionType, OrganizationId};
use rusqlite::params;

use crate::error::Result;
use crate::sqlite::Store;
use crate::{instant, micros};

/// Somebody opted in to an action type, or out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptInChange {
    /// The action type.
    pub action: ActionType,
    /// Quell may do it from now on; otherwise no longer.
    pub opted_in: bool,
    /// Who.
    pub person: String,
    /// When.
    pub at: Timestamp,
    /// The text agreed to; the reason, where it was taken back.
    pub text: String,
}

impl Store {
    /// Records a change.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_opt_in(
        &self,
        organization: &OrganizationId,
        change: OptInChange,
    ) -> Result<()> {
        let organization = organization.clone();
        self.write(move |db| {
            db.prepare_cached(
                "INSERT INTO opt_ins (organization, action, opted_in, person, at, text)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                organization.as_str(),
                change.action.as_str(),
                change.opted_in,
                change.person,
                micros(change.at),
                change.text
            ])?;
            Ok(())
        })
        .await
    }

    /// Every change of an organization, oldest first. An action type this version does not know is
    /// left out: nothing can be done with it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn opt_ins(&self, organization: &OrganizationId) -> Result<Vec<OptInChange>> {
        let organization = organization.clone();
        self.read(move |db| {
            let mut statement = db.prepare_cached(
                "SELECT action, opted_in, person, at, text FROM opt_ins WHERE organization = ?1 ORDER BY seq",
            )?;
            let rows = statement.query_map([organization.as_str()], |row| {
                let action: String = row.get(0)?;
                let Some(action) = ActionType::named(&action) else {
                    return Ok(None);
                };
                Ok(Some(OptInChange {
                    action,
                    opted_in: row.get(1)?,
                    person: row.get(2)?,
                    at: instant(row.get(3)?),
                    text: row.get(4)?,
                }))
            })?;
            rows.filter_map(|row| row.transpose().map(|row| Ok(row?))).collect()
        })
        .await
    }
}
