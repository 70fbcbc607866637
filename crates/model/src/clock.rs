//! Seams for time and ids. Nothing else in Quell may ask the operating system for either, so that
//! the engine runs under a simulated clock and a seeded id source in tests.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

/// The only source of time and of waiting.
pub trait Clock: Send + Sync + 'static {
    /// The present instant, UTC.
    fn now(&self) -> Timestamp;

    /// Completes when `duration` has passed. A simulated clock moves itself forward instead, so
    /// this is for waiting on purpose: backoff, polling.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

    /// Completes when the clock shows `at`. A simulated clock is not moved by it, so this is for
    /// deadlines that race against work.
    fn until(&self, at: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The only source of new ids.
pub trait IdSource: Send + Sync + 'static {
    /// A new UUIDv7, later in sort order than those made before it.
    fn uuid(&self) -> Uuid;
}

/// Ids from the operating system's randomness and clock, as production wants them.
#[derive(Debug, Default, Clone, Copy)]
pub struct RandomIds;

impl IdSource for RandomIds {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the seam behind which ids are made"
    )]
    fn uuid(&self) -> Uuid {
        Uuid::now_v7()
    }
}
