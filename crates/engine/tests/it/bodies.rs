//! Bodies with many alerts: they are taken in side by side.

use jiff::Timestamp;
use quell_model::{AssetClass, Severity};
use serde_json::{Value, json};

use crate::lab::Fault;
use crate::world::{World, lab_id};

/// Each document's id and severity, as stored.
async fn stored(world: &World) -> Vec<(String, Severity)> {
    let organization = world.engine.organization();
    let all = world
        .store
        .alerts_since(organization, Timestamp::UNIX_EPOCH, None, 100)
        .await
        .unwrap();
    let mut stored: Vec<_> = all
        .into_iter()
        .map(|record| (record.alert.id, record.alert.severity))
        .collect();
    stored.sort();
    stored
}

fn about(id: &str, host: &str, severity: &str) -> Value {
    json!({ "id": id, "host": host, "class": "workstation", "severity": severity })
}

/// A world with one worker, which is busy until the vendor goes on.
async fn busy() -> World {
    let world = World::new(1);
    for host in ["h1", "h2", "h3"] {
        world.lab.host(host, AssetClass::Workstation);
    }
    world.lab.fault("read", Fault::Pause);
    world.accept(about("a1", "h1", "high")).await;
    world.lab.crash.notified().await;
    world
}

#[tokio::test]
async fn an_alert_that_waits_for_a_worker_does_not_hold_up_those_behind_it() {
    let world = busy().await;
    let engine = world.engine.clone();
    let body = json!([about("a2", "h2", "high"), about("a3", "h3", "low")]).to_string();
    let sending = tokio::spawn(async move { engine.accept(&lab_id(), &body).await });
    let mut seen = Vec::new();
    for _ in 0..1000 {
        seen = stored(&world).await;
        if seen.len() > 1 {
            break;
        }
    }
    assert_eq!(
        seen,
        [
            ("a1".to_owned(), Severity::High),
            ("a3".to_owned(), Severity::Low)
        ]
    );
    world.lab.resume.notify_one();
    let accepted = sending.await.unwrap().unwrap();
    assert_eq!(accepted.alerts.len(), 2);
    world.work().await;
    assert!(world.lab.contained("h2"));
}

#[tokio::test]
async fn of_two_versions_of_an_alert_in_one_body_the_last_counts() {
    let world = busy().await;
    let engine = world.engine.clone();
    // The first of them waits for the worker, the second does not have to.
    let body = json!([about("a2", "h2", "high"), about("a2", "h2", "low")]).to_string();
    let sending = tokio::spawn(async move { engine.accept(&lab_id(), &body).await });
    while !sending.is_finished() {
        tokio::task::yield_now().await;
        world.lab.resume.notify_one();
    }
    sending.await.unwrap().unwrap();
    let seen = stored(&world).await;
    assert_eq!(seen[1], ("a2".to_owned(), Severity::Low), "{seen:?}");
}
