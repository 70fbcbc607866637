//! The outbox: messages to people and to vendors' consoles, sent by a job and never by the work
//! that caused them, so that a channel that is down holds up nothing.

use jiff::Timestamp;
use quell_model::Notice;
use rusqlite::{Connection, params};

use crate::actions::NewJob;
use crate::error::Result;
use crate::jobs::{self, Claim, JobKind};
use crate::sqlite::Store;

/// One message for one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The connection that sends it.
    pub channel: String,
    /// What belongs together: an incident for people, an alert for its own console.
    pub thread: String,
    /// What to say.
    pub notice: Notice,
}

/// What waits for one channel and thread.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dispatch {
    /// The messages, in order.
    pub notices: Vec<Notice>,
    last: i64,
    first: i64,
}

impl Dispatch {
    /// Stays the same when the sending of precisely these messages is repeated.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}-{}", self.first, self.last)
    }
}

fn subject(channel: &str, thread: &str) -> String {
    // A channel is a slug and has no `/`.
    format!("{channel}/{thread}")
}

/// The channel and thread a `send` job is about.
#[must_use]
fn address(subject: &str) -> Option<(String, String)> {
    subject
        .split_once('/')
        .map(|(channel, thread)| (channel.to_owned(), thread.to_owned()))
}

impl Store {
    /// What a `send` job has to send: the channel, the thread and the messages.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn dispatch(
        &self,
        job_subject: &str,
        limit: usize,
    ) -> Result<Option<(String, String, Dispatch)>> {
        let Some((channel, thread)) = address(job_subject) else {
            return Ok(None);
        };
        self.read(move |db| {
            let mut statement = db.prepare_cached(
                "SELECT seq, document FROM outbox WHERE channel = ?1 AND thread = ?2 ORDER BY seq LIMIT ?3",
            )?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = statement.query_map(params![channel, thread, limit], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
            })?;
            let mut dispatch = Dispatch::default();
            for row in rows {
                let (seq, document) = row?;
                if dispatch.notices.is_empty() {
                    dispatch.first = seq;
                }
                dispatch.last = seq;
                dispatch.notices.push(serde_json::from_str(&document)?);
            }
            Ok(Some((channel, thread, dispatch)))
        })
        .await
    }

    /// The messages were sent (or given up): removes them, and the job unless more came meanwhile.
    ///
    /// # Errors
    /// [`crate::Error::Fenced`] when the claim is gone.
    pub async fn dispatched(
        &self,
        claim: Claim,
        job_subject: &str,
        dispatch: Dispatch,
        now: Timestamp,
    ) -> Result<()> {
        let (channel, thread) = address(job_subject).unwrap_or_default();
        self.write(move |db| {
            jobs::finish(db, &claim)?;
            db.prepare_cached(
                "DELETE FROM outbox WHERE channel = ?1 AND thread = ?2 AND seq <= ?3",
            )?
            .execute(params![channel, thread, dispatch.last])?;
            let more: bool = db
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM outbox WHERE channel = ?1 AND thread = ?2)",
                )?
                .query_row(params![channel, thread], |row| row.get(0))?;
            if more {
                jobs::enqueue(
                    db,
                    &NewJob::at(JobKind::Send, subject(&channel, &thread), now),
                )?;
            }
            Ok(())
        })
        .await
    }
}

/// Queues a message whose notice is `text` as JSON.
pub(crate) fn post(db: &Connection, message: &Envelope, text: &str) -> Result<()> {
    db.prepare_cached("INSERT INTO outbox (channel, thread, document) VALUES (?1, ?2, ?3)")?
        .execute(params![message.channel, message.thread, text])?;
    let job = NewJob::at(
        JobKind::Send,
        subject(&message.channel, &message.thread),
        message.notice.at,
    );
    jobs::enqueue(db, &job)
}
