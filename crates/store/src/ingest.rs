//! Taking an alert in: dedupe, correlate, place the proposed actions, in one transaction.

use std::time::Duration;

use jiff::Timestamp;
use quell_model::{
    Action, ActionId, ActionState, Alert, AlertId, Cause, ConnectionId, IncidentId, OrganizationId,
    Reason, Transition,
};
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

use crate::actions::{self, NewJob};
use crate::budgets::{self, Budgeted, Charged, Held};
use crate::correlate::{self, Link};
use crate::error::{Error, Result};
use crate::group::Group;
use crate::jobs;
use crate::micros;
use crate::outbox::{self, Envelope};
use crate::pulse::Pulses;
use crate::questions::{self, NewQuestion};
use crate::recurrence::{self, Recurrence};
use crate::sqlite::Store;

/// An alert to take in, with what is proposed for it.
#[derive(Debug, Clone)]
pub struct Ingest {
    /// Its id, if it is new.
    pub id: AlertId,
    /// Id of the incident it opens, if it belongs to none.
    pub incident: IncidentId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// Where it came from.
    pub connection: ConnectionId,
    /// The alert.
    pub alert: Alert,
    /// The document as received.
    pub raw: String,
    /// When it was received.
    pub received: Timestamp,
    /// What it may share with other alerts.
    pub links: Vec<Link>,
    /// How long an incident stays open to alerts that share an entity with it.
    pub window: Duration,
    /// What is proposed, already decided.
    pub proposed: Vec<Proposed>,
    /// The incident it belongs to whatever it shares, when that is known.
    pub belongs: Option<IncidentId>,
    /// What the person it is about is asked, if it is new.
    pub asks: Option<NewQuestion>,
}

impl Ingest {
    /// When the window began in which other alerts belong to the same incident.
    pub(crate) fn since(&self) -> Timestamp {
        let began = self.received.checked_sub(self.window);
        began.unwrap_or(Timestamp::MIN)
    }
}

/// A proposed and decided action.
#[derive(Debug, Clone)]
pub struct Proposed {
    /// The action in the state its decision put it in.
    pub action: Action,
    /// Key of its target.
    pub target: String,
    /// Its first journal rows.
    pub transitions: Vec<Transition>,
    /// Jobs that follow if it is placed.
    pub jobs: Vec<NewJob>,
    /// Messages that follow if it is placed. Their incident is filled in here.
    pub messages: Vec<Envelope>,
    /// The budgets it runs by itself on, if there are any.
    pub budgeted: Option<Budgeted>,
    /// It is placed only if its event has happened to its subject before, or has since.
    pub again: Option<Again>,
}

/// What makes an action one for the second time only.
#[derive(Debug, Clone)]
pub struct Again {
    /// The event behind it.
    pub event: Recurrence,
    /// Why it is placed, given when the other event was.
    pub reason: fn(Timestamp) -> Reason,
}

/// Whether the alert was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Never seen.
    New,
    /// Seen, and the vendor changed it since.
    Updated,
    /// Seen precisely so.
    Duplicate,
}

/// What became of a proposed action.
#[derive(Debug, Clone, PartialEq)]
pub enum Placed {
    /// It is stored under its own id, in this incident.
    New {
        /// The action as stored.
        action: Box<Action>,
        /// Its job was put off: an older action on the target is being taken back.
        wait: bool,
    },
    /// A budget is spent, or there is a storm: it is stored as what it becomes then.
    Held {
        /// The action as stored.
        action: Box<Action>,
        /// Its first journal rows.
        transitions: Vec<Transition>,
    },
    /// An action that is under way, or over with the same end, stands for it.
    Joined(ActionId),
    /// An action that waited for a person stands for it, and may now run by itself.
    Promoted(ActionId),
    /// An earlier version of the alert led to it.
    Known,
    /// It is for the second event, and this is the first.
    First,
}

/// What became of an alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Ingested {
    /// Its id.
    pub id: AlertId,
    /// The incident it belongs to.
    pub incident: IncidentId,
    /// Whether it was known.
    pub freshness: Freshness,
    /// What became of what was proposed, in order.
    pub placed: Vec<Placed>,
}

impl Store {
    /// Takes an alert in. When this answers, the alert and everything decided about it is durable.
    ///
    /// # Errors
    /// When the database fails; then nothing was taken in.
    pub async fn ingest(&self, ingest: Ingest) -> Result<Ingested> {
        // Written here, on the caller's thread: the writer's time is everybody's.
        let texts = Texts::of(&ingest)?;
        self.write(move |db| take_in(db, &ingest, &texts)).await
    }
}

/// The documents of an alert, as they are stored if it opens an incident of its own.
struct Texts {
    digest: [u8; 32],
    alert: String,
    proposed: Vec<ProposedTexts>,
}

struct ProposedTexts {
    action: String,
    transitions: String,
}

impl Texts {
    fn of(ingest: &Ingest) -> Result<Self> {
        let proposed = ingest.proposed.iter().map(|proposed| {
            Ok(ProposedTexts {
                action: serde_json::to_string(&proposed.action)?,
                transitions: serde_json::to_string(&proposed.transitions)?,
            })
        });
        Ok(Self {
            digest: Sha256::digest(ingest.raw.as_bytes()).into(),
            alert: serde_json::to_string(&ingest.alert)?,
            proposed: proposed.collect::<Result<_>>()?,
        })
    }
}

/// How long a new action waits for an older one on the same target that is being taken back.
const AFTER_REVERT: Duration = Duration::from_secs(30);

fn take_in(db: &Group<'_>, ingest: &Ingest, texts: &Texts) -> Result<Ingested> {
    let known: Option<(String, Vec<u8>, String)> = db
        .prepare_cached(
            "SELECT id, digest, incident FROM alerts WHERE organization = ?1 AND connection = ?2 AND vendor_id = ?3",
        )?
        .query_row(
            params![ingest.organization.as_str(), ingest.connection.as_str(), ingest.alert.id],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let (id, incident, freshness) = match known {
        Some((id, seen, incident)) => {
            let (id, incident) = (parse(&id)?, parse(&incident)?);
            if seen == texts.digest {
                return Ok(Ingested {
                    id,
                    incident,
                    freshness: Freshness::Duplicate,
                    placed: Vec::new(),
                });
            }
            db.prepare_cached(
                "UPDATE alerts SET digest = ?2, document = ?3, raw = ?4 WHERE id = ?1",
            )?
            .execute(params![
                AlertId::to_string(&id),
                texts.digest,
                texts.alert,
                ingest.raw
            ])?;
            (id, incident, Freshness::Updated)
        }
        None => {
            let incident = match ingest.belongs {
                Some(incident) => incident,
                None => correlate::find(db, ingest)?.unwrap_or(ingest.incident),
            };
            db.prepare_cached(
                "INSERT INTO alerts
                   (id, organization, connection, vendor_id, digest, incident, received, document, raw)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                ingest.id.to_string(),
                ingest.organization.as_str(),
                ingest.connection.as_str(),
                ingest.alert.id,
                texts.digest,
                incident.to_string(),
                micros(ingest.received),
                texts.alert,
                ingest.raw
            ])?;
            (ingest.id, incident, Freshness::New)
        }
    };
    correlate::touch(db, ingest, incident, freshness)?;
    let pulses = match freshness {
        Freshness::New => Pulses::beat(db, ingest)?,
        _ => Pulses::feel(db, ingest)?,
    };
    if let Some(question) = ingest.asks.as_ref().filter(|_| freshness == Freshness::New) {
        questions::ask(db, &ingest.organization, question, (id, incident))?;
    }
    let opened = incident == ingest.incident;
    let mut placed = Vec::with_capacity(ingest.proposed.len());
    for (proposed, written) in ingest.proposed.iter().zip(&texts.proposed) {
        let mut action = proposed.action.clone();
        action.alert = id;
        action.incident = incident;
        let place = Place {
            db,
            freshness,
            opened,
            now: ingest.received,
            since: ingest.since(),
            pulses: &pulses,
            action,
            proposed,
            written,
        };
        placed.push(place.run()?);
    }
    Ok(Ingested {
        id,
        incident,
        freshness,
        placed,
    })
}

/// Whether an earlier version of the alert led to more than a record of this.
fn done_for(db: &Connection, alert: AlertId, action: &Action, target: &str) -> Result<bool> {
    Ok(db
        .prepare_cached(
            "SELECT EXISTS (
               SELECT 1 FROM actions a WHERE incident = ?1 AND type = ?2 AND target = ?3
                 AND state NOT IN ('shadowed', 'denied', 'manual', 'rejected') AND (
                 a.alert = ?4 OR EXISTS (SELECT 1 FROM joined j WHERE j.action = a.id AND j.alert = ?4)))",
        )?
        .query_row(
            params![action.incident.to_string(), action.action.as_str(), target, alert.to_string()],
            |row| row.get(0),
        )?)
}

/// Placing one proposed action.
struct Place<'a> {
    db: &'a Group<'a>,
    freshness: Freshness,
    opened: bool,
    now: Timestamp,
    /// When the window began in which alerts belong together.
    since: Timestamp,
    pulses: &'a Pulses,
    /// The action with the alert and incident it really belongs to.
    action: Action,
    proposed: &'a Proposed,
    written: &'a ProposedTexts,
}

impl Place<'_> {
    fn run(self) -> Result<Placed> {
        let Self {
            db,
            freshness,
            opened,
            now,
            since,
            pulses,
            mut action,
            proposed,
            written,
        } = self;
        let (alert, target) = (action.alert, proposed.target.as_str());
        if let Some(again) = &proposed.again {
            let Some(other) = recurrence::happened_again(db, &action.organization, &again.event)?
            else {
                return Ok(Placed::First);
            };
            action.decision.reasons.push((again.reason)(other));
        }
        let standing = match actions::live(db, &action, target)? {
            // The opposite wish on the same slot is not the same action.
            Some(live) if live.action.action == action.action => Some(live),
            Some(_) => return Ok(Placed::Known),
            None => match actions::covering(db, &action, target)? {
                Some(later) => Some(later),
                // An incident that has just been opened holds nothing to repeat.
                None if opened => actions::refused(db, &action, target, since)?,
                None => match actions::settled(db, &action, target)? {
                    Some(settled) => Some(settled),
                    None => actions::refused(db, &action, target, since)?,
                },
            },
        };
        // What an earlier version of the alert led to is not done again; what it only led to a record
        // of may be done now that the alert has become worse.
        if standing.is_none()
            && freshness == Freshness::Updated
            && done_for(db, alert, &action, target)?
        {
            return Ok(Placed::Known);
        }
        let charge = || budgets::charge(db, &action, proposed.budgeted.as_ref(), pulses, now);
        if let Some(mut stored) = standing {
            let id = stored.action.id;
            db.prepare_cached(
                "INSERT INTO joined (action, alert) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            )?
            .execute(params![id.to_string(), alert.to_string()])?;
            // The newcomer may already be marked as running, by a worker that meant to go on with it.
            let runs = matches!(action.state, ActionState::Scheduled | ActionState::Running);
            let promoted = stored.action.state == ActionState::AwaitingApproval && runs;
            // Without budget left, it goes on waiting for its person.
            if !promoted || matches!(charge()?, Charged::Held(_)) {
                return Ok(Placed::Joined(id));
            }
            // The newer alert is one policy lets run by itself: nobody has to be waited for.
            let at = action
                .clocks
                .decided
                .or(action.clocks.received)
                .unwrap_or(Timestamp::UNIX_EPOCH);
            stored.action.state = ActionState::Scheduled;
            stored.action.decision = action.decision.clone();
            stored.action.basis = action.basis.clone();
            let transition = Transition {
                at,
                from: Some(ActionState::AwaitingApproval),
                to: ActionState::Scheduled,
                cause: Cause::Policy,
                note: "A later alert on the same target may be acted on without asking.".to_owned(),
                evidence: serde_json::to_value(&action.decision)?,
            };
            db.prepare_cached(
            "UPDATE actions SET state = ?2, live = 1, attention = 0, version = version + 1, document = ?3 WHERE id = ?1",
        )?
        .execute(params![id.to_string(), stored.action.state.as_str(), serde_json::to_string(&stored.action)?])?;
            let transitions = [transition];
            let text = serde_json::to_string(&transitions)?;
            let version = stored.version.saturating_add(1);
            actions::journal(db, &id.to_string(), version, &transitions, &text, &[])?;
            for kind in jobs::JobKind::WAITING {
                db.prepare_cached("DELETE FROM jobs WHERE key = ?1")?
                    .execute([kind.key(&id.to_string())])?;
            }
            jobs::enqueue(db, &NewJob::at(jobs::JobKind::Act, id, at))?;
            return Ok(Placed::Promoted(id));
        }
        let standing = match charge()? {
            Charged::Runs(standing) => standing,
            Charged::Held(held) => return hold(db, &held, now),
        };
        // Then everything of it is as it was written.
        if opened && proposed.again.is_none() {
            actions::insert(db, &action, target, &written.action)?;
        } else {
            actions::insert(db, &action, target, &serde_json::to_string(&action)?)?;
        }
        let id = action.id.to_string();
        let (rows, text) = (&proposed.transitions, &written.transitions);
        actions::journal(db, &id, 1, rows, text, &standing)?;
        // What is being taken back is let go first; then the vendor's state is read afresh.
        let wait = actions::being_reverted(db, &action, target)?;
        for job in &proposed.jobs {
            let mut job = job.clone();
            if wait && job.kind == jobs::JobKind::Act {
                job.due = job.due.checked_add(AFTER_REVERT).unwrap_or(job.due);
                job.claim = None;
            }
            jobs::enqueue(db, &job)?;
        }
        post(db, &action, &proposed.messages)?;
        Ok(Placed::New {
            action: Box::new(action),
            wait,
        })
    }
}

/// Stores an action as what it becomes when it is held back. It holds its slot like any other: it asks.
fn hold(db: &Connection, back: &Held, now: Timestamp) -> Result<Placed> {
    let held = &back.instead;
    actions::insert(
        db,
        &held.action,
        &held.target,
        &serde_json::to_string(&held.action)?,
    )?;
    let text = serde_json::to_string(&held.transitions)?;
    let id = held.action.id.to_string();
    actions::journal(db, &id, 1, &held.transitions, &text, &back.standing)?;
    for job in &held.jobs {
        jobs::enqueue(db, job)?;
    }
    if budgets::tell_once(db, back, now)? {
        post(db, &held.action, &held.messages)?;
    }
    Ok(Placed::Held {
        action: Box::new(held.action.clone()),
        transitions: held.transitions.clone(),
    })
}

/// Posts messages about an action that has just been placed.
fn post(db: &Connection, action: &Action, messages: &[Envelope]) -> Result<()> {
    for message in messages {
        let mut message = message.clone();
        message.notice.incident = Some(action.incident);
        if message.thread.is_empty() {
            message.thread = action.incident.to_string();
        }
        outbox::post(db, &message, &serde_json::to_string(&message.notice)?)?;
    }
    Ok(())
}

pub(crate) fn parse<T: std::str::FromStr<Err = quell_model::id::IdError>>(text: &str) -> Result<T> {
    text.parse()
        .map_err(|error| Error::Corrupt(Box::new(error)))
}
