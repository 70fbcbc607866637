//! The clocks: the operating system's, and a simulated one for tests.

use std::time::Duration;

use jiff::Timestamp;
use quell_model::Clock;

use crate::BoxFuture;

/// The operating system's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the seam behind which time is read"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the seam behind which time passes"
    )]
    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        let left = Duration::try_from(at.duration_since(self.now())).unwrap_or_default();
        self.sleep(left)
    }
}

#[cfg(feature = "testing")]
pub use simulated::SimClock;

#[cfg(feature = "testing")]
mod simulated {
    use std::sync::{Mutex, PoisonError};

    use tokio::sync::watch;

    use super::{BoxFuture, Clock, Duration, Timestamp};
    use crate::call::later;

    /// A clock that only moves when somebody sleeps on it or advances it, so that a test that waits
    /// for hours takes no time and gives the same result each run.
    #[derive(Debug)]
    pub struct SimClock {
        now: Mutex<Timestamp>,
        moved: watch::Sender<()>,
    }

    impl Default for SimClock {
        fn default() -> Self {
            Self::at(Timestamp::constant(1_790_000_000, 0))
        }
    }

    impl SimClock {
        /// A clock that shows `now`.
        #[must_use]
        pub fn at(now: Timestamp) -> Self {
            Self {
                now: Mutex::new(now),
                moved: watch::Sender::new(()),
            }
        }

        /// Moves the clock forward.
        pub fn advance(&self, by: Duration) {
            {
                let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
                *now = later(*now, by);
            }
            self.moved.send_replace(());
        }
    }

    impl Clock for SimClock {
        fn now(&self) -> Timestamp {
            *self.now.lock().unwrap_or_else(PoisonError::into_inner)
        }

        fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
            Box::pin(async move {
                self.advance(duration);
                tokio::task::yield_now().await;
            })
        }

        fn until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
            let mut moved = self.moved.subscribe();
            Box::pin(async move {
                while self.now() < at {
                    if moved.changed().await.is_err() {
                        return;
                    }
                }
            })
        }
    }
}
