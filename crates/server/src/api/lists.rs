//! Protection lists over the wire.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use quell_model::{ActionType, ConnectionId, ListEntryId};
use quell_policy::lists::{Draft, Entry, Strength, Subject};
use quell_store::{ListChange, ListRecord};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An entry that is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ListEntryView {
    /// Its id, by which it can be taken off. Entries of the policy folder and those Quell makes of what
    /// it needs itself have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<ListEntryId>,
    /// What it says.
    pub entry: Draft,
}

impl ListEntryView {
    pub(crate) fn of(id: Option<ListEntryId>, entry: &Arc<Entry>) -> Self {
        Self {
            id,
            entry: Draft::clone(entry),
        }
    }
}

/// Entries to put on lists, all or none. Their author is whoever asks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListAddRequest {
    /// The entries, at least one.
    pub entries: Vec<NewListEntry>,
}

/// An entry to put on a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewListEntry {
    /// What it is about.
    pub subject: Subject,
    /// Which ones, in the form its subject says; 1 to 512 characters on one line.
    pub value: String,
    /// What being on it means.
    pub strength: Strength,
    /// The action types it counts for. None means every action type.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub actions: BTreeSet<ActionType>,
    /// The connection it counts for. Without it: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionId>,
    /// Why, for the person who finds it in the way; 1 to 512 characters on one line.
    pub reason: String,
    /// The moment it stops counting. Without it: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

/// What became of entries that were to be put on lists. They count from now on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ListAddReply {
    /// How many were put on.
    pub added: u64,
    /// How many were there already, said by a person in the same way.
    pub known: u64,
    /// Ids of those that were put on, the first hundred.
    pub ids: Vec<ListEntryId>,
}

/// An order to take an entry off its list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListRemoveRequest {
    /// Why, one line. Kept in the record.
    pub reason: String,
}

/// One line of the record of who changed lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ListChangeView {
    /// The entry.
    pub id: ListEntryId,
    /// What happened to it.
    pub change: ListChangeKind,
    /// The person, or the job that fills the list.
    pub by: String,
    /// Why it was taken off. Why it was put on, it says itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// What it says.
    pub entry: Draft,
}

/// What happened to an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ListChangeKind {
    /// It was put on.
    Added,
    /// It was taken off.
    Removed,
    /// Its time was up.
    Expired,
}

impl TryFrom<ListRecord> for ListChangeView {
    type Error = serde_json::Error;

    fn try_from(record: ListRecord) -> Result<Self, Self::Error> {
        Ok(Self {
            id: record.entry,
            change: match record.change {
                ListChange::Added => ListChangeKind::Added,
                ListChange::Removed => ListChangeKind::Removed,
                ListChange::Expired => ListChangeKind::Expired,
            },
            by: record.person,
            reason: record.reason,
            at: record.at,
            entry: serde_json::from_str(&record.document)?,
        })
    }
}
