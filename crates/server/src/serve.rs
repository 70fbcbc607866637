//! Serving connections: not too many, none that only wait, and an end to all of them.
//!
//! Sockets live in real time, so this is the one place that does not ask the engine for the time.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use quell_connector::SystemClock;
use quell_model::Clock;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt;
use tracing::{debug, warn};

/// Connections at once; more wait in the system's queue.
const CONNECTIONS: u32 = 4096;
/// How long a connection may take to send the next request's headers, waiting between requests included.
const HEADERS_PATIENCE: Duration = Duration::from_secs(15);
/// Most bytes of headers.
const HEADERS_LIMIT: usize = 32 * 1024;
/// How long requests under way may take to end after the server was told to stop.
const GRACE: Duration = Duration::from_secs(10);
const UPKEEP: Duration = Duration::from_secs(5);

/// How far the server has come with stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Open,
    /// No new requests; streams end.
    Closing,
    /// Nothing is waited for any more.
    Closed,
}

/// Lets a handler that answers with a stream end it when the server stops.
#[derive(Clone)]
pub(crate) struct Closing(watch::Receiver<Phase>);

impl Closing {
    /// Completes when the server stops.
    pub(crate) async fn begins(&mut self) {
        let _server_gone = self.0.wait_for(|phase| *phase >= Phase::Closing).await;
    }
}

/// Serves `router` on `listener` until `shutdown` completes, then lets requests under way end, for
/// ten seconds at most.
///
/// # Errors
/// None at present: what goes wrong with one connection ends that connection.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let (phase, watched) = watch::channel(Phase::Open);
    let slots = Arc::new(Semaphore::new(CONNECTIONS as usize));
    tokio::pin!(shutdown);
    loop {
        let next = async {
            // Before accepting: a connection that cannot be served is better left in the queue.
            let slot = slots.clone().acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, stream) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            () = SystemClock.sleep(UPKEEP) => {
                crate::metrics::upkeep();
                continue;
            }
            (slot, accepted) = next => match (slot, accepted) {
                (Ok(slot), Ok((stream, _))) => (slot, stream),
                (_, Err(error)) => {
                    // Usually too many open files; those under way must end first.
                    warn!(error = &error as &dyn std::error::Error, "a connection cannot be accepted");
                    SystemClock.sleep(Duration::from_millis(100)).await;
                    continue;
                }
                (Err(_), _) => break,
            },
        };
        let (router, watched) = (router.clone(), watched.clone());
        tokio::spawn(async move {
            connection(stream, router, watched).await;
            drop(slot);
        });
    }
    drop(listener);
    phase.send_replace(Phase::Closing);
    tokio::select! {
        _all_ended = slots.acquire_many(CONNECTIONS) => {}
        () = SystemClock.sleep(GRACE) => warn!("some requests did not end in time and are cut off"),
    }
    phase.send_replace(Phase::Closed);
    Ok(())
}

async fn connection(stream: TcpStream, router: Router, mut phase: watch::Receiver<Phase>) {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(
            error = &error as &dyn std::error::Error,
            "a connection cannot be made prompt"
        );
    }
    let closing = Closing(phase.clone());
    let service = service_fn(move |mut request: http::Request<Incoming>| {
        request.extensions_mut().insert(closing.clone());
        let router = router.clone();
        async move { router.oneshot(request.map(Body::new)).await }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADERS_PATIENCE)
        .max_buf_size(HEADERS_LIMIT);
    let mut served = Box::pin(http.serve_connection(TokioIo::new(stream), service));
    loop {
        tokio::select! {
            ended = &mut served => {
                if let Err(error) = ended {
                    debug!(error = &error as &dyn std::error::Error, "a connection ended badly");
                }
                return;
            }
            changed = phase.changed() => {
                let now = *phase.borrow_and_update();
                if changed.is_err() || now == Phase::Closed {
                    return;
                }
                served.as_mut().graceful_shutdown();
            }
        }
    }
}
