//! Protection lists that are kept at run time: what people put on them and take off, and keeping the
//! rules in force in step with the store. What an entry means is the policy's business.
//!
//! INVARIANT: before each vendor call the engine looks whether a list was changed in this process and
//! then reads it, so an entry counts from the moment whoever adds it has an answer. What another process
//! changed is looked for every few seconds; SQLite lets no other process at the file.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use quell_model::ListEntryId;
use quell_policy::lists::{Draft, Entry};
use quell_store::{Error, Job, ListEntry, ListHand, ListState, Result};
use tracing::{error, info};

use crate::BoxFuture;
use crate::engine::Engine;
use crate::own::OWN;
use crate::pace;
use crate::rules::Beside;

/// The source of what people put on lists.
pub const PERSON: &str = "person";

/// Why a list was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// It cannot be done, and what to do instead.
    #[error("{0}")]
    Refused(String),
    /// The store failed, or has no such entry.
    #[error(transparent)]
    Store(#[from] Error),
}

/// What became of entries that were to be put on lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addition {
    /// Those that were put on.
    pub added: Vec<ListEntryId>,
    /// How many were on a list already, said by a person in the same way.
    pub known: usize,
}

/// An entry that was taken off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// Its id.
    pub id: ListEntryId,
    /// What it said.
    pub entry: Arc<Entry>,
}

impl Engine {
    /// A person puts entries on lists, all or none. They count from the moment this answers. Whatever
    /// the entries say of it, `person` is their author.
    ///
    /// # Errors
    /// When the store fails, or an entry cannot be that person's; then none is there.
    pub async fn add_list_entries(
        &self,
        person: &str,
        entries: Vec<Entry>,
    ) -> Result<Addition, ListError> {
        self.refresh_lists().await?;
        let all = entries.len();
        let (engine, author) = (self.clone(), person.to_owned());
        let rows = aside(move || engine.new_rows(&author, entries)).await??;
        let added: Vec<_> = rows.iter().map(|row| row.id).collect();
        if !rows.is_empty() {
            let hand = self.hand(person, "");
            self.0.store.add_list_entries(hand, rows).await?;
            info!(person, entries = added.len(), "entries were put on lists");
            // The sweep may now be due earlier than the loop rests.
            self.0.nudge.notify_one();
            self.follow_lists().await;
        }
        Ok(Addition {
            known: all - added.len(),
            added,
        })
    }

    /// The entries as a person's, without those some person said already.
    fn new_rows(&self, person: &str, entries: Vec<Entry>) -> Result<Vec<ListEntry>, ListError> {
        let (now, rules) = (self.now(), self.rules());
        let kept = rules.guardrails.beside_the_folder().kept.iter();
        let mut known: BTreeSet<Draft> = kept
            .filter(|(_, entry)| entry.source == PERSON)
            .map(|(_, entry)| wording(entry))
            .collect();
        let mut rows = Vec::with_capacity(entries.len());
        for entry in entries {
            let draft = Draft {
                author: person.to_owned(),
                source: PERSON.to_owned(),
                added: now,
                ..entry.into()
            };
            if known.insert(wording(&draft)) {
                let entry = Entry::new(draft).map_err(|problems| {
                    ListError::Refused(format!("an entry cannot be kept: {problems}"))
                })?;
                rows.push(self.row(&entry)?);
            }
        }
        Ok(rows)
    }

    /// A person takes an entry off its list.
    ///
    /// # Errors
    /// When it is on none, or a job would put it back.
    pub async fn remove_list_entry(
        &self,
        person: &str,
        id: ListEntryId,
        reason: &str,
    ) -> Result<Removal, ListError> {
        let (store, organization) = (&self.0.store, self.organization());
        let row = store.list_entry(organization, id).await?;
        if self.fills(&row.source) && !store.stock_is_doubted(organization, &row.source).await? {
            return Err(ListError::Refused(format!(
                "the list is filled by what {0} says of its machines, which would put the entry back; correct it at the vendor, or say what the machine is with a label under [[assets]]",
                row.source
            )));
        }
        let entry = Arc::new(read(&row)?);
        let hand = self.hand(person, reason);
        store.remove_list_entry(hand, id).await?;
        info!(person, entry.id = %id, reason, "an entry was taken off its list");
        self.follow_lists().await;
        Ok(Removal { id, entry })
    }

    /// Brings the rules in force up to date with the entries in the store.
    ///
    /// # Errors
    /// When they cannot be read. Nothing may be done then: who knows what is protected?
    pub async fn refresh_lists(&self) -> Result<()> {
        // Noted before they are read: what changes meanwhile is read again.
        let changes = self.0.store.list_changes();
        if self.0.list_changes.load(Ordering::SeqCst) == changes {
            return Ok(());
        }
        self.read_lists().await?;
        self.0.list_changes.store(changes, Ordering::SeqCst);
        Ok(())
    }

    /// The same, with a look at the database in any case.
    async fn read_lists(&self) -> Result<()> {
        let (store, organization) = (&self.0.store, self.organization());
        let state = store.list_state(organization).await?;
        if self.lists_are_at(&state) {
            return Ok(());
        }
        let _turn = self.0.reading.lock().await;
        // Somebody else may have read them meanwhile.
        let state = store.list_state(organization).await?;
        if self.lists_are_at(&state) {
            return Ok(());
        }
        let (state, rows) = store.list_entries(organization).await?;
        let engine = self.clone();
        aside(move || engine.use_entries(state, &rows)).await?
    }

    /// The same after a change that is stored whether or not this succeeds: nothing is done by old
    /// lists meanwhile.
    pub(crate) async fn follow_lists(&self) {
        if let Err(error) = self.refresh_lists().await {
            cannot_be_read(&error);
        }
    }

    fn lists_are_at(&self, state: &ListState) -> bool {
        let rules = self.rules();
        rules.guardrails.beside_the_folder().state.as_ref() == Some(state)
    }

    fn use_entries(&self, state: ListState, rows: &[ListEntry]) -> Result<()> {
        let kept = rows
            .iter()
            .map(|row| Ok((row.id, Arc::new(read(row)?))))
            .collect::<Result<Arc<[_]>>>()?;
        let counted = |connection: &str| {
            let id = connection.parse().ok();
            id.is_some_and(|id| self.connection(&id).is_some())
        };
        // Of nothing, a share is nothing: it would rather be a vendor's mistake.
        let machines: u64 = state
            .machines
            .iter()
            .filter(|(connection, _)| counted(connection))
            .fold(0, |sum, (_, machines)| sum.saturating_add(*machines));
        self.replace_beside(|now| {
            Some(Beside {
                own: now.own.clone(),
                kept,
                state: Some(state),
                machines: Some(machines).filter(|machines| *machines > 0),
            })
        });
        Ok(())
    }

    /// Looks for changes by other nodes, endlessly.
    pub(crate) fn lists_watch(&self) -> BoxFuture<'static, ()> {
        let engine = self.clone();
        Box::pin(async move {
            loop {
                engine.0.clock.sleep(pace::LISTS).await;
                if let Err(error) = engine.read_lists().await {
                    cannot_be_read(&error);
                }
            }
        })
    }

    /// A `sweep_lists` job. What has expired does not count any more anyway; this makes it go away.
    pub(crate) async fn sweep_lists(&self, job: &Job) -> Result<()> {
        let Ok(organization) = job.subject.parse() else {
            return self.0.store.finish(job.claim.clone()).await;
        };
        let hand = ListHand {
            organization,
            ..self.hand(OWN, "its time was up")
        };
        self.0.store.sweep_lists(job.claim.clone(), hand).await?;
        self.follow_lists().await;
        Ok(())
    }

    pub(crate) fn hand(&self, person: &str, reason: &str) -> ListHand {
        ListHand {
            organization: self.organization().clone(),
            person: person.to_owned(),
            reason: reason.to_owned(),
            at: self.now(),
        }
    }

    /// An entry as it is stored, under a new id.
    pub(crate) fn row(&self, entry: &Entry) -> Result<ListEntry> {
        Ok(ListEntry {
            id: ListEntryId::new(self.0.ids.uuid()),
            source: entry.source.clone(),
            expires: entry.expires,
            document: serde_json::to_string(&**entry)?,
        })
    }
}

fn cannot_be_read(error: &Error) {
    error!(
        error = error as &dyn std::error::Error,
        "the lists cannot be read; nothing is done until they can"
    );
}

/// Work on a hundred thousand entries keeps a processor busy for a while; the engine's tasks are not to
/// wait for it.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::Corrupt(Box::new(error)))
}

/// Reads a stored entry. INVARIANT: one that cannot be read is an error and never passed over: it may
/// protect something.
pub(crate) fn read(row: &ListEntry) -> Result<Entry> {
    Ok(serde_json::from_str(&row.document)?)
}

/// What an entry says, without who says it and when: two of the same say the same.
fn wording(draft: &Draft) -> Draft {
    Draft {
        reason: String::new(),
        author: String::new(),
        added: Timestamp::UNIX_EPOCH,
        ..draft.clone()
    }
}
