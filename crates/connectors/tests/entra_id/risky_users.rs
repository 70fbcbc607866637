//! Users at risk: what comes out of the documents, and polling them beside the detections.

use std::time::Duration;

use quell_connector::ability::{AlertUpdate, Verdict};
use quell_connector::{DocumentError, Kind};
use quell_connectors::entra_id::{detection_id_in, normalise};
use quell_model::{Alert, AlertKind, AlertStatus, Severity};
use quell_twins::Fault;
use quell_twins::entra_id::{Endpoint, RiskSpec};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::feed::Reader;
use crate::kit::{NOOR, call, lab};

const FIXTURE: &str = include_str!("../fixtures/entra_id/risky_user.json");

fn read(document: &Value) -> Result<Alert, DocumentError> {
    normalise(&RawValue::from_string(document.to_string()).unwrap())
}

fn with(member: &str, value: Value) -> Result<Alert, DocumentError> {
    let mut document: Value = serde_json::from_str(FIXTURE).unwrap();
    document[member] = value;
    read(&document)
}

#[test]
fn a_user_at_risk_gives_an_alert_that_is_no_sign_in() {
    let alert = read(&serde_json::from_str(FIXTURE).unwrap()).unwrap();
    assert_eq!(alert.kind, AlertKind::IdentityActivity);
    assert_eq!(alert.occurrence, None);
    insta::assert_json_snapshot!("risky_user", alert);
    let exported = json!({ "category": "RiskyUsers", "tenantId": "t", "properties": serde_json::from_str::<Value>(FIXTURE).unwrap() });
    assert_eq!(read(&exported).unwrap().id, alert.id);
}

#[test]
fn its_id_changes_with_the_risk_and_with_nothing_else() {
    let id = |member, value| with(member, value).unwrap().id;
    let same = id("userDisplayName", json!("Noor"));
    assert_eq!(id("riskState", json!("dismissed")), same);
    let other = json!("2026-02-11T08:14:52.3071847Z");
    assert_ne!(id("riskLastUpdatedDateTime", other), same);
}

#[test]
fn severity_is_the_level_and_status_the_state() {
    for (level, severity) in [
        ("high", Severity::High),
        ("medium", Severity::Medium),
        ("low", Severity::Low),
        ("none", Severity::Informational),
        ("hidden", Severity::Medium),
        ("somethingNew", Severity::Medium),
    ] {
        assert_eq!(with("riskLevel", json!(level)).unwrap().severity, severity);
    }
    for (state, status) in [
        ("atRisk", AlertStatus::New),
        ("confirmedCompromised", AlertStatus::InProgress),
        ("dismissed", AlertStatus::Closed),
        ("somethingNew", AlertStatus::Unknown),
    ] {
        assert_eq!(with("riskState", json!(state)).unwrap().status, status);
    }
    // Whoever said so, perhaps Quell, needs no alert about it.
    let said = with("riskDetail", json!("adminConfirmedUserCompromised"));
    assert_eq!(said.unwrap().severity, Severity::Informational);
}

#[test]
fn one_without_a_time_counts_as_old_and_one_without_a_user_is_refused() {
    let untimed = json!({
        "@odata.type": "#microsoft.graph.riskyUser",
        "id": "4c19e7d2-83ab-4f60-b1c5-9e2d70f6a834",
        "isDeleted": "perhaps",
        "riskLastUpdatedDateTime": "soon",
    });
    let alert = read(&untimed).unwrap();
    assert_eq!(alert.time.as_second(), 0);
    assert_eq!(alert.updated, None);
    assert!(
        alert
            .notes
            .iter()
            .any(|note| note.field == "riskLastUpdatedDateTime")
    );
    for id in [
        json!(null),
        json!("../users"),
        json!("noor@northwind.example"),
    ] {
        assert_eq!(with("id", id).unwrap_err().path, "$.id");
    }
    // There is no detection of this id to be fetched.
    let raw = RawValue::from_string(FIXTURE.to_owned()).unwrap();
    assert_eq!(detection_id_in(&raw), None);
}

fn options() -> Value {
    json!({ "poll": { "risky_users": true, "page_size": 1 } })
}

#[tokio::test]
async fn users_are_polled_beside_detections_and_come_again_only_when_their_risk_changes() {
    let lab = lab(&[]).await;
    let detection = lab.twin.raise(&RiskSpec::of(NOOR)).unwrap();
    let connected = lab.connect_with(options());
    let mut reader = Reader::default();
    reader.drain(&lab, &connected).await;
    assert_eq!(reader.seen.len(), 2, "{:?}", reader.seen);
    assert_eq!(reader.seen[0], detection);
    let user = reader.seen[1].clone();
    assert!(user.contains(&lab.twin.id_of(NOOR).unwrap()), "{user}");
    // A restart: the place in both lists is kept.
    for connected in [&connected, &lab.connect_with(options())] {
        lab.clock.advance(Duration::from_secs(60));
        reader.drain(&lab, connected).await;
    }
    assert_eq!(reader.seen.len(), 2);
    lab.clock.advance(Duration::from_secs(60));
    lab.twin
        .settle_risk(NOOR, "dismissed", "adminDismissedAllRiskForUser");
    reader.drain(&lab, &connected).await;
    let changed = &reader.seen[2..];
    let again = changed.iter().find(|id| **id != detection).unwrap();
    assert_ne!(again, &user);
    assert_eq!(reader.last[again], AlertStatus::Closed);
    let refused = lab.twin.requests().into_iter();
    let refused = refused.filter(|one| one.status == Some(429));
    assert_eq!(refused.count(), 0, "one request a second");
}

#[tokio::test]
async fn users_are_not_polled_unless_asked_for() {
    let lab = lab(&[]).await;
    lab.twin.raise(&RiskSpec::of(NOOR)).unwrap();
    let mut reader = Reader::default();
    reader.drain(&lab, &lab.connect()).await;
    assert_eq!(reader.seen.len(), 1);
    assert_eq!(lab.twin.count(Endpoint::RiskyUsers), 0);
}

#[tokio::test]
async fn users_that_cannot_be_read_are_told_and_do_not_keep_detections_away() {
    let lab = lab(&[]).await;
    let connected = lab.connect_with(options());
    let mut reader = Reader::default();
    for _ in 0..3 {
        let detection = lab.twin.raise(&RiskSpec::of(NOOR)).unwrap();
        lab.twin
            .fail_next(Endpoint::RiskyUsers, Fault::ScopeMissing);
        let error = loop {
            if let Err(error) = reader.poll(&lab, &connected).await {
                break error;
            }
        };
        assert_eq!(error.kind, Kind::PermissionMissing);
        assert!(
            error.to_string().contains("IdentityRiskyUser.Read.All"),
            "{error}"
        );
        assert_eq!(reader.seen.last(), Some(&detection));
        lab.clock.advance(Duration::from_secs(60));
    }
}

#[tokio::test]
async fn a_verdict_about_a_user_at_risk_reaches_the_user() {
    let lab = lab(&[]).await;
    let connected = lab.connect_with(options());
    lab.twin.raise(&RiskSpec::of(NOOR)).unwrap();
    let mut reader = Reader::default();
    reader.drain(&lab, &connected).await;
    let update = AlertUpdate {
        status: None,
        comment: String::new(),
        verdict: Some(Verdict::Compromised),
    };
    let write_back = connected.abilities.write_back.clone().unwrap();
    let alert = &reader.seen[1];
    write_back
        .write_back(&call(&lab), alert, &update)
        .await
        .unwrap();
    let state = lab.twin.risky_user(NOOR).unwrap().state;
    assert_eq!(state, "confirmedCompromised");
}
