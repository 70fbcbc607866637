//! What the writes of one group share: their transaction, and counts that nearly all of them change.
//!
//! How much of a budget is spent, or how often a source sends, is a row that each alert of a group would
//! read and write again. It is read once, counted here, and written once before the group is committed.
//! A group that is undone takes its counts with it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Deref;

use rusqlite::Connection;

use crate::budgets::{Purse, Spent};
use crate::error::Result;
use crate::pulse::{Pulse, Scope};

/// A group of writes. Everything but the counts is its transaction.
pub(crate) struct Group<'t> {
    db: &'t Connection,
    pub(crate) pulses: Counts<Scope, Pulse>,
    pub(crate) spending: Counts<Purse, Spent>,
}

impl<'t> Group<'t> {
    pub(crate) fn new(db: &'t Connection) -> Self {
        Self {
            db,
            pulses: Counts::default(),
            spending: Counts::default(),
        }
    }

    /// Writes the counts. They stay, and may change again.
    pub(crate) fn settle(&self) -> Result<()> {
        self.pulses
            .settle(|scope, pulse| pulse.save(self.db, scope))?;
        self.spending
            .settle(|purse, spent| spent.save(self.db, purse))
    }
}

impl Deref for Group<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.db
    }
}

/// Counts of one kind, by what is counted together.
pub(crate) struct Counts<K, T>(RefCell<HashMap<K, Count<T>>>);

struct Count<T> {
    value: T,
    changed: bool,
}

impl<K, T> Default for Counts<K, T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<K: Clone + Eq + Hash, T: Clone> Counts<K, T> {
    /// How it stands: as counted here, or as `read`.
    pub(crate) fn get(&self, of: &K, read: impl FnOnce() -> Result<T>) -> Result<T> {
        if let Some(count) = self.0.borrow().get(of) {
            return Ok(count.value.clone());
        }
        let value = read()?;
        let count = Count {
            value: value.clone(),
            changed: false,
        };
        self.0.borrow_mut().insert(of.clone(), count);
        Ok(value)
    }

    /// Counts on from here.
    pub(crate) fn put(&self, of: K, value: T) {
        let count = Count {
            value,
            changed: true,
        };
        self.0.borrow_mut().insert(of, count);
    }

    fn settle(&self, mut save: impl FnMut(&K, &T) -> Result<()>) -> Result<()> {
        let mut counts = self.0.borrow_mut();
        for (of, count) in counts.iter_mut().filter(|(_, count)| count.changed) {
            save(of, &count.value)?;
            count.changed = false;
        }
        Ok(())
    }
}
