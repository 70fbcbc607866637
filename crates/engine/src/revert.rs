//! Taking back: writes the prior value, but only over what Quell itself set.

use quell_connector::Reading;
use quell_model::{ActionId, ActionState, Cause, Effect, EffectBy, NoticeKind, Setting};
use quell_store::{Job, JobKind, Result, Stored};
use serde_json::{Value, json};

use crate::approval::ActError;
use crate::engine::Engine;
use crate::execute::{became, explain, vendor_evidence};
use crate::pace;
use crate::settle::passed;
use crate::step::Step;

impl Engine {
    /// A person orders an action to be taken back.
    ///
    /// # Errors
    /// When the action is not in effect, cannot be undone, or was not Quell's doing. `unclear`
    /// allows it when nobody can tell whose doing it was.
    pub async fn revert(
        &self,
        id: ActionId,
        person: &str,
        reason: &str,
        unclear: bool,
    ) -> Result<Stored, ActError> {
        let stored = self.0.store.action(self.organization(), id).await?;
        let action = &stored.action;
        let refuse = |why: String| Err(ActError::Refused(why));
        if !action.state.allows(ActionState::Reverting) {
            return refuse(format!(
                "the action is {}; there is nothing to take back",
                action.state.words()
            ));
        }
        if action.action.revert().is_none() {
            return refuse(format!("{} cannot be taken back", action.action.phrase()));
        }
        match action.effect_by {
            EffectBy::Quell => {}
            EffectBy::Unclear if unclear => {}
            EffectBy::Unclear => {
                return refuse(
                    "nobody can tell whether Quell or somebody else did this; take it back with --even-if-unclear"
                        .to_owned(),
                );
            }
            EffectBy::Other | EffectBy::Nobody => {
                return refuse(
                    "it was already in place; Quell does not undo what it did not do".to_owned(),
                );
            }
        }
        let cause = Cause::Person {
            name: person.to_owned(),
            reason: reason.to_owned(),
        };
        let step = Step::because(self, stored, cause);
        let now = step.at();
        let note = format!("{person} orders it taken back: {reason}");
        Ok(step
            .to(ActionState::Reverting, note, Value::Null)
            .cancel(JobKind::Settle)
            .then(JobKind::Revert, now)
            .commit()
            .await?)
    }

    /// A `revert` job. Reading first makes it safe to repeat after a crash.
    pub(crate) async fn take_back(&self, job: &Job) -> Result<()> {
        let stored = self.0.store.job_action(&job.subject).await?;
        if stored.action.state != ActionState::Reverting {
            return self.0.store.finish(job.claim.clone()).await;
        }
        let Some((control, set, back)) = self.ways(&stored) else {
            return self
                .not_taken_back(
                    job,
                    stored,
                    "The connection can no longer do it.",
                    Value::Null,
                )
                .await;
        };
        let cx = self.call(&job.subject);
        let observed = match control.read(&cx, &stored.action.target).await {
            Ok(observed) => observed,
            Err(error) if error.kind.passes() && job.attempts < pace::ATTEMPTS => {
                let due = quell_connector::call::later(
                    self.now(),
                    pace::again(job.attempts, error.retry_after),
                );
                return self.postpone(job, due).await;
            }
            Err(error) => {
                return self
                    .not_taken_back(job, stored, &explain(&error), vendor_evidence(&error))
                    .await;
            }
        };
        match observed.reading {
            Reading::Settled(value) if value == back => {
                let note = format!(
                    "{} already; nothing was left to take back.",
                    became(&stored.action, &back)
                );
                return self.taken_back(job, stored, &note, &value).await;
            }
            Reading::Moving { to } if to == back => {}
            Reading::Settled(value) if value != set => {
                let note = format!(
                    "{}, which is neither what Quell set nor what was before; somebody changed it, so it is left alone.",
                    became(&stored.action, &value)
                );
                return self
                    .not_taken_back(job, stored, &note, json!({ "found": value }))
                    .await;
            }
            _ => match control.write(&cx, &stored.action.target, &back).await {
                Ok(_) => {}
                // An answer that was lost is among those that pass: the next attempt reads first.
                Err(error) if error.kind.passes() && job.attempts < pace::ATTEMPTS => {
                    let due = quell_connector::call::later(
                        self.now(),
                        pace::again(job.attempts, error.retry_after),
                    );
                    return self.postpone(job, due).await;
                }
                Err(error) => {
                    return self
                        .not_taken_back(job, stored, &explain(&error), vendor_evidence(&error))
                        .await;
                }
            },
        }
        // Read at once: most vendors are done by now, and the others are followed up by the job.
        if let Ok(observed) = control.read(&cx, &stored.action.target).await
            && let Reading::Settled(value) = observed.reading
            && value == back
        {
            let note = format!(
                "{}, confirmed by reading it back.",
                became(&stored.action, &back)
            );
            return self.taken_back(job, stored, &note, &value).await;
        }
        self.0
            .store
            .finish_then(
                job.claim.clone(),
                self.later_job(JobKind::SettleRevert, &job.subject),
            )
            .await?;
        self.0.nudge.notify_one();
        Ok(())
    }

    /// A `settle_revert` job: is it gone?
    pub(crate) async fn settle_revert(&self, job: &Job) -> Result<()> {
        let stored = self.0.store.job_action(&job.subject).await?;
        if stored.action.state != ActionState::Reverting {
            return self.0.store.finish(job.claim.clone()).await;
        }
        let Some((control, _, back)) = self.ways(&stored) else {
            return self
                .not_taken_back(
                    job,
                    stored,
                    "The connection can no longer do it.",
                    Value::Null,
                )
                .await;
        };
        let history = self.0.store.history(stored.action.id).await?;
        let since = history.last().map_or(self.now(), |row| row.at);
        let normal = self
            .connection(&stored.action.connection)
            .and_then(|c| {
                c.connected
                    .facts(stored.action.action.effect())
                    .map(|facts| facts.settle)
            })
            .unwrap_or_default();
        let cx = self.call(&job.subject);
        let reading = control.read(&cx, &stored.action.target).await;
        match reading {
            Ok(observed) if observed.reading == Reading::Settled(back.clone()) => {
                let note = format!(
                    "{}, confirmed by reading it back.",
                    became(&stored.action, &back)
                );
                self.taken_back(job, stored, &note, &back).await
            }
            Ok(observed)
                if passed(since, normal, self.now())
                    && matches!(observed.reading, Reading::Settled(_)) =>
            {
                let note = "The vendor accepted, and the effect is still there.";
                self.not_taken_back(job, stored, note, Value::Null).await
            }
            Err(error) if !error.kind.passes() => {
                self.not_taken_back(job, stored, &explain(&error), vendor_evidence(&error))
                    .await
            }
            _ if passed(since, pace::WATCH, self.now()) => {
                let note = "The vendor accepted, and for a week nobody could see whether it is so.";
                self.not_taken_back(job, stored, note, Value::Null).await
            }
            _ => {
                let overdue = passed(since, normal, self.now());
                let due = quell_connector::call::later(
                    self.now(),
                    pace::next_read(job.attempts, overdue),
                );
                self.postpone(job, due).await
            }
        }
    }

    /// The control of an action, the value Quell set and the value to go back to.
    fn ways(
        &self,
        stored: &Stored,
    ) -> Option<(
        std::sync::Arc<dyn quell_connector::AnyControl>,
        Setting,
        Setting,
    )> {
        let action = &stored.action;
        let effect @ Effect::Set { .. } = action.action.effect() else {
            return None;
        };
        let control = self
            .connection(&action.connection)?
            .connected
            .control(effect)?
            .clone();
        let back = action
            .prior
            .clone()
            .or_else(|| action.action.revert()?.wanted())?;
        Some((control, action.action.wanted()?, back))
    }

    async fn taken_back(
        &self,
        job: &Job,
        stored: Stored,
        note: &str,
        value: &Setting,
    ) -> Result<()> {
        Step::of_job(self, stored, &job.claim)
            .to(ActionState::Reverted, note, json!({ "after": value }))
            .tell(NoticeKind::Reverted)
            .commit()
            .await
            .map(drop)
    }

    async fn not_taken_back(
        &self,
        job: &Job,
        stored: Stored,
        note: &str,
        evidence: Value,
    ) -> Result<()> {
        Step::of_job(self, stored, &job.claim)
            .to(ActionState::RevertFailed, note, evidence)
            .tell(NoticeKind::Failed)
            .commit()
            .await
            .map(drop)
    }

    fn later_job(&self, kind: JobKind, subject: &str) -> quell_store::NewJob {
        let due = quell_connector::call::later(self.now(), pace::next_read(1, false));
        quell_store::NewJob::at(kind, subject, due)
    }
}
