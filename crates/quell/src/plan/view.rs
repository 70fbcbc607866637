//! What `quell plan --format json` prints. The doc comments are the reference text.

use jiff::Timestamp;
use quell_engine::{Events, Plan};
use quell_model::alert::{Note, Prevention};
use quell_model::{
    ActionType, Alert, AlertKind, AlertStatus, AssetFacts, ConnectionId, Entity, Outcome, Reason,
    Severity, Technique,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

/// What would be done about some alerts.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PlanView {
    /// The alerts, in the order of the input.
    pub alerts: Vec<AlertView>,
    /// What would be done, in the order it would be done.
    pub actions: Vec<ActionView>,
    /// What a playbook would have proposed and did not, and why.
    pub skipped: Vec<SkippedView>,
    /// What it was decided by.
    pub policy: PolicyView,
}

/// What it was decided by.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PolicyView {
    /// The configuration file; `null` means the rules that ship with Quell.
    pub config: Option<String>,
}

/// One alert, normalised.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AlertView {
    /// Connector that understood the document (`crowdstrike`).
    pub source: String,
    /// The vendor's id of the alert; `actions` and `skipped` name it.
    pub id: String,
    /// One line for people.
    pub title: String,
    /// How bad.
    pub severity: Severity,
    /// How sure the vendor is, 0 to 100; `null` when it does not say.
    pub confidence: Option<u8>,
    /// What it is about; it selects the playbook.
    pub kind: AlertKind,
    /// When the activity happened.
    pub time: Timestamp,
    /// ATT&CK techniques.
    pub techniques: Vec<Technique>,
    /// Where it stands at the vendor.
    pub status: AlertStatus,
    /// Page in the vendor's console; `null` when the document has none.
    pub console_url: Option<String>,
    /// What it is about, in detail: hosts, processes, files, accounts and so on.
    pub entities: Vec<Entity>,
    /// Sentences about what the document lacks or contradicts.
    pub notes: Vec<Note>,
    /// Why nothing is proposed at all; `null` when something is, or when `skipped` says why not.
    pub nothing_proposed: Option<Reason>,
    /// A sentence or two, as the vendor gave it; `null` when it gave none.
    pub description: Option<String>,
    /// Name of the rule or pattern that fired.
    pub detection: String,
    /// When the vendor last changed it; `null` when it does not say.
    pub updated: Option<Timestamp>,
    /// The vendor's id of the customer it belongs to; `null` when the document has none.
    pub tenant: Option<String>,
    /// What the vendor's own prevention already did.
    pub prevention: Prevention,
    /// What the document says of the machine.
    pub asset: AssetFacts,
}

/// One proposed and decided action.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ActionView {
    /// Id of the alert that asks for it.
    pub alert: String,
    /// What to do.
    pub action: ActionType,
    /// To what: the entity as in `entities`, always with an `id`. For a host that is the vendor's
    /// device id, for a process host, pid and image name, for a file its hash; `null` when the
    /// document does not identify the target well enough to act on it.
    #[schemars(with = "Entity")]
    pub target: Value,
    /// Whether it may run.
    #[schemars(schema_with = "outcome")]
    pub decision: Outcome,
    /// The rules that decided, each with one sentence.
    pub reasons: Vec<Reason>,
    /// Playbook that proposed it.
    pub playbook: String,
    /// What is known of the target beyond the alert.
    pub asset: AssetFacts,
    /// The target as a person would name it.
    pub target_name: String,
}

/// One action that was not proposed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SkippedView {
    /// Id of the alert.
    pub alert: String,
    /// What was not proposed.
    pub action: ActionType,
    /// For what; `null` when the alert names no such thing.
    #[schemars(with = "Option<Entity>")]
    pub target: Option<Value>,
    /// Why not.
    pub reason: Reason,
    /// Playbook that would have proposed it.
    pub playbook: String,
}

fn outcome(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "string",
        "oneOf": [
            { "const": "auto", "description": "It runs by itself." },
            { "const": "ask", "description": "A person has to say yes." },
            { "const": "never", "description": "It does not run through Quell." },
            { "const": "manual", "description": "Quell cannot do it: a person has to, elsewhere." },
        ],
    })
}

impl PlanView {
    /// A plan for nothing yet.
    #[must_use]
    pub const fn empty(policy: PolicyView) -> Self {
        Self {
            alerts: Vec::new(),
            actions: Vec::new(),
            skipped: Vec::new(),
            policy,
        }
    }

    /// Adds what would be done about one alert, after those in `events`.
    pub fn add(
        &mut self,
        connection: &ConnectionId,
        alert: Alert,
        plan: Plan,
        events: &mut Events,
    ) {
        for planned in plan.actions {
            if let Some(event) = planned.recurrence(connection, &alert)
                && !events.happened_again(event.clone())
            {
                self.skipped.push(SkippedView {
                    alert: alert.id.clone(),
                    action: planned.action,
                    target: Some(identified(&planned.target)),
                    reason: Events::first(&event),
                    playbook: planned.playbook,
                });
                continue;
            }
            self.actions.push(ActionView {
                alert: alert.id.clone(),
                action: planned.action,
                target_name: planned.target.to_string(),
                target: identified(&planned.target),
                decision: planned.decision.outcome,
                reasons: planned.decision.reasons,
                playbook: planned.playbook,
                asset: planned.asset,
            });
        }
        for skipped in plan.skipped {
            self.skipped.push(SkippedView {
                alert: alert.id.clone(),
                action: skipped.action,
                target: skipped.target.as_ref().map(identified),
                reason: skipped.reason,
                playbook: skipped.playbook,
            });
        }
        self.alerts.push(AlertView {
            source: alert.source,
            id: alert.id,
            title: alert.title,
            severity: alert.severity,
            confidence: alert.confidence,
            kind: alert.kind,
            time: alert.time,
            techniques: alert.techniques,
            status: alert.status,
            console_url: alert.console_url,
            entities: alert.entities,
            notes: alert.notes,
            nothing_proposed: plan.none,
            description: alert.description,
            detection: alert.detection,
            updated: alert.updated,
            tenant: alert.tenant,
            prevention: alert.prevention,
            asset: alert.asset,
        });
    }
}

/// The entity with its type and an id, whatever its own fields are.
fn identified(entity: &Entity) -> Value {
    let mut target = match serde_json::to_value(entity) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    };
    let key = entity.key();
    let id = key
        .as_deref()
        .and_then(|key| key.split_once(':'))
        .map(|(_, id)| id);
    target.entry("id").or_insert_with(|| id.into());
    Value::Object(target)
}

#[cfg(test)]
mod tests {
    use quell_model::entity::{File, Host, Process};

    use super::*;

    #[test]
    fn every_target_has_an_id_and_keeps_its_own_fields() {
        let host = identified(
            &Host {
                id: Some("h1".into()),
                ..Host::default()
            }
            .into(),
        );
        assert_eq!((&host["type"], &host["id"]), (&"host".into(), &"h1".into()));
        let process = Process {
            host_id: Some("h1".into()),
            pid: Some(7),
            name: Some("a.exe".into()),
            ..Process::default()
        };
        let process = identified(&process.into());
        assert_eq!(
            (&process["id"], &process["pid"]),
            (&"h1/7/a.exe".into(), &7.into())
        );
        let file = identified(
            &File {
                sha256: Some("ab".into()),
                ..File::default()
            }
            .into(),
        );
        assert_eq!((&file["id"], &file["sha256"]), (&"ab".into(), &"ab".into()));
        assert_eq!(identified(&Process::default().into())["id"], Value::Null);
    }
}
