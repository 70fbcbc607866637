//! People's answers: bound to exactly what they were shown, first answer wins.

use quell_model::{Action, ActionId, ActionState, Cause, NoticeKind};
use quell_store::{Answer, Error, Job, JobKind, Result, Stored};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::engine::Engine;
use crate::step::Step;

/// Why a person's order was not carried out. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// The action is not what the person was shown any more.
    #[error("the action changed since you looked at it; look again and answer again")]
    Changed,
    /// It cannot be done, and why.
    #[error("{0}")]
    Refused(String),
    /// The store failed, or has no such action.
    #[error(transparent)]
    Store(#[from] Error),
}

/// Hash of what a person is shown of an action that waits for their answer. Any difference in what
/// would be done, to what, through what, or why it asks, is another hash.
#[must_use]
pub fn shown(action: &Action) -> String {
    let view = json!({
        "id": action.id,
        "organization": action.organization,
        "connection": action.connection,
        "action": action.action,
        "target": action.target,
        "asset": action.asset,
        "file": action.file,
        "decision": action.decision,
        "state": action.state,
    });
    let digest = Sha256::digest(view.to_string().as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Engine {
    /// A person answers an action that waits for them, having been shown `shown_hash`.
    ///
    /// A yes to an action whose outcome is unknown confirms that it happened, a no that it did not.
    ///
    /// # Errors
    /// When the action changed since, or does not wait for an answer.
    pub async fn answer(
        &self,
        id: ActionId,
        shown_hash: &str,
        person: &str,
        yes: bool,
        reason: &str,
    ) -> Result<Stored, ActError> {
        let stored = self.0.store.action(self.organization(), id).await?;
        let state = stored.action.state;
        if !matches!(state, ActionState::AwaitingApproval | ActionState::Unknown) {
            let words = state.words();
            return Err(ActError::Refused(format!(
                "the action is {words}; it does not wait for an answer"
            )));
        }
        if shown(&stored.action) != shown_hash {
            return Err(ActError::Changed);
        }
        let cause = Cause::Person {
            name: person.to_owned(),
            reason: reason.to_owned(),
        };
        let mut step = Step::because(self, stored, cause);
        let at = step.at();
        let answer = Answer {
            shown: shown_hash.to_owned(),
            person: person.to_owned(),
            yes,
            reason: reason.to_owned(),
            at,
        };
        let verb = if yes { "approves" } else { "rejects" };
        let note = format!("{person} {verb}: {reason}");
        let step = match (state, yes) {
            (ActionState::Unknown, true) => step
                .to(
                    ActionState::Completed,
                    format!("{person} confirms that it happened: {reason}"),
                    Value::Null,
                )
                .tell(NoticeKind::Completed),
            (ActionState::Unknown, false) => step.failed(
                format!("{person} says that it did not happen: {reason}"),
                Value::Null,
            ),
            (_, true) => {
                step.action().clocks.approved = Some(at);
                step.to(ActionState::Scheduled, note, Value::Null)
                    .cancel(JobKind::Expire)
                    .then(JobKind::Act, at)
                    .tell(NoticeKind::Decided)
            }
            (_, false) => step
                .to(ActionState::Rejected, note, Value::Null)
                .cancel(JobKind::Expire)
                .tell(NoticeKind::Decided),
        };
        match step.commit_answer(answer).await {
            // Somebody answered in the same moment: theirs was first.
            Err(Error::Stale(_)) => Err(ActError::Changed),
            other => Ok(other?),
        }
    }

    /// An `expire` job: nobody answered in time. Fails closed.
    pub(crate) async fn expire(&self, job: &Job) -> Result<()> {
        let stored = self.0.store.job_action(&job.subject).await?;
        if stored.action.state != ActionState::AwaitingApproval {
            return self.0.store.finish(job.claim.clone()).await;
        }
        Step::of_job(self, stored, &job.claim)
            .cause(Cause::Timer)
            .to(
                ActionState::Expired,
                "Nobody answered before the deadline; nothing was done.",
                Value::Null,
            )
            .tell(NoticeKind::Decided)
            .commit()
            .await
            .map(drop)
    }
}
