//! Pausing and resuming.

use serde_json::json;

use crate::app::{ADMINISTRATOR, RESPONDER, TestApp, VIEWER};
use crate::vendor::alert;

#[tokio::test]
async fn a_responder_pauses_and_an_administrator_resumes() {
    let app = TestApp::new();
    let running = app.get(VIEWER, "/api/v1/automation").await.ok();
    assert_eq!(
        running,
        json!({ "paused": false, "opted_in": [{ "action": "contain_host", "by": "ada", "at": "1970-01-01T00:00:00Z" }] })
    );
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
