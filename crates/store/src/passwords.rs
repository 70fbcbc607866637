//! Temporary passwords, sealed. One is given out once; then only the record of it is left.

use jiff::Timestamp;
use quell_model::{ActionId, OrganizationId};
use rusqlite::{OptionalExtension, params};

use crate::actions::NewJob;
use crate::error::{Error, Result};
use crate::jobs::{self, JobKind};
use crate::outbox::{self, Envelope};
use crate::sqlite::Store;
use crate::{instant, micros};

/// What is known of an action's temporary password, but for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordRecord {
    /// When it was made.
    pub made: Timestamp,
    /// When it is forgotten unless somebody has seen it.
    pub expires: Timestamp,
    /// Who saw it and when.
    pub shown: Option<(String, Timestamp)>,
    /// It can still be shown.
    pub kept: bool,
}

impl Store {
    /// Keeps a sealed password of an action in place of an earlier one, until it expires.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_password(
        &self,
        organization: &OrganizationId,
        action: ActionId,
        sealed: Vec<u8>,
        (made, expires): (Timestamp, Timestamp),
    ) -> Result<()> {
        let organization = organization.clone();
        self.write(move |db| {
            db.prepare_cached(
                "INSERT INTO passwords (action, organization, sealed, made, expires) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (action) DO UPDATE SET sealed = excluded.sealed, made = excluded.made,
                   expires = excluded.expires, shown_to = NULL, shown_at = NULL",
            )?
            .execute(params![
                action.to_string(),
                organization.as_str(),
                sealed,
                micros(made),
                micros(expires)
            ])?;
            jobs::enqueue(db, &NewJob::at(JobKind::ForgetPassword, action, expires))
        })
        .await
    }

    /// Gives a password out, once, remembers to whom, and tells those `messages` are for. None when there
    /// is none any more. One that `open` cannot open stays where it is, for whoever has the right key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_password<T: Send + 'static, E: Send + 'static>(
        &self,
        organization: &OrganizationId,
        action: ActionId,
        person: &str,
        now: Timestamp,
        messages: Vec<Envelope>,
        open: impl Fn(&[u8]) -> std::result::Result<T, E> + Send + 'static,
    ) -> Result<Option<std::result::Result<T, E>>> {
        let (organization, person) = (organization.clone(), person.to_owned());
        self.write(move |db| {
            let id = action.to_string();
            let sealed: Option<Vec<u8>> = db
                .prepare_cached(
                    "SELECT sealed FROM passwords
                     WHERE action = ?1 AND organization = ?2 AND expires > ?3 AND sealed IS NOT NULL",
                )?
                .query_row(params![id, organization.as_str(), micros(now)], |row| row.get(0))
                .optional()?;
            let opened = sealed.map(|sealed| open(&sealed));
            if matches!(opened, Some(Ok(_))) {
                db.prepare_cached(
                    "UPDATE passwords SET sealed = NULL, shown_to = ?2, shown_at = ?3 WHERE action = ?1",
                )?
                .execute(params![id, person, micros(now)])?;
                for message in &messages {
                    outbox::post(db, message, &serde_json::to_string(&message.notice)?)?;
                }
            }
            Ok(opened)
        })
        .await
    }

    /// What is known of an action's password.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn password(
        &self,
        organization: &OrganizationId,
        action: ActionId,
    ) -> Result<Option<PasswordRecord>> {
        let organization = organization.clone();
        self.read(move |db| {
            let found = db
                .prepare_cached(
                    "SELECT made, expires, shown_to, shown_at, sealed IS NOT NULL FROM passwords
                     WHERE action = ?1 AND organization = ?2",
                )?
                .query_row(params![action.to_string(), organization.as_str()], |row| {
                    let shown: (Option<String>, Option<i64>) = (row.get(2)?, row.get(3)?);
                    Ok(PasswordRecord {
                        made: instant(row.get(0)?),
                        expires: instant(row.get(1)?),
                        shown: shown.0.zip(shown.1.map(instant)),
                        kept: row.get(4)?,
                    })
                })
                .optional()?;
            Ok(found)
        })
        .await
    }

    /// Forgets passwords whose time is up, and finishes the job that says so.
    ///
    /// # Errors
    /// [`Error::Fenced`] when the job is no longer the caller's.
    pub async fn forget_passwords(&self, claim: crate::Claim, now: Timestamp) -> Result<()> {
        self.write(move |db| {
            jobs::finish(db, &claim)?;
            db.prepare_cached("UPDATE passwords SET sealed = NULL WHERE expires <= ?1")?
                .execute([micros(now)])?;
            Ok::<_, Error>(())
        })
        .await
    }
}
