//! Verification: reads the vendor's state until the effect is really there.

use jiff::Timestamp;
use quell_connector::{Observed, Reading};
use quell_model::{ActionState, Effect, NoticeKind};
use quell_store::{Job, JobKind, Result, Stored};
use serde_json::json;

use crate::engine::Engine;
use crate::execute::became;
use crate::one_shot::receipt;
use crate::pace;
use crate::step::Step;

impl Engine {
    /// A `settle` job: is the effect there?
    pub(crate) async fn settle(&self, job: &Job) -> Result<()> {
        let stored = self.0.store.job_action(&job.subject).await?;
        if !matches!(
            stored.action.state,
            ActionState::Verifying | ActionState::Unverified
        ) {
            return self.0.store.finish(job.claim.clone()).await;
        }
        let effect = stored.action.action.effect();
        let connected = self
            .connection(&stored.action.connection)
            .map(|c| c.connected.clone());
        let Some(connected) = connected else {
            let note = format!(
                "Connection {} is no longer configured.",
                stored.action.connection
            );
            return self.give_up(job, stored, &note).await;
        };
        if let Effect::Once(_) = effect {
            let perform = connected.perform(effect).cloned();
            return match (perform, receipt(&stored)) {
                (Some(perform), Some(receipt)) => {
                    self.follow(job, stored, &*perform, &receipt).await
                }
                _ => {
                    self.give_up(job, stored, "The outcome can no longer be read.")
                        .await
                }
            };
        }
        let (Some(control), Some(want)) = (
            connected.control(effect).cloned(),
            stored.action.action.wanted(),
        ) else {
            return self
                .give_up(job, stored, "The effect can no longer be read.")
                .await;
        };
        let normal = connected
            .facts(effect)
            .map(|facts| facts.settle)
            .unwrap_or_default();
        let since = stored.action.clocks.executed.unwrap_or(self.now());
        let overdue = passed(since, normal, self.now());
        let cx = self.call(&job.subject);
        let reading = match control.read(&cx, &stored.action.target).await {
            Ok(Observed { reading, .. }) => reading,
            Err(error) if error.kind.passes() && !overdue => {
                let due = quell_connector::call::later(
                    self.now(),
                    pace::again(job.attempts, error.retry_after),
                );
                return self.postpone(job, due).await;
            }
            // The vendor is away for longer than the effect takes: it is asked again, at leisure.
            Err(error) if error.kind.passes() => {
                return self.keep_watching(job, stored, since).await;
            }
            Err(error) => {
                let note = format!("The effect cannot be read: {error}.");
                return self.give_up(job, stored, &note).await;
            }
        };
        match reading {
            Reading::Settled(value) if value == want => {
                let note = format!(
                    "{}, confirmed by reading it back.",
                    became(&stored.action, &want)
                );
                let evidence = json!({ "before": stored.action.prior, "after": value });
                let by = stored.action.effect_by;
                Step::of_job(self, stored, &job.claim)
                    .completed(by, note, evidence)
                    .commit()
                    .await
                    .map(drop)
            }
            Reading::Unreadable => {
                self.give_up(
                    job,
                    stored,
                    "The vendor accepted; it has no way to tell whether it is so.",
                )
                .await
            }
            Reading::Settled(value) if overdue && stored.action.state == ActionState::Verifying => {
                let note = format!(
                    "The vendor accepted, but {}.",
                    became(&stored.action, &value)
                );
                let evidence = json!({ "before": stored.action.prior, "after": value });
                Step::of_job(self, stored, &job.claim)
                    .failed(note, evidence)
                    .commit()
                    .await
                    .map(drop)
            }
            Reading::Moving { .. } | Reading::Settled(_) if !overdue => {
                let due =
                    quell_connector::call::later(self.now(), pace::next_read(job.attempts, false));
                self.postpone(job, due).await
            }
            Reading::Moving { .. } | Reading::Settled(_) => {
                self.keep_watching(job, stored, since).await
            }
        }
    }

    /// The normal time is over, and the vendor is still on its way (an offline host, most likely) or
    /// cannot be asked.
    /// People are told once, and the effect is watched until it shows.
    async fn keep_watching(&self, job: &Job, stored: Stored, since: Timestamp) -> Result<()> {
        let now = self.now();
        let due = quell_connector::call::later(now, pace::next_read(job.attempts, true));
        if passed(since, pace::WATCH, now) {
            return self.0.store.finish(job.claim.clone()).await;
        }
        if stored.action.state == ActionState::Unverified {
            return self.postpone(job, due).await;
        }
        let note = "The vendor accepted, and the effect does not show yet: the target may be offline, or the vendor away. It is watched.";
        Step::of_job(self, stored, &job.claim)
            .to(ActionState::Unverified, note, json!(null))
            .then(JobKind::Settle, due)
            .tell(NoticeKind::Failed)
            .commit()
            .await
            .map(drop)
    }

    async fn give_up(&self, job: &Job, stored: Stored, note: &str) -> Result<()> {
        if stored.action.state == ActionState::Unverified {
            return self.0.store.finish(job.claim.clone()).await;
        }
        Step::of_job(self, stored, &job.claim)
            .to(ActionState::Unverified, note, json!(null))
            .tell(NoticeKind::Failed)
            .commit()
            .await
            .map(drop)
    }
}

/// Whether more than `limit` has passed since `since`.
pub(crate) fn passed(since: Timestamp, limit: std::time::Duration, now: Timestamp) -> bool {
    quell_connector::call::later(since, limit) < now
}
