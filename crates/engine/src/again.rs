//! What is done the second time only: which events belong together.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use quell_model::{Alert, ConnectionId, Entity, Reason};
use quell_policy::budget::words;
use quell_store::Recurrence;

use crate::plan::Planned;

impl Planned {
    /// The event it waits for a second one of; none when it need not wait.
    #[must_use]
    pub fn recurrence(&self, connection: &ConnectionId, alert: &Alert) -> Option<Recurrence> {
        let again = self.again?;
        // One person's accounts at several providers are one subject. Ids of sign-ins are the
        // provider's, whoever reports them; an alert's own id is its connection's.
        let person = match &self.target {
            Entity::Account(account) => account.principal.as_deref().map(str::to_lowercase),
            _ => None,
        };
        Some(Recurrence {
            scope: self.playbook.clone(),
            subject: person.or_else(|| self.target.key())?,
            event: event(connection, alert),
            at: alert.time,
            within: again.within,
        })
    }
}

/// The event an alert is about.
pub(crate) fn event(connection: &ConnectionId, alert: &Alert) -> String {
    match &alert.occurrence {
        Some(event) => format!("event:{event}"),
        None => format!("alert:{connection}:{}", alert.id),
    }
}

/// Events of each subject, where there is no store to remember them.
#[derive(Debug, Default)]
pub struct Events(HashMap<(String, String), Vec<(String, Timestamp)>>);

impl Events {
    /// Remembers the event, and says whether another one is near enough.
    pub fn happened_again(&mut self, event: Recurrence) -> bool {
        let within = SignedDuration::try_from(event.within).unwrap_or(SignedDuration::MAX);
        let known = self.0.entry((event.scope, event.subject)).or_default();
        let again = known
            .iter()
            .any(|(id, at)| *id != event.event && at.duration_since(event.at).abs() <= within);
        if !known.iter().any(|(id, _)| *id == event.event) {
            known.push((event.event, event.at));
        }
        again
    }

    /// Why nothing is done yet about the first event.
    #[must_use]
    pub fn first(event: &Recurrence) -> Reason {
        let text = format!(
            "Only for another one of the same account within {}; no other is known here.",
            words(event.within)
        );
        Reason::new("first-time", text)
    }
}
