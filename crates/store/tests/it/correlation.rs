//! Which alerts belong together.

use quell_model::entity::File;
use quell_model::{Alert, IncidentId};
use quell_store::Store;

use crate::world::{alert, take};

/// Alerts after which an incident is full.
const FULL: u128 = 150;

/// An alert about hosts on which the same file was found.
fn found(number: u128, hosts: &[&str]) -> Alert {
    let mut alert = alert(&format!("a{number}"), hosts);
    let file = File {
        sha256: Some("ab".repeat(32)),
        ..File::default()
    };
    alert.entities.push(file.into());
    alert
}

async fn incident(store: &Store, number: u128, hosts: &[&str]) -> IncidentId {
    let alert = found(number, hosts);
    take(store, number, alert, 1, Vec::new()).await.incident
}

#[tokio::test]
async fn a_full_incident_spreads_to_no_further_host() {
    let store = Store::in_memory().unwrap();
    let first = incident(&store, 1, &["h1"]).await;
    for number in 2..=FULL {
        let host = format!("h{number}");
        assert_eq!(incident(&store, number, &[&host]).await, first);
    }
    let next = incident(&store, 1001, &["other"]).await;
    assert_ne!(next, first);
    // What the alerts share now leads to the incident that is open.
    assert_eq!(incident(&store, 1002, &["another"]).await, next);
}

#[tokio::test]
async fn a_full_incident_takes_what_happens_on_its_own_hosts() {
    let store = Store::in_memory().unwrap();
    let first = incident(&store, 1, &["h1"]).await;
    for number in 2..=FULL {
        incident(&store, number, &["h1", "h2"]).await;
    }
    assert_eq!(incident(&store, 1001, &["h1"]).await, first);
    assert_eq!(incident(&store, 1002, &["h2", "h1"]).await, first);
    assert_ne!(incident(&store, 1003, &["h1", "h3"]).await, first);
}

#[tokio::test]
async fn an_alert_without_a_place_opens_an_incident_when_the_one_it_shares_is_full() {
    let store = Store::in_memory().unwrap();
    let first = incident(&store, 1, &[]).await;
    for number in 2..=FULL {
        assert_eq!(incident(&store, number, &[]).await, first);
    }
    assert_ne!(incident(&store, 1001, &[]).await, first);
}

#[tokio::test]
async fn versions_of_one_alert_do_not_fill_an_incident() {
    let store = Store::in_memory().unwrap();
    let first = incident(&store, 1, &["h1"]).await;
    for revision in 2..=FULL + 1 {
        let mut changed = found(1, &["h1"]);
        changed.title = format!("revision {revision}");
        take(&store, revision, changed, 1, Vec::new()).await;
    }
    assert_eq!(incident(&store, 1001, &["h2"]).await, first);
}
