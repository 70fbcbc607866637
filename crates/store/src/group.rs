//! What the writes of one group share: their transaction, and counts that nearly all of them change.
//!
//! How much of a budget is spent, or how often a source sends, is a row that each alert of a group would
//! read and write again. It is read once, counted here, and written once before the group is committed.
//! A group that is undone takes its counts with it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Deref;

use quell_model::OrganizationId;
use rusqlite::Connection;

use crate::budgets::Spent;
use crate::error::Result;
use crate::pulse::Pulse;

/// Whose count it is, and what is counted together.
pub(crate) type Scope = (OrganizationId, String);

/// A group of writes. Everything but the counts is its transaction.
pub(crate) struct Group<'t> {
    db: &'t Connection,
    pub(crate) pulses: Counts<Pulse>,
    pub(crate) spending: Counts<Spent>,
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
    pub(crate) fn settle(&self) -> rusqlite::Result<()> {
        self.pulses
            .settle(|scope, pulse| pulse.save(self.db, scope))?;
        self.spending
            .settle(|scope, spent| spent.save(self.db, scope))
    }
}

impl Deref for Group<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.db
    }
}

/// Counts of one kind, by scope.
pub(crate) struct Counts<T>(RefCell<HashMap<Scope, Count<T>>>);

struct Count<T> {
    value: T,
    changed: bool,
}

impl<T> Default for Counts<T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<T: Clone> Counts<T> {
    /// How it stands: as counted here, or as `read`.
    pub(crate) fn get(&self, scope: &Scope, read: impl FnOnce() -> Result<T>) -> Result<T> {
        if let Some(count) = self.0.borrow().get(scope) {
            return Ok(count.value.clone());
        }
        let value = read()?;
        let count = Count {
            value: value.clone(),
            changed: false,
        };
        self.0.borrow_mut().insert(scope.clone(), count);
        Ok(value)
    }

    /// Counts on from here.
    pub(crate) fn put(&self, scope: Scope, value: T) {
        let count = Count {
            value,
            changed: true,
        };
        self.0.borrow_mut().insert(scope, count);
    }

    fn settle(
        &self,
        mut save: impl FnMut(&Scope, &mut T) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let mut counts = self.0.borrow_mut();
        for (scope, count) in counts.iter_mut().filter(|(_, count)| count.changed) {
            save(scope, &mut count.value)?;
            count.changed = false;
        }
        Ok(())
    }
}
