//! The plane: every layer around an exchange, in the order that is part of the contract.

use std::collections::BTreeMap;
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
use super::request::{Bundle, Repeat, Reply, Request};
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
        let mut backoff = backoff();
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

    /// Sends reading requests as one, and judges the reply to each like one of its own: those that may do better
    /// later are sent again, together; the others are not. One alone goes as it is.
    ///
    /// Gives back one result per request, in their order.
    pub async fn send_together(
        &self,
        cx: &Call,
        requests: &[Request],
        bundle: Bundle,
    ) -> Vec<Result<Reply>> {
        let operation = requests.first().map_or("", |request| request.operation);
        let span = info_span!("vendor_call", connection = %self.connection, operation, parts = requests.len());
        self.parts_with_retries(&cx.within(self.limit), requests, bundle)
            .instrument(span)
            .await
    }

    async fn parts_with_retries(
        &self,
        cx: &Call,
        requests: &[Request],
        bundle: Bundle,
    ) -> Vec<Result<Reply>> {
        let mut backoff = backoff();
        let mut answers = BTreeMap::new();
        let mut open: BTreeMap<usize, &Request> = requests.iter().enumerate().collect();
        loop {
            let asked: Vec<&Request> = open.values().copied().collect();
            let results = self.together_once(cx, &asked, bundle).await;
            let mut asked_to_wait = None;
            let mut again = BTreeMap::new();
            for ((index, request), result) in open.into_iter().zip(results) {
                if let Err(error) = &result
                    && matches!(error.kind, Kind::RateLimited | Kind::VendorUnavailable)
                {
                    asked_to_wait = asked_to_wait.max(error.retry_after);
                    again.insert(index, request);
                }
                answers.insert(index, result);
            }
            open = again;
            let wait = backoff.next().filter(|_| !open.is_empty());
            match wait.map(|wait| asked_to_wait.unwrap_or(wait)) {
                Some(wait) if wait < cx.left() => {
                    debug!(
                        parts = open.len(),
                        wait_ms = wait.as_millis(),
                        "vendor calls are repeated"
                    );
                    self.clock.sleep(wait).await;
                }
                _ => return answers.into_values().collect(),
            }
        }
    }

    async fn together_once(
        &self,
        cx: &Call,
        asked: &[&Request],
        bundle: Bundle,
    ) -> Vec<Result<Reply>> {
        if let [alone] = asked {
            return vec![self.once(cx, alone).await];
        }
        let replies = async {
            // Vendors meter the parts. The last one's turn is the turn of what carries them.
            for part in asked.iter().skip(1) {
                self.take_turn(cx, part.bucket, part.operation).await?;
            }
            let reply = self.once(cx, &(bundle.pack)(asked)?).await?;
            (bundle.unpack)(&reply, asked)
        };
        let mut replies = match replies.await {
            Ok(replies) => replies.into_iter(),
            Err(error) => return asked.iter().map(|_| Err(error.clone())).collect(),
        };
        let judge = |request: &&Request| match replies.next().flatten() {
            Some(reply) => self.exchange.judged(cx, request, reply),
            None => {
                let detail = "the vendor's reply left this request out";
                Err(Error::new(Kind::ReplyUnreadable, request.operation, detail))
            }
        };
        asked.iter().map(judge).collect()
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

fn backoff() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(10))
        .with_max_times(RETRIES)
        .with_jitter()
        .build()
}

// Apart, because lints know tests by the first alone.
#[cfg(test)]
#[cfg(feature = "testing")]
mod tests {
    use http::{HeaderMap, Method, StatusCode};

    use super::super::Body;
    use super::super::sign::tests::{Vendor, Witness, plane};
    use super::*;

    /// The parts' paths go out, and their statuses come back, in one header.
    const BUNDLE: Bundle = Bundle {
        pack: |parts| {
            let paths: Vec<&str> = parts.iter().map(|part| part.path.as_str()).collect();
            let request = Request::new("all", Method::POST, "/all", Body::Empty, Repeat::Read);
            let name = http::HeaderName::from_static("x-parts");
            Ok(request.header(name, paths.join(" ").parse().unwrap()))
        },
        unpack: |reply, parts| {
            let mut statuses = reply.header("x-parts").unwrap_or_default().split(' ');
            let part = |request: &&Request| {
                let status = StatusCode::from_bytes(statuses.next()?.as_bytes()).ok()?;
                Some(Reply {
                    operation: request.operation,
                    status,
                    headers: HeaderMap::new(),
                    ..reply.clone()
                })
            };
            Ok(parts.iter().map(part).collect())
        },
    };

    async fn together(
        answers: &'static [&'static str],
        paths: &[&str],
    ) -> (Vec<Result<u16, Kind>>, Vec<Vec<String>>) {
        let vendor = Vendor::answering(answers).await;
        let (plane, cx) = plane(&vendor, Witness::default());
        let requests: Vec<_> = paths
            .iter()
            .map(|path| Request::get("one", *path))
            .collect();
        let results = plane.send_together(&cx, &requests, BUNDLE).await;
        let short = |result: Result<Reply>| {
            result
                .map(|reply| reply.status.as_u16())
                .map_err(|error| error.kind)
        };
        let results = results.into_iter().map(short).collect();
        (results, vendor.saw("x-parts").await)
    }

    #[tokio::test]
    async fn only_the_parts_that_may_do_better_are_asked_again() {
        let answers = &[
            "200 OK\r\nx-parts: 200 429 404 503",
            "200 OK\r\nx-parts: 200 403",
        ];
        let (results, sent) = together(answers, &["/a", "/b", "/c", "/d"]).await;
        let expected = [
            Ok(200),
            Ok(200),
            Err(Kind::TargetNotFound),
            Err(Kind::PermissionMissing),
        ];
        assert_eq!(results, expected);
        assert_eq!(sent, [["/a /b /c /d"], ["/b /d"]]);
    }

    #[tokio::test]
    async fn a_request_alone_goes_as_it_is_and_so_does_the_last_one_left() {
        let (results, sent) = together(&["200 OK"], &["/a"]).await;
        assert_eq!((results, sent), (vec![Ok(200)], vec![vec![]]));
        let answers = &["200 OK\r\nx-parts: 200 429", "200 OK"];
        let (results, sent) = together(answers, &["/a", "/b"]).await;
        assert_eq!(results, [Ok(200), Ok(200)]);
        assert_eq!(sent, [vec!["/a /b".to_owned()], vec![]]);
    }

    #[tokio::test]
    async fn what_fails_as_a_whole_or_is_left_out_fails_each_part() {
        let (results, _) = together(&["400 No"], &["/a", "/b"]).await;
        assert_eq!(results, [Err(Kind::VendorRejected); 2]);
        let (results, _) = together(&["200 OK\r\nx-parts: 200"], &["/a", "/b"]).await;
        assert_eq!(results, [Ok(200), Err(Kind::ReplyUnreadable)]);
    }
}
