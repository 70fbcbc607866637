//! The circumstances of one vendor call: how long it may take, on which clock, for what.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use quell_model::{Clock, Secret};

use crate::BoxFuture;
use crate::error::{Error, Kind, Result};

/// Passed to every vendor call.
#[derive(Clone)]
pub struct Call {
    clock: Arc<dyn Clock>,
    deadline: Timestamp,
    reference: Arc<str>,
    intent: Option<Arc<dyn Intent>>,
    passwords: Option<Arc<dyn Passwords>>,
}

/// Keeps temporary passwords for the person who will hand them over.
pub trait Passwords: Send + Sync {
    /// A fresh strong password. It is sealed durably before this completes, so that no password is
    /// set that nobody can learn.
    fn issue(&self) -> BoxFuture<'_, Result<Secret>>;

    /// Seals a password that the vendor made up.
    fn keep<'a>(&'a self, password: &'a Secret) -> BoxFuture<'a, Result<()>>;
}

/// Makes durable that something which must not happen twice is about to happen.
pub trait Intent: Send + Sync {
    /// Completes when it is durable. Called again, it does nothing.
    fn record(&self) -> BoxFuture<'_, Result<()>>;
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
            intent: None,
            passwords: None,
        }
    }

    /// The same call, with what has to be durable before anything is done that must not be repeated.
    #[must_use]
    pub fn intending(self, intent: Arc<dyn Intent>) -> Self {
        Self {
            intent: Some(intent),
            ..self
        }
    }

    /// The same call, with a place for temporary passwords.
    #[must_use]
    pub fn keeping(self, passwords: Arc<dyn Passwords>) -> Self {
        Self {
            passwords: Some(passwords),
            ..self
        }
    }

    /// A fresh temporary password to set. Already sealed for the person who will hand it over.
    ///
    /// # Errors
    /// When it could not be made durable; then nothing may be sent.
    pub async fn password(&self) -> Result<Secret> {
        self.passwords()?.issue().await
    }

    /// Seals a temporary password that the vendor made up.
    ///
    /// # Errors
    /// When it could not be made durable. The password counts all the same; nobody can learn it.
    pub async fn keep_password(&self, password: &Secret) -> Result<()> {
        self.passwords()?.keep(password).await
    }

    fn passwords(&self) -> Result<&Arc<dyn Passwords>> {
        self.passwords.as_ref().ok_or_else(|| {
            let detail = "this call has no place for temporary passwords";
            Error::new(Kind::Unsupported, "password", detail)
        })
    }

    /// INVARIANT: completes before any request leaves that must not be repeated, so that a crash
    /// before it is known to have done nothing. The HTTP plane calls it for such requests; a connector
    /// that speaks another protocol calls it itself.
    ///
    /// # Errors
    /// When it could not be made durable; then nothing may be sent.
    pub async fn intend(&self) -> Result<()> {
        match &self.intent {
            Some(intent) => intent.record().await,
            None => Ok(()),
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
