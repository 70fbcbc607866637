//! The job queue: all work to come, each with a due time and at most one holder.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use quell_model::NodeId;
use rusqlite::{Connection, params};

use crate::actions::NewJob;
use crate::error::{Error, Result};
use crate::sqlite::Store;
use crate::{instant, micros};

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What a job does.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum JobKind { $($(#[$doc])* $variant,)* }

        impl JobKind {
            /// The name in the store, in logs and in metrics.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            fn named(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

kinds! {
    /// Execute an action. Held back while automation, or its connection, is paused.
    Act = "act",
    /// Read whether the effect is there.
    Settle = "settle",
    /// Give up waiting for an approval.
    Expire = "expire",
    /// Remind those who were asked.
    Remind = "remind",
    /// Tell others that nobody answered.
    Escalate = "escalate",
    /// Take an action back.
    Revert = "revert",
    /// Read whether what was taken back is gone.
    SettleRevert = "settle_revert",
    /// Send what is in the outbox for one channel and thread.
    Send = "send",
    /// Fetch an alert of which only the id was pushed.
    Fetch = "fetch",
    /// Take list entries off whose time is up.
    SweepLists = "sweep_lists",
    /// Ask a connection which machines there are.
    TakeStock = "take_stock",
    /// Forget a temporary password that nobody asked for.
    ForgetPassword = "forget_password",
    /// Keep something alive at a vendor, such as a subscription.
    Upkeep = "upkeep",
    /// Ask the person an alert is about.
    AskUser = "ask_user",
    /// Go by what they answered.
    UserAnswered = "user_answered",
}

impl JobKind {
    /// What is due while an action waits for people, and has no reason any more once it does not.
    pub const WAITING: [Self; 3] = [Self::Expire, Self::Remind, Self::Escalate];

    /// The key of the one job of this kind about `subject`.
    #[must_use]
    pub fn key(self, subject: &str) -> String {
        format!("{}:{subject}", self.as_str())
    }
}

/// The right to do a job until a moment; proof of it goes with every write the job makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The job.
    pub key: String,
    /// Unlike every other claim ever made on it.
    pub token: String,
    /// When others may take it.
    pub until: Timestamp,
}

impl Claim {
    /// A claim on the job `key` that no other claim equals.
    #[must_use]
    pub fn new(node: NodeId, key: String, until: Timestamp) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        Self {
            key,
            token: format!("{node}:{}", COUNT.fetch_add(1, Ordering::Relaxed)),
            until,
        }
    }
}

/// A job taken from the queue.
#[derive(Debug, Clone)]
pub struct Job {
    /// What it does.
    pub kind: JobKind,
    /// What it is about.
    pub subject: String,
    /// How often it was taken before, this time included.
    pub attempts: u32,
    /// The right to do it.
    pub claim: Claim,
}

/// Of the jobs, those that no pause holds back. The connection is looked up only while one is paused.
const MAY_RUN: &str = "(kind <> 'act' OR NOT EXISTS (
    SELECT 1 FROM facts WHERE name = 'paused'
    UNION ALL
    SELECT 1 FROM facts WHERE name > 'paused:' AND name < 'paused;'
      AND name = 'paused:' || (SELECT connection FROM actions WHERE id = jobs.subject)))";

impl Store {
    /// Takes up to `limit` due jobs until `until`. No actions that a pause holds back.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_due(
        &self,
        node: NodeId,
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<Job>> {
        let template = Claim::new(node, String::new(), until);
        self.write(move |db| {
            let mut statement = db.prepare_cached(&format!(
                "UPDATE jobs SET holder = ?1, due = ?2, attempts = attempts + 1
                     WHERE key IN (
                       SELECT key FROM jobs WHERE due <= ?3 AND {MAY_RUN} ORDER BY due LIMIT ?4)
                     RETURNING key, kind, subject, attempts"
            ))?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = statement.query_map(
                params![template.token, micros(until), micros(now), limit],
                |row| {
                    Ok((
                        row.get::<_, String>(0)?,
                        row.get::<_, String>(1)?,
                        row.get::<_, String>(2)?,
                        row.get(3)?,
                    ))
                },
            )?;
            let mut jobs = Vec::new();
            for row in rows {
                let (key, kind, subject, attempts) = row?;
                // A kind of a newer version stays in the queue for a node that knows it.
                let Some(kind) = JobKind::named(&kind) else {
                    continue;
                };
                jobs.push(Job {
                    kind,
                    subject,
                    attempts,
                    claim: Claim {
                        key,
                        ..template.clone()
                    },
                });
            }
            Ok(jobs)
        })
        .await
    }

    /// When the next job is due, held ones included.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next_due(&self) -> Result<Option<Timestamp>> {
        self.read(|db| {
            let due: Option<i64> = db
                .prepare_cached(&format!("SELECT min(due) FROM jobs WHERE {MAY_RUN}"))?
                .query_row([], |row| row.get(0))?;
            Ok(due.map(instant))
        })
        .await
    }

    /// Puts a job back to be done at `due`.
    ///
    /// # Errors
    /// [`Error::Fenced`] when the claim is gone.
    pub async fn postpone(&self, claim: Claim, due: Timestamp) -> Result<()> {
        self.write(move |db| {
            let changed = db
                .prepare_cached(
                    "UPDATE jobs SET holder = NULL, due = ?3 WHERE key = ?1 AND holder = ?2",
                )?
                .execute(params![claim.key, claim.token, micros(due)])?;
            if changed == 1 {
                Ok(())
            } else {
                Err(Error::Fenced(claim.key.clone()))
            }
        })
        .await
    }

    /// Removes a job that is done and changed nothing else.
    ///
    /// # Errors
    /// [`Error::Fenced`] when the claim is gone.
    pub async fn finish(&self, claim: Claim) -> Result<()> {
        self.write(move |db| finish(db, &claim)).await
    }

    /// Replaces a job that is done by the one that follows from it.
    ///
    /// # Errors
    /// [`Error::Fenced`] when the claim is gone.
    pub async fn finish_then(&self, claim: Claim, next: NewJob) -> Result<()> {
        self.write(move |db| {
            finish(db, &claim)?;
            enqueue(db, &next)
        })
        .await
    }

    /// Queues a job; one of the same key keeps the earlier due time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn enqueue(&self, job: NewJob) -> Result<()> {
        self.write(move |db| enqueue(db, &job)).await
    }
}

pub(crate) fn finish(db: &Connection, claim: &Claim) -> Result<()> {
    let removed = db
        .prepare_cached("DELETE FROM jobs WHERE key = ?1 AND holder = ?2")?
        .execute(params![claim.key, claim.token])?;
    if removed == 1 {
        Ok(())
    } else {
        Err(Error::Fenced(claim.key.clone()))
    }
}

/// Queues a job. One of the same key that nobody holds keeps the earlier due time; one that is held
/// is left alone if it is the caller's own business to finish it, which `finish` before this does.
pub(crate) fn enqueue(db: &Connection, job: &NewJob) -> Result<()> {
    let (due, holder) = match &job.claim {
        Some(claim) => (micros(claim.until), Some(claim.token.as_str())),
        None => (micros(job.due), None),
    };
    db.prepare_cached(
        "INSERT INTO jobs (key, kind, subject, due, holder) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (key) DO UPDATE SET due = min(due, excluded.due) WHERE holder IS NULL",
    )?
    .execute(params![
        job.kind.key(&job.subject),
        job.kind.as_str(),
        job.subject,
        due,
        holder
    ])?;
    Ok(())
}
