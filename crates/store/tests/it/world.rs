//! What store tests share: alerts, actions and moments.

use std::time::Duration;

use jiff::Timestamp;
use quell_model::alert::Prevention;
use quell_model::entity::Host;
use quell_model::{
    Action, ActionId, ActionState, ActionType, Alert, AlertId, AlertKind, AlertStatus, AssetFacts,
    Basis, Cause, Clocks, ConnectionId, Decision, EffectBy, Entity, FileFacts, IncidentId, NodeId,
    OrganizationId, Outcome, Severity, Transition,
};
use quell_store::{Ingest, Ingested, JobKind, Link, NewJob, Proposed, Store};
use uuid::Uuid;

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

pub(crate) fn uuid(number: u128) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | number)
}

pub(crate) fn node(number: u128) -> NodeId {
    NodeId::new(uuid(number))
}

pub(crate) fn acme() -> OrganizationId {
    "acme".parse().unwrap()
}

pub(crate) fn falcon() -> ConnectionId {
    "falcon".parse().unwrap()
}

pub(crate) fn host(id: &str) -> Entity {
    Host {
        id: Some(id.to_owned()),
        ..Host::default()
    }
    .into()
}

pub(crate) fn alert(id: &str, hosts: &[&str]) -> Alert {
    Alert {
        occurrence: None,
        source: "lab".into(),
        id: id.into(),
        title: "Something bad".into(),
        description: None,
        severity: Severity::High,
        confidence: None,
        kind: AlertKind::MaliciousProcess,
        detection: "Pattern".into(),
        time: at(0),
        updated: None,
        techniques: Vec::new(),
        status: AlertStatus::New,
        console_url: None,
        tenant: None,
        prevention: Prevention::default(),
        asset: AssetFacts::default(),
        entities: hosts.iter().map(|id| host(id)).collect(),
        notes: Vec::new(),
    }
}

/// A containment of `target` in `state`, with the job it needs.
pub(crate) fn contain(number: u128, target: &str, state: ActionState) -> Proposed {
    let id = ActionId::new(uuid(number));
    let action = Action {
        id,
        organization: acme(),
        incident: IncidentId::new(uuid(0)),
        alert: AlertId::new(uuid(0)),
        connection: falcon(),
        action: ActionType::ContainHost,
        target: host(target),
        asset: AssetFacts::default(),
        file: FileFacts::default(),
        playbook: "malicious-process".into(),
        state,
        decision: Decision::because(Outcome::Auto, "rule", "Because."),
        basis: Basis {
            severity: Severity::High,
            confidence: None,
            source: "lab".into(),
            detection: "Pattern".into(),
        },
        prior: None,
        effect_by: EffectBy::Nobody,
        receipt: None,
        clocks: Clocks::default(),
        note: String::new(),
    };
    let transition = Transition {
        at: at(0),
        from: Some(ActionState::Proposed),
        to: state,
        cause: Cause::Policy,
        note: String::new(),
        evidence: serde_json::Value::Null,
    };
    let jobs = match state {
        ActionState::Scheduled => vec![NewJob::at(JobKind::Act, id, at(0))],
        _ => Vec::new(),
    };
    Proposed {
        action,
        target: format!("host:{target}"),
        transitions: vec![transition],
        jobs,
        messages: Vec::new(),
        budgeted: None,
        again: None,
    }
}

/// An alert number `number`, received at `second`.
pub(crate) fn ingest(number: u128, alert: Alert, second: i64, proposed: Vec<Proposed>) -> Ingest {
    let raw = serde_json::to_string(&alert).unwrap();
    let link = |entity: &Entity| Link {
        key: entity.key().unwrap(),
        place: matches!(entity, Entity::Host(_)),
    };
    Ingest {
        id: AlertId::new(uuid(number)),
        links: alert.entities.iter().map(link).collect(),
        incident: IncidentId::new(uuid(number)),
        organization: acme(),
        connection: falcon(),
        alert,
        raw,
        received: at(second),
        window: Duration::from_secs(3600),
        proposed,
        belongs: None,
        asks: None,
    }
}

/// Takes one in.
pub(crate) async fn take(
    store: &Store,
    number: u128,
    alert: Alert,
    second: i64,
    proposed: Vec<Proposed>,
) -> Ingested {
    let ingest = ingest(number, alert, second, proposed);
    store.ingest(ingest).await.unwrap()
}
