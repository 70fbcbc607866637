//! What was written to users a moment ago: reads may still show what was there before.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use quell_model::property::Enablement;

/// Longer than reads lag.
const LAG: SignedDuration = SignedDuration::from_mins(2);

/// Recent writes of this process. Another one's, and those of before a restart, are not known.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Held while a Global Administrator is disabled, so that two are not disabled because each saw the other.
    pub(super) turn: tokio::sync::Mutex<()>,
    recent: Mutex<BTreeMap<String, Write>>,
}

#[derive(Debug, Clone)]
struct Write {
    to: Enablement,
    at: Timestamp,
    /// The vendor's yes has arrived.
    accepted: bool,
}

impl Written {
    /// A write that is about to be sent. Its reply may be lost.
    pub(super) fn sent(&self, id: &str, to: &Enablement, at: Timestamp) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.retain(|_, write| at.duration_since(write.at) < LAG);
        let write = Write {
            to: to.clone(),
            at,
            accepted: false,
        };
        recent.insert(id.to_ascii_lowercase(), write);
    }

    /// The vendor accepted it.
    pub(super) fn accepted(&self, id: &str) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(write) = recent.get_mut(&id.to_ascii_lowercase()) {
            write.accepted = true;
        }
    }

    /// The vendor refused it.
    pub(super) fn refused(&self, id: &str) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.remove(&id.to_ascii_lowercase());
    }

    /// Where a user may be on the way to, whatever reads show.
    pub(super) fn to(&self, id: &str, now: Timestamp) -> Option<Enablement> {
        self.write(id, now).map(|write| write.to)
    }

    /// Where a user is on the way to for certain.
    pub(super) fn accepted_to(&self, id: &str, now: Timestamp) -> Option<Enablement> {
        let write = self.write(id, now)?;
        write.accepted.then_some(write.to)
    }

    fn write(&self, id: &str, now: Timestamp) -> Option<Write> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let write = recent.get(&id.to_ascii_lowercase()).cloned();
        write.filter(|write| now.duration_since(write.at) < LAG)
    }
}
