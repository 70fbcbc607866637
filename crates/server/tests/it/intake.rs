//! Pushing alerts.

use axum::body::Body;
use serde_json::json;

use crate::app::{ADMINISTRATOR, DESK, MUTE, NEW_KEY, OLD_KEY, TestApp, id, request};
use crate::vendor::alert;

#[tokio::test]
async fn an_alert_is_taken_in_with_its_actions_and_a_repetition_is_a_duplicate() {
    let app = TestApp::new();
    let first = app.push(alert("a1", "ws-1", "workstation")).await;
    assert_eq!(first.status, 202);
    let taken = &first.body["alerts"][0];
    assert_eq!(taken["freshness"], "new");
    assert_eq!(
        taken["actions"].as_array().unwrap().len(),
        app.stored().await.len()
    );
    assert!(first.body.get("fetching").is_none());
    let again = app.push(alert("a1", "ws-1", "workstation")).await;
    assert_eq!(again.status, 202);
    assert_eq!(again.body["alerts"][0]["id"], taken["id"]);
    assert_eq!(again.body["alerts"][0]["freshness"], "duplicate");
}

#[tokio::test]
async fn lists_envelopes_and_lines_are_taken_in_in_order() {
    let app = TestApp::new();
    let list = json!([
        alert("a1", "ws-1", "workstation"),
        alert("a2", "ws-2", "workstation")
    ]);
    let lines = format!(
        "{}\n{}\n",
        alert("a1", "ws-1", "workstation"),
        alert("a2", "ws-2", "workstation")
    );
    for body in [
        list.to_string(),
        json!({ "alerts": list }).to_string(),
        lines,
    ] {
        let request = request("POST", "/api/v1/intake/desk", DESK)
            .header("content-type", "application/x-ndjson; charset=utf-8")
            .body(Body::from(body));
        let answer = app.send(request.unwrap()).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        assert_eq!(answer.body["alerts"].as_array().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn a_signed_body_is_taken_in_whichever_of_two_keys_signed_it() {
    let app = TestApp::new();
    for (key, name) in [(OLD_KEY, "a1"), (NEW_KEY, "a2")] {
        let body = alert(name, "ws-1", "workstation").to_string();
        let request = app
            .signed(key, name, 0, &body)
            .body(Body::from(body))
            .unwrap();
        assert_eq!(app.send(request).await.status, 202);
    }
}

#[tokio::test]
async fn the_same_message_twice_is_a_replay_and_an_honest_retry_is_harmless() {
    let app = TestApp::new();
    let body = alert("a1", "ws-1", "workstation").to_string();
    let send = async |offset| {
        let request = app
            .signed(OLD_KEY, "msg_1", offset, &body)
            .body(Body::from(body.clone()));
        app.send(request.unwrap()).await
    };
    assert_eq!(send(0).await.status, 202);
    let replay = send(0).await;
    assert_eq!((replay.status.as_u16(), replay.code()), (409, "replayed"));
    let retry = send(1).await;
    assert_eq!(retry.status, 202);
    assert_eq!(retry.body["alerts"][0]["freshness"], "duplicate");
}

#[tokio::test]
async fn a_message_from_the_edge_of_the_future_cannot_be_replayed_when_it_has_become_the_past() {
    let app = TestApp::new();
    let body = alert("a1", "ws-1", "workstation").to_string();
    let request = || app.signed(OLD_KEY, "msg_1", 300, &body);
    let early = request();
    let copy = request();
    assert_eq!(
        app.send(early.body(Body::from(body.clone())).unwrap())
            .await
            .status,
        202
    );
    app.clock.advance(std::time::Duration::from_secs(600));
    let late = app.send(copy.body(Body::from(body.clone())).unwrap()).await;
    assert_eq!((late.status.as_u16(), late.code()), (409, "replayed"));
}

#[tokio::test]
async fn a_body_with_no_more_than_an_id_is_fetched_from_the_vendor() {
    let app = TestApp::new();
    let answer = app.push(json!({ "alert_id": "a7" })).await;
    assert_eq!(answer.status, 202);
    assert_eq!(answer.body, json!({ "alerts": [], "fetching": ["a7"] }));
    assert!(app.stored().await.is_empty());
    app.work().await;
    let stored = app.stored().await;
    assert_eq!(stored[0].action.target.to_string(), "fetched-host");
    assert_eq!(stored[0].action.connection, id("desk"));
}

#[tokio::test]
async fn an_id_that_could_be_read_as_something_else_is_not_fetched() {
    let app = TestApp::new();
    for bad in ["", "a\u{7}b", &"x".repeat(600)] {
        let answer = app.push(json!({ "alert_id": bad })).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (422, "invalid_document"),
            "{bad:?}"
        );
        assert_eq!(answer.body["path"], "$.host");
    }
}

#[tokio::test]
async fn strangers_cannot_tell_which_connections_there_are() {
    let app = TestApp::new();
    let body = alert("a1", "ws-1", "workstation").to_string();
    let large = "x".repeat(2 * 1024 * 1024);
    let shapes: [(&str, Headers, &[u8]); 6] = [
        ("nothing", vec![], body.as_bytes()),
        (
            "a wrong token",
            vec![("authorization", "Bearer wrong-token-0123456789")],
            body.as_bytes(),
        ),
        ("a made-up signature", made_up(), body.as_bytes()),
        (
            "both",
            [
                made_up(),
                vec![("authorization", "Bearer wrong-token-0123456789")],
            ]
            .concat(),
            body.as_bytes(),
        ),
        (
            "a made-up signature, too large",
            made_up(),
            large.as_bytes(),
        ),
        ("a made-up signature, not text", made_up(), b"\xff\xfe"),
    ];
    for (shape, headers, body) in shapes {
        let mut seen = Vec::new();
        for connection in [
            "desk",
            "signed",
            "closed",
            "mute",
            "no-such-connection",
            "No%20Slug",
        ] {
            let mut request = request("POST", &format!("/api/v1/intake/{connection}"), "")
                .header("content-type", "application/json");
            for (name, value) in &headers {
                request = request.header(*name, *value);
            }
            let answer = app
                .send(request.body(Body::from(body.to_vec())).unwrap())
                .await;
            seen.push((answer.status, answer.text));
        }
        assert!(
            seen.iter().all(|answer| *answer == seen[0]),
            "{shape}: {seen:?}"
        );
        assert!(seen[0].0.is_client_error(), "{shape}: {seen:?}");
    }
}

type Headers = Vec<(&'static str, &'static str)>;

fn made_up() -> Headers {
    vec![
        ("webhook-id", "msg_1"),
        ("webhook-timestamp", "1790000000"),
        (
            "webhook-signature",
            "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        ),
    ]
}

#[tokio::test]
async fn a_person_who_may_not_push_is_told_whether_the_connection_exists() {
    let app = TestApp::new();
    for (connection, status, code) in [("desk", 403, "forbidden"), ("nope", 404, "not_found")] {
        let answer = app
            .post(
                ADMINISTRATOR,
                &format!("/api/v1/intake/{connection}"),
                json!({}),
            )
            .await;
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code));
    }
    let other = app.post(MUTE, "/api/v1/intake/desk", json!({})).await;
    assert_eq!((other.status.as_u16(), other.code()), (403, "forbidden"));
}

#[tokio::test]
async fn an_alert_of_another_customer_is_refused_with_everything_beside_it() {
    let app = TestApp::new();
    let mut foreign = alert("a2", "ws-2", "workstation");
    foreign["tenant"] = "t2".into();
    let answer = app
        .push(json!([alert("a1", "ws-1", "workstation"), foreign]))
        .await;
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (403, "foreign_tenant")
    );
    assert_eq!(answer.body["path"], "$[1]");
    assert!(app.stored().await.is_empty());
}

#[tokio::test]
async fn more_than_may_be_under_way_is_asked_to_come_back() {
    let app = TestApp::with(|settings| settings.intake_concurrency = 1);
    let (hold, body) = tokio::io::duplex(64);
    let slow = Body::from_stream(chunks(body));
    let waiting =
        request("POST", "/api/v1/intake/desk", DESK).header("content-type", "application/json");
    let first = tokio::spawn(tower::ServiceExt::oneshot(
        app.router.clone(),
        waiting.body(slow).unwrap(),
    ));
    tokio::task::yield_now().await;
    let turned_away = app.push(alert("a1", "ws-1", "workstation")).await;
    assert_eq!(
        (turned_away.status.as_u16(), turned_away.code()),
        (503, "overloaded")
    );
    assert_eq!(turned_away.headers["retry-after"], "2");
    drop(hold);
    assert_eq!(first.await.unwrap().unwrap().status(), 422);
    assert_eq!(
        app.push(alert("a1", "ws-1", "workstation")).await.status,
        202
    );
}

#[tokio::test]
async fn a_body_that_never_ends_is_given_up() {
    let app = TestApp::new();
    let (_hold, body) = tokio::io::duplex(64);
    let slow = Body::from_stream(chunks(body));
    let waiting =
        request("POST", "/api/v1/intake/desk", DESK).header("content-type", "application/json");
    let first = tokio::spawn(tower::ServiceExt::oneshot(
        app.router.clone(),
        waiting.body(slow).unwrap(),
    ));
    tokio::task::yield_now().await;
    app.clock.advance(std::time::Duration::from_secs(11));
    assert_eq!(first.await.unwrap().unwrap().status(), 408);
}

/// The chunks that arrive on a pipe.
fn chunks(
    pipe: tokio::io::DuplexStream,
) -> impl futures_util::Stream<Item = std::io::Result<Vec<u8>>> {
    use tokio::io::AsyncReadExt;
    futures_util::stream::unfold(pipe, async |mut pipe| {
        let mut chunk = vec![0; 64];
        match pipe.read(&mut chunk).await {
            Ok(0) => None,
            Ok(read) => {
                chunk.truncate(read);
                Some((Ok(chunk), pipe))
            }
            Err(error) => Some((Err(error), pipe)),
        }
    })
}

#[tokio::test]
async fn a_sender_that_hangs_up_does_not_leave_its_alert_half_taken_in() {
    let app = TestApp::new();
    let body = alert("a1", "srv-1", "server").to_string();
    let push = request("POST", "/api/v1/intake/desk", DESK)
        .header("content-type", "application/json")
        .body(Body::from(body));
    let mut call = Box::pin(tower::ServiceExt::oneshot(
        app.router.clone(),
        push.unwrap(),
    ));
    tokio::select! {
        biased;
        _ = &mut call => panic!("nothing durable is that quick"),
        () = std::future::ready(()) => drop(call),
    }
    let mut events = app.engine.events();
    // Heard of only when the engine went on after the commit.
    assert_eq!(
        events.recv().await.unwrap().action.target.to_string(),
        "srv-1"
    );
    assert!(!app.stored().await.is_empty());
}

#[tokio::test]
async fn the_body_limit_is_kept_within_sane_bounds() {
    let app = TestApp::with(|settings| settings.body_limit = 1);
    let padded =
        |size: usize| format!("{}{}", alert("a1", "ws-1", "workstation"), " ".repeat(size));
    assert_eq!(app.push(padded(60 * 1024)).await.status, 202);
    assert_eq!(app.push(padded(64 * 1024)).await.code(), "body_too_large");
    let app = TestApp::with(|settings| settings.body_limit = usize::MAX);
    assert_eq!(app.push(padded(1024 * 1024)).await.code(), "body_too_large");
}

#[tokio::test]
async fn an_alert_that_cannot_be_stored_is_asked_for_again_and_nobody_is_told_why() {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = path.join(format!("broken-{}.db", std::process::id()));
    let app = TestApp::over(quell_store::Store::open(&path).unwrap(), |_| ());
    let database = rusqlite::Connection::open(&path).unwrap();
    database.execute_batch("DROP TABLE alerts").unwrap();
    let answer = app.push(alert("a1", "ws-1", "workstation")).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (503, "store_unavailable")
    );
    assert_eq!(answer.headers["retry-after"], "5");
    assert_eq!(
        answer.body["message"],
        "the alerts could not be stored; send them again"
    );
    assert!(app.stored().await.is_empty());
    drop((app, database));
    for suffix in ["", "-wal", "-shm", ".lock"] {
        // What is left behind does no harm; the directory is the build's own.
        _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
}
