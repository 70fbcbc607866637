//! Changing actions: every change is checked against the version read, journaled, and comes with
//! the jobs and messages that follow from it, in one transaction.

use jiff::Timestamp;
use quell_model::{Action, ActionState, ActionType, Transition};
use rusqlite::{Connection, OptionalExtension, params};

use crate::budgets::Standing;
use crate::error::{Error, Result};
use crate::jobs::{self, Claim, JobKind};
use crate::micros;
use crate::outbox::{self, Envelope};
use crate::sqlite::Store;

/// An action and the version it was read at.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// The action.
    pub action: Action,
    /// How often it changed; a change names the version it was based on.
    pub version: i64,
}

/// A job to queue.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// What it does.
    pub kind: JobKind,
    /// What it is about.
    pub subject: String,
    /// When.
    pub due: Timestamp,
    /// Already taken by the caller, who goes on with it at once.
    pub claim: Option<Claim>,
}

impl NewJob {
    /// A job nobody holds yet.
    #[must_use]
    pub fn at(kind: JobKind, subject: impl ToString, due: Timestamp) -> Self {
        Self {
            kind,
            subject: subject.to_string(),
            due,
            claim: None,
        }
    }
}

/// One change of one action.
#[derive(Debug, Clone)]
pub struct Advance {
    /// The action as it is to be, and the version it was read at.
    pub stored: Stored,
    /// The journal rows, in order; the last one's state is the action's.
    pub transitions: Vec<Transition>,
    /// The job on whose behalf this happens; it is finished by this change unless `keep` is set.
    pub claim: Option<Claim>,
    /// The job goes on after this change.
    pub keep: bool,
    /// The action goes on through another connection.
    pub moved: bool,
    /// Jobs that follow.
    pub jobs: Vec<NewJob>,
    /// Jobs that lost their reason.
    pub cancel: Vec<String>,
    /// Messages that follow.
    pub messages: Vec<Envelope>,
}

impl Store {
    /// Applies a change.
    ///
    /// # Errors
    /// [`Error::Fenced`] when the job is no longer the caller's, [`Error::Stale`] when the action
    /// changed since it was read. Either way nothing is changed.
    pub async fn advance(&self, advance: Advance) -> Result<Stored> {
        let mut stored = advance.stored.clone();
        // Written here, on the caller's thread: the writer's time is everybody's.
        let texts = Texts::of(&advance)?;
        self.write(move |db| apply(db, &advance, &texts)).await?;
        stored.version += 1;
        Ok(stored)
    }
}

/// The documents of a change, as they are stored.
pub(crate) struct Texts {
    action: String,
    transitions: String,
    messages: Vec<String>,
}

impl Texts {
    pub(crate) fn of(advance: &Advance) -> Result<Self> {
        let messages = advance
            .messages
            .iter()
            .map(|message| serde_json::to_string(&message.notice));
        Ok(Self {
            action: serde_json::to_string(&advance.stored.action)?,
            transitions: serde_json::to_string(&advance.transitions)?,
            messages: messages.collect::<Result<_, _>>()?,
        })
    }
}

/// Applies a change; one that cannot be applied has changed nothing.
pub(crate) fn apply(db: &Connection, advance: &Advance, texts: &Texts) -> Result<()> {
    let action = &advance.stored.action;
    let id = action.id.to_string();
    // Checked before anything is changed.
    if let Some(claim) = &advance.claim {
        still_held(db, claim)?;
    }
    let changed = db
        .prepare_cached(
            "UPDATE actions SET state = ?3, live = ?4, attention = ?5, version = version + 1, document = ?6
             WHERE id = ?1 AND version = ?2",
        )?
        .execute(params![
            id,
            advance.stored.version,
            action.state.as_str(),
            action.state.is_live(),
            attention(action.state),
            texts.action
        ])?;
    if changed != 1 {
        return Err(Error::Stale(id));
    }
    if advance.moved {
        // Apart, because naming the column costs every other change the indexes it is in.
        db.prepare_cached("UPDATE actions SET connection = ?2 WHERE id = ?1")?
            .execute(params![id, action.connection.as_str()])?;
    }
    if let Some(claim) = advance.claim.as_ref().filter(|_| !advance.keep) {
        jobs::finish(db, claim)?;
    }
    let version = advance.stored.version.saturating_add(1);
    journal(
        db,
        &id,
        version,
        &advance.transitions,
        &texts.transitions,
        &[],
    )?;
    for key in &advance.cancel {
        db.prepare_cached("DELETE FROM jobs WHERE key = ?1")?
            .execute([key])?;
    }
    for job in &advance.jobs {
        jobs::enqueue(db, job)?;
    }
    for (message, text) in advance.messages.iter().zip(&texts.messages) {
        outbox::post(db, message, text)?;
    }
    Ok(())
}

fn still_held(db: &Connection, claim: &Claim) -> Result<()> {
    let held: Option<i64> = db
        .prepare_cached("SELECT 1 FROM jobs WHERE key = ?1 AND holder = ?2")?
        .query_row(params![claim.key, claim.token], |row| row.get(0))
        .optional()?;
    held.map(|_| ())
        .ok_or_else(|| Error::Fenced(claim.key.clone()))
}

/// Appends what a change that led to `version` did, with how the budgets stood that it was charged to.
pub(crate) fn journal(
    db: &Connection,
    action: &str,
    version: i64,
    transitions: &[Transition],
    text: &str,
    standing: &[Standing],
) -> Result<()> {
    let Some(last) = transitions.last() else {
        return Ok(());
    };
    let budgets = match standing {
        [] => None,
        _ => Some(serde_json::to_string(standing)?),
    };
    db.prepare_cached(
        "INSERT INTO journal (action, version, at, transitions, budgets) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![action, version, micros(last.at), text, budgets])?;
    Ok(())
}

/// Reads what one change did. How the budgets stood is part of what its first transition was taken with.
pub(crate) fn row_to_transitions(
    transitions: &str,
    budgets: Option<&str>,
) -> Result<Vec<Transition>> {
    let mut transitions: Vec<Transition> = serde_json::from_str(transitions)?;
    let first = transitions.first_mut();
    if let Some(budgets) = budgets
        && let Some(members) = first.and_then(|first| first.evidence.as_object_mut())
    {
        members.insert("budgets".to_owned(), serde_json::from_str(budgets)?);
    }
    Ok(transitions)
}

/// Inserts a new action with its first journal rows and jobs.
pub(crate) fn insert(db: &Connection, action: &Action, target: &str, text: &str) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO actions
           (id, organization, incident, alert, connection, type, slot, target, state, live, attention, version, document)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 1, ?12)",
    )?
    .execute(params![
        action.id.to_string(),
        action.organization.as_str(),
        action.incident.to_string(),
        action.alert.to_string(),
        action.connection.as_str(),
        action.action.as_str(),
        action.action.slot(),
        target,
        action.state.as_str(),
        action.state.is_live(),
        attention(action.state),
        text
    ])?;
    Ok(())
}

/// Whether people look for actions in this state. What runs is soon over, and what ended well or
/// was only recorded is found by its incident or by time.
pub(crate) const fn attention(state: ActionState) -> bool {
    use ActionState as S;
    !matches!(
        state,
        S::Proposed
            | S::Shadowed
            | S::Denied
            | S::Scheduled
            | S::Running
            | S::Completed
            | S::Reverted
    )
}

/// The live action that holds a slot of a target.
pub(crate) fn live(db: &Connection, like: &Action, target: &str) -> Result<Option<Stored>> {
    let found = db
        .prepare_cached(
            "SELECT document, version FROM actions
             WHERE organization = ?1 AND connection = ?2 AND slot = ?3 AND target = ?4 AND live = 1",
        )?
        .query_row(
            params![like.organization.as_str(), like.connection.as_str(), like.action.slot(), target],
            row_to_stored,
        )
        .optional()?;
    found.transpose()
}

/// Whether an action on this slot of the target is being taken back.
pub(crate) fn being_reverted(db: &Connection, like: &Action, target: &str) -> Result<bool> {
    Ok(db
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM actions WHERE organization = ?1 AND connection = ?2 AND slot = ?3
             AND target = ?4 AND state = 'reverting')",
        )?
        .query_row(
            params![like.organization.as_str(), like.connection.as_str(), like.action.slot(), target],
            |row| row.get(0),
        )?)
}

/// A deed that was done after the event this one would answer, and covers it: sessions that were revoked
/// later are revoked, and a password that was reset later is not the one that was stolen.
pub(crate) fn covering(db: &Connection, like: &Action, target: &str) -> Result<Option<Stored>> {
    let covers_what_was_before = matches!(
        like.action,
        ActionType::RevokeSessions | ActionType::ResetPassword
    );
    let Some(event) = like.clocks.detected.filter(|_| covers_what_was_before) else {
        return Ok(None);
    };
    let mut statement = db.prepare_cached(
        "SELECT document, version FROM actions
         WHERE organization = ?1 AND connection = ?2 AND slot = ?3 AND target = ?4
           AND slot IN ('account.revoke_sessions', 'account.reset_password')
           AND state IN ('completed', 'unverified') ORDER BY id DESC LIMIT 1",
    )?;
    let mut rows = statement.query_map(
        params![
            like.organization.as_str(),
            like.connection.as_str(),
            like.action.slot(),
            target
        ],
        row_to_stored,
    )?;
    let Some(last) = rows.next() else {
        return Ok(None);
    };
    let last = last??;
    let covers = last.action.clocks.executed.is_some_and(|done| done > event);
    Ok(Some(last).filter(|_| covers))
}

/// An action of the same incident, type and target that is over and would only be repeated.
pub(crate) fn settled(db: &Connection, like: &Action, target: &str) -> Result<Option<Stored>> {
    let mut statement = db.prepare_cached(
        "SELECT document, version FROM actions WHERE incident = ?1 AND type = ?2 AND target = ?3
           AND state IN ('shadowed', 'denied', 'manual', 'rejected') ORDER BY id DESC",
    )?;
    let rows = statement.query_map(
        params![like.incident.to_string(), like.action.as_str(), target],
        row_to_stored,
    )?;
    for row in rows {
        let stored = row??;
        let repeats = match stored.action.state {
            // A person's no holds until something worse is seen.
            ActionState::Rejected => like.basis.severity <= stored.action.basis.severity,
            state => state == like.state,
        };
        if repeats {
            return Ok(Some(stored));
        }
    }
    Ok(None)
}

/// An action that would ask what a person has lately said no to, in whatever incident: two hosts where
/// the same program was found need not belong together, and the question is the same. Something worse
/// asks again.
pub(crate) fn refused(
    db: &Connection,
    like: &Action,
    target: &str,
    since: Timestamp,
) -> Result<Option<Stored>> {
    if like.state != ActionState::AwaitingApproval {
        return Ok(None);
    }
    let last = db
        .prepare_cached(
            "SELECT document, version FROM actions
             WHERE organization = ?1 AND type = ?2 AND target = ?3 AND state = 'rejected'
             ORDER BY id DESC LIMIT 1",
        )?
        .query_row(
            params![like.organization.as_str(), like.action.as_str(), target],
            row_to_stored,
        )
        .optional()?
        .transpose()?;
    Ok(last.filter(|last| {
        let lately = last.action.clocks.received.is_some_and(|at| at >= since);
        lately && like.basis.severity <= last.action.basis.severity
    }))
}

pub(crate) fn row_to_stored(row: &rusqlite::Row<'_>) -> rusqlite::Result<Result<Stored>> {
    let document: String = row.get(0)?;
    let version = row.get(1)?;
    Ok(serde_json::from_str(&document)
        .map(|action| Stored { action, version })
        .map_err(Error::from))
}
