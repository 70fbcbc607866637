//! Bodies nobody honest sends. Each is refused with a code and a sentence, is counted, and leaves
//! nothing behind.

use axum::body::Body;
use http::Request;
use serde_json::json;

use crate::app::{DESK, MUTE, OLD_KEY, TestApp, VIEWER, request};
use crate::vendor::alert;

fn json_body(body: impl Into<Body>) -> Request<Body> {
    let request =
        request("POST", "/api/v1/intake/desk", DESK).header("content-type", "application/json");
    request.body(body.into()).unwrap()
}

fn typed(content_type: &str) -> Request<Body> {
    let request = request("POST", "/api/v1/intake/desk", DESK).header("content-type", content_type);
    request.body(good().into()).unwrap()
}

fn good() -> String {
    alert("a1", "ws-1", "workstation").to_string()
}

fn rows(app: &TestApp) -> Vec<(&'static str, Request<Body>, u16, &'static str)> {
    let signed = |offset: i64| app.signed(OLD_KEY, "msg_1", offset, &good());
    let nested = |depth: usize| {
        format!(
            "{{\"alert_id\":{}{}}}",
            "[".repeat(depth),
            "]".repeat(depth)
        )
    };
    let huge = format!("{{\"alert_id\":\"{}\"}}", "x".repeat(10 * 1024 * 1024));
    let chunked = {
        let pieces: Vec<std::io::Result<String>> =
            (0..32).map(|_| Ok(" ".repeat(64 * 1024))).collect();
        Body::from_stream(futures_util::stream::iter(pieces))
    };
    let mut without = signed(0);
    without.headers_mut().unwrap().remove("webhook-timestamp");
    let mut forged = signed(0);
    forged
        .headers_mut()
        .unwrap()
        .insert("webhook-signature", "v1,AAAA".parse().unwrap());
    let bare = request("POST", "/api/v1/intake/desk", DESK)
        .body(good().into())
        .unwrap();
    let mut zipped = json_body(good());
    zipped
        .headers_mut()
        .insert("content-encoding", "gzip".parse().unwrap());
    let mixed = format!("{}\n{{\"alert_id\":\"a2\",\"host\":7}}\nnot json\n", good());
    let mute =
        request("POST", "/api/v1/intake/mute", MUTE).header("content-type", "application/json");
    let foreign = json!({ "alert_id": "a1", "host": "h", "class": "workstation", "tenant": "t2" });
    vec![
        (
            "a string of ten megabytes",
            json_body(huge),
            413,
            "body_too_large",
        ),
        (
            "more than the limit, in pieces",
            json_body(chunked),
            413,
            "body_too_large",
        ),
        (
            "nested deeper than anything",
            json_body(nested(100_000)),
            422,
            "invalid_document",
        ),
        (
            "nested a little too deep",
            json_body(nested(65)),
            422,
            "invalid_document",
        ),
        ("nothing", json_body(""), 422, "invalid_document"),
        (
            "truncated",
            json_body(good().chars().take(20).collect::<String>()),
            422,
            "invalid_document",
        ),
        (
            "bare control characters",
            json_body("{\"alert_id\":\"a\u{0}\u{1b}[2J\"}"),
            422,
            "invalid_document",
        ),
        (
            "HTML",
            json_body("<script>alert(1)</script>"),
            422,
            "invalid_document",
        ),
        ("a number", json_body("7"), 422, "invalid_document"),
        (
            "a list of numbers",
            json_body("[1,2]"),
            422,
            "invalid_document",
        ),
        (
            "a document of another vendor",
            json_body(r#"{"composite_id":"x:1","product":"epp"}"#),
            422,
            "invalid_document",
        ),
        (
            "a wrong type",
            json_body(r#"{"alert_id":7,"host":"h","class":"server"}"#),
            422,
            "invalid_document",
        ),
        (
            "good and bad lines",
            json_body(mixed),
            422,
            "invalid_document",
        ),
        (
            "not UTF-8",
            json_body(b"{\"alert_id\":\"\xff\"}".to_vec()),
            400,
            "body_not_text",
        ),
        (
            "another customer's",
            json_body(foreign.to_string()),
            403,
            "foreign_tenant",
        ),
        ("no content type", bare, 415, "unsupported_media_type"),
        (
            "plain text",
            typed("text/plain"),
            415,
            "unsupported_media_type",
        ),
        (
            "a form",
            typed("application/x-www-form-urlencoded"),
            415,
            "unsupported_media_type",
        ),
        (
            "another character set",
            typed("application/json; charset=utf-16"),
            415,
            "unsupported_media_type",
        ),
        ("compressed", zipped, 415, "unsupported_encoding"),
        (
            "a forged signature",
            forged.body(good().into()).unwrap(),
            401,
            "unauthorized",
        ),
        (
            "another body than was signed",
            signed(0).body("{}".into()).unwrap(),
            401,
            "unauthorized",
        ),
        (
            "a header is missing",
            without.body(good().into()).unwrap(),
            401,
            "unauthorized",
        ),
        (
            "signed too long ago",
            signed(-301).body(good().into()).unwrap(),
            401,
            "timestamp_out_of_range",
        ),
        (
            "signed in the future",
            signed(301).body(good().into()).unwrap(),
            401,
            "timestamp_out_of_range",
        ),
        (
            "no source of alerts",
            mute.body("{}".into()).unwrap(),
            422,
            "not_a_source",
        ),
    ]
}

#[tokio::test]
async fn each_is_refused_counted_and_leaves_nothing_behind() {
    let app = TestApp::new();
    for (what, request, status, code) in rows(&app) {
        let connection = request.uri().path().rsplit('/').next().unwrap().to_owned();
        let before = refused(&app, &connection, code).await;
        let answer = app.send(request).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (status, code),
            "{what}: {answer:?}"
        );
        let message = answer.body["message"].as_str().unwrap();
        assert!((10..400).contains(&message.len()), "{what}: {message}");
        assert!(
            !message.contains('\u{1b}') && !message.contains('\u{0}'),
            "{what}: {message:?}"
        );
        assert!(
            refused(&app, &connection, code).await > before,
            "{what} is not counted"
        );
        assert!(
            app.stored().await.is_empty(),
            "{what} left something behind"
        );
    }
    // Nor was the alert itself remembered: it is new when it comes honestly.
    assert_eq!(app.push(good()).await.body["alerts"][0]["freshness"], "new");
}

#[tokio::test]
async fn what_is_wrong_is_named_by_its_path() {
    let app = TestApp::new();
    let answer = app
        .push(r#"{"alert_id":"a","host":7,"class":"server"}"#)
        .await;
    // It still shows an id, but it is a damaged alert and no pointer to one.
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (422, "invalid_document")
    );
    assert_eq!(answer.body["path"], "$.host");
    let answer = app
        .push(r#"[{"alert_id":7,"host":"h","class":"server"}]"#)
        .await;
    assert_eq!(answer.body["path"], "$[0].alert_id");
    assert_eq!(
        answer.body["message"],
        "$[0].alert_id: invalid type: integer `7`, expected a string"
    );
}

#[tokio::test]
async fn strangers_cannot_make_up_labels() {
    let app = TestApp::new();
    for name in ["made-up-one", "made-up-two"] {
        app.post("", &format!("/api/v1/intake/{name}"), json!({}))
            .await;
        app.get("", &format!("/{name}")).await;
    }
    let metrics = app.get(VIEWER, "/metrics").await.text;
    assert!(!metrics.contains("made-up"), "{metrics}");
    assert!(
        metrics.contains(r#"quell_intake_refused_total{connection="unknown",code="unauthorized"}"#)
    );
}

async fn refused(app: &TestApp, connection: &str, code: &str) -> u64 {
    let metrics = app.get(VIEWER, "/metrics").await.text;
    let line =
        format!("quell_intake_refused_total{{connection=\"{connection}\",code=\"{code}\"}} ");
    let value = metrics
        .lines()
        .find_map(|text| text.strip_prefix(line.as_str()));
    value.map_or(0, |value| value.parse().unwrap())
}
