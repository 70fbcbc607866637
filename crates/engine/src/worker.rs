//! Workers: take due jobs, do them, and rest until there are more.

use jiff::Timestamp;
use quell_store::{Error, Job, JobKind};
use tokio::sync::OwnedSemaphorePermit;
use tracing::{Instrument, debug, error, info_span, warn};

use crate::BoxFuture;
use crate::engine::Engine;
use crate::execute::Fresh;
use crate::pace;

impl Engine {
    /// Works until `stop` completes; then finishes what is under way.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        if let Err(error) = self.read_switches().await {
            error!(
                error = &error as &dyn std::error::Error,
                "the pause switch and the lists cannot be read; nothing runs"
            );
            return;
        }
        if let Err(error) = self.remember(&self.rules(), None).await {
            warn!(
                error = &error as &dyn std::error::Error,
                "the rules in force are not remembered; whoever changes one counts as the author of all"
            );
        }
        if let Err(error) = self.take_stock_soon().await {
            error!(
                error = &error as &dyn std::error::Error,
                "taking stock cannot be queued; lists are not filled until the next start"
            );
        }
        if let Err(error) = self.queue_upkeep().await {
            error!(
                error = &error as &dyn std::error::Error,
                "upkeep cannot be queued; subscriptions at vendors run out until the next start"
            );
        }
        let mut beside = self.feeds();
        beside.push(self.lists_watch());
        let beside: Vec<_> = beside.into_iter().map(tokio::spawn).collect();
        tokio::pin!(stop);
        loop {
            let round = async {
                match self.take_due().await {
                    Ok(0) => self.rest().await,
                    Ok(_) => {}
                    Err(error) => {
                        error!(
                            error = &error as &dyn std::error::Error,
                            "due work cannot be read"
                        );
                        self.0.clock.sleep(pace::again(1, None)).await;
                    }
                }
            };
            tokio::select! {
                biased;
                () = &mut stop => break,
                () = round => {}
            }
        }
        for task in beside {
            task.abort();
        }
        self.quiet().await;
    }

    /// Completes when no step is under way.
    pub async fn quiet(&self) {
        // All permits back means no worker holds one.
        let all = u32::try_from(self.0.settings.workers).unwrap_or(u32::MAX);
        let _all_back = self.0.slots.acquire_many(all).await;
    }

    /// Takes as many due jobs as there are free workers and starts them; says how many.
    async fn take_due(&self) -> Result<usize, Error> {
        // At least one worker must be free before looking: what is claimed must be started.
        let Ok(first) = self.0.slots.clone().acquire_owned().await else {
            return Ok(0);
        };
        let mut permits = vec![first];
        while permits.len() < 64
            && let Ok(permit) = self.0.slots.clone().try_acquire_owned()
        {
            permits.push(permit);
        }
        let jobs = self.claim(permits.len()).await?;
        let count = jobs.len();
        for (job, permit) in jobs.into_iter().zip(permits) {
            spawn(self, job, None, permit);
        }
        Ok(count)
    }

    async fn claim(&self, limit: usize) -> Result<Vec<Job>, Error> {
        let now = self.now();
        let until = quell_connector::call::later(now, pace::LEASE);
        self.0.store.claim_due(self.0.node, now, until, limit).await
    }

    /// Does every job that is due now, one after the other, and says how many there were. For tests
    /// and one-off runs: [`Engine::run`] does the same concurrently.
    ///
    /// # Errors
    /// When due work cannot be read.
    pub async fn run_due(&self) -> Result<usize, Error> {
        self.read_switches().await?;
        let jobs = self.claim(64).await?;
        let count = jobs.len();
        for job in jobs {
            self.work(job, None).await;
        }
        Ok(count)
    }

    /// Rests until somebody nudges, the next job is due, or a while has passed.
    async fn rest(&self) {
        let nudged = self.0.nudge.notified();
        let limit = quell_connector::call::later(self.now(), pace::REST);
        let due = self
            .0
            .store
            .next_due()
            .await
            .ok()
            .flatten()
            .unwrap_or(limit);
        tokio::select! {
            () = nudged => {}
            () = self.0.clock.until(due.min(limit)) => {}
        }
    }

    /// Does one job. Whatever goes wrong, the job is either finished or due again.
    async fn work(&self, job: Job, fresh: Option<Fresh>) {
        let claim = job.claim.clone();
        let span = info_span!("job", kind = job.kind.as_str(), subject = job.subject);
        // Boxed: the steps differ much in size, and each job's task would have that of the largest.
        let step: BoxFuture<'_, Result<(), Error>> = match job.kind {
            JobKind::Act => Box::pin(self.act(&job, fresh)),
            JobKind::Settle => Box::pin(self.settle(&job)),
            JobKind::Expire => Box::pin(self.expire(&job)),
            JobKind::Remind => Box::pin(self.remind(&job)),
            JobKind::Escalate => Box::pin(self.escalate(&job)),
            JobKind::Revert => Box::pin(self.take_back(&job)),
            JobKind::SettleRevert => Box::pin(self.settle_revert(&job)),
            JobKind::Send => Box::pin(self.send(&job)),
            JobKind::Fetch => Box::pin(self.fetch(&job)),
            JobKind::SweepLists => Box::pin(self.sweep_lists(&job)),
            JobKind::TakeStock => Box::pin(self.take_stock(&job)),
            JobKind::ForgetPassword => Box::pin(self.forget_passwords(&job)),
            JobKind::Upkeep => Box::pin(self.upkeep(&job)),
            JobKind::AskUser => Box::pin(self.send_question(&job)),
            JobKind::UserAnswered => Box::pin(self.user_answered(&job)),
        };
        let result = step.instrument(span).await;
        let Err(error) = result else { return };
        let retry = match &error {
            // Somebody else has the job now; it is theirs to finish.
            Error::Fenced(_) => {
                debug!(job = claim.key, "the claim was lost");
                return;
            }
            // Somebody changed the action meanwhile (a person, most likely): look again at once.
            Error::Stale(_) => true,
            // What the job was about is gone; so is its reason.
            Error::Missing { .. } => {
                warn!(job = claim.key, error = %error, "a job has lost its subject");
                false
            }
            _ => {
                error!(
                    job = claim.key,
                    error = &error as &dyn std::error::Error,
                    "a job could not be done"
                );
                true
            }
        };
        let after = if retry {
            let due = quell_connector::call::later(self.now(), pace::again(job.attempts, None));
            self.postpone(&job, due).await
        } else {
            self.0.store.finish(claim.clone()).await
        };
        if let Err(error) = after {
            // Its lease ends and it is found again.
            debug!(job = claim.key, error = %error, "a job is left to its lease");
        }
        self.0.nudge.notify_one();
    }
}

impl Engine {
    /// Puts a job off. The loop that rests is told: its next wake-up may have come nearer.
    pub(crate) async fn postpone(&self, job: &Job, due: Timestamp) -> Result<(), Error> {
        self.0.store.postpone(job.claim.clone(), due).await?;
        self.0.nudge.notify_one();
        Ok(())
    }
}

/// Does a job on a task of its own; the permit is the worker.
pub(crate) fn spawn(engine: &Engine, job: Job, fresh: Option<Fresh>, permit: OwnedSemaphorePermit) {
    let engine = engine.clone();
    tokio::spawn(async move {
        engine.work(job, fresh).await;
        drop(permit);
    });
}
