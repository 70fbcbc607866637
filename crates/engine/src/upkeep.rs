//! Upkeep: what a connection has to renew at its vendor before it runs out, and polls that a vendor asks
//! for by saying that something changed.

use quell_connector::call::later;
use quell_model::ConnectionId;
use quell_store::{Job, JobKind, NewJob, Result};
use tracing::{info, warn};

use crate::engine::Engine;
use crate::pace;

impl Engine {
    /// Queues the upkeep of every connection that has one. What it finds done it leaves alone.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn queue_upkeep(&self) -> Result<()> {
        for connection in self.connections() {
            if connection.connected.abilities.upkeep.is_some() {
                let id = connection.connected.id.to_string();
                let job = NewJob::at(JobKind::Upkeep, id, self.now());
                self.0.store.enqueue(job).await?;
            }
        }
        Ok(())
    }

    /// An `upkeep` job.
    pub(crate) async fn upkeep(&self, job: &Job) -> Result<()> {
        let found = job.subject.parse::<ConnectionId>().ok();
        let connection = found.as_ref().and_then(|id| self.connection(id));
        let Some((id, upkeep)) = found
            .as_ref()
            .zip(connection.and_then(|connection| connection.connected.abilities.upkeep.clone()))
        else {
            return self.0.store.finish(job.claim.clone()).await;
        };
        let state = self.0.store.upkeep(id).await?;
        let cx = self.call("upkeep");
        match upkeep.upkeep(&cx, state.as_ref()).await {
            Ok(kept) => {
                // Stored before the job ends: what was made at the vendor must not be made twice.
                self.0.store.set_upkeep(id, kept.state).await?;
                info!(connection = %id, again_in = kept.again_in.as_secs(), "upkeep is done");
                let due = later(self.now(), kept.again_in);
                let next = NewJob::at(JobKind::Upkeep, &job.subject, due);
                self.0.store.finish_then(job.claim.clone(), next).await
            }
            Err(error) => {
                metrics::counter!("quell_upkeep_failures_total", "connection" => id.to_string())
                    .increment(1);
                warn!(connection = %id, error = &error as &dyn std::error::Error, "upkeep failed; it is tried again");
                let due = later(self.now(), pace::again(job.attempts, error.retry_after));
                self.postpone(job, due).await
            }
        }
    }

    /// Polls a connection's feed at once: its vendor said that something changed.
    pub fn poll_now(&self, connection: &ConnectionId) {
        if let Some(signal) = self.0.signals.get(connection) {
            signal.notify_one();
        }
    }
}
