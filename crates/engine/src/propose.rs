//! Proposing: what a planned action is stored as, what follows from it, and what may keep it from
//! running by itself.

use std::sync::Arc;

use jiff::Timestamp;
use quell_model::{
    Action, ActionId, ActionState, ActionType, Alert, AlertId, Cause, Clocks, Decision, Effect,
    EffectBy, FileFacts, IncidentId, NoticeKind, Outcome, Reason, Transition,
};
use quell_policy::budget::{Counted, Per};
use quell_policy::{Budget, Storm};
use quell_store::{
    Brake, Budgeted, Charge, Claim, JobKind, NewJob, Of, Proposed, RECENT, StormLimit,
};
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;

use crate::engine::Engine;
use crate::plan::{self, Planned};
use crate::rules::{Listed, Rules};
use crate::{approval, pace, tell};

impl Engine {
    /// A planned action as it is to be stored, and the claim on its execution if this worker goes
    /// on with it at once.
    pub(crate) async fn propose(
        &self,
        rules: &Arc<Rules>,
        alert: &Alert,
        (alert_id, incident): (AlertId, IncidentId),
        planned: Planned,
        received: Timestamp,
    ) -> (Proposed, Option<(Claim, OwnedSemaphorePermit)>) {
        let now = self.now();
        let shadow = !self.opted_in().allow(planned.action);
        let state = first_state(&planned.decision, shadow);
        let action = Action {
            id: ActionId::new(self.0.ids.uuid()),
            organization: self.organization().clone(),
            incident,
            alert: alert_id,
            connection: planned.connection,
            action: planned.action,
            note: first_note(planned.action, state),
            target: planned.target,
            asset: planned.asset,
            file: FileFacts::default(),
            playbook: planned.playbook,
            state,
            decision: planned.decision,
            basis: plan::basis(alert),
            prior: None,
            effect_by: EffectBy::Nobody,
            receipt: None,
            clocks: Clocks {
                detected: Some(alert.time),
                received: Some(received),
                decided: Some(now),
                ..Clocks::default()
            },
        };
        let evidence = plan::evidence(&action, &planned.listed);
        let mut entry = self.entry(rules, action, evidence, now);
        if state != ActionState::Scheduled {
            return (entry, None);
        }
        entry.budgeted = self.budgeted(rules, &entry.action, planned.listed, now);
        let id = entry.action.id;
        let mut job = NewJob::at(JobKind::Act, id, now);
        let mut claimed = None;
        // One worker is free: it goes on without another trip through the queue. For a property the
        // intent goes into the same commit, so that the call leaves after one flush; a one-shot's
        // intent is written just before the call, because an intent without a receipt means for it
        // that nobody knows.
        if !self.is_paused(&entry.action.connection)
            && let Some(permit) = self.free_worker().await
        {
            let until = quell_connector::call::later(now, pace::LEASE);
            let claim = Claim::new(self.0.node, JobKind::Act.key(&id.to_string()), until);
            job.claim = Some(claim.clone());
            claimed = Some((claim, permit));
            if let Effect::Set { property, to } = entry.action.action.effect() {
                let note = format!("About to set {} to {to}.", property.as_str());
                entry.transitions.push(Transition {
                    at: now,
                    from: Some(ActionState::Scheduled),
                    to: ActionState::Running,
                    cause: Cause::Engine,
                    note: note.clone(),
                    evidence: Value::Null,
                });
                entry.action.state = ActionState::Running;
                entry.action.note = note;
            }
        }
        entry.jobs.push(job);
        (entry, claimed)
    }

    /// A worker, if one is free or becomes free in a moment. In a storm this slows the senders to the
    /// pace of the work, which costs less than a trip through the queue for every action.
    async fn free_worker(&self) -> Option<OwnedSemaphorePermit> {
        let slots = self.0.slots.clone();
        if let Ok(permit) = slots.clone().try_acquire_owned() {
            return Some(permit);
        }
        if self.0.settings.workers == 0 {
            return None;
        }
        let limit = quell_connector::call::later(self.now(), pace::ROOM);
        tokio::select! {
            biased;
            permit = slots.acquire_owned() => permit.ok(),
            () = self.0.clock.until(limit) => None,
        }
    }

    /// An action that has just been decided, with the first row of its journal and what follows but
    /// for its execution.
    fn entry(
        &self,
        rules: &Rules,
        mut action: Action,
        evidence: Value,
        now: Timestamp,
    ) -> Proposed {
        let mut jobs = Vec::new();
        if action.state == ActionState::AwaitingApproval {
            jobs = approval::ask(&rules.settings.approvals, &mut action, now);
        }
        let transitions = vec![Transition {
            at: now,
            from: Some(ActionState::Proposed),
            to: action.state,
            cause: Cause::Policy,
            note: action.note.clone(),
            evidence,
        }];
        let kind = match action.state {
            ActionState::AwaitingApproval => NoticeKind::ApprovalNeeded,
            ActionState::Scheduled => NoticeKind::Decided,
            _ => NoticeKind::Proposed,
        };
        let incident = action.incident.to_string();
        let messages = tell::messages(self, &action, &kind.into(), now)
            .into_iter()
            // The incident may turn out to be an older one; the store fills it in.
            .map(|mut message| {
                if message.thread == incident {
                    message.thread = String::new();
                }
                message
            })
            .collect();
        let target = action
            .target
            .key()
            .unwrap_or_else(|| format!("unidentified:{}", action.target));
        Proposed {
            action,
            target,
            transitions,
            jobs,
            messages,
            budgeted: None,
            again: None,
        }
    }

    /// The budgets that an action which would run by itself is charged to, in the transaction that
    /// lets it run. Without budget left, and in a storm, it asks.
    fn budgeted(
        &self,
        rules: &Arc<Rules>,
        action: &Action,
        listed: Listed,
        now: Timestamp,
    ) -> Option<Budgeted> {
        let counted = Counted {
            source: action.connection.as_str(),
            detection: &action.basis.detection,
            action: action.action,
            target: &action.target,
        };
        let charge = |budget: &Budget| {
            let scope = budget.scope(&counted);
            Charge {
                budget: budget.name.clone(),
                scope: scope.name,
                entity: scope.entity,
                window: budget.window,
                limit: budget.limit(rules.guardrails.fleet),
                while_new: budget.new_for.map(|span| match budget.per {
                    Per::Detection => (Of::Detection, span),
                    _ => (Of::Source, span),
                }),
            }
        };
        let settings = &rules.settings;
        let covering = settings.budgets.covering(action.action, action.asset.class);
        let charges: Vec<Charge> = covering.map(charge).collect();
        let storm = settings.storm.map(|storm| StormLimit {
            at_least: storm.at_least,
            times: storm.times,
        });
        if charges.is_empty() && storm.is_none() {
            return None;
        }
        let (engine, rules) = (self.clone(), rules.clone());
        let held = Budgeted::new(charges, move |action, brakes| {
            let mut action = action.clone();
            let reasons = brakes.iter().filter_map(|brake| held_by(&rules, brake));
            action.decision = Decision::new(Outcome::Ask, reasons.collect());
            action.state = ActionState::AwaitingApproval;
            action.note = first_note(action.action, action.state);
            let evidence = plan::evidence(&action, &listed);
            engine.entry(&rules, action, evidence, now)
        });
        Some(held.calm_below(storm))
    }
}

/// Why what is for the second time only is done.
pub(crate) fn second(other: Timestamp) -> Reason {
    let text = format!(
        "It is the second one of the same person: the other was at {}.",
        other.strftime("%F %H:%M UTC")
    );
    Reason::new("second-time", text)
}

/// Why an action is held back.
fn held_by(rules: &Rules, brake: &Brake) -> Option<Reason> {
    match brake {
        Brake::Spent(charge) => {
            let mut budgets = rules.settings.budgets.iter();
            let budget = budgets.find(|budget| budget.name == charge.budget)?;
            Some(budget.spent(charge.limit))
        }
        Brake::Storm(storm) => {
            let what = match storm.of {
                Of::Source => "connection",
                Of::Detection => "detection",
            };
            Some(Storm::reason(what, storm.recent, storm.usual, RECENT))
        }
    }
}

/// The state a decision puts a new action in.
pub(crate) const fn first_state(decision: &Decision, shadow: bool) -> ActionState {
    match decision.outcome {
        Outcome::Never => ActionState::Denied,
        Outcome::Manual => ActionState::Manual,
        Outcome::Auto | Outcome::Ask if shadow => ActionState::Shadowed,
        Outcome::Auto => ActionState::Scheduled,
        Outcome::Ask => ActionState::AwaitingApproval,
    }
}

fn first_note(action: ActionType, state: ActionState) -> String {
    match state {
        ActionState::Shadowed => format!(
            "Shadow mode: {} is not opted in, so this is recorded and not done.",
            action.as_str()
        ),
        ActionState::Denied => "Policy says never.".to_owned(),
        ActionState::Manual => "Quell cannot do this; it is for a person.".to_owned(),
        ActionState::AwaitingApproval => "Waits for a person's yes or no.".to_owned(),
        _ => "Policy lets it run by itself.".to_owned(),
    }
}
