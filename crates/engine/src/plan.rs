//! The plan for an alert: what is proposed, what is decided about it, and why. Pure, so that
//! `quell plan` says precisely what the server would do.

use std::cell::LazyCell;

use jiff::Timestamp;
use quell_connector::DocumentError;
use quell_connector::document::{self, Document};
use quell_connector::vendor::Normalise;
use quell_model::{
    Action, ActionType, Alert, AssetFacts, Basis, ConnectionId, Decision, Effect, Entity,
    FileFacts, Outcome, Reason,
};
use quell_policy::lists::Lookup;
use quell_policy::{Again, Question, Skipped};
use serde_json::{Value, json};

use crate::rules::{Listed, Rules};

/// What is to be done about an alert.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What is proposed, each decided.
    pub actions: Vec<Planned>,
    /// What is not even proposed, and why.
    pub skipped: Vec<Skipped>,
    /// Why nothing is proposed at all, when no playbook answers this kind of alert.
    pub none: Option<Reason>,
}

/// One proposed and decided action.
#[derive(Debug, Clone)]
pub struct Planned {
    /// What to do.
    pub action: ActionType,
    /// To what.
    pub target: Entity,
    /// What is known of the target.
    pub asset: AssetFacts,
    /// Playbook that proposes it.
    pub playbook: String,
    /// The decision.
    pub decision: Decision,
    /// The lists the target is on.
    pub listed: Listed,
    /// It is for the second time only.
    pub again: Option<Again>,
    /// The connection it goes through.
    pub connection: ConnectionId,
}

/// Where and when it is decided: what list entries may be limited to.
#[derive(Debug, Clone, Copy)]
pub struct Standpoint<'a> {
    /// The connection that would act.
    pub connection: &'a ConnectionId,
    /// The moment.
    pub now: Timestamp,
}

/// Plans for an alert. `through` names the connection that can do an effect to an entity: the alert's
/// own, another one, or none.
#[must_use]
pub fn plan<'c>(
    rules: &Rules,
    at: Standpoint<'_>,
    alert: &Alert,
    through: impl Fn(Effect, &Entity) -> Option<&'c ConnectionId>,
) -> Plan {
    let proposed = rules.playbooks.propose(alert);
    let basis = basis(alert);
    let itself = LazyCell::new(|| rules.guardrails.about_quell(alert, at.connection, at.now));
    let actions = proposed
        .proposals
        .into_iter()
        .map(|proposal| {
            let asset = asset(rules, alert, &proposal.target);
            let mut listed = Listed::default();
            let able = through(proposal.action.effect(), &proposal.target);
            let decision = match (proposal.gap, able) {
                (Some(gap), _) => Decision::new(Outcome::Manual, vec![gap]),
                (None, None) => Decision::because(
                    Outcome::Manual,
                    "action-not-supported",
                    format!(
                        "The {} connector cannot {}.",
                        alert.source,
                        proposal.action.phrase()
                    ),
                ),
                (None, Some(connection)) => {
                    let at = Standpoint {
                        connection,
                        now: at.now,
                    };
                    // No document says more of a file; the vendor does, when it is read.
                    let file = FileFacts::default();
                    let decision;
                    (decision, listed) = decide(
                        rules,
                        at,
                        proposal.action,
                        &proposal.target,
                        (&asset, file),
                        &basis,
                    );
                    if decision.outcome == Outcome::Auto && *itself {
                        Decision::because(
                            Outcome::Ask,
                            OWN_ACTIVITY,
                            "The alert is about Quell itself; what Quell does may have raised it.",
                        )
                    } else {
                        with_doubt(alert, &proposal.target, decision)
                    }
                }
            };
            Planned {
                action: proposal.action,
                target: proposal.target,
                asset,
                playbook: proposal.playbook,
                decision,
                listed,
                again: proposal.again,
                connection: able.unwrap_or(at.connection).clone(),
            }
        })
        .collect();
    Plan {
        actions,
        skipped: proposed.skipped,
        none: proposed.none,
    }
}

/// The check that an alert is not about Quell's own doing.
const OWN_ACTIVITY: &str = "own-activity";

/// Where the document contradicts itself about which machine is meant, nothing runs by itself.
fn with_doubt(alert: &Alert, target: &Entity, decision: Decision) -> Decision {
    let on_a_host = matches!(target, Entity::Host(_) | Entity::Process(_));
    let doubts: Vec<Reason> = alert
        .notes
        .iter()
        .filter(|note| note.doubt)
        .map(|note| Reason::new("target-in-doubt", note.text.clone()))
        .collect();
    if decision.outcome == Outcome::Auto && on_a_host && !doubts.is_empty() {
        return Decision::new(Outcome::Ask, doubts);
    }
    decision
}

/// What policy needs to know of an alert.
#[must_use]
pub(crate) fn basis(alert: &Alert) -> Basis {
    Basis {
        severity: alert.severity,
        confidence: alert.confidence,
        source: alert.source.clone(),
        detection: alert.detection.clone(),
    }
}

/// What is known of a target when an alert comes in: what the document says, and what the
/// organization says.
fn asset(rules: &Rules, alert: &Alert, target: &Entity) -> AssetFacts {
    let mut facts = alert.asset.clone();
    if let Entity::Host(host) = target {
        facts = facts.with(&AssetFacts {
            class: host.class,
            ..AssetFacts::default()
        });
    }
    // A file lies on the alert's host, and its document may not repeat the host's id.
    for host in alert
        .entities
        .iter()
        .filter(|entity| matches!(entity, Entity::Host(_)))
    {
        facts = facts.with(&rules.guardrails.asset(host));
    }
    facts.with(&rules.guardrails.asset(target))
}

/// Asks policy; says on which lists the target was found.
pub(crate) fn decide(
    rules: &Rules,
    at: Standpoint<'_>,
    action: ActionType,
    target: &Entity,
    (asset, file): (&AssetFacts, FileFacts),
    basis: &Basis,
) -> (Decision, Listed) {
    let listed = rules.guardrails.listed(&Lookup {
        action,
        target,
        labels: &asset.labels,
        connection: at.connection,
        now: at.now,
    });
    let decision = rules.policy.decide(&Question {
        action,
        target,
        asset,
        basis,
        file,
        lists: &listed.names,
        entry: listed.entries.first().map(String::as_str),
    });
    (decision, listed)
}

/// What the journal keeps of a decision: the answer, and the facts it was taken with that may be
/// others later.
pub(crate) fn evidence(action: &Action, listed: &Listed) -> Value {
    let mut evidence = json!({ "decision": action.decision, "asset": action.asset });
    if let Some(members) = evidence.as_object_mut() {
        if *listed != Listed::default() {
            members.insert("lists".to_owned(), json!(listed));
        }
        if !action.file.is_empty() {
            members.insert("file".to_owned(), json!(action.file));
        }
    }
    evidence
}

/// Reads the alert documents in `body`, all or none.
///
/// # Errors
/// With the place at fault.
pub fn documents<'a>(
    body: &'a str,
    envelope: &[&str],
    normalise: Normalise,
) -> Result<Vec<(Alert, Document<'a>)>, DocumentError> {
    let mut read = Vec::new();
    for document in document::split(body, envelope)? {
        let alert = normalise(document.json).map_err(|error| error.inside(&document.path))?;
        read.push((alert, document));
    }
    Ok(read)
}
