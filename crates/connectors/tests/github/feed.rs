//! Secret scanning alerts, as they come over time.

use std::time::Duration;

use quell_connector::{Batch, Connected, Result};
use quell_model::{Alert, AlertStatus, Severity};
use quell_twins::Fault;
use quell_twins::github::{Endpoint, SecretAlert};
use serde_json::Value;

use crate::lab::Lab;
use crate::{call, lab};

async fn poll(lab: &Lab, connected: &Connected, cursor: Option<&Value>) -> Result<Batch> {
    connected
        .abilities
        .feed
        .as_ref()
        .unwrap()
        .poll(&call(lab), cursor)
        .await
}

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

fn leak(number: u64) -> SecretAlert {
    SecretAlert::open("shop", number, "aws_access_key_id")
}

#[tokio::test]
async fn every_change_comes_once_over_many_pages() {
    let lab = lab([]).await;
    let connected = lab.connect("org");
    let mut cursor = None;
    for number in 1..=250 {
        lab.twin.put_secret(leak(number));
        lab.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(all(&lab, &connected, &mut cursor).await.len(), 250);
    assert!(all(&lab, &connected, &mut cursor).await.is_empty());
    lab.clock.advance(Duration::from_secs(600));
    assert!(all(&lab, &connected, &mut cursor).await.is_empty());
    lab.twin.put_secret(SecretAlert {
        validity: "active".into(),
        ..leak(7)
    });
    lab.twin.put_secret(SecretAlert {
        state: "resolved".into(),
        ..leak(8)
    });
    let found = all(&lab, &connected, &mut cursor).await;
    let mut found: Vec<_> = found
        .iter()
        .map(|a| (a.id.as_str(), a.severity, a.status))
        .collect();
    found.sort_by_key(|(id, ..)| *id);
    assert_eq!(
        found,
        [
            (
                "acme/shop/secret-scanning/7",
                Severity::High,
                AlertStatus::New
            ),
            (
                "acme/shop/secret-scanning/8",
                Severity::Medium,
                AlertStatus::Closed
            ),
        ]
    );
}

#[tokio::test]
async fn the_leaked_secret_is_never_asked_for() {
    let lab = lab([]).await;
    lab.twin.put_secret(leak(1));
    let batch = poll(&lab, &lab.connect("org"), None).await.unwrap();
    assert_eq!(batch.documents.len(), 1);
    assert!(!batch.documents[0].get().contains("twin-secret"));
    let asked = |record: &quell_twins::RequestRecord| record.target.contains("hide_secret=true");
    assert!(lab.twin.requests().iter().all(asked));
}

#[tokio::test]
async fn a_poll_that_fails_moves_nothing() {
    let lab = lab([]).await;
    let connected = lab.connect("org");
    let mut cursor = None;
    all(&lab, &connected, &mut cursor).await;
    lab.twin.put_secret(leak(1));
    for fault in [
        Fault::TruncatedBody,
        Fault::WrongContentType,
        Fault::ScopeMissing,
    ] {
        lab.twin.fail_next(Endpoint::SecretAlerts, fault);
        assert!(poll(&lab, &connected, cursor.as_ref()).await.is_err());
    }
    assert_eq!(all(&lab, &connected, &mut cursor).await.len(), 1);
}

#[tokio::test]
async fn a_mark_the_vendor_forgot_starts_the_sweep_again() {
    let lab = lab([]).await;
    let connected = lab.connect("org");
    for number in 1..=150 {
        lab.twin.put_secret(leak(number));
    }
    let first = poll(&lab, &connected, None).await.unwrap();
    assert!(first.more);
    let mut cursor = first.cursor;
    cursor["after"] = "shop/9999".into();
    let rest = all(&lab, &connected, &mut Some(cursor)).await;
    assert_eq!(first.documents.len() + rest.len(), 150);
}

#[tokio::test]
async fn throttling_is_waited_out_whatever_its_status() {
    let lab = lab([]).await;
    lab.twin.put_secret(leak(1));
    let retry_after_seconds = Some(7);
    lab.twin.fail_next(
        Endpoint::SecretAlerts,
        Fault::Throttled {
            retry_after_seconds,
        },
    );
    let start = lab.twin.now();
    assert_eq!(
        poll(&lab, &lab.connect("org"), None)
            .await
            .unwrap()
            .documents
            .len(),
        1
    );
    assert!(lab.twin.now().duration_since(start).as_secs() >= 7);
}
