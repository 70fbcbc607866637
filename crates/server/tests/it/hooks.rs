//! What vendors push in their own way.

use axum::body::Body;
use serde_json::json;

use crate::app::{Answer, DESK, TestApp, request};
use crate::vendor::{PUSHED, alert};

const HOOK: &str = "/api/v1/hooks/desk";

async fn push(app: &TestApp, headers: &[(&str, &str)], body: impl ToString) -> Answer {
    let mut push = request("POST", HOOK, "");
    for (name, value) in headers {
        push = push.header(*name, *value);
    }
    app.send(push.body(body.to_string().into()).unwrap()).await
}

#[tokio::test]
async fn what_the_vendor_pushes_is_taken_in_and_answered_with_nothing() {
    let app = TestApp::new();
    let headers = [("x-desk-secret", PUSHED)];
    let answer = push(&app, &headers, alert("a1", "ws-1", "workstation")).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
    assert_eq!(app.stored().await.len(), 1);
}

#[tokio::test]
async fn a_stranger_and_a_connection_that_does_not_exist_get_the_same_answer() {
    let app = TestApp::new();
    let body = alert("a1", "ws-1", "workstation").to_string();
    for (path, secret) in [
        (HOOK, "wrong"),
        ("/api/v1/hooks/nope", PUSHED),
        ("/api/v1/hooks/mute", PUSHED),
    ] {
        // Not even a token that may push through the other door.
        let push = request("POST", path, DESK).header("x-desk-secret", secret);
        let answer = app.send(push.body(body.clone().into()).unwrap()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (401, "unauthorized"),
            "{path}"
        );
    }
    assert!(app.stored().await.is_empty());
}

#[tokio::test]
async fn a_delivery_that_comes_again_is_answered_and_not_taken_in_again() {
    let app = TestApp::new();
    let headers = [("x-desk-secret", PUSHED), ("x-desk-delivery", "d-1")];
    for host in ["ws-1", "ws-2"] {
        let answer = push(&app, &headers, alert(host, host, "workstation")).await;
        assert_eq!(answer.status, 204);
    }
    let targets: Vec<_> = app.stored().await;
    assert_eq!(targets.len(), 1, "a replay with another body was believed");
}

#[tokio::test]
async fn a_delivery_that_could_not_be_read_may_come_again() {
    let app = TestApp::new();
    let headers = [("x-desk-secret", PUSHED), ("x-desk-delivery", "d-1")];
    let refused = push(&app, &headers, json!({ "alert_id": "a1" })).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    let taken = push(&app, &headers, alert("a1", "ws-1", "workstation")).await;
    assert_eq!((taken.status.as_u16(), app.stored().await.len()), (204, 1));
}

#[tokio::test]
async fn a_handshake_gets_the_answer_the_vendor_expects_and_a_ping_gets_none() {
    let app = TestApp::new();
    let ask = request("GET", &format!("{HOOK}?challenge=abc"), "").body(Body::empty());
    let answer = app.send(ask.unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "abc"));
    assert_eq!(answer.headers["content-type"], "text/plain");
    let ping = push(&app, &[("x-desk-secret", PUSHED)], "ping").await;
    assert_eq!(ping.status, 204);
}
