//! What came in: a bounded ring of recent requests for tests to read, and counters cheap enough to stay on under load.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use serde::Serialize;

use crate::sync::lock;

/// One request as the twin received it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestRecord {
    /// When, on the twin's clock.
    pub at: Timestamp,
    /// HTTP method.
    pub method: String,
    /// Path with query.
    pub target: String,
    /// The endpoint's name, as fault rules spell it.
    pub endpoint: &'static str,
    /// The body as text; none when there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The status answered; none when the connection was cut instead.
    pub status: Option<u16>,
}

/// A request's body as the log keeps it.
pub(crate) fn body_text(body: &[u8]) -> Option<String> {
    (!body.is_empty()).then(|| String::from_utf8_lossy(body).into_owned())
}

/// The ring and the per-endpoint counters of one twin.
#[derive(Debug)]
pub(crate) struct RequestLog {
    capacity: usize,
    ring: Mutex<VecDeque<RequestRecord>>,
    counts: Box<[AtomicU64]>,
}

impl RequestLog {
    /// `capacity` zero turns the ring off; `endpoints` is how many kinds are counted.
    pub(crate) fn new(capacity: usize, endpoints: usize) -> Self {
        Self {
            capacity,
            ring: Mutex::new(VecDeque::with_capacity(capacity.min(4096))),
            counts: (0..endpoints).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    pub(crate) fn count(&self, endpoint: usize) {
        if let Some(count) = self.counts.get(endpoint) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn counted(&self, endpoint: usize) -> u64 {
        self.counts
            .get(endpoint)
            .map_or(0, |count| count.load(Ordering::Relaxed))
    }

    pub(crate) fn is_on(&self) -> bool {
        self.capacity > 0
    }

    pub(crate) fn push(&self, record: RequestRecord) {
        let mut ring = lock(&self.ring);
        if ring.len() >= self.capacity {
            ring.pop_front();
        }
        ring.push_back(record);
    }

    pub(crate) fn records(&self) -> Vec<RequestRecord> {
        lock(&self.ring).iter().cloned().collect()
    }

    pub(crate) fn clear(&self) {
        lock(&self.ring).clear();
        for count in &self.counts {
            count.store(0, Ordering::Relaxed);
        }
    }
}
