//! People's answers, and when they are enough. Counted in the transaction that records them, so that
//! no two answers at once and no second node can each believe to be the last one needed.

use jiff::Timestamp;
use quell_model::ActionId;
use rusqlite::{Connection, params};

use crate::actions::{Advance, Stored, Texts, apply};
use crate::error::Result;
use crate::sqlite::Store;
use crate::{instant, micros};

/// A person's answer to an approval.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Hash of exactly what they were shown.
    pub shown: String,
    /// Who.
    pub person: String,
    /// Yes or no.
    pub yes: bool,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// When a yes is enough.
#[derive(Debug, Clone, Copy)]
pub struct Needs {
    /// This many different people said yes to precisely the same.
    pub approvers: u8,
    /// Two, once the person has said yes this often ...
    pub alone: u32,
    /// ... since then.
    pub since: Timestamp,
}

/// What became of a yes.
#[derive(Debug, Clone, PartialEq)]
pub enum Approved {
    /// It was the last one needed.
    Enough(Stored),
    /// It is recorded, and somebody else has to say yes as well.
    More(Stored),
    /// The same person had said yes to the same before; nothing was changed.
    Repeated,
}

/// A person's answer as stored.
#[derive(Debug, Clone)]
pub struct ApprovalRecord {
    /// Hash of exactly what they were shown.
    pub shown: String,
    /// Who.
    pub person: String,
    /// Yes or no.
    pub yes: bool,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

impl Store {
    /// Records a person's answer and applies the change that follows from it, both or neither.
    ///
    /// # Errors
    /// As [`Store::advance`].
    pub async fn answer(&self, answer: Answer, advance: Advance) -> Result<Stored> {
        let mut stored = advance.stored.clone();
        let texts = Texts::of(&advance)?;
        self.write(move |db| {
            apply(db, &advance, &texts)?;
            record(db, &advance, &answer)
        })
        .await?;
        stored.version += 1;
        Ok(stored)
    }

    /// Records a person's yes, and applies `enough` if with it as many people as needed have said so,
    /// `more` otherwise.
    ///
    /// # Errors
    /// As [`Store::advance`].
    pub async fn approve(
        &self,
        answer: Answer,
        needs: Needs,
        enough: Advance,
        more: Advance,
    ) -> Result<Approved> {
        let texts = (Texts::of(&enough)?, Texts::of(&more)?);
        self.write(move |db| {
            let id = enough.stored.action.id.to_string();
            let (others, repeated): (u8, bool) = db
                .prepare_cached(
                    "SELECT count(DISTINCT person) FILTER (WHERE person <> ?3), coalesce(max(person = ?3), 0)
                     FROM approvals WHERE action = ?1 AND shown = ?2 AND yes = 1",
                )?
                .query_row(params![id, answer.shown, answer.person], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?;
            if repeated {
                return Ok(Approved::Repeated);
            }
            let organization = enough.stored.action.organization.as_str();
            let recent: u32 = db
                .prepare_cached(
                    "SELECT count(*) FROM approvals
                     WHERE organization = ?1 AND person = ?2 AND at > ?3 AND yes = 1",
                )?
                .query_row(
                    params![organization, answer.person, micros(needs.since)],
                    |row| row.get(0),
                )?;
            let needed = if recent >= needs.alone {
                needs.approvers.max(2)
            } else {
                needs.approvers
            };
            let last = others.saturating_add(1) >= needed;
            let (advance, texts) = if last {
                (&enough, &texts.0)
            } else {
                (&more, &texts.1)
            };
            apply(db, advance, texts)?;
            record(db, advance, &answer)?;
            let mut stored = advance.stored.clone();
            stored.version = stored.version.saturating_add(1);
            Ok(if last {
                Approved::Enough(stored)
            } else {
                Approved::More(stored)
            })
        })
        .await
    }

    /// The answers people gave about an action, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn approvals(&self, id: ActionId) -> Result<Vec<ApprovalRecord>> {
        self.read(move |db| {
            let mut statement = db.prepare_cached(
                "SELECT shown, person, yes, reason, at FROM approvals WHERE action = ?1 ORDER BY seq",
            )?;
            let rows = statement.query_map([id.to_string()], |row| {
                Ok(ApprovalRecord {
                    shown: row.get(0)?,
                    person: row.get(1)?,
                    yes: row.get(2)?,
                    reason: row.get(3)?,
                    at: instant(row.get(4)?),
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }
}

fn record(db: &Connection, advance: &Advance, answer: &Answer) -> Result<()> {
    let action = &advance.stored.action;
    db.prepare_cached(
        "INSERT INTO approvals (organization, action, shown, person, yes, reason, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        action.organization.as_str(),
        action.id.to_string(),
        answer.shown,
        answer.person,
        answer.yes,
        answer.reason,
        micros(answer.at)
    ])?;
    Ok(())
}
