//! Serving real connections: slow ones, oversized ones, and stopping.

use std::time::Duration;

use quell_connector::SystemClock;
use quell_model::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::app::{TestApp, VIEWER};

struct Served {
    address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

async fn serve(app: &TestApp) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let server = tokio::spawn(quell_server::serve(listener, app.router.clone(), async {
        _ = stopped.await;
    }));
    Served {
        address,
        stop,
        server,
    }
}

async fn connect(served: &Served, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

async fn rest(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    // A connection that is cut off may end in a reset; what came before counts.
    _ = stream.read_to_end(&mut text).await;
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn requests_are_answered_over_a_real_connection() {
    let served = serve(&TestApp::new()).await;
    let reply = rest(
        connect(
            &served,
            "GET /healthz HTTP/1.1\r\nhost: q\r\nconnection: close\r\n\r\n",
        )
        .await,
    )
    .await;
    assert!(
        reply.starts_with("HTTP/1.1 200 OK\r\n") && reply.ends_with(r#"{"status":"ok"}"#),
        "{reply}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_only_dribbles_headers_is_closed() {
    let served = serve(&TestApp::new()).await;
    let stream = connect(&served, "GET /healthz HTTP/1.1\r\nhost: q\r\nx-slow: ").await;
    assert!(!rest(stream).await.contains("200 OK"));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_says_nothing_more_is_closed() {
    let served = serve(&TestApp::new()).await;
    let stream = connect(&served, "GET /healthz HTTP/1.1\r\nhost: q\r\n\r\n").await;
    assert!(rest(stream).await.contains("200 OK"));
}

#[tokio::test]
async fn headers_without_end_are_refused() {
    let served = serve(&TestApp::new()).await;
    let request = format!(
        "GET /healthz HTTP/1.1\r\nhost: q\r\nx-long: {}\r\n\r\n",
        "x".repeat(100_000)
    );
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    _ = stream.write_all(request.as_bytes()).await;
    let reply = rest(stream).await;
    assert!(
        reply.is_empty() || reply.starts_with("HTTP/1.1 431"),
        "{reply}"
    );
}

#[tokio::test]
async fn stopping_ends_event_streams_at_once_and_new_connections_are_refused() {
    let app = TestApp::new();
    let served = serve(&app).await;
    let request =
        format!("GET /api/v1/events HTTP/1.1\r\nhost: q\r\nauthorization: Bearer {VIEWER}\r\n\r\n");
    let mut stream = connect(&served, &request).await;
    let mut head = [0; 15];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    _ = served.stop.send(());
    tokio::select! {
        ended = served.server => ended.unwrap().unwrap(),
        () = SystemClock.sleep(Duration::from_secs(5)) => panic!("it waits for a stream that never ends"),
    }
    assert!(rest(stream).await.ends_with("0\r\n\r\n"));
    assert!(TcpStream::connect(served.address).await.is_err());
}
