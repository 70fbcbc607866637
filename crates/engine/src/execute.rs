//! Executing an action: read, decide again, write, read back.

use std::time::Duration;

use quell_connector::{AnyControl, Error as VendorError, Kind, Reading};
use quell_model::{Action, ActionState, Effect, EffectBy, Setting};
use quell_store::{Job, JobKind, Result, Stored};
use serde_json::{Value, json};

use crate::engine::Engine;
use crate::pace;
use crate::recheck::Decided;
use crate::step::Step;

/// An action this worker has just placed: it need not be read, and what it was decided with is
/// still at hand.
pub(crate) struct Fresh {
    pub(crate) stored: Stored,
    pub(crate) decided: Decided,
}

impl Engine {
    /// An `act` job: carries out a scheduled action, or goes on with one whose process ended.
    pub(crate) async fn act(&self, job: &Job, fresh: Option<Fresh>) -> Result<()> {
        let (stored, decided) = match fresh {
            Some(Fresh { stored, decided }) => (stored, Some(decided)),
            None => (self.0.store.job_action(&job.subject).await?, None),
        };
        let action = &stored.action;
        // A job found again while its action is running: whoever ran it is gone, and its intent is
        // journaled but not what came of it.
        let interrupted = action.state == ActionState::Running && decided.is_none();
        if !matches!(action.state, ActionState::Scheduled | ActionState::Running) {
            return self.0.store.finish(job.claim.clone()).await;
        }
        if self.is_paused(&action.connection) && !interrupted {
            return self.postpone(job, self.now()).await;
        }
        let Some(connection) = self.connection(&action.connection) else {
            let note = format!("Connection {} is no longer configured.", action.connection);
            return Step::of_job(self, stored, &job.claim)
                .failed(note, Value::Null)
                .commit()
                .await
                .map(drop);
        };
        let effect = action.action.effect();
        let settle = connection
            .connected
            .facts(effect)
            .map(|facts| facts.settle)
            .unwrap_or_default();
        match effect {
            Effect::Set { .. } => match connection.connected.control(effect).cloned() {
                Some(control) => {
                    Set {
                        engine: self,
                        job,
                        control: &*control,
                        settle,
                        decided,
                        interrupted,
                    }
                    .run(stored)
                    .await
                }
                None => self.unsupported(job, stored).await,
            },
            Effect::Once(_) => match connection.connected.perform(effect).cloned() {
                Some(perform) => {
                    // Apart: it is large, and most actions set a property.
                    let decided = decided.as_ref();
                    Box::pin(self.act_once(job, stored, &*perform, decided, interrupted)).await
                }
                None => self.unsupported(job, stored).await,
            },
        }
    }

    async fn unsupported(&self, job: &Job, stored: Stored) -> Result<()> {
        let note = format!(
            "Connection {} cannot {}.",
            stored.action.connection,
            stored.action.action.phrase()
        );
        Step::of_job(self, stored, &job.claim)
            .failed(note, Value::Null)
            .commit()
            .await
            .map(drop)
    }

    /// A vendor call of a step failed before anything changed: tries again later, or gives up.
    pub(crate) async fn not_applied(
        &self,
        job: &Job,
        stored: Stored,
        error: &VendorError,
    ) -> Result<()> {
        let evidence = vendor_evidence(error);
        if error.kind.passes() && job.attempts < pace::ATTEMPTS {
            let due = quell_connector::call::later(
                self.now(),
                pace::again(job.attempts, error.retry_after),
            );
            if stored.action.state == ActionState::Scheduled {
                return self.postpone(job, due).await;
            }
            let note = format!("The vendor could not be reached; trying again. {error}");
            let step = Step::of_job(self, stored, &job.claim).keep();
            step.to(ActionState::Scheduled, note, evidence)
                .commit()
                .await?;
            return self.postpone(job, due).await;
        }
        let note = explain(error);
        let mut stored = stored;
        if stored.action.state == ActionState::Scheduled {
            // The table of states has no way from scheduled to failed: an attempt was made.
            stored = Step::of_job(self, stored, &job.claim)
                .keep()
                .to(ActionState::Running, "Tried.", Value::Null)
                .commit()
                .await?;
        }
        Step::of_job(self, stored, &job.claim)
            .failed(note, evidence)
            .commit()
            .await
            .map(drop)
    }
}

/// Setting a property.
struct Set<'a> {
    engine: &'a Engine,
    job: &'a Job,
    control: &'a dyn AnyControl,
    settle: Duration,
    decided: Option<Decided>,
    interrupted: bool,
}

impl Set<'_> {
    async fn run(&self, mut stored: Stored) -> Result<()> {
        let (engine, job) = (self.engine, self.job);
        let Some(want) = stored.action.action.wanted() else {
            return engine.unsupported(job, stored).await;
        };
        let cx = engine.call(&job.subject);
        let observed = match self.control.read(&cx, &stored.action.target).await {
            Ok(observed) => observed,
            Err(error) => return engine.not_applied(job, stored, &error).await,
        };
        stored.action.asset = stored.action.asset.with(&observed.asset);
        stored.action.file = stored.action.file.with(observed.file);
        let prior = match observed.reading {
            Reading::Settled(value) if value == want => return self.already(stored, &want).await,
            Reading::Moving { to } if to == want => return self.on_its_way(stored, &want).await,
            Reading::Settled(value) => Some(value),
            Reading::Moving { .. } | Reading::Unreadable => None,
        };
        if let Some(obstacle) = observed.obstacle {
            return engine.obstructed(job, stored, obstacle).await;
        }
        let Some(mut stored) = engine
            .decide_again(job, stored, self.decided.as_ref())
            .await?
        else {
            return Ok(());
        };
        if engine.is_paused(&stored.action.connection) {
            let due = engine.now();
            if stored.action.state == ActionState::Running {
                let step = Step::of_job(engine, stored, &job.claim).keep();
                step.to(
                    ActionState::Scheduled,
                    "Automation was paused.",
                    Value::Null,
                )
                .commit()
                .await?;
            }
            return engine.postpone(job, due).await;
        }
        stored.action.prior.clone_from(&prior);
        if stored.action.state == ActionState::Scheduled {
            let note = format!("About to set {} to {want}.", stored.action.action.slot());
            let step = Step::of_job(engine, stored, &job.claim).keep();
            stored = step
                .to(ActionState::Running, note, json!({ "before": prior }))
                .commit()
                .await?;
        }
        stored.action.clocks.executed = Some(engine.now());
        // A receipt from before is that of an attempt whose answer was lost.
        let doubt = stored.action.receipt.is_some();
        match self.control.write(&cx, &stored.action.target, &want).await {
            Ok(receipt) => {
                // The vendor found nothing to change, although we read another value: somebody was
                // faster, if not an earlier attempt of ours.
                let others = receipt.unchanged && !doubt;
                stored.action.receipt = serde_json::to_value(&receipt).ok();
                let by = if others {
                    EffectBy::Other
                } else {
                    EffectBy::Quell
                };
                self.look(&cx, stored, &want, by, None).await
            }
            Err(error) if error.kind == Kind::MaybeApplied => {
                stored.action.receipt = Some(vendor_evidence(&error));
                self.look(&cx, stored, &want, EffectBy::Quell, Some(error))
                    .await
            }
            Err(error) => engine.not_applied(job, stored, &error).await,
        }
    }

    /// Reads back at once; what is not there yet is left to a `settle` job. When the answer was
    /// `lost` and nothing shows, the request may never have arrived: it is sent again later, after
    /// another look.
    async fn look(
        &self,
        cx: &quell_connector::Call,
        mut stored: Stored,
        want: &Setting,
        by: EffectBy,
        lost: Option<VendorError>,
    ) -> Result<()> {
        let reading = self
            .control
            .read(cx, &stored.action.target)
            .await
            .map(|seen| seen.reading);
        let (there, coming) = match &reading {
            Ok(Reading::Settled(value)) => (value == want, false),
            Ok(Reading::Moving { to }) => (false, to == want),
            Ok(Reading::Unreadable) | Err(_) => (false, false),
        };
        let evidence = json!({
            "before": stored.action.prior,
            "receipt": stored.action.receipt,
            "after": there.then_some(want),
        });
        if there {
            let note = format!(
                "{}, confirmed by reading it back.",
                became(&stored.action, want)
            );
            let step = Step::of_job(self.engine, stored, &self.job.claim);
            return step.completed(by, note, evidence).commit().await.map(drop);
        }
        if let Some(error) = lost.filter(|_| !coming) {
            return self.engine.not_applied(self.job, stored, &error).await;
        }
        stored.action.effect_by = by;
        let note = "The vendor was asked; waiting until the effect shows.";
        self.wait(stored, note, evidence).await
    }

    async fn wait(&self, stored: Stored, note: &str, evidence: Value) -> Result<()> {
        let step = Step::of_job(self.engine, stored, &self.job.claim);
        let due =
            quell_connector::call::later(step.at(), pace::next_read(1, false).min(self.settle));
        step.to(ActionState::Verifying, note, evidence)
            .then(JobKind::Settle, due)
            .commit()
            .await
            .map(drop)
    }

    /// The effect was there before this attempt wrote anything.
    async fn already(&self, stored: Stored, want: &Setting) -> Result<()> {
        let (by, note) = self.whose(&stored.action, want);
        let stored = self.started(stored).await?;
        let evidence = json!({ "after": want });
        Step::of_job(self.engine, stored, &self.job.claim)
            .completed(by, note, evidence)
            .commit()
            .await
            .map(drop)
    }

    async fn on_its_way(&self, stored: Stored, want: &Setting) -> Result<()> {
        let (by, note) = self.whose(&stored.action, want);
        let mut stored = self.started(stored).await?;
        stored.action.effect_by = by;
        self.wait(stored, &note, json!({ "moving_to": want })).await
    }

    /// An action leaves the queue through `running`, whatever it then finds.
    async fn started(&self, stored: Stored) -> Result<Stored> {
        if stored.action.state == ActionState::Running {
            return Ok(stored);
        }
        let step = Step::of_job(self.engine, stored, &self.job.claim).keep();
        step.to(
            ActionState::Running,
            "Looked at the vendor's present state.",
            Value::Null,
        )
        .commit()
        .await
    }

    /// Who brought about what was found. After an interruption the journal may show our intent and
    /// the value before it; then nobody but Quell is likely, but only that journal entry proves it.
    fn whose(&self, action: &Action, want: &Setting) -> (EffectBy, String) {
        // A receipt before this attempt's write is that of an attempt whose answer was lost.
        let doubt = self.interrupted || action.receipt.is_some();
        match (doubt, &action.prior) {
            (false, _) => (
                EffectBy::Other,
                format!("Already in place: {}.", became(action, want)),
            ),
            (true, Some(prior)) if prior != want => (
                EffectBy::Quell,
                format!(
                    "{}, found in place after an interruption.",
                    became(action, want)
                ),
            ),
            (true, _) => (
                EffectBy::Unclear,
                format!(
                    "{}, found in place after an interruption; who did it cannot be told.",
                    became(action, want)
                ),
            ),
        }
    }
}

/// "WS-042 is contained".
pub(crate) fn became(action: &Action, value: &Setting) -> String {
    format!("{} is {value}", action.target)
}

/// What the journal keeps of a failed vendor call.
pub(crate) fn vendor_evidence(error: &VendorError) -> Value {
    json!({
        "error": error.kind.as_str(),
        "operation": error.operation,
        "detail": error.detail,
        "vendor_code": error.vendor_code,
        "vendor_request": error.request_id,
    })
}

/// One sentence about a failed vendor call and what it means.
pub(crate) fn explain(error: &VendorError) -> String {
    let meaning = match error.kind {
        Kind::ConfigInvalid => "The connection's configuration does not work",
        Kind::AuthRejected => "The vendor does not accept Quell's credentials",
        Kind::PermissionMissing => "Quell's credentials lack a permission",
        Kind::TargetNotFound => "The vendor does not know the target",
        Kind::TargetAmbiguous => "Several things answer to the target's name",
        Kind::Unsupported => "This cannot be done to this target",
        Kind::VendorRejected => "The vendor refused",
        Kind::RateLimited | Kind::VendorUnavailable | Kind::DeadlineExceeded => {
            "The vendor could not be reached in time"
        }
        Kind::MaybeApplied => "The vendor may or may not have done it",
        Kind::ReplyUnreadable => "The vendor's answer could not be understood",
    };
    format!("{meaning}: {error}.")
}
