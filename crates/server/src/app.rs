//! What every handler shares.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use metrics_exporter_prometheus::PrometheusHandle;
use quell_connector::call::later;
use quell_engine::Engine;
use quell_model::ConnectionId;
use tokio::sync::Semaphore;

use crate::problem::Refusal;
use crate::settings::{BODY_LIMIT_MAX, BODY_LIMIT_MIN, IntakeAuth, ReadRules, Settings, Token};

/// Bodies that wait in memory, all together. Senders of signed bodies prove who they are only by the
/// whole body, so strangers could otherwise fill the memory.
const BUFFERED_KIB: usize = 128 * 1024;

/// What every handler shares.
pub(crate) struct App {
    pub(crate) engine: Engine,
    pub(crate) tokens: Vec<Token>,
    pub(crate) intake: BTreeMap<ConnectionId, IntakeAuth>,
    pub(crate) body_limit: usize,
    pub(crate) intake_slots: Arc<Semaphore>,
    pub(crate) listeners: Arc<Semaphore>,
    /// Sign-ins under way: each calls the identity provider.
    pub(crate) sign_ins: Semaphore,
    /// One at a time.
    pub(crate) backtests: Semaphore,
    /// One at a time, so that the last one that was ordered is the last one read.
    pub(crate) applying: tokio::sync::Mutex<()>,
    /// In units of 1 KiB.
    pub(crate) buffers: Arc<Semaphore>,
    pub(crate) metrics: PrometheusHandle,
    pub(crate) read_rules: Option<ReadRules>,
    started: i64,
    requests: AtomicU64,
}

impl App {
    pub(crate) fn new(engine: Engine, settings: Settings) -> Self {
        Self {
            started: engine.clock().now().as_microsecond(),
            tokens: settings.tokens,
            intake: settings.intake,
            body_limit: settings.body_limit.clamp(BODY_LIMIT_MIN, BODY_LIMIT_MAX),
            intake_slots: Arc::new(Semaphore::new(settings.intake_concurrency)),
            listeners: Arc::new(Semaphore::new(settings.listeners)),
            sign_ins: Semaphore::new(16),
            backtests: Semaphore::new(1),
            applying: tokio::sync::Mutex::new(()),
            buffers: Arc::new(Semaphore::new(BUFFERED_KIB)),
            read_rules: settings.read_rules,
            metrics: settings.metrics.unwrap_or_else(crate::metrics),
            requests: AtomicU64::new(0),
            engine,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.engine.clock().now()
    }

    /// Completes when `limit` has passed since `from`.
    pub(crate) async fn passed(&self, from: Timestamp, limit: Duration) {
        self.engine.clock().until(later(from, limit)).await;
    }

    pub(crate) fn request_id(&self) -> RequestId {
        RequestId {
            started: self.started,
            count: self.requests.fetch_add(1, Ordering::Relaxed),
        }
    }
}

/// Names one request in the log and to the caller. Made here: one that a caller chose could forge
/// log lines.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestId {
    started: i64,
    count: u64,
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}", self.started, self.count)
    }
}

/// Does work on a task of its own, so that a caller who hangs up does not leave it half done.
///
/// # Errors
/// When it panicked, which has reported itself.
pub(crate) async fn detached<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::spawn(work).await.map_err(Refusal::internal)
}
