//! Questions to the person an alert is about, and what they answered. The first answer holds.

use jiff::Timestamp;
use quell_model::{AlertId, ConnectionId, IncidentId, OrganizationId, QuestionId, entity::Account};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use crate::actions::NewJob;
use crate::error::{Error, Result};
use crate::jobs::{self, Claim, JobKind};
use crate::recurrence::{self, Recurrence};
use crate::sqlite::Store;
use crate::{instant, micros};

/// What somebody is asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Its id.
    pub id: QuestionId,
    /// The alert that led to it.
    pub alert: AlertId,
    /// The incident the alert belongs to.
    pub incident: IncidentId,
    /// Where the alert came from.
    pub connection: ConnectionId,
    /// The vendor's id of the alert.
    pub vendor_id: String,
    /// The account it happened to.
    pub account: Account,
    /// Whose account it is, as events name them.
    pub subject: String,
    /// The event.
    pub event: String,
    /// When it happened.
    pub time: Timestamp,
    /// From where, as far as the alert says.
    pub places: Vec<String>,
    /// When it was asked.
    pub asked: Timestamp,
    /// Until when an answer counts.
    pub expires: Timestamp,
}

/// A question to be stored with its alert.
#[derive(Debug, Clone)]
pub struct NewQuestion {
    /// The question. Alert and incident are filled in with those it really belongs to.
    pub question: Question,
    /// SHA-256 of what the link holds.
    pub token: [u8; 32],
    /// What the link holds, sealed.
    pub sealed: Vec<u8>,
}

/// A question as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The question.
    pub question: Question,
    /// What the link holds, sealed; none once the letter is on its way.
    pub sealed: Option<Vec<u8>>,
    /// What was answered.
    pub answer: Option<UserAnswer>,
}

/// What somebody answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserAnswer {
    /// It was them.
    pub yes: bool,
    /// Who they are, as the identity provider says.
    pub person: String,
    /// When.
    pub at: Timestamp,
}

/// What became of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// It is recorded.
    Now,
    /// The question was answered before, like this.
    Before(UserAnswer),
    /// Its time was up.
    Late,
}

/// Unanswered questions to one person at a time: whoever can raise alerts must not flood a mailbox.
const OPEN: i64 = 3;

/// Stores a question with its alert, unless it was asked before.
pub(crate) fn ask(
    db: &Connection,
    organization: &OrganizationId,
    new: &NewQuestion,
    (alert, incident): (AlertId, IncidentId),
) -> Result<()> {
    let question = Question {
        alert,
        incident,
        ..new.question.clone()
    };
    let asked = db
        .prepare_cached(
            "INSERT INTO questions
               (id, organization, incident, subject, event, token, sealed, expires, document)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 WHERE ?10 > (
               SELECT count(*) FROM questions
               WHERE organization = ?2 AND subject = ?4 AND expires > ?11 AND yes IS NULL)
             ON CONFLICT (organization, subject, event) DO NOTHING",
        )?
        .execute(params![
            question.id.to_string(),
            organization.as_str(),
            incident.to_string(),
            question.subject,
            question.event,
            new.token,
            new.sealed,
            micros(question.expires),
            serde_json::to_string(&question)?,
            OPEN,
            micros(question.asked),
        ])?;
    if asked == 1 {
        let job = NewJob::at(JobKind::AskUser, question.id, question.asked);
        jobs::enqueue(db, &job)?;
    }
    Ok(())
}

const COLUMNS: &str = "document, sealed, yes, person, answered";

fn read(row: &Row<'_>) -> rusqlite::Result<Result<Asked>> {
    let document: String = row.get(0)?;
    let answer: (Option<bool>, Option<String>, Option<i64>) =
        (row.get(2)?, row.get(3)?, row.get(4)?);
    let sealed = row.get(1)?;
    Ok(serde_json::from_str(&document)
        .map_err(Error::from)
        .map(|question| Asked {
            question,
            sealed,
            answer: match answer {
                (Some(yes), Some(person), Some(at)) => Some(UserAnswer {
                    yes,
                    person,
                    at: instant(at),
                }),
                _ => None,
            },
        }))
}

impl Store {
    /// The question whose link holds what `token` is the SHA-256 of.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn question_by_token(
        &self,
        organization: &OrganizationId,
        token: [u8; 32],
    ) -> Result<Option<Asked>> {
        let organization = organization.clone();
        self.read(move |db| {
            db.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM questions WHERE token = ?1 AND organization = ?2"
            ))?
            .query_row(params![token, organization.as_str()], read)
            .optional()?
            .transpose()
        })
        .await
    }

    /// A question by its id.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is none.
    pub async fn question(&self, id: &str) -> Result<Asked> {
        let id = id.to_owned();
        self.read(move |db| {
            db.prepare_cached(&format!("SELECT {COLUMNS} FROM questions WHERE id = ?1"))?
                .query_row([&id], read)
                .optional()?
                .ok_or(Error::Missing {
                    what: "question",
                    id,
                })?
        })
        .await
    }

    /// The questions of an incident, in the order in which they were asked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn questions(
        &self,
        organization: &OrganizationId,
        incident: IncidentId,
    ) -> Result<Vec<Asked>> {
        let organization = organization.clone();
        self.read(move |db| {
            let mut statement = db.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM questions WHERE incident = ?1 AND organization = ?2 ORDER BY id"
            ))?;
            let rows = statement
                .query_map(params![incident.to_string(), organization.as_str()], read)?;
            rows.map(|row| row?).collect()
        })
        .await
    }

    /// The letter is on its way, or was given up: finishes its job and forgets what the link holds.
    ///
    /// # Errors
    /// [`Error::Fenced`] when the job is no longer the caller's.
    pub async fn question_sent(&self, claim: Claim, id: QuestionId) -> Result<()> {
        self.write(move |db| {
            jobs::finish(db, &claim)?;
            db.prepare_cached("UPDATE questions SET sealed = NULL WHERE id = ?1")?
                .execute([id.to_string()])?;
            Ok(())
        })
        .await
    }

    /// Records an answer, unless there is one or its time is up. From then on the event counts for what
    /// is done the second time (`events`, one for each scope), or does not. A job goes on from there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn answer_question(
        &self,
        organization: &OrganizationId,
        id: QuestionId,
        answer: UserAnswer,
        events: Vec<Recurrence>,
    ) -> Result<Answered> {
        let organization = organization.clone();
        self.write(move |db| {
            let text = id.to_string();
            let asked = db
                .prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM questions WHERE id = ?1 AND organization = ?2"
                ))?
                .query_row(params![text, organization.as_str()], read)
                .optional()?
                .ok_or_else(|| Error::Missing {
                    what: "question",
                    id: text.clone(),
                })??;
            if let Some(before) = asked.answer {
                return Ok(Answered::Before(before));
            }
            if asked.question.expires <= answer.at {
                return Ok(Answered::Late);
            }
            db.prepare_cached(
                "UPDATE questions SET yes = ?2, person = ?3, answered = ?4, sealed = NULL WHERE id = ?1",
            )?
            .execute(params![text, answer.yes, answer.person, micros(answer.at)])?;
            for event in &events {
                recurrence::judge(db, &organization, event, !answer.yes)?;
            }
            jobs::enqueue(db, &NewJob::at(JobKind::UserAnswered, id, answer.at))?;
            Ok(Answered::Now)
        })
        .await
    }
}
