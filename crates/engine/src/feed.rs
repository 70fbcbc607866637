//! Feeds: connections that are asked for alerts again and again, and alerts of which only the id
//! was pushed.

use quell_connector::{Call, Feed};
use quell_model::ConnectionId;
use quell_store::{Job, JobKind, NewJob, Result};
use std::sync::Arc;
use std::time::Duration;
use tracing::{error, warn};

use crate::BoxFuture;
use crate::engine::{Connection, Engine};
use crate::intake::{self, IntakeError, TOGETHER};
use crate::pace;

impl Engine {
    /// One endless task per connection that has a feed.
    pub(crate) fn feeds(&self) -> Vec<BoxFuture<'static, ()>> {
        let mut tasks: Vec<BoxFuture<'static, ()>> = Vec::new();
        for connection in self.connections() {
            let Some(feed) = connection.connected.abilities.feed.clone() else {
                continue;
            };
            let (engine, id) = (self.clone(), connection.connected.id.clone());
            let rest = feed.interval();
            tasks.push(Box::pin(async move { engine.watch(&id, feed, rest).await }));
        }
        tasks
    }

    async fn watch(&self, id: &ConnectionId, feed: Arc<dyn Feed>, rest: Duration) {
        let Some(source) = self.connection(id) else {
            return;
        };
        let mut failures = 0_u32;
        loop {
            let wait = match self.poll(source, &*feed).await {
                Ok(true) => {
                    failures = 0;
                    continue;
                }
                Ok(false) => {
                    failures = 0;
                    rest
                }
                Err(wait) => {
                    failures = failures.saturating_add(1);
                    wait.unwrap_or_else(|| pace::again(failures, None).max(rest))
                }
            };
            let called = async {
                match self.0.signals.get(id).filter(|_| failures == 0) {
                    Some(signal) => signal.notified().await,
                    // Who cannot be reached is not asked sooner because it says that there is something.
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.0.clock.sleep(wait) => {}
                () = called => {}
            }
        }
    }

    /// One page of a feed; says whether there is more at once.
    ///
    /// INVARIANT: the cursor is stored after all its documents are; a crash between repeats
    /// documents, which are recognised, and misses none.
    async fn poll(&self, source: &Connection, feed: &dyn Feed) -> Result<bool, Option<Duration>> {
        let id = &source.connected.id;
        let cursor = self.0.store.cursor(id).await.map_err(|error| {
            error!(connection = %id, error = &error as &dyn std::error::Error, "a feed's cursor cannot be read");
            None
        })?;
        let cx = Call::new(self.0.clock.clone(), pace::CALLS, "feed");
        let batch = feed.poll(&cx, cursor.as_ref()).await.map_err(|error| {
            metrics::counter!("quell_feed_failures_total", "connection" => id.to_string()).increment(1);
            warn!(connection = %id, error = &error as &dyn std::error::Error, "a feed cannot be read");
            error.retry_after
        })?;
        let received = self.now();
        // In parts, so that reading a long page does not keep everybody else waiting.
        for documents in batch.documents.chunks(TOGETHER) {
            let mut alerts = Vec::with_capacity(documents.len());
            for document in documents {
                match intake::read(source, document.get()) {
                    Ok(read) => alerts.extend(read),
                    // One document that cannot be read must not hold up those behind it.
                    Err(error) => {
                        metrics::counter!("quell_documents_refused_total", "connection" => id.to_string()).increment(1);
                        error!(connection = %id, error = &error as &dyn std::error::Error, "an alert of the feed cannot be read");
                    }
                }
            }
            self.take_all(source, alerts, received).await.map_err(|error| {
                error!(connection = %id, error = &error as &dyn std::error::Error, "an alert cannot be stored");
                None
            })?;
        }
        self.0.store.set_cursor(id, batch.cursor).await.map_err(|error| {
            error!(connection = %id, error = &error as &dyn std::error::Error, "a feed's cursor cannot be stored");
            None
        })?;
        Ok(batch.more)
    }

    /// Remembers to fetch an alert of which only the id was pushed. Durable when this answers.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn fetch_later(&self, connection: &ConnectionId, alert: &str) -> Result<()> {
        let job = NewJob::at(JobKind::Fetch, format!("{connection}/{alert}"), self.now());
        self.0.store.enqueue(job).await?;
        self.0.nudge.notify_one();
        Ok(())
    }

    /// A `fetch` job.
    pub(crate) async fn fetch(&self, job: &Job) -> Result<()> {
        let finish = || self.0.store.finish(job.claim.clone());
        let Some((connection, alert)) = job.subject.split_once('/') else {
            return finish().await;
        };
        let Ok(id) = connection.parse::<ConnectionId>() else {
            return finish().await;
        };
        let Some(fetch) = self
            .connection(&id)
            .and_then(|c| c.connected.abilities.fetch.clone())
        else {
            return finish().await;
        };
        let cx = self.call(alert);
        match fetch.fetch(&cx, alert).await {
            Ok(Some(document)) => match self.accept(&id, document.get()).await {
                Ok(_) => finish().await,
                Err(IntakeError::Store(error)) => Err(error),
                Err(error) => {
                    error!(connection = %id, error = &error as &dyn std::error::Error, "a fetched alert cannot be read");
                    finish().await
                }
            },
            Ok(None) => {
                warn!(connection = %id, alert, "the vendor does not know an alert that was pushed");
                finish().await
            }
            Err(error) if error.kind.passes() && job.attempts < pace::SENDS => {
                let due = quell_connector::call::later(
                    self.now(),
                    pace::resend(job.attempts, error.retry_after),
                );
                self.postpone(job, due).await
            }
            Err(error) => {
                error!(connection = %id, error = &error as &dyn std::error::Error, "a pushed alert cannot be fetched");
                finish().await
            }
        }
    }
}
