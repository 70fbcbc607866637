//! The circumstances of one vendor call: how long it may take, on which clock, for what.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use quell_model::Clock;

use crate::error::{Error, Kind, Result};

/// Passed to every vendor call.
#[derive(Clone)]
pub struct Call {
    clock: Arc<dyn Clock>,
    deadline: Timestamp,
    reference: Arc<str>,
}

impl Call {
    /// A call that must end within `limit` from now. `reference` is what the vendor's own audit log
    /// should say about it (an action id); it is put into comments and descriptions.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, limit: Duration, reference: &str) -> Self {
        let deadline = later(clock.now(), limit);
        Self {
            clock,
            deadline,
            reference: reference.into(),
        }
    }

    /// The clock to sleep on.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// When the call must have ended.
    #[must_use]
    pub const fn deadline(&self) -> Timestamp {
        self.deadline
    }

    /// What the vendor's audit log should say.
    #[must_use]
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// How much time is left; zero when none is.
    #[must_use]
    pub fn left(&self) -> Duration {
        Duration::try_from(self.deadline.duration_since(self.clock.now())).unwrap_or_default()
    }

    /// The same call with a nearer deadline.
    #[must_use]
    pub fn within(&self, limit: Duration) -> Self {
        let deadline = later(self.clock.now(), limit).min(self.deadline);
        Self {
            deadline,
            ..self.clone()
        }
    }

    /// Asks until there is an answer: at once, then every `every`, for as long as the call may take.
    ///
    /// # Errors
    /// The first one `ask` gives, and [`Kind::DeadlineExceeded`] when time runs out without an answer.
    pub async fn poll<T, F: Future<Output = Result<Option<T>>>>(
        &self,
        operation: &'static str,
        every: Duration,
        mut ask: impl FnMut() -> F,
    ) -> Result<T> {
        loop {
            if let Some(answer) = ask().await? {
                return Ok(answer);
            }
            if self.left() <= every {
                let detail = "the vendor had no answer before the deadline";
                return Err(Error::new(Kind::DeadlineExceeded, operation, detail));
            }
            self.clock.sleep(every).await;
        }
    }
}

/// `at` plus `by`, or the last instant there is.
#[must_use]
pub fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
