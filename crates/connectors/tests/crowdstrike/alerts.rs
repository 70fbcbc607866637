//! One alert: fetched by its id, and written to.

use quell_connector::{AlertUpdate, Kind};
use quell_model::AlertStatus;
use quell_twins::crowdstrike::{AlertSpec, Endpoint, Process};
use serde_json::{Value, json};

use crate::kit::{call, workstation};

#[tokio::test]
async fn an_alert_is_fetched_by_the_id_a_webhook_carries() {
    let (lab, aid) = workstation().await;
    let id = lab
        .twin
        .add_alert(&AlertSpec::on(&aid, Process::new(5260, "stealer.exe")))
        .unwrap();
    let connected = lab.connect();
    let body = json!({ "trigger": { "data": { "Composite ID": id } } }).to_string();
    let body = serde_json::value::RawValue::from_string(body).unwrap();
    let found = connected.reference.unwrap()(&body).unwrap();
    let fetch = connected.abilities.fetch.clone().unwrap();
    let document = fetch.fetch(&call(&lab), &found).await.unwrap().unwrap();
    let alert = connected.normalise.unwrap()(&document).unwrap();
    assert_eq!(alert.id, id);
}

#[tokio::test]
async fn an_unknown_or_odd_id_fetches_nothing() {
    let (lab, _) = workstation().await;
    let fetch = lab.connect().abilities.fetch.clone().unwrap();
    for id in ["c:ind:a:1", "", "'\"/../?&=%00", "a|b:c"] {
        assert!(
            fetch.fetch(&call(&lab), id).await.unwrap().is_none(),
            "{id}"
        );
    }
}

#[tokio::test]
async fn status_comment_and_tag_are_written_back() {
    let (lab, aid) = workstation().await;
    let id = lab
        .twin
        .add_alert(&AlertSpec::on(&aid, Process::new(5260, "stealer.exe")))
        .unwrap();
    let update = AlertUpdate {
        status: Some(AlertStatus::Closed),
        comment: "Host contained.\n\u{202e}Nothing else.".into(),
        verdict: None,
    };
    let write_back = lab.connect().abilities.write_back.clone().unwrap();
    write_back
        .write_back(&call(&lab), &id, &update)
        .await
        .unwrap();
    assert_eq!(lab.twin.alert_status(&id).as_deref(), Some("closed"));
    assert_eq!(lab.twin.alert_tags(&id), ["quell"]);
    assert_eq!(
        lab.twin.alert_comments(&id),
        ["Host contained.  Nothing else."]
    );
}

#[tokio::test]
async fn a_write_that_changed_nothing_is_an_error() {
    let (lab, _) = workstation().await;
    let update = AlertUpdate {
        status: None,
        comment: "hello".into(),
        verdict: None,
    };
    let write_back = lab.connect().abilities.write_back.clone().unwrap();
    let error = write_back
        .write_back(&call(&lab), "c:ind:a:1", &update)
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::TargetNotFound);
}

#[tokio::test]
async fn what_is_switched_off_is_not_offered() {
    let (lab, _) = workstation().await;
    let off = lab.connect_with(json!({ "write_back": false, "poll": { "enabled": false } }));
    assert!(off.abilities.write_back.is_none());
    assert!(off.abilities.feed.is_none());
    let checks = off.probe(&call(&lab)).await;
    assert!(checks.iter().all(|check| check.name != "Alerts: write"));
    assert_eq!(lab.twin.count(Endpoint::AlertUpdate), 0);
}

#[tokio::test]
async fn what_the_twin_raises_is_understood_whole() {
    let (lab, aid) = workstation().await;
    let id = lab
        .twin
        .add_alert(&AlertSpec::on(&aid, Process::new(5260, "stealer.exe")))
        .unwrap();
    let text = lab.twin.alert(&id).unwrap().to_string();
    let raw = serde_json::value::RawValue::from_string(text).unwrap();
    let alert = quell_connectors::crowdstrike::normalise(&raw).unwrap();
    let kinds: Vec<Value> = alert
        .entities
        .iter()
        .map(|entity| json!(entity.entity_type()))
        .collect();
    assert_eq!(
        kinds,
        ["host", "process", "process", "process", "file", "account"]
    );
    let notes: Vec<_> = alert.notes.iter().map(|note| note.field.as_str()).collect();
    assert_eq!(notes, ["sha1"]);
}
