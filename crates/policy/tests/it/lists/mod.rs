//! What protection lists promise: what an entry matches, what it does not, and what no list and no
//! text can bring about.

mod counting;
mod csv;
mod matching;
mod properties;

use std::collections::BTreeSet;

use jiff::Timestamp;
use quell_model::entity::{Host, IndicatorKind, NetworkIndicator, Sender};
use quell_model::{ActionType, ConnectionId, Entity, EntityType};
use quell_policy::lists::{Draft, Entry, Found, Lists, Lookup, Strength, Subject};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn draft(subject: Subject, value: &str, strength: Strength) -> Draft {
    Draft {
        subject,
        value: value.into(),
        strength,
        actions: BTreeSet::new(),
        connection: None,
        reason: "It matters.".into(),
        author: "ana".into(),
        source: "person".into(),
        added: at(0),
        expires: None,
    }
}

fn never(subject: Subject, value: &str) -> Draft {
    draft(subject, value, Strength::Never)
}

fn lists(drafts: impl IntoIterator<Item = Draft>) -> Lists {
    let checked = |draft| Entry::new(draft).unwrap_or_else(|wrong| panic!("{wrong}"));
    Lists::new(drafts.into_iter().map(checked).collect())
}

fn action_on(kind: EntityType) -> ActionType {
    let mut all = ActionType::ALL.iter().copied();
    all.find(|action| action.target() == kind).unwrap()
}

#[derive(Debug)]
struct Asked {
    action: ActionType,
    target: Entity,
    labels: BTreeSet<String>,
    connection: ConnectionId,
    now: Timestamp,
}

impl Asked {
    fn about(target: impl Into<Entity>) -> Self {
        let target = target.into();
        Self {
            action: action_on(target.entity_type()),
            target,
            labels: BTreeSet::new(),
            connection: "prod".parse().unwrap(),
            now: at(100),
        }
    }

    fn doing(self, action: ActionType) -> Self {
        Self { action, ..self }
    }

    fn through(self, connection: &str) -> Self {
        Self {
            connection: connection.parse().unwrap(),
            ..self
        }
    }

    fn when(self, second: i64) -> Self {
        Self {
            now: at(second),
            ..self
        }
    }

    fn of<'a>(&self, lists: &'a Lists) -> Found<'a> {
        lists.find(&Lookup {
            action: self.action,
            target: &self.target,
            labels: &self.labels,
            connection: &self.connection,
            now: self.now,
        })
    }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn indicator(kind: IndicatorKind, value: &str) -> Entity {
    NetworkIndicator {
        kind,
        value: value.into(),
    }
    .into()
}

fn domain(value: &str) -> Entity {
    indicator(IndicatorKind::Domain, value)
}

fn ip(value: &str) -> Entity {
    indicator(IndicatorKind::Ip, value)
}

fn url(value: &str) -> Entity {
    indicator(IndicatorKind::Url, value)
}

fn from(value: &str) -> Entity {
    Sender {
        value: value.into(),
    }
    .into()
}

fn host(id: &str, name: &str) -> Entity {
    Host {
        id: some(id),
        name: some(name),
        ..Host::default()
    }
    .into()
}
