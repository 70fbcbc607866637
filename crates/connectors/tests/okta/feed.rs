//! Polling the System Log: nothing is left out, and nothing else is followed.

use std::time::Duration;

use quell_connector::{Batch, Connected, Kind, Result};
use quell_twins::Fault;
use quell_twins::okta::{Endpoint, EventSpec, Settle};
use serde_json::{Value, json};

use crate::kit::{MARA, call, lab};
use crate::lab::Lab;

async fn poll(lab: &Lab, connected: &Connected, cursor: Option<&Value>) -> Result<Batch> {
    let feed = connected.abilities.feed.as_ref().unwrap();
    feed.poll(&call(lab), cursor).await
}

/// Everything there is from a cursor on, as uuids, and the cursor then.
async fn all(lab: &Lab, connected: &Connected, cursor: Option<Value>) -> (Vec<String>, Value) {
    let (mut found, mut cursor) = (Vec::new(), cursor);
    loop {
        let batch = poll(lab, connected, cursor.as_ref()).await.unwrap();
        for document in &batch.documents {
            let event: Value = serde_json::from_str(document.get()).unwrap();
            found.push(event["uuid"].as_str().unwrap().to_owned());
        }
        if !batch.more {
            return (found, batch.cursor);
        }
        cursor = Some(batch.cursor);
    }
}

fn risk(lab: &Lab) -> String {
    lab.twin.add_event(&EventSpec {
        risk: "HIGH".to_owned(),
        ..EventSpec::about("user.risk.detect", MARA)
    })
}

#[tokio::test]
async fn every_event_comes_once_however_the_pages_fall() {
    let lab = lab().await;
    for page_size in [1, 2, 3, 500] {
        let connected = lab.connect_with(json!({ "poll": { "page_size": page_size } }));
        let (_, cursor) = all(&lab, &connected, None).await;
        let first: Vec<String> = (0..6).map(|_| risk(&lab)).collect();
        let (found, cursor) = all(&lab, &connected, Some(cursor)).await;
        assert_eq!(found, first, "pages of {page_size}");
        let late = risk(&lab);
        let (found, cursor) = all(&lab, &connected, Some(cursor)).await;
        assert_eq!(found, [late]);
        assert_eq!(
            all(&lab, &connected, Some(cursor)).await.0,
            Vec::<String>::new()
        );
    }
}

#[tokio::test]
async fn an_event_that_is_stored_late_is_not_missed() {
    let lab = lab().await;
    let connected = lab.connect();
    lab.twin.set_settle(Settle {
        log_millis: 300_000,
        ..Settle::default()
    });
    let late = risk(&lab);
    lab.twin.set_settle(Settle::default());
    lab.clock.advance(Duration::from_secs(60));
    let early = risk(&lab);
    let (found, cursor) = all(&lab, &connected, None).await;
    assert_eq!(found, [early]);
    lab.clock.advance(Duration::from_secs(300));
    assert_eq!(all(&lab, &connected, Some(cursor)).await.0, [late]);
}

#[tokio::test]
async fn the_first_poll_looks_back_as_far_as_it_is_told() {
    let lab = lab().await;
    risk(&lab);
    lab.clock.advance(Duration::from_secs(1200));
    let recent = risk(&lab);
    let (found, _) = all(&lab, &lab.connect(), None).await;
    assert_eq!(found, [recent]);
    let connected = lab.connect_with(json!({ "poll": { "lookback": "1h" } }));
    assert_eq!(all(&lab, &connected, None).await.0.len(), 2);
}

#[tokio::test]
async fn sign_ins_without_a_finding_stay_where_they_are() {
    let lab = lab().await;
    let risky = EventSpec::sign_in(MARA, "HIGH");
    let unwanted = [
        EventSpec::sign_in(MARA, "LOW"),
        EventSpec::sign_in(MARA, ""),
        EventSpec {
            result: "FAILURE".to_owned(),
            ..risky.clone()
        },
        EventSpec::about("user.lifecycle.create", MARA),
    ];
    for event in &unwanted {
        lab.twin.add_event(event);
    }
    let old = EventSpec {
        risk_text: "{reasons=Anomalous Location, level=MEDIUM}".to_owned(),
        ..EventSpec::sign_in(MARA, "")
    };
    let wanted = [lab.twin.add_event(&risky), lab.twin.add_event(&old)];
    assert_eq!(all(&lab, &lab.connect(), None).await.0, wanted);
}

#[tokio::test]
async fn only_this_organization_s_system_log_is_followed() {
    let lab = lab().await;
    let connected = lab.connect();
    let (_, cursor) = all(&lab, &connected, None).await;
    let port = lab.twin.address().port();
    for address in [
        format!("http://127.0.0.1:{}/api/v1/logs?after=1_0", port ^ 1),
        format!("http://localhost:{port}/api/v1/logs?after=1_0"),
        format!("https://127.0.0.1:{port}/api/v1/logs?after=1_0"),
        format!("http://127.0.0.1:{port}/api/v1/users?after=1_0"),
        format!("http://x@127.0.0.1:{port}/api/v1/logs?after=1_0"),
        "//evil.test/api/v1/logs".to_owned(),
    ] {
        let mut stored = cursor.clone();
        stored["next"] = address.clone().into();
        let before = lab.twin.count(Endpoint::Logs);
        let error = poll(&lab, &connected, Some(&stored)).await.unwrap_err();
        assert_eq!(error.kind, Kind::ConfigInvalid, "{address}: {error}");
        assert_eq!(lab.twin.count(Endpoint::Logs), before);
    }
}

#[tokio::test]
async fn a_mark_okta_no_longer_knows_leaves_nothing_out() {
    let lab = lab().await;
    let connected = lab.connect();
    let first = risk(&lab);
    let (_, mut cursor) = all(&lab, &connected, None).await;
    let second = risk(&lab);
    cursor["next"] = format!("{}/api/v1/logs?after=forgotten", lab.twin.base_url()).into();
    // The overlap brings the first one again, which intake recognises.
    assert_eq!(all(&lab, &connected, Some(cursor)).await.0, [first, second]);
}

#[tokio::test]
async fn another_choice_of_events_counts_from_where_the_last_one_had_come_to() {
    let lab = lab().await;
    let (_, cursor) = all(&lab, &lab.connect(), None).await;
    let connected =
        lab.connect_with(json!({ "poll": { "event_types": ["user.lifecycle.create"] } }));
    let other = lab
        .twin
        .add_event(&EventSpec::about("user.lifecycle.create", MARA));
    risk(&lab);
    assert_eq!(all(&lab, &connected, Some(cursor)).await.0, [other]);
}

#[tokio::test]
async fn a_page_that_cannot_be_read_moves_nothing() {
    let lab = lab().await;
    let connected = lab.connect();
    let (_, cursor) = all(&lab, &connected, None).await;
    let event = risk(&lab);
    for fault in [
        Fault::TruncatedBody,
        Fault::GarbageBody,
        Fault::WrongContentType,
    ] {
        lab.twin.fail_next(Endpoint::Logs, fault);
        let error = poll(&lab, &connected, Some(&cursor)).await.unwrap_err();
        assert_eq!(error.kind, Kind::ReplyUnreadable);
    }
    let unreadable = json!({ "page": 7 });
    let error = poll(&lab, &connected, Some(&unreadable)).await.unwrap_err();
    assert_eq!(error.kind, Kind::ConfigInvalid);
    assert_eq!(all(&lab, &connected, Some(cursor)).await.0, [event]);
}
