//! The two programs Quell is compared with. `bare` stores nothing; `limit` stores one row per alert,
//! flushed in groups, before it calls: nobody who keeps alerts can be faster.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

struct Parts {
    client: reqwest::Client,
    base: String,
    token: String,
    rows: Option<mpsc::UnboundedSender<(String, oneshot::Sender<()>)>>,
}

/// Serves until the process is killed.
pub(crate) async fn serve(listen: SocketAddr, base: String, database: Option<String>) {
    let client = plain_client();
    let reply: Value = client
        .post(format!("{base}/oauth2/token"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!(
            "client_id={}&client_secret={}",
            quell_twins::crowdstrike::CLIENT_ID,
            quell_twins::crowdstrike::CLIENT_SECRET
        ))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .map(|text| serde_json::from_str(&text).unwrap())
        .unwrap();
    let token = format!("Bearer {}", reply["access_token"].as_str().unwrap());
    let rows = database.map(|path| {
        let (rows, queue) = mpsc::unbounded_channel();
        std::thread::spawn(move || write_rows(&path, queue));
        rows
    });
    let parts = Arc::new(Parts {
        client,
        base,
        token,
        rows,
    });
    let router = Router::new()
        .route("/api/v1/intake/{connection}", post(intake))
        .route("/readyz", axum::routing::get(|| async { "ready" }))
        .with_state(parts);
    let listener = tokio::net::TcpListener::bind(listen).await.unwrap();
    axum::serve(listener, router).await.unwrap();
}

/// A client without any of our layers.
#[expect(
    clippy::disallowed_methods,
    reason = "the comparison is made with a plain client"
)]
fn plain_client() -> reqwest::Client {
    let _already = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

async fn intake(State(parts): State<Arc<Parts>>, body: String) -> StatusCode {
    let alert: Value = serde_json::from_str(&body).unwrap();
    let device = alert["device"]["device_id"].as_str().unwrap().to_owned();
    if let Some(rows) = &parts.rows {
        let (done, stored) = oneshot::channel();
        rows.send((body, done)).unwrap();
        stored.await.unwrap();
    }
    let called = parts
        .client
        .post(format!(
            "{}/devices/entities/devices-actions/v2?action_name=contain",
            parts.base
        ))
        .header("authorization", &parts.token)
        .header("content-type", "application/json")
        .body(json!({ "ids": [device] }).to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(called.status(), 202);
    called.bytes().await.unwrap();
    StatusCode::ACCEPTED
}

fn write_rows(path: &str, mut queue: mpsc::UnboundedReceiver<(String, oneshot::Sender<()>)>) {
    let mut db = rusqlite::Connection::open(path).unwrap();
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE alerts (id INTEGER PRIMARY KEY, document TEXT NOT NULL)",
    )
    .unwrap();
    while let Some(first) = queue.blocking_recv() {
        let mut group = vec![first];
        while let Ok(next) = queue.try_recv() {
            group.push(next);
        }
        let transaction = db.transaction().unwrap();
        for (document, _) in &group {
            transaction
                .prepare_cached("INSERT INTO alerts (document) VALUES (?1)")
                .unwrap()
                .execute([document])
                .unwrap();
        }
        transaction.commit().unwrap();
        for (_, done) in group {
            done.send(()).unwrap();
        }
    }
}
