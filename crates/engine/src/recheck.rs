//! Deciding a second time, right before the call: the rules may have changed meanwhile, and the
//! vendor's record may say more of the target than the alert did.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use quell_model::{
    Action, ActionState, AssetFacts, Cause, Decision, FileFacts, NoticeKind, Outcome, Reason,
};
use quell_policy::budget::words;
use quell_store::{Job, Result, Stored};

use crate::engine::Engine;
use crate::plan::{self, Standpoint};
use crate::rules::Rules;
use crate::step::Step;

/// What a decision was taken with, besides what the action itself says.
pub(crate) struct Decided {
    rules: Arc<Rules>,
    asset: AssetFacts,
    file: FileFacts,
}

impl Decided {
    pub(crate) fn with(rules: &Arc<Rules>, action: &Action) -> Self {
        Self {
            rules: rules.clone(),
            asset: action.asset.clone(),
            file: action.file,
        }
    }
}

impl Engine {
    /// Asks policy again, with what is known now. `None`: go on. Otherwise the action has been put
    /// where the stricter answer belongs and the job is finished.
    pub(crate) async fn decide_again(
        &self,
        job: &Job,
        mut stored: Stored,
        decided: Option<&Decided>,
    ) -> Result<Option<Stored>> {
        // A list may have been changed since these rules were put together.
        self.refresh_lists().await?;
        let rules = self.rules();
        let action = &mut stored.action;
        // A decision is a pure function of what it is taken with: the same again is the same answer.
        let opted_in = self.opted_in().allow(action.action);
        let same = |decided: &&Decided| {
            opted_in
                && Arc::ptr_eq(&decided.rules, &rules)
                && decided.asset == action.asset
                && decided.file == action.file
        };
        if decided.filter(same).is_some() {
            return Ok(Some(stored));
        }
        let approved = action.clocks.approved.is_some();
        let at = Standpoint {
            connection: &action.connection,
            now: self.now(),
        };
        let (decision, listed) = plan::decide(
            &rules,
            at,
            action.action,
            &action.target,
            (&action.asset, action.file),
            &action.basis,
        );
        let decision = match stale(action, rules.settings.stale_after, self.now()) {
            Some(reason) if decision.outcome == Outcome::Ask => {
                let reasons = [vec![reason], decision.reasons].concat();
                Decision::new(Outcome::Ask, reasons).of(decision.quorum)
            }
            Some(reason) if decision.outcome == Outcome::Auto => {
                Decision::new(Outcome::Ask, vec![reason])
            }
            _ => decision,
        };
        // A yes counts for what it was asked for: who has to say so may be others by now, and what the
        // vendor's record says of the target may ask for another reason than the one that was shown.
        let shown = |reason: &Reason| {
            action
                .decision
                .reasons
                .iter()
                .any(|r| r.rule == reason.rule)
        };
        let approved = approved
            && decision.reasons.iter().all(|r| r.rule != STALE && shown(r))
            && action.decision.quorum.covers(decision.quorum);
        let go = opted_in
            && match decision.outcome {
                Outcome::Auto => true,
                Outcome::Ask => approved,
                Outcome::Never | Outcome::Manual => false,
            };
        if go {
            return Ok(Some(stored));
        }
        let outcome = decision.outcome;
        action.decision = decision;
        let evidence = plan::evidence(action, &listed);
        let step = Step::of_job(self, stored, &job.claim).cause(Cause::Policy);
        let step = if !opted_in {
            step.to(
                ActionState::Shadowed,
                "The organization opted out while this waited; it is not done.",
                evidence,
            )
            .tell(NoticeKind::Proposed)
        } else if outcome == Outcome::Ask {
            step.to(
                ActionState::AwaitingApproval,
                "What is known now needs a person's yes; nothing was done yet.",
                evidence,
            )
            .ask()
            .tell(NoticeKind::ApprovalNeeded)
        } else {
            step.to(
                ActionState::Denied,
                "Policy now says never; nothing was done.",
                evidence,
            )
            .tell(NoticeKind::Decided)
        };
        step.commit().await?;
        Ok(None)
    }
}

/// The check that a decision is not too old.
const STALE: &str = "stale-decision";

/// Why a decision, or the yes that followed it, is too old to be acted on.
fn stale(action: &Action, limit: Duration, now: Timestamp) -> Option<Reason> {
    let last = action.clocks.approved.max(action.clocks.decided)?;
    let age = Duration::try_from(now.duration_since(last)).ok()?;
    (age > limit).then(|| {
        let text = format!(
            "The decision is {} old, and the limit is {}; what was true then may not be now.",
            words(Duration::from_secs(age.as_secs() / 60 * 60)),
            words(limit)
        );
        Reason::new(STALE, text)
    })
}
