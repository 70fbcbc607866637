//! Polling: nothing left out, nothing twice, changes seen, pages followed.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use quell_connector::{AlertUpdate, Connected, Kind, Verdict};
use quell_model::{AlertStatus, Clock};
use quell_twins::Fault;
use quell_twins::google_workspace::{AlertSpec, Endpoint, LoginEvent, Scope};
use serde_json::{Value, json};

use crate::google_lab::{Lab, USER};
use crate::kit::{call, lab};

/// The ids one round brings, and the place after it.
async fn round(lab: &Lab, connected: &Connected, cursor: &mut Option<Value>) -> Vec<String> {
    let feed = connected.abilities.feed.clone().unwrap();
    let mut ids = Vec::new();
    for _ in 0..200 {
        let batch = feed.poll(&call(lab), cursor.as_ref()).await.unwrap();
        for json in &batch.documents {
            let alert = (connected.normalise.unwrap())(json).unwrap();
            ids.push(alert.id);
        }
        *cursor = Some(batch.cursor);
        if !batch.more {
            return ids;
        }
    }
    panic!("the round has no end")
}

fn ago(lab: &Lab, minutes: i64) -> Timestamp {
    lab.clock.now() - jiff::SignedDuration::from_mins(minutes)
}

fn login(lab: &Lab) -> AlertSpec {
    AlertSpec::suspicious_login(USER, "192.0.2.7", lab.clock.now())
}

#[tokio::test]
async fn every_alert_comes_once_over_pages_and_rounds() {
    let lab = lab().await;
    let connected = lab.connect_with(json!({ "poll": { "page_size": 2 } }));
    let old = lab.twin.add_alert(&login(&lab).created(ago(&lab, 120)));
    let raised: Vec<_> = (0..7)
        .map(|n| lab.twin.add_alert(&login(&lab).created(ago(&lab, 50 - n))))
        .collect();
    let mut cursor = None;
    assert_eq!(round(&lab, &connected, &mut cursor).await, raised);
    assert!(!raised.contains(&old));
    assert!(round(&lab, &connected, &mut cursor).await.is_empty());
    lab.clock.advance(Duration::from_secs(600));
    let late = lab.twin.add_alert(&login(&lab));
    assert_eq!(round(&lab, &connected, &mut cursor).await, [late]);
    assert!(round(&lab, &connected, &mut cursor).await.is_empty());
}

#[tokio::test]
async fn an_alert_that_shows_up_late_is_not_left_out() {
    let lab = lab().await;
    let (connected, mut cursor) = (lab.connect(), None);
    lab.twin.add_alert(&login(&lab));
    round(&lab, &connected, &mut cursor).await;
    let late = lab.twin.add_alert(&login(&lab).created(ago(&lab, 9)));
    assert_eq!(round(&lab, &connected, &mut cursor).await, [late]);
}

#[tokio::test]
async fn a_change_of_an_old_alert_comes_again_and_once() {
    let lab = lab().await;
    let (connected, mut cursor) = (lab.connect(), None);
    let id = lab.twin.add_alert(&login(&lab));
    round(&lab, &connected, &mut cursor).await;
    // Long after the alert itself has left the overlap.
    for _ in 0..5 {
        lab.clock.advance(Duration::from_secs(1800));
        lab.twin.add_alert(&login(&lab));
        round(&lab, &connected, &mut cursor).await;
    }
    assert!(lab.twin.set_alert_status(&id, "CLOSED"));
    let feed = connected.abilities.feed.clone().unwrap();
    let mut found = Vec::new();
    loop {
        let batch = feed.poll(&call(&lab), cursor.as_ref()).await.unwrap();
        found.extend(batch.documents);
        cursor = Some(batch.cursor);
        if !batch.more {
            break;
        }
    }
    let alerts: Vec<_> = found
        .iter()
        .map(|json| (connected.normalise.unwrap())(json).unwrap())
        .collect();
    assert_eq!(alerts.len(), 1);
    assert_eq!(
        (alerts[0].id.as_str(), alerts[0].status),
        (id.as_str(), AlertStatus::Closed)
    );
    assert!(round(&lab, &connected, &mut cursor).await.is_empty());
}

#[tokio::test]
async fn the_reading_of_changes_stops_where_the_last_one_ended() {
    let lab = lab().await;
    let connected = lab.connect_with(json!({ "poll": { "page_size": 5 } }));
    for n in 0..40 {
        lab.twin.add_alert(&login(&lab).created(ago(&lab, 59 - n)));
    }
    let mut cursor = None;
    round(&lab, &connected, &mut cursor).await;
    lab.twin.reset_counters();
    round(&lab, &connected, &mut cursor).await;
    let asked = lab.twin.count(Endpoint::AlertList);
    assert!(asked <= 6, "a quiet round asked {asked} times");
}

#[tokio::test]
async fn a_crash_between_pages_goes_on_where_it_was() {
    let lab = lab().await;
    let connected = lab.connect_with(json!({ "poll": { "page_size": 2 } }));
    let raised: BTreeSet<_> = (0..6)
        .map(|n| lab.twin.add_alert(&login(&lab).created(ago(&lab, 30 - n))))
        .collect();
    let feed = connected.abilities.feed.clone().unwrap();
    let first = feed.poll(&call(&lab), None).await.unwrap();
    assert!(first.more);
    // Another process with what was stored.
    let connected = lab.connect_with(json!({ "poll": { "page_size": 2 } }));
    let mut cursor = Some(serde_json::from_str(&first.cursor.to_string()).unwrap());
    let mut ids = round(&lab, &connected, &mut cursor).await;
    let read = |json| (connected.normalise.unwrap())(json).unwrap().id;
    ids.extend(first.documents.iter().map(|json| read(json)));
    assert_eq!(ids.len(), 6);
    assert_eq!(ids.into_iter().collect::<BTreeSet<_>>(), raised);
}

#[tokio::test]
async fn a_page_mark_google_no_longer_knows_starts_the_stage_again() {
    let lab = lab().await;
    let connected = lab.connect_with(json!({ "poll": { "page_size": 2 } }));
    let raised: BTreeSet<_> = (0..5)
        .map(|n| lab.twin.add_alert(&login(&lab).created(ago(&lab, 30 - n))))
        .collect();
    let feed = connected.abilities.feed.clone().unwrap();
    let mut first = feed.poll(&call(&lab), None).await.unwrap();
    first.cursor["page"] = json!("forgotten");
    let mut cursor = Some(first.cursor);
    let mut ids: BTreeSet<_> = round(&lab, &connected, &mut cursor)
        .await
        .into_iter()
        .collect();
    let read = |json| (connected.normalise.unwrap())(json).unwrap().id;
    ids.extend(first.documents.iter().map(|json| read(json)));
    assert_eq!(ids, raised);
}

#[tokio::test]
async fn an_alert_dated_in_the_future_does_not_hide_those_to_come() {
    let lab = lab().await;
    let (connected, mut cursor) = (lab.connect(), None);
    lab.twin
        .add_alert(&login(&lab).created("2099-01-01T00:00:00Z".parse().unwrap()));
    round(&lab, &connected, &mut cursor).await;
    let next = lab.twin.add_alert(&login(&lab));
    assert_eq!(round(&lab, &connected, &mut cursor).await, [next]);
}

#[tokio::test]
async fn the_audit_is_read_only_when_it_is_asked_for_and_late_events_are_found() {
    let lab = lab().await;
    let event = LoginEvent::suspicious(USER, "192.0.2.9").at(ago(&lab, 5));
    lab.twin.add_login_event(&event);
    let mut cursor = None;
    assert!(round(&lab, &lab.connect(), &mut cursor).await.is_empty());
    assert_eq!(lab.twin.count(Endpoint::Activities), 0);
    // Switched on later, it starts with the usual look back.
    let connected = lab.connect_with(json!({ "login_audit": true }));
    let found = round(&lab, &connected, &mut cursor).await;
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("login:"), "{found:?}");
    assert!(round(&lab, &connected, &mut cursor).await.is_empty());
    // An event from hours ago that shows up now.
    lab.clock.advance(Duration::from_secs(4 * 3600));
    let leak = LoginEvent {
        name: "account_disabled_password_leak".to_owned(),
        ..LoginEvent::suspicious(USER, "192.0.2.9").at(lab.clock.now())
    };
    lab.twin.add_login_event(&leak);
    assert_eq!(round(&lab, &connected, &mut cursor).await.len(), 1);
    let late = LoginEvent::suspicious(USER, "192.0.2.10").at(ago(&lab, 180));
    lab.twin.add_login_event(&late);
    assert_eq!(round(&lab, &connected, &mut cursor).await.len(), 1);
    // Switched off again, the rest goes on.
    let alert = lab.twin.add_alert(&login(&lab));
    let found = round(&lab, &lab.connect(), &mut cursor).await;
    assert_eq!(found, [alert]);
}

#[tokio::test]
async fn a_scope_that_is_missing_for_one_source_leaves_the_other() {
    let lab = lab().await;
    let audit = json!({ "login_audit": true });
    let id = lab.twin.add_alert(&login(&lab));
    lab.twin
        .add_login_event(&LoginEvent::suspicious(USER, "192.0.2.9").at(ago(&lab, 5)));
    lab.twin.delegate_all_but(Scope::Alerts);
    let mut cursor = None;
    let found = round(&lab, &lab.connect_with(audit.clone()), &mut cursor).await;
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("login:"), "{found:?}");
    // Nothing is lost by it once the scope is there; then the other one goes.
    lab.twin.delegate_all_but(Scope::Audit);
    let found = round(&lab, &lab.connect_with(audit), &mut cursor).await;
    assert_eq!(found, [id]);
    lab.twin.delegate_all_but(Scope::Alerts);
    let feed = lab.connect().abilities.feed.unwrap();
    let error = feed.poll(&call(&lab), None).await.unwrap_err();
    assert_eq!(error.kind, Kind::PermissionMissing);
}

#[tokio::test]
async fn a_failure_moves_nothing() {
    let lab = lab().await;
    let (connected, mut cursor) = (lab.connect(), None);
    round(&lab, &connected, &mut cursor).await;
    let id = lab.twin.add_alert(&login(&lab));
    let feed = connected.abilities.feed.clone().unwrap();
    for fault in [
        Fault::GarbageBody,
        Fault::ErrorInBody {
            code: 13,
            message: "internal".to_owned(),
        },
    ] {
        lab.twin.fail_next(Endpoint::AlertList, fault);
        assert!(feed.poll(&call(&lab), cursor.as_ref()).await.is_err());
    }
    assert_eq!(round(&lab, &connected, &mut cursor).await, [id]);
    let broken = json!({ "stage": "yesterday" });
    let error = feed.poll(&call(&lab), Some(&broken)).await.unwrap_err();
    assert_eq!(error.kind, Kind::ConfigInvalid);
}

#[tokio::test]
async fn one_alert_is_fetched_by_its_id_and_an_unknown_one_is_none() {
    let lab = lab().await;
    let id = lab.twin.add_alert(&AlertSpec::leaked_password(USER));
    let fetch = lab.connect().abilities.fetch.unwrap();
    let document = fetch.fetch(&call(&lab), &id).await.unwrap();
    assert!(document.unwrap().get().contains(&id));
    for unknown in ["00000000-0000-0000-0000-000000000000", "../settings"] {
        let found = fetch.fetch(&call(&lab), unknown).await.unwrap();
        assert!(found.is_none(), "{unknown}");
    }
}

#[tokio::test]
async fn feedback_follows_the_verdict_and_nothing_else() {
    let lab = lab().await;
    let id = lab.twin.add_alert(&AlertSpec::leaked_password(USER));
    let write_back = lab.connect().abilities.write_back.unwrap();
    let tell = async |alert: &str, verdict| {
        let update = AlertUpdate {
            status: Some(AlertStatus::Closed),
            comment: "Quell signed the user out.".to_owned(),
            verdict,
        };
        write_back.write_back(&call(&lab), alert, &update).await
    };
    tell(&id, None).await.unwrap();
    assert!(lab.twin.feedback().is_empty());
    tell(&id, Some(Verdict::Compromised)).await.unwrap();
    tell(&id, Some(Verdict::Benign)).await.unwrap();
    let event = "login:2026-03-04T09:12:08Z:42";
    tell(event, Some(Verdict::Benign)).await.unwrap();
    let given: Vec<_> = lab
        .twin
        .feedback()
        .into_iter()
        .map(|(_, kind)| kind)
        .collect();
    assert_eq!(given, ["VERY_USEFUL", "NOT_USEFUL"]);
    let unknown = "00000000-0000-0000-0000-000000000000";
    let error = tell(unknown, Some(Verdict::Benign)).await.unwrap_err();
    assert_eq!(error.kind, Kind::TargetNotFound);
    assert!(
        lab.connect_with(json!({ "write_back": false }))
            .abilities
            .write_back
            .is_none()
    );
}
