//! The plane: every layer around an exchange, in the order that is part of the contract.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use quell_model::Clock;
use reqwest::Url;
use tokio::sync::Semaphore;
use tracing::{Instrument, debug, info_span};

use super::auth::{Authenticate, Grant, Session};
use super::dialect::{Dialect, SIGN_IN};
use super::guard;
use super::limits::{Breaker, Buckets};
use super::request::{Repeat, Reply, Request};
use super::transport::Exchange;
use crate::Call;
use crate::error::{Error, Kind, Result};
use crate::settings::{ConfigError, HttpSettings, Plumbing};

/// Longest time for one call and its retries, unless the connection says otherwise.
const CALL_LIMIT: Duration = Duration::from_secs(30);
/// Attempts beyond the first.
const RETRIES: usize = 4;

/// Reaches one vendor for one connection.
pub struct Plane {
    exchange: Exchange,
    session: Session,
    buckets: Buckets,
    breaker: Breaker,
    slots: Semaphore,
    clock: Arc<dyn Clock>,
    connection: String,
    limit: Duration,
}

impl Plane {
    /// A plane that may call `allowed` hosts (a leading dot: every host below that domain).
    ///
    /// # Errors
    /// When the HTTP settings cannot work.
    pub fn new(
        plumbing: &Plumbing,
        settings: &HttpSettings,
        dialect: Dialect,
        allowed: Vec<String>,
        source: Box<dyn Authenticate>,
    ) -> Result<Self, ConfigError> {
        let limit = match settings.timeout {
            None => CALL_LIMIT,
            Some(timeout) => Duration::try_from(timeout)
                .ok()
                .filter(|limit| !limit.is_zero())
                .ok_or_else(|| {
                    ConfigError::new(
                        "http.timeout",
                        "must be longer than nothing; write for example \"30s\"",
                    )
                })?,
        };
        Ok(Self {
            exchange: Exchange::new(dialect, allowed, settings, source.signer())?,
            session: Session::new(source),
            buckets: Buckets::new(
                dialect.quotas,
                settings.requests_per_minute,
                &plumbing.clock,
            ),
            breaker: Breaker::new(plumbing.clock.clone()),
            slots: Semaphore::new(dialect.concurrency),
            clock: plumbing.clock.clone(),
            connection: plumbing.connection.to_string(),
            limit,
        })
    }

    /// A base URL from the configuration, checked.
    ///
    /// # Errors
    /// Names `key`.
    pub fn base_url(key: &str, text: &str) -> Result<Url, ConfigError> {
        guard::base_url(key, text)
    }

    /// Obtains credentials now if there are none, to find out whether the vendor accepts them.
    ///
    /// # Errors
    /// As the vendor answers.
    pub async fn sign_in(&self, cx: &Call) -> Result<Arc<Grant>> {
        self.grant(&cx.within(self.limit), None).await
    }

    /// The current credentials, or fresh ones when there are none or the vendor `refused` them.
    async fn grant(&self, cx: &Call, refused: Option<&Arc<Grant>>) -> Result<Arc<Grant>> {
        let turn = || self.take_turn(cx, SIGN_IN, "sign_in");
        self.session.grant(cx, &self.exchange, refused, turn).await
    }

    /// Sends a request through all layers and gives back a reply with a success status, or with a
    /// status the request reads itself.
    ///
    /// # Errors
    /// By what the vendor answered, or [`Kind::MaybeApplied`] when a write may have arrived.
    pub async fn send(&self, cx: &Call, request: Request) -> Result<Reply> {
        let span =
            info_span!("vendor_call", connection = %self.connection, operation = request.operation);
        self.with_retries(&cx.within(self.limit), &request)
            .instrument(span)
            .await
    }

    async fn with_retries(&self, cx: &Call, request: &Request) -> Result<Reply> {
        let mut backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(Duration::from_secs(10))
            .with_max_times(RETRIES)
            .with_jitter()
            .build();
        // Once one attempt of a write may have been applied, later failures cannot undo that doubt.
        let mut doubt: Option<Error> = None;
        loop {
            let error = match self.once(cx, request).await {
                Ok(mut reply) => {
                    reply.after_doubt = doubt.is_some();
                    return Ok(reply);
                }
                Err(error) => error,
            };
            if error.kind == Kind::MaybeApplied {
                doubt = Some(error.clone());
            }
            let repeatable = match error.kind {
                Kind::RateLimited | Kind::VendorUnavailable => true,
                Kind::MaybeApplied => request.repeat == Repeat::Idempotent,
                _ => false,
            };
            let wait = backoff
                .next()
                .filter(|_| repeatable)
                .map(|wait| error.retry_after.unwrap_or(wait));
            match wait {
                Some(wait) if wait < cx.left() => {
                    debug!(
                        error.kind = error.kind.as_str(),
                        wait_ms = wait.as_millis(),
                        "vendor call is repeated"
                    );
                    self.clock.sleep(wait).await;
                }
                _ => return Err(doubt.unwrap_or(error)),
            }
        }
    }

    async fn once(&self, cx: &Call, request: &Request) -> Result<Reply> {
        self.take_turn(cx, request.bucket, request.operation)
            .await?;
        let _slot = tokio::select! {
            biased;
            // The semaphore is never closed, so the only way not to get a slot is to run out of time.
            Ok(slot) = self.slots.acquire() => slot,
            () = cx.clock().until(cx.deadline()) => {
                let detail = "too many calls to this vendor are under way";
                return Err(Error::new(Kind::DeadlineExceeded, request.operation, detail));
            }
        };
        let grant = self.grant(cx, None).await?;
        match self.guarded(cx, request, &grant).await {
            // A credential can stop working early; a fresh one is tried once. A 401 is never applied.
            Err(error) if error.kind == Kind::AuthRejected => {
                let fresh = self.grant(cx, Some(&grant)).await?;
                self.guarded(cx, request, &fresh).await
            }
            result => result,
        }
    }

    async fn guarded(&self, cx: &Call, request: &Request, grant: &Grant) -> Result<Reply> {
        self.breaker.admit().map_err(|wait| {
            Error::new(
                Kind::VendorUnavailable,
                request.operation,
                "the vendor failed repeatedly; calls rest for a while",
            )
            .retry_after(Some(wait))
        })?;
        if request.repeat == Repeat::Once {
            cx.intend().await?;
        }
        let result = self
            .exchange
            .send(cx, &grant.base, grant.authorization.as_ref(), request)
            .await;
        match &result {
            Err(error) if matches!(error.kind, Kind::VendorUnavailable | Kind::MaybeApplied) => {
                self.breaker.failed()
            }
            _ => self.breaker.succeeded(),
        }
        result
    }

    /// Waits for the rate bucket, or gives up when the wait would outlast the deadline.
    async fn take_turn(&self, cx: &Call, bucket: &str, operation: &'static str) -> Result<()> {
        while let Err(wait) = self.buckets.take(bucket) {
            if wait >= cx.left() {
                return Err(Error::new(
                    Kind::DeadlineExceeded,
                    operation,
                    "the vendor's rate limit leaves no room before the deadline",
                )
                .retry_after(Some(wait)));
            }
            self.clock.sleep(wait).await;
        }
        Ok(())
    }
}
