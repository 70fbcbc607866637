//! Entries, arranged for finding: by what they are about and what they say. Owns the arrangement; how
//! it is asked stands in `search.rs`.
//!
//! Entries are sorted once, the strongest first, and known by their place from then on; whatever
//! sorts places sorts by strength.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use quell_model::{ActionType, ConnectionId};

use super::entry::{Entry, Strength, Subject};
use super::form::Form;
use super::glob::{Glob, fold};
use super::place::{Network, turned};

/// An organization's protection lists, ready to be asked.
#[derive(Debug, Clone, Default)]
pub struct Lists {
    pub(super) entries: Vec<Arc<Entry>>,
    pub(super) texts: BTreeMap<Subject, Texts>,
    pub(super) networks: Networks,
    /// Protected domains and senders by their turned names, to find what a wider target contains.
    pub(super) below: BTreeMap<Subject, Inside<Box<str>>>,
    pub(super) allowing: HashMap<ActionType, Allowing>,
}

/// Places of entries, in order.
pub(super) type Places = Vec<usize>;

#[derive(Debug, Clone, Default)]
pub(super) struct Texts {
    pub(super) exact: HashMap<Box<str>, Places>,
    /// By the character a match begins with; nothing where the pattern leaves that open.
    pub(super) globs: HashMap<Option<char>, Vec<(Glob, usize)>>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Networks {
    pub(super) exact: HashMap<Network, Places>,
    /// The prefix lengths there are, for each family: what contains an address is looked up once for
    /// each.
    pub(super) lengths: BTreeSet<(bool, u8)>,
    pub(super) protected: Inside<Network>,
}

/// Never and ask entries by something that sorts what is inside together. An allow entry is not here:
/// it allows what it names, not what is wider.
#[derive(Debug, Clone)]
pub(super) struct Inside<K> {
    pub(super) never: BTreeMap<K, Places>,
    pub(super) ask: BTreeMap<K, Places>,
}

/// The allow entries of an action type. An allow list applies as long as one of them has not expired,
/// so the last end is all that matters.
#[derive(Debug, Clone, Default)]
pub(super) struct Allowing {
    pub(super) everywhere: Option<End>,
    pub(super) connections: BTreeMap<ConnectionId, End>,
}

/// When something ends. As it sorts, never ending is last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    At(Timestamp),
    Never,
}

impl Lists {
    /// The lists with these entries. Their order does not matter, and one that is there twice counts
    /// once.
    #[must_use]
    pub fn new(entries: Vec<Entry>) -> Self {
        Self::of(entries.into_iter().map(Arc::new).collect())
    }

    /// The same of entries that others hold as well: lists made anew share what did not change.
    #[must_use]
    pub fn of(mut entries: Vec<Arc<Entry>>) -> Self {
        entries.sort_by(|a, b| (Reverse(a.strength), &***a).cmp(&(Reverse(b.strength), &***b)));
        entries.dedup();
        let mut lists = Self::default();
        for (place, entry) in entries.iter().enumerate() {
            lists.add(place, entry);
        }
        lists.entries = entries;
        lists
    }

    /// All entries, the strongest first.
    #[must_use]
    pub fn entries(&self) -> &[Arc<Entry>] {
        &self.entries
    }

    fn add(&mut self, place: usize, entry: &Entry) {
        let texts = self.texts.entry(entry.subject).or_default();
        match entry.form() {
            Form::Exact(text) => texts
                .exact
                .entry(text.as_str().into())
                .or_default()
                .push(place),
            Form::Glob(glob) => {
                let globs = texts.globs.entry(glob.initial()).or_default();
                globs.push((glob.clone(), place));
            }
            Form::Network(network) => {
                let networks = &mut self.networks;
                networks.exact.entry(*network).or_default().push(place);
                networks.lengths.insert((network.is_v4(), network.bits()));
                networks.protected.add(*network, entry.strength, place);
            }
        }
        if matches!(entry.subject, Subject::Domain | Subject::Sender) {
            // A pattern sorts by the labels after its last wildcard, which is what can be said of it.
            let written = match entry.form() {
                Form::Exact(text) => turned(text),
                _ => turned(&fold(&entry.value)),
            };
            let below = self.below.entry(entry.subject).or_default();
            below.add(written.into(), entry.strength, place);
        }
        if entry.strength == Strength::Allow {
            self.allow(entry);
        }
    }

    fn allow(&mut self, entry: &Entry) {
        let end = entry.expires.map_or(End::Never, End::At);
        for action in ActionType::ALL {
            // An allow list of hosts says nothing about what is done to senders.
            let about = entry.subject.targets().contains(&action.target());
            if !about || !(entry.actions.is_empty() || entry.actions.contains(action)) {
                continue;
            }
            let allowing = self.allowing.entry(*action).or_default();
            match &entry.connection {
                None => allowing.everywhere = allowing.everywhere.max(Some(end)),
                Some(connection) => {
                    let last = allowing
                        .connections
                        .entry(connection.clone())
                        .or_insert(end);
                    *last = end.max(*last);
                }
            }
        }
    }
}

impl<K: Ord> Inside<K> {
    fn add(&mut self, key: K, strength: Strength, place: usize) {
        let entries = match strength {
            Strength::Never => &mut self.never,
            Strength::Ask => &mut self.ask,
            Strength::Allow => return,
        };
        entries.entry(key).or_default().push(place);
    }
}

// Derived, it would ask for a default of the key.
impl<K> Default for Inside<K> {
    fn default() -> Self {
        Self {
            never: BTreeMap::new(),
            ask: BTreeMap::new(),
        }
    }
}
