//! One step of one action: collects what follows from it and makes it durable at once.

use jiff::Timestamp;
use quell_model::{Action, ActionState, Cause, EffectBy, NoticeKind, Transition};
use quell_store::{Advance, Answer, Approved, Claim, JobKind, Needs, NewJob, Result, Stored};
use serde_json::Value;

use crate::approval;
use crate::engine::Engine;
use crate::tell::{self, Telling};

/// A change of an action in the making.
pub(crate) struct Step<'e> {
    engine: &'e Engine,
    advance: Advance,
    at: Timestamp,
    cause: Cause,
}

impl<'e> Step<'e> {
    /// A change made on behalf of a job, which is finished with it.
    pub(crate) fn of_job(engine: &'e Engine, stored: Stored, claim: &Claim) -> Self {
        Self::begin(engine, stored, Some(claim.clone()), Cause::Engine)
    }

    /// A change made because of a person or another cause, outside any job.
    pub(crate) fn because(engine: &'e Engine, stored: Stored, cause: Cause) -> Self {
        Self::begin(engine, stored, None, cause)
    }

    fn begin(engine: &'e Engine, stored: Stored, claim: Option<Claim>, cause: Cause) -> Self {
        let advance = Advance {
            stored,
            transitions: Vec::new(),
            claim,
            keep: false,
            moved: false,
            jobs: Vec::new(),
            cancel: Vec::new(),
            messages: Vec::new(),
        };
        Self {
            engine,
            advance,
            at: engine.now(),
            cause,
        }
    }

    /// The moment of the change.
    pub(crate) const fn at(&self) -> Timestamp {
        self.at
    }

    /// The action, to be changed.
    pub(crate) const fn action(&mut self) -> &mut Action {
        &mut self.advance.stored.action
    }

    /// Another cause than the one it began with.
    pub(crate) fn cause(mut self, cause: Cause) -> Self {
        self.cause = cause;
        self
    }

    /// Goes to `state` and says why.
    pub(crate) fn to(
        mut self,
        state: ActionState,
        note: impl Into<String>,
        evidence: Value,
    ) -> Self {
        let action = &mut self.advance.stored.action;
        let from = action.state;
        let note = note.into();
        action.state = state;
        action.note.clone_from(&note);
        self.advance.transitions.push(Transition {
            at: self.at,
            from: Some(from),
            to: state,
            cause: self.cause.clone(),
            note,
            evidence,
        });
        self
    }

    /// Says something and stays where it is: people's answers are a record of their own.
    pub(crate) fn note(mut self, note: String) -> Self {
        self.action().note = note;
        self
    }

    /// The effect is there.
    pub(crate) fn completed(
        mut self,
        by: EffectBy,
        note: impl Into<String>,
        evidence: Value,
    ) -> Self {
        let at = self.at;
        let action = self.action();
        action.clocks.verified = Some(at);
        action.effect_by = by;
        self.to(ActionState::Completed, note, evidence)
            .tell(NoticeKind::Completed)
    }

    /// It was not done.
    pub(crate) fn failed(self, note: impl Into<String>, evidence: Value) -> Self {
        self.to(ActionState::Failed, note, evidence)
            .tell(NoticeKind::Failed)
    }

    /// The job on whose behalf this happens goes on.
    pub(crate) const fn keep(mut self) -> Self {
        self.advance.keep = true;
        self
    }

    /// It goes on through the connection it now names.
    pub(crate) const fn moved(mut self) -> Self {
        self.advance.moved = true;
        self
    }

    /// A job about this action follows.
    pub(crate) fn then(mut self, kind: JobKind, due: Timestamp) -> Self {
        let id = self.advance.stored.action.id;
        self.advance.jobs.push(NewJob::at(kind, id, due));
        self
    }

    /// A job about this action lost its reason.
    pub(crate) fn cancel(mut self, kind: JobKind) -> Self {
        let id = self.advance.stored.action.id;
        self.advance.cancel.push(kind.key(&id.to_string()));
        self
    }

    /// It waits for people, and for no longer than policy says.
    pub(crate) fn ask(mut self) -> Self {
        let rules = self.engine.rules();
        let at = self.at;
        let jobs = approval::ask(&rules.settings.approvals, self.action(), at);
        self.advance.jobs.extend(jobs);
        self
    }

    /// It does not wait for people any more.
    pub(crate) fn answered(self) -> Self {
        JobKind::WAITING.into_iter().fold(self, Self::cancel)
    }

    /// People are told.
    pub(crate) fn tell(mut self, telling: impl Into<Telling>) -> Self {
        let telling = telling.into();
        let messages = tell::messages(self.engine, &self.advance.stored.action, &telling, self.at);
        self.advance.messages.extend(messages);
        self
    }

    /// Makes the change durable.
    pub(crate) async fn commit(self) -> Result<Stored> {
        let after = After::of(&self);
        let stored = self.engine.0.store.advance(self.advance).await?;
        after.done(self.engine, &stored);
        Ok(stored)
    }

    /// Makes the change and a person's answer durable together.
    pub(crate) async fn commit_answer(self, answer: Answer) -> Result<Stored> {
        let after = After::of(&self);
        let stored = self.engine.0.store.answer(answer, self.advance).await?;
        after.done(self.engine, &stored);
        Ok(stored)
    }

    /// Makes a person's yes durable with this change if it is enough, and with `more` otherwise.
    pub(crate) async fn commit_yes(
        self,
        more: Self,
        answer: Answer,
        needs: Needs,
    ) -> Result<Approved> {
        let (enough, waiting) = (After::of(&self), After::of(&more));
        let store = &self.engine.0.store;
        let approved = store
            .approve(answer, needs, self.advance, more.advance)
            .await?;
        match &approved {
            Approved::Enough(stored) => enough.done(self.engine, stored),
            Approved::More(stored) => waiting.done(self.engine, stored),
            Approved::Repeated => {}
        }
        Ok(approved)
    }
}

/// What is left to do once a change is durable.
struct After {
    transitions: Vec<Transition>,
    work: bool,
}

impl After {
    fn of(step: &Step<'_>) -> Self {
        let work = !step.advance.jobs.is_empty() || !step.advance.messages.is_empty();
        Self {
            transitions: step.advance.transitions.clone(),
            work,
        }
    }

    fn done(self, engine: &Engine, stored: &Stored) {
        engine.announce(&stored.action, &self.transitions);
        if self.work {
            engine.0.nudge.notify_one();
        }
    }
}
