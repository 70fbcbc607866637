//! One clock for a connection and its twin.

use std::time::Duration;

use quell_connector::BoxFuture;
use quell_connector::clock::SimClock;
use quell_model::Clock;

/// A clock whose sleepers move the twin's clock too.
pub(crate) struct SharedClock {
    ours: SimClock,
    twin: Box<dyn Fn(Duration) + Send + Sync>,
}

impl SharedClock {
    /// `twin` moves the twin's clock.
    pub(crate) fn new(ours: SimClock, twin: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        let twin = Box::new(twin);
        Self { ours, twin }
    }

    pub(crate) fn advance(&self, by: Duration) {
        (self.twin)(by);
        self.ours.advance(by);
    }
}

impl Clock for SharedClock {
    fn now(&self) -> jiff::Timestamp {
        self.ours.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.advance(duration);
            tokio::task::yield_now().await;
        })
    }

    fn until(&self, at: jiff::Timestamp) -> BoxFuture<'_, ()> {
        self.ours.until(at)
    }
}
