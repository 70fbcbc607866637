//! One-shots: done at most once, never again when in doubt.

use std::sync::Arc;

use quell_connector::{AnyPerform, Error as VendorError, Intent, Kind, Progress, Receipt};
use quell_model::{ActionId, ActionState, EffectBy, Entity, NoticeKind};
use quell_store::{Claim, Job, JobKind, Result, Stored};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tracing::warn;

use crate::engine::Engine;
use crate::execute::vendor_evidence;
use crate::pace;
use crate::recheck::Decided;
use crate::step::Step;

impl Engine {
    pub(crate) async fn act_once(
        &self,
        job: &Job,
        stored: Stored,
        perform: &dyn AnyPerform,
        decided: Option<&Decided>,
        interrupted: bool,
    ) -> Result<()> {
        if let Some(receipt) = receipt(&stored) {
            return self.follow(job, stored, perform, &receipt).await;
        }
        if interrupted {
            // INVARIANT: an intent without a receipt is never fired again; a person looks.
            return self
                .lost(
                    job,
                    stored,
                    "The process ended before the vendor's answer was recorded.",
                )
                .await;
        }
        let cx = self.call(&job.subject);
        let mut stored = stored;
        match perform.look(&cx, &stored.action.target).await {
            Ok(sight) => {
                stored.action.asset = stored.action.asset.with(&sight.asset);
                if let Some(obstacle) = sight.obstacle {
                    return self.obstructed(job, stored, obstacle).await;
                }
            }
            Err(error) => return self.not_applied(job, stored, &error).await,
        }
        let Some(stored) = self.decide_again(job, stored, decided).await? else {
            return Ok(());
        };
        if self.is_paused(&stored.action.connection) {
            return self.postpone(job, self.now()).await;
        }
        let intent = Arc::new(Recorder::new(self, job, stored));
        let target = intent.target().await;
        let cx = self
            .call(&job.subject)
            .intending(intent.clone())
            .keeping(self.safe(intent.action().await));
        let performed = perform.perform(&cx, &target).await;
        let mut stored = intent.stored().await;
        match performed {
            Ok(receipt) => {
                let evidence = json!({ "receipt": receipt });
                let mut step = Step::of_job(self, stored, &job.claim);
                let at = step.at();
                if step.action().state == ActionState::Scheduled {
                    step = step.to(
                        ActionState::Running,
                        "Looked at the target; nothing was left to do.",
                        Value::Null,
                    );
                }
                let action = step.action();
                action.receipt = serde_json::to_value(&receipt).ok();
                action.effect_by = if receipt.unchanged {
                    EffectBy::Other
                } else {
                    EffectBy::Quell
                };
                // The receipt is all that is left after a crash, so it is durable before anything else.
                let note = "The vendor was asked; waiting for the outcome.";
                step.to(ActionState::Verifying, note, evidence)
                    .then(JobKind::Settle, at)
                    .commit()
                    .await
                    .map(drop)
            }
            Err(error) if error.kind == Kind::MaybeApplied => {
                stored.action.receipt = Some(json!({ "evidence": vendor_evidence(&error) }));
                self.lost(job, stored, "The vendor's answer was lost.")
                    .await
            }
            Err(error) => self.not_applied(job, stored, &error).await,
        }
    }

    /// What became of a deed whose receipt we hold.
    pub(crate) async fn follow(
        &self,
        job: &Job,
        stored: Stored,
        perform: &dyn AnyPerform,
        receipt: &Receipt,
    ) -> Result<()> {
        let cx = self.call(&job.subject);
        let waited = job.attempts >= pace::ATTEMPTS;
        let progress = match perform.progress(&cx, &stored.action.target, receipt).await {
            Ok(progress) => progress,
            Err(error) if error.kind.passes() && !waited => {
                let due = quell_connector::call::later(
                    self.now(),
                    pace::again(job.attempts, error.retry_after),
                );
                return self.postpone(job, due).await;
            }
            Err(error) => {
                let note = format!("The outcome cannot be read: {error}.");
                return self.lost(job, stored, &note).await;
            }
        };
        let evidence = json!({ "receipt": receipt.evidence });
        let by = stored.action.effect_by;
        let step = Step::of_job(self, stored, &job.claim);
        let step = match progress {
            Progress::Done { note } => step.completed(by, note, evidence),
            Progress::AlreadySo { note } => step.completed(EffectBy::Other, note, evidence),
            Progress::Unconfirmed { note } => step
                .to(ActionState::Unverified, note, evidence)
                .tell(NoticeKind::Completed),
            Progress::Failed { note } => step.failed(note, evidence),
            Progress::Pending if !waited => {
                let due =
                    quell_connector::call::later(self.now(), pace::next_read(job.attempts, false));
                return self.postpone(job, due).await;
            }
            Progress::Pending => {
                let note = "The vendor accepted, and has not said for a long time what came of it.";
                step.to(ActionState::Unverified, note, evidence)
                    .tell(NoticeKind::Failed)
            }
            Progress::Lost => unknown(step, "Nobody can tell what came of it."),
        };
        step.commit().await.map(drop)
    }

    async fn lost(&self, job: &Job, stored: Stored, why: &str) -> Result<()> {
        let from = stored.action.state;
        let step = Step::of_job(self, stored, &job.claim);
        let step = if from == ActionState::Verifying {
            // The vendor accepted it; only its outcome is out of sight.
            step.to(ActionState::Unverified, why, Value::Null)
                .tell(NoticeKind::Failed)
        } else {
            unknown(step, why)
        };
        step.commit().await.map(drop)
    }
}

fn unknown<'e>(step: Step<'e>, why: &str) -> Step<'e> {
    let note =
        format!("{why} It is not tried again by itself: please look, and then confirm or redo it.");
    step.to(ActionState::Unknown, note, Value::Null)
        .tell(NoticeKind::Failed)
}

/// Journals the intent of a one-shot at the last moment: a crash before it has done nothing, and
/// the action is simply carried out later.
struct Recorder {
    engine: Engine,
    claim: Claim,
    stored: Mutex<Stored>,
}

impl Recorder {
    fn new(engine: &Engine, job: &Job, stored: Stored) -> Self {
        Self {
            engine: engine.clone(),
            claim: job.claim.clone(),
            stored: Mutex::new(stored),
        }
    }

    async fn action(&self) -> ActionId {
        self.stored.lock().await.action.id
    }

    async fn target(&self) -> Entity {
        self.stored.lock().await.action.target.clone()
    }

    async fn stored(&self) -> Stored {
        self.stored.lock().await.clone()
    }

    async fn write(&self) -> quell_connector::Result<()> {
        let refuse =
            |detail: &str| Err(VendorError::new(Kind::VendorUnavailable, "intent", detail));
        let mut stored = self.stored.lock().await;
        if stored.action.state == ActionState::Running {
            return Ok(());
        }
        let action = &stored.action;
        if self.engine.is_paused(&action.connection) {
            return refuse("automation was paused; nothing was sent");
        }
        if !self.engine.opted_in().allow(action.action) {
            return refuse("the organization opted out; nothing was sent");
        }
        let note = format!("About to {}.", stored.action.action.phrase());
        let mut step = Step::of_job(&self.engine, stored.clone(), &self.claim).keep();
        let at = step.at();
        step.action().clocks.executed = Some(at);
        match step
            .to(ActionState::Running, note, Value::Null)
            .commit()
            .await
        {
            Ok(written) => {
                *stored = written;
                Ok(())
            }
            Err(error) => {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "an intent could not be recorded; nothing is sent"
                );
                refuse("the intent could not be recorded; nothing was sent")
            }
        }
    }
}

impl Intent for Recorder {
    fn record(&self) -> quell_connector::BoxFuture<'_, quell_connector::Result<()>> {
        Box::pin(self.write())
    }
}

/// The receipt an action holds.
pub(crate) fn receipt(stored: &Stored) -> Option<Receipt> {
    serde_json::from_value(stored.action.receipt.clone()?).ok()
}
