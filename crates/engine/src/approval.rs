//! People's answers: asked until a moment, bound to exactly what they were shown, and enough when as
//! many said yes as policy wants. A no ends it at once; nobody answering is a no.

use std::time::Duration;

use jiff::Timestamp;
use quell_connector::call::later;
use quell_model::{Action, ActionId, ActionState, Cause, NoticeKind, Person, Quorum, Role};
use quell_policy::Approvals;
use quell_policy::budget::words;
use quell_store::{
    Answer, ApprovalRecord, Approved, Error, Job, JobKind, Needs, NewJob, Result, Stored,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::engine::Engine;
use crate::step::Step;
use crate::tell::Telling;

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
/// would be done, to what, through what, why it asks, whom, or since when, is another hash: a yes
/// counts for this asking and no other.
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
        "quorum": action.decision.quorum,
        "asked": action.clocks.asked,
        "state": action.state,
    });
    let digest = Sha256::digest(view.to_string().as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Who has said yes to an action as it now asks, in order.
#[must_use]
pub fn said_yes(action: &Action, answers: &[ApprovalRecord]) -> Vec<String> {
    let shown = shown(action);
    answers
        .iter()
        .filter(|answer| answer.yes && answer.shown == shown)
        .map(|answer| answer.person.clone())
        .collect()
}

/// Who has to say yes to an action for which `yes` have: one whose first yes was not enough needs two,
/// whatever policy says.
#[must_use]
pub fn quorum(action: &Action, yes: &[String]) -> Quorum {
    let asked = action.decision.quorum;
    let more = !yes.is_empty() && action.state == ActionState::AwaitingApproval;
    Quorum {
        approvers: asked.approvers.max(if more { 2 } else { 1 }),
        ..asked
    }
}

/// Puts an action before people: notes when, and says what is due while it waits.
pub(crate) fn ask(approvals: &Approvals, action: &mut Action, now: Timestamp) -> Vec<NewJob> {
    // Never the same moment twice, so that a yes to the last asking is none to this one.
    let before = action.clocks.asked;
    let asked = before.map_or(now, |before| {
        now.max(later(before, Duration::from_micros(1)))
    });
    let deadline = later(asked, approvals.deadline);
    action.clocks.asked = Some(asked);
    action.clocks.answer_by = Some(deadline);
    action.clocks.approved = None;
    let mut jobs = vec![NewJob::at(JobKind::Expire, action.id, deadline)];
    let mut due = |kind, after| {
        let due = later(asked, after);
        if due < deadline {
            jobs.push(NewJob::at(kind, action.id, due));
        }
    };
    if let Some(after) = approvals.remind_after {
        due(JobKind::Remind, after);
    }
    if !approvals.escalate_to.is_empty() {
        due(JobKind::Escalate, approvals.escalate_after);
    }
    jobs
}

/// What stands against a stolen account is remembered like a rule, and decides about everything: else
/// whoever has one would turn it off first. No rule can have this name.
pub(crate) const GUARD: &str = "[approvals]";

/// What [`GUARD`] says.
pub(crate) fn guard(approvals: &Approvals) -> String {
    let excluded = approvals.author_excluded_for.as_secs();
    format!("{} {excluded}", approvals.alone_per_hour)
}

/// How often an answer is tried again because something else changed the action's record meanwhile.
const TRIES: usize = 8;
/// What a person's yeses are counted in.
const HOUR: Duration = Duration::from_secs(3600);

impl Engine {
    /// A person answers an action that waits for them, having been shown `shown_hash`.
    ///
    /// A yes to an action whose outcome is unknown confirms that it happened, a no that it did not.
    ///
    /// # Errors
    /// When the action changed since, does not wait for an answer, or waits for somebody else's.
    pub async fn answer(
        &self,
        id: ActionId,
        shown_hash: &str,
        person: &Person,
        yes: bool,
        reason: &str,
    ) -> Result<Stored, ActError> {
        for _ in 0..TRIES {
            let stored = self.0.store.action(self.organization(), id).await?;
            let said = Said {
                engine: self,
                shown: shown_hash,
                person,
                reason,
                at: self.now(),
            };
            // Boxed: two changes at once make it a large future.
            match Box::pin(said.to(stored, yes)).await {
                // A second person, or a reminder, in the same moment: what is asked is the same.
                Err(ActError::Store(Error::Stale(_))) => {}
                answered => return answered,
            }
        }
        Err(ActError::Changed)
    }

    /// An `expire` job: nobody answered in time. Fails closed.
    pub(crate) async fn expire(&self, job: &Job) -> Result<()> {
        let stored = self.0.store.job_action(&job.subject).await?;
        if stored.action.state != ActionState::AwaitingApproval {
            return self.0.store.finish(job.claim.clone()).await;
        }
        let note = if self.yeses(&stored.action).await?.is_empty() {
            "Nobody answered before the deadline; nothing was done."
        } else {
            "Not enough people said yes before the deadline; nothing was done."
        };
        Step::of_job(self, stored, &job.claim)
            .cause(Cause::Timer)
            .to(ActionState::Expired, note, Value::Null)
            .answered()
            .tell(NoticeKind::Decided)
            .commit()
            .await
            .map(drop)
    }

    /// A `remind` job: those who were asked are asked again, and once more after as long again.
    pub(crate) async fn remind(&self, job: &Job) -> Result<()> {
        let stored = self.0.store.job_action(&job.subject).await?;
        let rules = self.rules();
        let (Some(every), Some(deadline)) = (
            rules.settings.approvals.remind_after,
            self.waits_until(&stored.action),
        ) else {
            return self.0.store.finish(job.claim.clone()).await;
        };
        let headline = match self.yeses(&stored.action).await?.is_empty() {
            true => "Reminder",
            false => "Reminder, one more yes is needed",
        };
        let step = Step::of_job(self, stored, &job.claim)
            .tell(Telling::titled(NoticeKind::Reminder, headline));
        let next = later(step.at(), every);
        let step = if next < deadline {
            step.then(JobKind::Remind, next)
        } else {
            step
        };
        step.commit().await.map(drop)
    }

    /// An `escalate` job: others are told that nobody answered.
    pub(crate) async fn escalate(&self, job: &Job) -> Result<()> {
        let stored = self.0.store.job_action(&job.subject).await?;
        if self.waits_until(&stored.action).is_none() {
            return self.0.store.finish(job.claim.clone()).await;
        }
        let asked = stored.action.clocks.asked.unwrap_or(self.now());
        let waited = Duration::try_from(self.now().duration_since(asked)).unwrap_or_default();
        // Whole minutes: the job runs a moment after it is due.
        let waited = words(Duration::from_secs(waited.as_secs() / 60 * 60));
        let headline = match self.yeses(&stored.action).await?.is_empty() {
            true => format!("Escalation: nobody answered for {waited}"),
            false => format!("Escalation: one more yes was missing for {waited}"),
        };
        let mut step = Step::of_job(self, stored, &job.claim);
        step.action().clocks.escalated = Some(step.at());
        step.tell(Telling::titled(NoticeKind::Escalation, headline))
            .commit()
            .await
            .map(drop)
    }

    /// Until when an action can still be answered.
    fn waits_until(&self, action: &Action) -> Option<Timestamp> {
        let until = action.clocks.answer_by.filter(|until| *until > self.now());
        until.filter(|_| action.state == ActionState::AwaitingApproval)
    }

    async fn yeses(&self, action: &Action) -> Result<Vec<String>> {
        Ok(said_yes(action, &self.0.store.approvals(action.id).await?))
    }
}

/// What a person said.
struct Said<'a> {
    engine: &'a Engine,
    shown: &'a str,
    person: &'a Person,
    reason: &'a str,
    at: Timestamp,
}

impl Said<'_> {
    async fn to(&self, stored: Stored, yes: bool) -> Result<Stored, ActError> {
        let state = stored.action.state;
        if !matches!(state, ActionState::AwaitingApproval | ActionState::Unknown) {
            let words = state.words();
            return refused(format!(
                "the action is {words}; it does not wait for an answer"
            ));
        }
        self.has(Role::Responder)?;
        if shown(&stored.action) != self.shown {
            return Err(ActError::Changed);
        }
        let (name, reason) = (&self.person.name, self.reason);
        let step = match (state, yes) {
            (ActionState::Unknown, true) => self
                .step(stored)
                .to(
                    ActionState::Completed,
                    format!("{name} confirms that it happened: {reason}"),
                    Value::Null,
                )
                .tell(NoticeKind::Completed),
            (ActionState::Unknown, false) => self.step(stored).failed(
                format!("{name} says that it did not happen: {reason}"),
                Value::Null,
            ),
            (_, true) => return self.approve(stored).await,
            (_, false) => self
                .step(stored)
                .to(
                    ActionState::Rejected,
                    format!("{name} rejects: {reason}"),
                    Value::Null,
                )
                .answered()
                .tell(NoticeKind::Decided),
        };
        Ok(step.commit_answer(self.answer(yes)).await?)
    }

    /// Yes: enough, or one of two.
    async fn approve(&self, stored: Stored) -> Result<Stored, ActError> {
        let action = &stored.action;
        let quorum = action.decision.quorum;
        if let Some(deadline) = action.clocks.answer_by.filter(|until| *until <= self.at) {
            let passed = moment(deadline);
            return refused(format!(
                "the deadline was {passed}; nothing is done any more"
            ));
        }
        self.has(quorum.role)?;
        self.changed_nothing(action).await?;
        let rules = self.engine.rules();
        let approvals = &rules.settings.approvals;
        let earlier = self.engine.yeses(action).await?;
        let (name, reason) = (&self.person.name, self.reason);
        let of = if earlier.is_empty() { "" } else { " (2 of 2)" };
        let mut enough = self.step(stored.clone());
        enough.action().clocks.approved = Some(self.at);
        let enough = enough
            .to(
                ActionState::Scheduled,
                format!("{name} approves{of}: {reason}"),
                Value::Null,
            )
            .answered()
            .then(JobKind::Act, self.at)
            .tell(NoticeKind::Decided);
        // Where one is asked for, one yes is too little only for whoever said yes too often.
        let why = match quorum.approvers {
            ..=1 => format!(
                "; more than {} by one person within an hour need a second",
                approvals.alone_per_hour
            ),
            _ => String::new(),
        };
        let more = self
            .step(stored)
            .note(format!("{name} approves (1 of 2{why}): {reason}"))
            .tell(Telling::titled(
                NoticeKind::ApprovalNeeded,
                "One more yes needed",
            ));
        let since = self.at.checked_sub(HOUR).unwrap_or(Timestamp::MIN);
        let needs = Needs {
            approvers: quorum.approvers,
            alone: approvals.alone_per_hour,
            since,
        };
        match enough.commit_yes(more, self.answer(true), needs).await? {
            Approved::Enough(stored) | Approved::More(stored) => Ok(stored),
            Approved::Repeated => refused(format!(
                "you said yes already; now another {} has to",
                quorum.role
            )),
        }
    }

    fn has(&self, role: Role) -> Result<(), ActError> {
        let Person { name, role: theirs } = self.person;
        if *theirs >= role {
            return Ok(());
        }
        refused(format!(
            "this is for people with the role {role} to answer; {name} has the role {theirs}"
        ))
    }

    /// Whoever changed a rule does not also approve by it: one stolen account would be enough.
    async fn changed_nothing(&self, action: &Action) -> Result<(), ActError> {
        let rules = self.engine.rules();
        let excluded = rules.settings.approvals.author_excluded_for;
        let deciding = action.decision.reasons.iter().map(|r| r.rule.clone());
        let deciding = deciding.chain([GUARD.to_owned()]);
        let authors = self
            .engine
            .0
            .store
            .rule_authors(&action.organization, deciding.collect())
            .await?;
        for author in authors {
            let excluded = match author.rule == GUARD {
                true => excluded.max(Approvals::default().author_excluded_for),
                false => excluded,
            };
            let until = later(author.since, excluded);
            if author.person.as_ref() == Some(&self.person.name) && self.at < until {
                return refused(format!(
                    "you put the rule `{}` in force at {}, so another {} has to say yes (you may from {} on)",
                    author.rule,
                    moment(author.since),
                    action.decision.quorum.role,
                    moment(until)
                ));
            }
        }
        Ok(())
    }

    fn step(&self, stored: Stored) -> Step<'_> {
        let cause = Cause::Person {
            name: self.person.name.clone(),
            reason: self.reason.to_owned(),
        };
        Step::because(self.engine, stored, cause)
    }

    fn answer(&self, yes: bool) -> Answer {
        Answer {
            shown: self.shown.to_owned(),
            person: self.person.name.clone(),
            yes,
            reason: self.reason.to_owned(),
            at: self.at,
        }
    }
}

fn refused<T>(why: String) -> Result<T, ActError> {
    Err(ActError::Refused(why))
}

fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
