//! Whether Quell acts, and on what: opting in to action types, opting out, and pausing.
//!
//! All of it is decided by people, recorded in the store, and looked at again immediately before a
//! vendor is called. What stops Quell is put in force before it is stored, what lets it act after.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use quell_model::{ActionType, ConnectionId};
use quell_store::OptInChange;
use serde_json::{Value, json};
use tracing::warn;

use crate::approval::ActError;
use crate::engine::Engine;

/// Who allowed Quell to do an action type, when, and the text they agreed to. Without it: shadow mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptIn {
    /// The person who decided it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The text agreed to.
    pub agreed: String,
}

/// The action types Quell may do; all others are decided and recorded only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OptIns(BTreeMap<ActionType, OptIn>);

impl OptIns {
    /// What the latest of these changes, oldest first, leaves.
    fn after(changes: Vec<OptInChange>) -> Self {
        let mut opted_in = Self::default();
        for change in changes {
            opted_in.change(change);
        }
        opted_in
    }

    fn change(&mut self, change: OptInChange) {
        if change.opted_in {
            let opt_in = OptIn {
                by: change.person,
                at: change.at,
                agreed: change.text,
            };
            self.0.insert(change.action, opt_in);
        } else {
            self.0.remove(&change.action);
        }
    }

    /// Whether Quell may do this action type at all. Who may contain may release: an undo must never
    /// wait for paperwork.
    #[must_use]
    pub fn allow(&self, action: ActionType) -> bool {
        self.0.contains_key(&action) || self.0.keys().any(|done| done.revert() == Some(action))
    }

    /// One by one.
    pub fn iter(&self) -> impl Iterator<Item = (ActionType, &OptIn)> {
        self.0.iter().map(|(action, opt_in)| (*action, opt_in))
    }
}

impl FromIterator<(ActionType, OptIn)> for OptIns {
    fn from_iter<I: IntoIterator<Item = (ActionType, OptIn)>>(from: I) -> Self {
        Self(from.into_iter().collect())
    }
}

/// What a person agrees to who opts in to an action type; none for one that takes another back.
#[must_use]
pub fn agreement(action: ActionType) -> Option<String> {
    let reverses = |done: &ActionType| done.revert() == Some(action);
    if ActionType::ALL.iter().any(reverses) {
        return None;
    }
    let back = match action.revert() {
        Some(back) => format!("It can be taken back (“{}”).", back.phrase()),
        None => "It cannot be taken back.".to_owned(),
    };
    Some(format!(
        "Quell may “{}” wherever our policy leaves it to Quell, without asking anybody first, and wherever a person \
         approves it. What people will notice: {} {back}",
        action.phrase(),
        action.impact()
    ))
}

/// What people have switched on and off.
#[derive(Default)]
pub(crate) struct Switches {
    opted_in: RwLock<Arc<OptIns>>,
    pauses: RwLock<Pauses>,
    /// Held while a change is stored, so that what is in force is what was stored last.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Pauses {
    everything: bool,
    connections: BTreeSet<ConnectionId>,
}

impl Pauses {
    fn set(&mut self, connection: Option<&ConnectionId>, paused: bool) {
        match connection {
            None => self.everything = paused,
            Some(id) if paused => drop(self.connections.insert(id.clone())),
            Some(id) => drop(self.connections.remove(id)),
        }
    }
}

impl Engine {
    /// The action types Quell may do.
    #[must_use]
    pub fn opted_in(&self) -> Arc<OptIns> {
        let opted_in = self.0.switches.opted_in.read();
        opted_in.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts these opt-ins in force without recording them: for tests and one-off runs.
    pub fn replace_opt_ins(&self, opted_in: OptIns) {
        let mut present = self
            .0
            .switches
            .opted_in
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *present = Arc::new(opted_in);
    }

    /// Puts in force what people switched on and off before this process began. To be done before any
    /// alert is accepted: until then nothing is opted in.
    ///
    /// # Errors
    /// When the store fails; then nothing is opted in.
    pub async fn load_switches(&self) -> quell_store::Result<()> {
        // The pauses first: nothing may run for want of them.
        self.read_switches().await?;
        let _turn = self.0.switches.turn.lock().await;
        let changes = self.0.store.opt_ins(self.organization()).await?;
        self.replace_opt_ins(OptIns::after(changes));
        Ok(())
    }

    /// Allows Quell to do an action type. `agreed` is the text the person agreed to.
    ///
    /// # Errors
    /// When that is not the text Quell asks for, when the action takes another one back, or when the
    /// store fails; then nothing is opted in.
    pub async fn opt_in(
        &self,
        action: ActionType,
        person: &str,
        agreed: &str,
    ) -> Result<(), ActError> {
        let Some(text) = agreement(action) else {
            return Err(ActError::Refused(format!(
                "`{action}` takes another action back, and whoever may do that one may do it"
            )));
        };
        if agreed != text {
            return Err(ActError::Refused(format!(
                "that is not the text to agree to, which is: {text}"
            )));
        }
        let change = OptInChange {
            action,
            opted_in: true,
            person: person.to_owned(),
            at: self.now(),
            text,
        };
        self.change_opt_in(change).await?;
        warn!(by = person, action = action.as_str(), "opted in");
        Ok(())
    }

    /// Back to shadow mode for an action type, at once and for queued work too.
    ///
    /// # Errors
    /// When the store fails; then this process still does not do it any more, and after a restart it
    /// does.
    pub async fn opt_out(
        &self,
        action: ActionType,
        person: &str,
        reason: &str,
    ) -> Result<(), ActError> {
        let change = OptInChange {
            action,
            opted_in: false,
            person: person.to_owned(),
            at: self.now(),
            text: reason.to_owned(),
        };
        // Before anything else: what is under way looks before it calls a vendor.
        self.heed(change.clone());
        self.change_opt_in(change).await?;
        warn!(by = person, action = action.as_str(), reason, "opted out");
        Ok(())
    }

    async fn change_opt_in(&self, change: OptInChange) -> quell_store::Result<()> {
        let _turn = self.0.switches.turn.lock().await;
        let store = &self.0.store;
        store
            .record_opt_in(self.organization(), change.clone())
            .await?;
        self.heed(change);
        Ok(())
    }

    fn heed(&self, change: OptInChange) {
        let mut present = self
            .0
            .switches
            .opted_in
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let mut opted_in = OptIns::clone(&present);
        opted_in.change(change);
        *present = Arc::new(opted_in);
    }

    /// Stops all actions, or those through one connection, queued ones included, until
    /// [`Engine::resume`]. Alerts are still taken in.
    ///
    /// # Errors
    /// When there is no such connection; when the store fails, and then nothing is paused.
    pub async fn pause(
        &self,
        connection: Option<&ConnectionId>,
        by: &str,
        reason: &str,
    ) -> Result<(), ActError> {
        if let Some(unknown) = connection.filter(|id| self.connection(id).is_none()) {
            return Err(ActError::Refused(format!(
                "there is no connection `{unknown}`"
            )));
        }
        let note = json!({ "by": by, "reason": reason, "at": self.now() });
        // The switch in memory first: what is under way looks at it before it calls a vendor.
        let before = self.holds(connection);
        self.switch(connection, true);
        let _turn = self.0.switches.turn.lock().await;
        let stored = self.0.store.set_paused(connection, Some(note)).await;
        match &stored {
            Ok(()) => {
                // Somebody may have resumed it between the two.
                self.switch(connection, true);
                let connection = connection.map(tracing::field::display);
                warn!(by, reason, connection, "automation is paused");
            }
            Err(_) => self.switch(connection, before),
        }
        Ok(stored?)
    }

    /// Lets actions run again, those that queued up included: all that a pause of everything or of
    /// this connection held back.
    ///
    /// # Errors
    /// When the store fails; then automation stays paused.
    pub async fn resume(
        &self,
        connection: Option<&ConnectionId>,
        by: &str,
    ) -> quell_store::Result<()> {
        let _turn = self.0.switches.turn.lock().await;
        self.0.store.set_paused(connection, None).await?;
        self.switch(connection, false);
        let connection = connection.map(tracing::field::display);
        warn!(by, connection, "automation is resumed");
        self.0.nudge.notify_one();
        Ok(())
    }

    /// Whether actions through this connection are held back.
    pub(crate) fn is_paused(&self, connection: &ConnectionId) -> bool {
        self.holds(None) || self.holds(Some(connection))
    }

    /// Whether this very switch is off.
    fn holds(&self, connection: Option<&ConnectionId>) -> bool {
        let pauses = self
            .0
            .switches
            .pauses
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        match connection {
            None => pauses.everything,
            Some(id) => pauses.connections.contains(id),
        }
    }

    fn switch(&self, connection: Option<&ConnectionId>, paused: bool) {
        let mut pauses = self
            .0
            .switches
            .pauses
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        pauses.set(connection, paused);
    }

    /// Reads the pause switches and the lists as the last process left them.
    pub(crate) async fn read_switches(&self) -> quell_store::Result<()> {
        self.refresh_lists().await?;
        // Whoever pauses meanwhile is not forgotten.
        let _turn = self.0.switches.turn.lock().await;
        let mut stored = Pauses::default();
        let notes: Vec<(Option<ConnectionId>, Value)> = self.0.store.pauses().await?;
        for (connection, _) in &notes {
            stored.set(connection.as_ref(), true);
        }
        *self
            .0
            .switches
            .pauses
            .write()
            .unwrap_or_else(PoisonError::into_inner) = stored;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_may_contain_may_release() {
        let opt_in = OptIn {
            by: "ana".into(),
            at: Timestamp::UNIX_EPOCH,
            agreed: String::new(),
        };
        let opted_in: OptIns = [(ActionType::ContainHost, opt_in)].into_iter().collect();
        assert!(opted_in.allow(ActionType::ReleaseHost));
        assert!(!opted_in.allow(ActionType::BlockHash));
    }

    #[test]
    fn only_what_acts_against_an_attack_is_agreed_to_and_the_text_says_whether_it_comes_back() {
        assert_eq!(agreement(ActionType::ReleaseHost), None);
        let contain = agreement(ActionType::ContainHost).unwrap();
        assert!(
            contain.ends_with("It can be taken back (“release host”)."),
            "{contain}"
        );
        let kill = agreement(ActionType::KillProcess).unwrap();
        assert!(kill.ends_with("It cannot be taken back."), "{kill}");
    }
}
