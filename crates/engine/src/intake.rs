//! Intake: from a body to durable alerts, incidents, decisions and intents.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use quell_connector::DocumentError;
use quell_model::{Action, ActionId, Alert, AlertId, ConnectionId, Effect, Entity, IncidentId};
use quell_policy::is_common;
use quell_store::{Again, Claim, Freshness, Ingest, Job, JobKind, Link, Placed, Stored};
use tokio::sync::OwnedSemaphorePermit;
use tracing::info;

use crate::engine::{Connection, Engine};
use crate::execute::Fresh;
use crate::plan::{self, Standpoint};
use crate::propose::second;
use crate::recheck::Decided;
use crate::rules::Rules;
use crate::worker;

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

/// Alerts that are taken in side by side at most.
pub(crate) const TOGETHER: usize = 64;

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
    /// Then nothing was taken in, but for what the store took before it failed.
    pub async fn accept(
        &self,
        connection: &ConnectionId,
        body: &str,
    ) -> Result<Accepted, IntakeError> {
        let received = self.now();
        let source = self
            .connection(connection)
            .ok_or_else(|| IntakeError::UnknownConnection(connection.clone()))?;
        let alerts = read(source, body)?;
        let alerts = self.take_all(source, alerts, received).await?;
        Ok(Accepted { alerts })
    }

    /// Takes alerts in side by side, so that they share flushes. Versions of one alert keep their order:
    /// the last one counts.
    pub(crate) async fn take_all(
        &self,
        source: &Connection,
        alerts: Vec<(Alert, String)>,
        received: Timestamp,
    ) -> quell_store::Result<Vec<Taken>> {
        let rules = &self.rules();
        let mut ids = HashSet::new();
        let versions = alerts.iter().any(|(alert, _)| !ids.insert(&alert.id));
        let together = if versions { 1 } else { TOGETHER };
        let taken: Vec<_> = stream::iter(alerts)
            .map(|(alert, raw)| {
                let arrival = Arrival {
                    raw,
                    received,
                    belongs: None,
                };
                self.take(source, rules, alert, arrival)
            })
            .buffered(together)
            .collect()
            .await;
        // Only now is one that failed looked at: the others are not to be dropped between the claim on an
        // action and its start.
        taken.into_iter().collect()
    }

    /// Takes one alert in.
    pub(crate) async fn take(
        &self,
        source: &Connection,
        rules: &Arc<Rules>,
        alert: Alert,
        arrival: Arrival,
    ) -> quell_store::Result<Taken> {
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
                links: links(&alert),
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
}

/// Reads what a connection sent: each alert with its document.
pub(crate) fn read(source: &Connection, body: &str) -> Result<Vec<(Alert, String)>, IntakeError> {
    let connected = &source.connected;
    let normalise = connected
        .normalise
        .ok_or_else(|| IntakeError::NotASource(connected.id.clone()))?;
    let documents = plan::documents(body, connected.envelope, normalise)?;
    let mut alerts = Vec::with_capacity(documents.len());
    for (alert, document) in documents {
        if source.tenant.is_some() && alert.tenant != source.tenant {
            return Err(IntakeError::ForeignTenant {
                path: document.path,
                connection: connected.id.clone(),
            });
        }
        alerts.push((alert, document.json.get().to_owned()));
    }
    Ok(alerts)
}

/// What an alert may share with others. A program that runs everywhere would make one incident of all
/// that happens.
fn links(alert: &Alert) -> Vec<Link> {
    let tells = |entity: &&Entity| !matches!(entity, Entity::File(file) if is_common(file));
    let link = |entity: &Entity| {
        Some(Link {
            key: entity.key()?,
            place: matches!(entity, Entity::Host(_) | Entity::Account(_)),
        })
    };
    alert
        .entities
        .iter()
        .filter(tells)
        .filter_map(link)
        .collect()
}
