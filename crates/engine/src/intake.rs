//! Intake: from a body to durable alerts, incidents, decisions and intents.

use std::sync::Arc;

use jiff::Timestamp;
use quell_connector::DocumentError;
use quell_model::{
    Action, ActionId, ActionState, ActionType, Alert, AlertId, Cause, Clocks, ConnectionId,
    Decision, Effect, EffectBy, Entity, FileFacts, IncidentId, NoticeKind, Outcome, Reason,
    Transition,
};
use quell_policy::budget::{Counted, Per};
use quell_policy::{Budget, Storm};
use quell_store::{
    Again, Brake, Budgeted, Charge, Claim, Freshness, Ingest, Job, JobKind, NewJob, Of, Placed,
    Proposed, RECENT, Stored, StormLimit,
};
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;
use tracing::info;

use crate::engine::{Connection, Engine};
use crate::execute::{Decided, Fresh};
use crate::plan::{self, Planned, Standpoint};
use crate::rules::{Listed, Rules};
use crate::{approval, pace, tell, worker};

/// Why a body was not taken. Nothing of it was kept.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// There is no such connection.
    #[error("there is no connection `{0}`")]
    UnknownConnection(ConnectionId),
    /// The connection's connector reads no alerts.
    #[error("connection `{0}` is not a source of alerts")]
    NotASource(ConnectionId),
    /// A document cannot be read.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// An alert belongs to another customer of the vendor.
    #[error("{path}: the alert belongs to another customer than connection `{connection}` is for")]
    ForeignTenant {
        /// Where.
        path: String,
        /// The connection it was sent to.
        connection: ConnectionId,
    },
    /// The store failed.
    #[error("the alert could not be stored")]
    Store(#[from] quell_store::Error),
}

/// What became of a body.
#[derive(Debug, Clone, Default)]
pub struct Accepted {
    /// One entry per document, in order.
    pub alerts: Vec<Taken>,
}

/// What became of one document.
#[derive(Debug, Clone)]
pub struct Taken {
    /// The alert's id.
    pub id: AlertId,
    /// The incident it belongs to.
    pub incident: IncidentId,
    /// Whether it was known.
    pub freshness: Freshness,
    /// The actions that were placed or joined.
    pub actions: Vec<ActionId>,
}

/// How an alert came.
pub(crate) struct Arrival {
    /// The document.
    pub(crate) raw: String,
    /// When it was received.
    pub(crate) received: Timestamp,
    /// The incident it belongs to, when that is known: then it is an answer about it.
    pub(crate) belongs: Option<IncidentId>,
}

impl Engine {
    /// Takes in what `connection` sent. When this answers, everything is durable; what may run by
    /// itself is already on its way.
    ///
    /// # Errors
    /// Then nothing was taken in, but for documents before the one the store failed on.
    pub async fn accept(
        &self,
        connection: &ConnectionId,
        body: &str,
    ) -> Result<Accepted, IntakeError> {
        let received = self.now();
        let source = self
            .connection(connection)
            .ok_or_else(|| IntakeError::UnknownConnection(connection.clone()))?;
        let connected = &source.connected;
        let normalise = connected
            .normalise
            .ok_or_else(|| IntakeError::NotASource(connection.clone()))?;
        let documents = plan::documents(body, connected.envelope, normalise)?;
        if let Some(tenant) = &source.tenant {
            for (alert, document) in &documents {
                if alert.tenant.as_ref() != Some(tenant) {
                    let (path, connection) = (document.path.clone(), connection.clone());
                    return Err(IntakeError::ForeignTenant { path, connection });
                }
            }
        }
        let rules = self.rules();
        let mut accepted = Accepted::default();
        let arrival = |raw| Arrival {
            raw,
            received,
            belongs: None,
        };
        for (alert, document) in documents {
            let raw = document.json.get().to_owned();
            accepted
                .alerts
                .push(self.take(source, &rules, alert, arrival(raw)).await?);
        }
        Ok(accepted)
    }

    /// Takes one alert in.
    pub(crate) async fn take(
        &self,
        source: &Connection,
        rules: &Arc<Rules>,
        alert: Alert,
        arrival: Arrival,
    ) -> Result<Taken, IntakeError> {
        let Arrival {
            raw,
            received,
            belongs,
        } = arrival;
        let connected = &source.connected;
        let at = Standpoint {
            connection: &connected.id,
            now: received,
        };
        let through = |effect, target: &Entity| self.through(source, effect, target);
        let plan = plan::plan(rules, at, &alert, through);
        let id = AlertId::new(self.0.ids.uuid());
        let incident = IncidentId::new(self.0.ids.uuid());
        let mut proposed = Vec::with_capacity(plan.actions.len());
        let mut mine = Vec::with_capacity(plan.actions.len());
        for planned in plan.actions {
            let again = planned.recurrence(&connected.id, &alert);
            let (mut entry, claim) = self
                .propose(rules, &alert, (id, incident), planned, received)
                .await;
            entry.again = again.map(|event| Again {
                event,
                reason: second,
            });
            mine.push((entry.transitions.clone(), claim));
            proposed.push(entry);
        }
        // Nobody is asked about an answer.
        let asks = match belongs {
            None => self.to_ask(rules, &connected.id, &alert, received),
            Some(_) => None,
        };
        let asked = asks.is_some();
        let severity = alert.severity.as_str();
        let ingested = self
            .0
            .store
            .ingest(Ingest {
                id,
                incident,
                organization: self.organization().clone(),
                connection: connected.id.clone(),
                alert,
                raw,
                received,
                window: self.0.settings.incident_window,
                proposed,
                belongs,
                asks,
            })
            .await?;
        if asked {
            self.0.nudge.notify_one();
        }
        let freshness = match ingested.freshness {
            Freshness::New => "new",
            Freshness::Updated => "updated",
            Freshness::Duplicate => "duplicate",
        };
        metrics::counter!("quell_alerts_total", "connection" => connected.id.to_string(), "freshness" => freshness)
            .increment(1);
        info!(alert.id = %ingested.id, incident.id = %ingested.incident, connection = %connected.id, severity, freshness, "alert taken in");
        let mut actions = Vec::new();
        for (placed, (transitions, claim)) in ingested.placed.into_iter().zip(mine) {
            match placed {
                Placed::New { action, wait } => {
                    actions.push(action.id);
                    self.announce(&action, &transitions);
                    match claim.filter(|_| !wait) {
                        Some((claim, permit)) => self.go_on(rules, *action, claim, permit),
                        None => self.0.nudge.notify_one(),
                    }
                }
                Placed::Held {
                    action,
                    transitions,
                } => {
                    actions.push(action.id);
                    self.announce(&action, &transitions);
                    self.0.nudge.notify_one();
                }
                Placed::Joined(action) => actions.push(action),
                Placed::Promoted(action) => {
                    actions.push(action);
                    self.0.nudge.notify_one();
                }
                Placed::Known | Placed::First => {}
            }
        }
        Ok(Taken {
            id: ingested.id,
            incident: ingested.incident,
            freshness: ingested.freshness,
            actions,
        })
    }

    /// The connection through which an alert of `source` is acted on: its own, or the one that the
    /// organization's accounts are acted on through.
    pub(crate) fn through<'a>(
        &'a self,
        source: &'a Connection,
        effect: Effect,
        target: &Entity,
    ) -> Option<&'a ConnectionId> {
        let own = &source.connected;
        if own.facts(effect).is_some() {
            return Some(&own.id);
        }
        // Only by an address: the vendor's own id of an account means nothing to another one.
        let addressed = matches!(target, Entity::Account(account) if account.principal.is_some());
        let other = self.connection(source.accounts.as_ref().filter(|_| addressed)?)?;
        let connected = &other.connected;
        connected.facts(effect).map(|_| &connected.id)
    }

    /// Executes a just placed action that is this worker's already.
    fn go_on(
        &self,
        rules: &Arc<Rules>,
        action: Action,
        claim: Claim,
        permit: OwnedSemaphorePermit,
    ) {
        let job = Job {
            kind: JobKind::Act,
            subject: action.id.to_string(),
            attempts: 1,
            claim,
        };
        let decided = Decided::with(rules, &action);
        let fresh = Fresh {
            stored: Stored { action, version: 1 },
            decided,
        };
        worker::spawn(self, job, Some(fresh), permit);
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

    /// A planned action as it is to be stored, and the claim on its execution if this worker goes
    /// on with it at once.
    async fn propose(
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
fn second(other: Timestamp) -> Reason {
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
