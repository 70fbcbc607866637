//! Health, metrics, and what every reply has in common.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use serde_json::json;

use crate::app::{DESK, RESPONDER, TestApp, VIEWER, request};
use crate::vendor::{Mood, alert};

#[tokio::test]
async fn health_and_readiness_are_public_and_say_little() {
    let app = TestApp::new();
    for path in ["/healthz", "/readyz"] {
        let answer = app.get("", path).await;
        assert_eq!(
            (answer.status.as_u16(), answer.text.as_str()),
            (200, r#"{"status":"ok"}"#)
        );
    }
}

#[tokio::test]
async fn every_reply_carries_the_headers_that_keep_browsers_from_misusing_it() {
    let app = TestApp::new();
    let mut ids = std::collections::BTreeSet::new();
    for (token, path) in [
        (VIEWER, "/api/v1/actions"),
        ("", "/api/v1/actions"),
        ("", "/nothing"),
        ("", "/healthz"),
    ] {
        let headers = app.get(token, path).await.headers;
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["cache-control"], "no-store", "{path}");
        assert_eq!(
            headers["content-security-policy"], "default-src 'none'; frame-ancestors 'none'",
            "{path}"
        );
        assert!(
            !headers.contains_key("access-control-allow-origin"),
            "{path}"
        );
        assert!(!headers.contains_key("set-cookie"), "{path}");
        assert!(ids.insert(headers["x-request-id"].clone()), "{path}");
    }
}

#[tokio::test]
async fn an_unknown_path_and_a_wrong_method_are_problems_like_any_other() {
    let app = TestApp::new();
    for path in [
        "/",
        "/api/v1",
        "/api/v1/nothing",
        "/api/v1/actions/",
        "/../etc/passwd",
    ] {
        let answer = app.get(VIEWER, path).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (404, "not_found"),
            "{path}"
        );
    }
    for (method, path) in [
        ("DELETE", "/api/v1/actions"),
        ("PUT", "/healthz"),
        ("GET", "/api/v1/automation/pause"),
        ("OPTIONS", "/api/v1/actions"),
    ] {
        let answer = app
            .send(request(method, path, VIEWER).body(Body::empty()).unwrap())
            .await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (405, "method_not_allowed"),
            "{method} {path}"
        );
        assert!(answer.headers.contains_key("allow"), "{method} {path}");
    }
}

#[tokio::test]
async fn metrics_count_requests_by_the_pattern_of_their_route() {
    let app = TestApp::new();
    app.push(alert("a1", "ws-1", "workstation")).await.ok();
    app.get(
        VIEWER,
        "/api/v1/actions/act_01930000000070008000000000000001",
    )
    .await;
    let answer = app.get(VIEWER, "/metrics").await;
    assert!(
        answer.headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/plain; version=0.0.4")
    );
    let metrics = answer.text;
    assert!(metrics.contains(r#"quell_http_requests_total{route="/api/v1/intake/{connection}",method="POST",status="202"}"#), "{metrics}");
    assert!(
        metrics.contains(
            r#"quell_http_request_seconds_bucket{route="/api/v1/actions/{id}",le="0.001"}"#
        ),
        "{metrics}"
    );
    assert!(metrics.contains("quell_alerts_total"), "{metrics}");
    assert!(!metrics.contains("act_0193"), "{metrics}");
}

#[tokio::test]
async fn a_head_request_is_admitted_like_the_get_it_stands_for() {
    let app = TestApp::new();
    for (token, status) in [("", 401), (VIEWER, 200)] {
        let head = request("HEAD", "/api/v1/actions", token)
            .body(Body::empty())
            .unwrap();
        let answer = app.send(head).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (status, ""));
    }
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_given_up() {
    let app = TestApp::new();
    *app.vendor.mood.lock().unwrap() = Mood::Hangs;
    let (answer, ()) = tokio::join!(
        app.post(RESPONDER, "/api/v1/connections/check", json!({})),
        async {
            tokio::task::yield_now().await;
            app.clock.advance(Duration::from_secs(91));
        }
    );
    assert_eq!((answer.status.as_u16(), answer.code()), (503, "timeout"));
    assert_eq!(answer.headers["retry-after"], "5");
}

#[tokio::test]
async fn what_goes_wrong_inside_is_not_told() {
    let app = TestApp::new();
    *app.vendor.mood.lock().unwrap() = Mood::Panics;
    let answer = app
        .post(RESPONDER, "/api/v1/connections/check", json!({}))
        .await;
    assert_eq!((answer.status.as_u16(), answer.code()), (500, "internal"));
    assert!(!answer.text.contains("hunter2"));
    assert!(answer.headers.contains_key("x-request-id"));
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn logs_hold_no_tokens_bodies_queries_or_paths() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let app = TestApp::new();
    let mut document = alert("a1", "ws-1", "workstation");
    document["title"] = "marker-in-title".into();
    app.push(&document).await.ok();
    document["host"] = 7.into();
    document["alert_id"] = 7.into();
    document["marker-in-name"] = 1.into();
    assert_eq!(app.push(&document).await.status, 422);
    app.get(VIEWER, "/api/v1/actions?state=marker-in-query")
        .await;
    app.get(VIEWER, "/api/v1/actions/marker-in-path").await;
    app.get("marker-in-token-0123456789", "/marker-in-nowhere")
        .await;
    drop(guard);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        log.contains("/api/v1/intake/{connection}") && log.contains("invalid_document"),
        "{log}"
    );
    for secret in ["marker", DESK, VIEWER] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}
