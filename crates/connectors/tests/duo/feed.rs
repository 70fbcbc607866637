//! Both sources of alerts, as they come over time.

use std::time::Duration;

use quell_connector::{Batch, Connected, Kind, Result};
use quell_model::{Alert, AlertKind};
use quell_twins::Fault;
use quell_twins::duo::{Endpoint, SignIn, TrustEvent, User};
use serde_json::{Value, json};

use crate::lab::Lab;
use crate::{call, lab};

const ATTACKER: &str = "203.0.113.9";

async fn poll(lab: &Lab, connected: &Connected, cursor: Option<&Value>) -> Result<Batch> {
    connected
        .abilities
        .feed
        .as_ref()
        .unwrap()
        .poll(&call(lab), cursor)
        .await
}

/// Polls until there is nothing more for now.
async fn all(lab: &Lab, connected: &Connected, cursor: &mut Option<Value>) -> Vec<Alert> {
    let normalise = connected.normalise.unwrap();
    let mut alerts = Vec::new();
    loop {
        let batch = poll(lab, connected, cursor.as_ref()).await.unwrap();
        alerts.extend(batch.documents.iter().map(|json| normalise(json).unwrap()));
        *cursor = Some(batch.cursor);
        if !batch.more {
            return alerts;
        }
    }
}

fn unusual(name: &str) -> TrustEvent {
    TrustEvent::Auth {
        sign_in: SignIn::fraud(name, ATTACKER).ended("success", "user_approved"),
        priority: true,
    }
}

#[tokio::test]
async fn every_event_of_both_sources_comes_once() {
    let lab = lab([User::active("alice")]).await;
    let connected = lab.connect();
    let mut cursor = None;
    let mut expected = Vec::new();
    for round in 0..3 {
        for _ in 0..5 {
            expected.push(lab.twin.surface(&unusual("alice")));
            expected.push(lab.twin.sign_in(&SignIn::fraud("alice", ATTACKER)));
            lab.clock.advance(Duration::from_secs(20));
        }
        let mut found: Vec<String> = all(&lab, &connected, &mut cursor)
            .await
            .into_iter()
            .map(|a| a.id)
            .collect();
        lab.clock.advance(Duration::from_secs(180));
        found.extend(
            all(&lab, &connected, &mut cursor)
                .await
                .into_iter()
                .map(|a| a.id),
        );
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "round {round}");
        expected.clear();
    }
}

#[tokio::test]
async fn an_event_surfaced_late_still_comes() {
    let lab = lab([User::active("alice")]).await;
    let connected = lab.connect();
    let mut cursor = None;
    lab.twin.surface(&unusual("alice"));
    assert_eq!(all(&lab, &connected, &mut cursor).await.len(), 1);
    // The log shows a sign-in two minutes after it happened, in between polls.
    let txid = lab.twin.sign_in(&SignIn::fraud("alice", ATTACKER));
    for _ in 0..2 {
        lab.clock.advance(Duration::from_secs(59));
        assert!(all(&lab, &connected, &mut cursor).await.is_empty());
    }
    lab.clock.advance(Duration::from_secs(10));
    let found = all(&lab, &connected, &mut cursor).await;
    assert_eq!(
        found.iter().map(|a| a.id.as_str()).collect::<Vec<_>>(),
        [txid.as_str()]
    );
}

#[tokio::test]
async fn many_pages_of_both_sources_are_read_to_the_end() {
    let lab = lab([User::active("alice")]).await;
    let connected = lab.connect();
    for _ in 0..450 {
        lab.twin.surface(&unusual("alice"));
    }
    for _ in 0..2100 {
        lab.twin.sign_in(&SignIn::fraud("alice", ATTACKER));
    }
    lab.clock.advance(Duration::from_secs(180));
    let mut ids: Vec<_> = all(&lab, &connected, &mut None)
        .await
        .into_iter()
        .map(|a| a.id)
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 450 + 2100);
}

#[tokio::test]
async fn only_sign_ins_that_somebody_called_wrong_are_handed_on() {
    let lab = lab([User::active("alice")]).await;
    let connected = lab.connect_with(json!({ "poll": { "trust_monitor": false } }));
    for (result, reason) in [
        ("success", "user_approved"),
        ("denied", "no_response"),
        ("denied", "user_mistake"),
        ("denied", "anomalous_push"),
        ("fraud", "user_marked_fraud"),
    ] {
        lab.twin
            .sign_in(&SignIn::fraud("alice", ATTACKER).ended(result, reason));
    }
    lab.clock.advance(Duration::from_secs(180));
    let found = all(&lab, &connected, &mut None).await;
    let found: Vec<_> = found
        .iter()
        .map(|a| (a.detection.as_str(), a.kind))
        .collect();
    assert_eq!(
        found,
        [
            ("Sign-in denied anomalous_push", AlertKind::RiskySignIn),
            ("Sign-in fraud user_marked_fraud", AlertKind::RiskySignIn),
        ]
    );
}

#[tokio::test]
async fn a_plan_without_trust_monitor_does_not_cost_the_authentication_log() {
    let lab = lab([User::active("alice")]).await;
    lab.twin.set_trust_monitor(false);
    let connected = lab.connect();
    let mut cursor = None;
    lab.twin.sign_in(&SignIn::fraud("alice", ATTACKER));
    lab.clock.advance(Duration::from_secs(130));
    assert_eq!(all(&lab, &connected, &mut cursor).await.len(), 1);
    assert!(all(&lab, &connected, &mut cursor).await.is_empty());
    assert_eq!(lab.twin.count(Endpoint::TrustMonitor), 1);
    // What was surfaced meanwhile comes once the plan has it.
    lab.twin.surface(&unusual("alice"));
    lab.twin.set_trust_monitor(true);
    lab.clock.advance(Duration::from_secs(3601));
    assert_eq!(all(&lab, &connected, &mut cursor).await.len(), 1);
}

#[tokio::test]
async fn trust_monitor_alone_says_that_it_is_not_licensed() {
    let lab = lab([]).await;
    lab.twin.set_trust_monitor(false);
    let connected = lab.connect_with(json!({ "poll": { "authentication_log": false } }));
    let error = poll(&lab, &connected, None).await.unwrap_err();
    assert_eq!(error.kind, Kind::PermissionMissing);
    assert!(
        error.detail.contains("the plan does not include it"),
        "{error}"
    );
}

#[tokio::test]
async fn a_poll_that_fails_moves_nothing() {
    let lab = lab([User::active("alice")]).await;
    let connected = lab.connect();
    let mut cursor = None;
    all(&lab, &connected, &mut cursor).await;
    lab.twin.surface(&unusual("alice"));
    for fault in [
        Fault::TruncatedBody,
        Fault::WrongContentType,
        Fault::ErrorInBody {
            code: 50000,
            message: "no".into(),
        },
    ] {
        lab.twin.fail_next(Endpoint::TrustMonitor, fault);
        assert!(poll(&lab, &connected, cursor.as_ref()).await.is_err());
    }
    assert_eq!(all(&lab, &connected, &mut cursor).await.len(), 1);
}
