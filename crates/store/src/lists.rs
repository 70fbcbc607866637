//! Entries of protection lists that are kept at run time, and the record of who changed them. Owns
//! that every change is recorded with it; what an entry says is JSON text here.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use quell_model::{ListEntryId, OrganizationId};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::actions::NewJob;
use crate::error::{Error, Result};
use crate::ingest::parse;
use crate::jobs::{self, Claim, JobKind};
use crate::sqlite::Store;
use crate::{instant, micros};

/// An entry as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListEntry {
    /// Its id.
    pub id: ListEntryId,
    /// `person`, or the connection whose job fills it.
    pub source: String,
    /// When it is swept.
    pub expires: Option<Timestamp>,
    /// What it says.
    pub document: String,
}

/// Who changes lists, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListHand {
    /// Whose lists.
    pub organization: OrganizationId,
    /// The person, or the job that fills a list.
    pub person: String,
    /// Why. What is put on a list says so itself.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// The state the kept entries are in, and what was counted with them. After any change it is another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListState {
    change: i64,
    /// How many machines each connection found when it last took stock.
    pub machines: BTreeMap<String, u64>,
}

macro_rules! changes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What happened to an entry.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ListChange { $($(#[$doc])* $variant,)* }

        impl ListChange {
            const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            fn named(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

changes! {
    /// Somebody put it on.
    Added = "added",
    /// Somebody took it off.
    Removed = "removed",
    /// Its time was up.
    Expired = "expired",
}

/// One line of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRecord {
    /// Its number; later ones have higher numbers.
    pub seq: i64,
    /// The entry.
    pub entry: ListEntryId,
    /// What happened to it.
    pub change: ListChange,
    /// The person, or the job that fills a list.
    pub person: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// What the entry says.
    pub document: String,
}

impl Store {
    /// How often this process changed kept entries: while it stays the same, so does their state, unless
    /// another process changed it. Costs no look at the database.
    #[must_use]
    pub fn list_changes(&self) -> u64 {
        self.0.list_changes.load(Ordering::SeqCst)
    }

    /// A write that changes kept entries.
    pub(crate) async fn change_lists<T, F>(&self, write: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> Result<T> + Send + 'static,
    {
        // Before, for whoever does not wait for the end; after, for whoever read while it was under way.
        self.0.list_changes.fetch_add(1, Ordering::SeqCst);
        let written = self.write(move |db| write(db)).await;
        self.0.list_changes.fetch_add(1, Ordering::SeqCst);
        written
    }

    /// The state the kept entries are in.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_state(&self, organization: &OrganizationId) -> Result<ListState> {
        let organization = organization.clone();
        self.read(move |db| state(db, &organization)).await
    }

    /// All kept entries, oldest first, and a state they include.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_entries(
        &self,
        organization: &OrganizationId,
    ) -> Result<(ListState, Vec<ListEntry>)> {
        let organization = organization.clone();
        self.read(move |db| {
            // The state first: a change between the two is then read again, and never missed.
            let state = state(db, &organization)?;
            let mut statement = db.prepare_cached(
                "SELECT id, source, expires, document FROM list_entries
                 WHERE organization = ?1 ORDER BY id",
            )?;
            let rows = statement.query_map([organization.as_str()], entry)?;
            let entries = rows.map(|row| row?).collect::<Result<_>>()?;
            Ok((state, entries))
        })
        .await
    }

    /// Puts entries on lists, all or none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_list_entries(&self, hand: ListHand, entries: Vec<ListEntry>) -> Result<()> {
        self.change_lists(move |db| {
            for entry in &entries {
                add(db, &hand, entry)?;
            }
            match entries.iter().filter_map(|entry| entry.expires).min() {
                Some(first) => jobs::enqueue(db, &sweep(&hand.organization, first)),
                None => Ok(()),
            }
        })
        .await
    }

    /// Takes an entry off its list.
    ///
    /// # Errors
    /// [`Error::Missing`] when it is on none.
    pub async fn remove_list_entry(&self, hand: ListHand, id: ListEntryId) -> Result<()> {
        self.change_lists(move |db| {
            let found = find(db, &hand.organization, id)?;
            let found = found.ok_or_else(|| missing(id))?;
            remove(db, &hand, &found, ListChange::Removed)
        })
        .await
    }

    /// A kept entry.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is none.
    pub async fn list_entry(
        &self,
        organization: &OrganizationId,
        id: ListEntryId,
    ) -> Result<ListEntry> {
        let organization = organization.clone();
        self.read(move |db| find(db, &organization, id)?.ok_or_else(|| missing(id)))
            .await
    }

    /// Takes entries off whose time is up, and comes back for the next one that has an end.
    ///
    /// # Errors
    /// [`Error::Fenced`] when the claim is gone.
    pub async fn sweep_lists(&self, claim: Claim, hand: ListHand) -> Result<()> {
        self.change_lists(move |db| {
            jobs::finish(db, &claim)?;
            let organization = &hand.organization;
            let expired: Vec<ListEntry> = db
                .prepare_cached(
                    "SELECT id, source, expires, document FROM list_entries
                     WHERE organization = ?1 AND expires <= ?2 ORDER BY id",
                )?
                .query_map(params![organization.as_str(), micros(hand.at)], entry)?
                .map(|row| row?)
                .collect::<Result<_>>()?;
            for entry in &expired {
                remove(db, &hand, entry, ListChange::Expired)?;
            }
            let next: Option<i64> = db
                .prepare_cached("SELECT min(expires) FROM list_entries WHERE organization = ?1")?
                .query_row([organization.as_str()], |row| row.get(0))?;
            match next {
                Some(next) => jobs::enqueue(db, &sweep(organization, instant(next))),
                None => Ok(()),
            }
        })
        .await
    }

    /// What happened to entries, newest first: to all of them or to one, before the line numbered
    /// `before`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_history(
        &self,
        organization: &OrganizationId,
        only: Option<ListEntryId>,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<ListRecord>> {
        let organization = organization.clone();
        self.read(move |db| {
            let mut statement = db.prepare_cached(
                "SELECT seq, entry, change, person, reason, at, document FROM list_history
                 WHERE organization = ?1 AND (?2 IS NULL OR entry = ?2) AND seq < ?3
                 ORDER BY seq DESC LIMIT ?4",
            )?;
            let rows = statement.query_map(
                params![
                    organization.as_str(),
                    only.map(|id| id.to_string()),
                    before.unwrap_or(i64::MAX),
                    i64::try_from(limit).unwrap_or(i64::MAX)
                ],
                record,
            )?;
            rows.map(|row| row?).collect()
        })
        .await
    }
}

fn state(db: &Connection, organization: &OrganizationId) -> Result<ListState> {
    let change = db
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM list_history WHERE organization = ?1")?
        .query_row([organization.as_str()], |row| row.get(0))?;
    let prefix = machines(organization, "");
    let mut statement =
        db.prepare_cached("SELECT name, value FROM facts WHERE name >= ?1 AND name < ?2")?;
    // `;` follows `:`.
    let rows = statement.query_map(
        params![prefix, format!("{};", prefix.trim_end_matches(':'))],
        |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)),
    )?;
    let mut machines = BTreeMap::new();
    for row in rows {
        let (name, value) = row?;
        let connection = name.strip_prefix(&prefix).unwrap_or_default();
        machines.insert(connection.to_owned(), serde_json::from_str(&value)?);
    }
    Ok(ListState { change, machines })
}

pub(crate) fn machines(organization: &OrganizationId, connection: &str) -> String {
    format!("machines:{organization}:{connection}")
}

fn missing(id: ListEntryId) -> Error {
    Error::Missing {
        what: "list entry",
        id: id.to_string(),
    }
}

fn sweep(organization: &OrganizationId, due: Timestamp) -> NewJob {
    NewJob::at(JobKind::SweepLists, organization, due)
}

fn find(
    db: &Connection,
    organization: &OrganizationId,
    id: ListEntryId,
) -> Result<Option<ListEntry>> {
    db.prepare_cached(
        "SELECT id, source, expires, document FROM list_entries WHERE organization = ?1 AND id = ?2",
    )?
    .query_row(params![organization.as_str(), id.to_string()], entry)
    .optional()?
    .transpose()
}

pub(crate) fn add(db: &Connection, hand: &ListHand, entry: &ListEntry) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO list_entries (id, organization, source, expires, document)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        entry.id.to_string(),
        hand.organization.as_str(),
        entry.source,
        entry.expires.map(micros),
        entry.document
    ])?;
    // What is put on a list says itself why.
    let hand = ListHand {
        reason: String::new(),
        ..hand.clone()
    };
    note(db, &hand, entry, ListChange::Added)
}

pub(crate) fn remove(
    db: &Connection,
    hand: &ListHand,
    entry: &ListEntry,
    why: ListChange,
) -> Result<()> {
    db.prepare_cached("DELETE FROM list_entries WHERE id = ?1")?
        .execute([entry.id.to_string()])?;
    note(db, hand, entry, why)
}

fn note(db: &Connection, hand: &ListHand, entry: &ListEntry, change: ListChange) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO list_history (organization, entry, change, person, reason, at, document)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        hand.organization.as_str(),
        entry.id.to_string(),
        change.as_str(),
        hand.person,
        hand.reason,
        micros(hand.at),
        entry.document
    ])?;
    Ok(())
}

pub(crate) fn entry(row: &Row<'_>) -> rusqlite::Result<Result<ListEntry>> {
    let id: String = row.get(0)?;
    let (source, expires, document) = (row.get(1)?, row.get::<_, Option<i64>>(2)?, row.get(3)?);
    Ok(parse(&id).map(|id| ListEntry {
        id,
        source,
        expires: expires.map(instant),
        document,
    }))
}

fn record(row: &Row<'_>) -> rusqlite::Result<Result<ListRecord>> {
    let (entry, change): (String, String) = (row.get(1)?, row.get(2)?);
    let (seq, person, reason) = (row.get(0)?, row.get(3)?, row.get(4)?);
    let (at, document) = (row.get(5)?, row.get(6)?);
    Ok(parse(&entry).and_then(|entry| {
        let change = ListChange::named(&change)
            .ok_or_else(|| Error::Corrupt(format!("no change is named `{change}`").into()))?;
        Ok(ListRecord {
            seq,
            entry,
            change,
            person,
            reason,
            at: instant(at),
            document,
        })
    }))
}
