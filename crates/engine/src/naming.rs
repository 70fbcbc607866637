//! Which entries something is on, when all that is known of it is one text: a name, an id, a hash, an
//! address, a label.

use std::collections::BTreeSet;

use jiff::Timestamp;
use quell_model::entity::{
    AccessKey, Account, CloudInstance, File, Host, InboxRule, IndicatorKind, NetworkIndicator,
    Process, Sender,
};
use quell_model::{ActionType, ConnectionId, Entity};
use quell_policy::lists::{Draft, Lookup};

use crate::rules::Guardrails;

impl Guardrails {
    /// The entries that anything of this name is on, whatever it is, for any action through any of the
    /// connections.
    #[must_use]
    pub fn naming(
        &self,
        text: &str,
        connections: &[&ConnectionId],
        now: Timestamp,
    ) -> BTreeSet<&Draft> {
        let labels = BTreeSet::from([text.to_owned()]);
        let mut found = BTreeSet::new();
        for target in &readings(text) {
            let about = |action: &&ActionType| action.target() == target.entity_type();
            for action in ActionType::ALL.iter().filter(about) {
                for connection in connections {
                    let lookup = Lookup {
                        action: *action,
                        target,
                        labels: &labels,
                        connection,
                        now,
                    };
                    let entries = self.lists().find(&lookup).entries;
                    found.extend(entries.into_iter().map(|entry| &**entry));
                }
            }
        }
        found
    }
}

/// Everything a text may name.
fn readings(text: &str) -> Vec<Entity> {
    let some = || Some(text.to_owned());
    vec![
        Host {
            id: some(),
            name: some(),
            ..Host::default()
        }
        .into(),
        Process {
            name: some(),
            sha256: some(),
            ..Process::default()
        }
        .into(),
        File {
            name: some(),
            sha256: some(),
            ..File::default()
        }
        .into(),
        Account {
            id: some(),
            principal: some(),
            ..Account::default()
        }
        .into(),
        NetworkIndicator {
            kind: IndicatorKind::Domain,
            value: text.to_owned(),
        }
        .into(),
        Sender {
            value: text.to_owned(),
        }
        .into(),
        CloudInstance {
            id: some(),
            ..CloudInstance::default()
        }
        .into(),
        AccessKey {
            id: some(),
            ..AccessKey::default()
        }
        .into(),
        InboxRule {
            id: some(),
            ..InboxRule::default()
        }
        .into(),
    ]
}
