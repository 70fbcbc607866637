//! Pausing and resuming.

use serde_json::json;

use crate::app::{ADMINISTRATOR, RESPONDER, TestApp, VIEWER};
use crate::vendor::alert;

#[tokio::test]
async fn a_responder_pauses_and_an_administrator_resumes() {
    let app = TestApp::new();
    let running = app.get(VIEWER, "/api/v1/automation").await.ok();
    assert_eq!(running["paused"], false);
    let paused = app
        .post(
            RESPONDER,
            "/api/v1/automation/pause",
            json!({ "reason": "change window" }),
        )
        .await
        .ok();
    assert_eq!(
        (&paused["paused"], &paused["by"], &paused["reason"]),
        (&json!(true), &json!("rosa"), &json!("change window"))
    );
    assert_eq!(paused["at"], "2026-09-21T14:13:20Z");
    // Alerts are still taken in, and nothing is done.
    app.push(alert("a1", "ws-1", "workstation")).await.ok();
    app.work().await;
    assert!(app.vendor.contained.lock().unwrap().is_empty());
    assert!(
        app.get(VIEWER, "/metrics")
            .await
            .text
            .contains("quell_automation_paused 1")
    );
    assert_eq!(
        app.post(RESPONDER, "/api/v1/automation/resume", json!({}))
            .await
            .status,
        403
    );
    let resumed = app
        .post(ADMINISTRATOR, "/api/v1/automation/resume", json!({}))
        .await
        .ok();
    assert_eq!(resumed["paused"], false);
    app.work().await;
    assert!(app.vendor.contained.lock().unwrap().contains("ws-1"));
}

#[tokio::test]
async fn a_pause_needs_a_reason_and_resuming_needs_no_body() {
    let app = TestApp::new();
    let answer = app
        .post(RESPONDER, "/api/v1/automation/pause", json!({}))
        .await;
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (422, "invalid_body")
    );
    assert_eq!(
        app.get(VIEWER, "/api/v1/automation").await.ok()["paused"],
        false
    );
    let empty = crate::app::request("POST", "/api/v1/automation/resume", ADMINISTRATOR);
    assert_eq!(
        app.send(empty.body(axum::body::Body::empty()).unwrap())
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn one_connection_is_paused_and_resumed_by_its_id() {
    let app = TestApp::new();
    let order = json!({ "reason": "outage", "connection": "desk" });
    let paused = app.post(RESPONDER, "/api/v1/automation/pause", order).await;
    let paused = paused.ok();
    assert_eq!(paused["paused"], false);
    let [note] = paused["paused_connections"].as_array().unwrap().as_slice() else {
        panic!("{paused}");
    };
    assert_eq!(
        (&note["connection"], &note["by"]),
        (&json!("desk"), &json!("rosa"))
    );
    app.push(alert("a1", "ws-1", "workstation")).await.ok();
    app.work().await;
    assert!(app.vendor.contained.lock().unwrap().is_empty());
    let metrics = app.get(VIEWER, "/metrics").await.text;
    assert!(metrics.contains("quell_connection_paused{connection=\"desk\"} 1"));
    let order = json!({ "connection": "desk" });
    app.post(ADMINISTRATOR, "/api/v1/automation/resume", order)
        .await
        .ok();
    app.work().await;
    assert!(app.vendor.contained.lock().unwrap().contains("ws-1"));
    let order = json!({ "reason": "outage", "connection": "nobody" });
    let refused = app.post(RESPONDER, "/api/v1/automation/pause", order).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "refused"));
}

#[tokio::test]
async fn an_administrator_opts_in_to_the_text_that_is_offered_and_a_responder_opts_out() {
    let app = TestApp::new();
    let order = json!({ "action": "contain_host", "reason": "It hit the wrong ones." });
    let out = app
        .post(RESPONDER, "/api/v1/automation/opt-out", order)
        .await
        .ok();
    assert_eq!(out["opted_in"], json!([]));
    let [offer] = out["offers"].as_array().unwrap().as_slice() else {
        panic!("{out}");
    };
    assert_eq!(offer["action"], "contain_host");
    let text = offer["text"].clone();
    let other = json!({ "action": "contain_host", "agreed": "Do what you like." });
    let refused = app
        .post(ADMINISTRATOR, "/api/v1/automation/opt-in", other)
        .await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "refused"));
    let order = json!({ "action": "contain_host", "agreed": text });
    let answer = app
        .post(ADMINISTRATOR, "/api/v1/automation/opt-in", order)
        .await
        .ok();
    assert_eq!(answer["offers"], json!([]));
    let now = "2026-09-21T14:13:20Z";
    assert_eq!(
        answer["opted_in"],
        json!([{ "action": "contain_host", "by": "ada", "at": now, "agreed": text }])
    );
    assert_eq!(
        answer["changes"],
        json!([
            { "action": "contain_host", "opted_in": false, "by": "rosa", "at": now, "text": "It hit the wrong ones." },
            { "action": "contain_host", "opted_in": true, "by": "ada", "at": now, "text": text },
        ])
    );
}
