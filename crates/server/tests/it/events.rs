//! The stream of transitions.

use axum::body::Body;
use futures_util::StreamExt;
use serde_json::Value;
use tower::ServiceExt;

use crate::app::{RESPONDER, TestApp, VIEWER, request};
use crate::vendor::alert;

#[tokio::test]
async fn a_listener_is_told_of_transitions_as_they_become_durable() {
    let app = TestApp::new();
    let listen = request("GET", "/api/v1/events", VIEWER)
        .body(Body::empty())
        .unwrap();
    let response = app.router.clone().oneshot(listen).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut events = response.into_body().into_data_stream();
    app.push(alert("a1", "srv-1", "server")).await.ok();
    let mut states = Vec::new();
    for _ in 0..app.stored().await.len() {
        let event = events.next().await.unwrap().unwrap();
        let event = std::str::from_utf8(&event).unwrap();
        let data = event.strip_prefix("event: transition\ndata: ").unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(data["action"]["state"], data["transition"]["to"]);
        states.push(data["transition"]["to"].clone());
    }
    assert!(states.contains(&"awaiting_approval".into()), "{states:?}");
}

#[tokio::test]
async fn more_listeners_than_there_are_places_are_asked_to_come_back() {
    let app = TestApp::with(|settings| settings.listeners = 1);
    let listen = || {
        request("GET", "/api/v1/events", RESPONDER)
            .body(Body::empty())
            .unwrap()
    };
    let first = app.router.clone().oneshot(listen()).await.unwrap();
    assert_eq!(app.send(listen()).await.code(), "overloaded");
    drop(first);
    let again = app.router.clone().oneshot(listen()).await.unwrap();
    assert_eq!(again.status(), 200);
}
