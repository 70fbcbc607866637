//! Budgets: counting what ran by itself, in the transaction that lets it run.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use quell_model::{Action, OrganizationId};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::group::Group;
use crate::ingest::Proposed;
use crate::micros;
use crate::pulse::{Of, Pulses, Storm, StormLimit};
use crate::sqlite::Store;

/// Slices that a window is counted in. A slice counts until all of it has left the window, so a
/// budget is never exceeded, and is free again at most one slice late.
const SLICES: i64 = 60;

/// One more against a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The budget's name.
    pub budget: String,
    /// What is counted together: the budget, with the source, detection or action if each has its own.
    pub scope: String,
    /// Key of the entity, if each has its own.
    pub entity: Option<String>,
    /// How long the window is.
    pub window: Duration,
    /// How many there may be within the window.
    pub limit: u32,
    /// It counts only while the source or detection was first seen less than this ago.
    pub while_new: Option<(Of, Duration)>,
}

/// What keeps an action from running by itself.
#[derive(Debug, Clone, PartialEq)]
pub enum Brake {
    /// Nothing is left of a budget.
    Spent(Charge),
    /// Many more alerts like its own come than usual.
    Storm(Storm),
}

/// What an action that runs by itself is charged to, and what becomes of it when that is spent.
#[derive(Clone)]
pub struct Budgeted {
    charges: Vec<Charge>,
    storm: Option<StormLimit>,
    otherwise: Arc<Otherwise>,
}

/// The proposal in place of an action that is held back by these. Called in the transaction, and
/// again if that is repeated.
type Otherwise = dyn Fn(&Action, &[Brake]) -> Proposed + Send + Sync;

impl Budgeted {
    /// An action on these budgets, and the proposal that stands in for it when some are spent.
    pub fn new(
        charges: Vec<Charge>,
        otherwise: impl Fn(&Action, &[Brake]) -> Proposed + Send + Sync + 'static,
    ) -> Self {
        Self {
            charges,
            storm: None,
            otherwise: Arc::new(otherwise),
        }
    }

    /// The same, held back in a storm as well.
    #[must_use]
    pub const fn calm_below(mut self, storm: Option<StormLimit>) -> Self {
        self.storm = storm;
        self
    }
}

impl std::fmt::Debug for Budgeted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.charges).finish()
    }
}

/// What became of an action that is charged.
pub(crate) enum Charged {
    /// All of its budgets had something left; this is how they stand with it.
    Runs(Vec<Standing>),
    /// Something holds it back.
    Held(Box<Held>),
}

/// An action that is held back.
pub(crate) struct Held {
    brakes: Vec<Brake>,
    /// How its budgets stand.
    pub(crate) standing: Vec<Standing>,
    /// What is placed instead of it.
    pub(crate) instead: Proposed,
}

/// How a budget stands at a moment, for the journal.
#[derive(Debug, Serialize)]
pub(crate) struct Standing {
    budget: String,
    used: u32,
    limit: u32,
}

impl Store {
    /// How many ran by themselves within the window of a budget, as the budget counts them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn spent(
        &self,
        organization: &OrganizationId,
        charge: &Charge,
        now: Timestamp,
    ) -> Result<u32> {
        let purse = Purse::of(organization, charge);
        let slice = slice(charge.window, now);
        self.read(move |db| Ok(Spent::read(db, &purse)?.within(&slice)))
            .await
    }
}

/// Charges an action to all its budgets, or to none when something holds it back.
pub(crate) fn charge(
    group: &Group<'_>,
    action: &Action,
    budgeted: Option<&Budgeted>,
    pulses: &Pulses,
    now: Timestamp,
) -> Result<Charged> {
    let Some(budgeted) = budgeted else {
        return Ok(Charged::Runs(Vec::new()));
    };
    let counts = |charge: &&Charge| {
        charge
            .while_new
            .is_none_or(|(of, span)| pulses.is_new(of, span, now))
    };
    let charges: Vec<&Charge> = budgeted.charges.iter().filter(counts).collect();
    let storm = budgeted.storm.and_then(|limit| pulses.storm(limit));
    let mut brakes: Vec<Brake> = storm.map(Brake::Storm).into_iter().collect();
    let mut charged = Vec::with_capacity(charges.len());
    let mut standing = Vec::with_capacity(charges.len());
    for charge in charges {
        let purse = Purse::of(&action.organization, charge);
        let slice = slice(charge.window, now);
        let mut spent = group.spending.get(&purse, || Spent::read(group, &purse))?;
        let used = spent.within(&slice);
        standing.push(Standing {
            budget: charge.budget.clone(),
            used,
            limit: charge.limit,
        });
        if used >= charge.limit {
            brakes.push(Brake::Spent(charge.clone()));
        }
        spent.one_more(&slice);
        charged.push((purse, spent));
    }
    if !brakes.is_empty() {
        let instead = (budgeted.otherwise)(action, &brakes);
        return Ok(Charged::Held(Box::new(Held {
            brakes,
            standing,
            instead,
        })));
    }
    for (purse, spent) in charged {
        group.spending.put(purse, spent);
    }
    // With the one that was just charged.
    for budget in &mut standing {
        budget.used = budget.used.saturating_add(1);
    }
    Ok(Charged::Runs(standing))
}

/// Whose budget, and what is counted together by it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Purse {
    organization: OrganizationId,
    scope: String,
    entity: Option<String>,
}

impl Purse {
    fn of(organization: &OrganizationId, charge: &Charge) -> Self {
        Self {
            organization: organization.clone(),
            scope: charge.scope.clone(),
            entity: charge.entity.clone(),
        }
    }
}

/// What was spent: when slices of time began, and how many ran in each.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Spent(Vec<(i64, u32)>);

impl Spent {
    fn read(db: &Connection, purse: &Purse) -> Result<Self> {
        let organization = purse.organization.as_str();
        let Some(entity) = &purse.entity else {
            let slices: Option<String> = db
                .prepare_cached(
                    "SELECT slices FROM spending WHERE organization = ?1 AND scope = ?2",
                )?
                .query_row(params![organization, purse.scope], |row| row.get(0))
                .optional()?;
            return Ok(match slices {
                Some(slices) => serde_json::from_str(&slices)?,
                None => Self::default(),
            });
        };
        let all: Option<String> = db
            .prepare_cached("SELECT spent FROM entities WHERE organization = ?1 AND entity = ?2")?
            .query_row(params![organization, entity], |row| row.get(0))
            .optional()?
            .flatten();
        let mut all: HashMap<String, Self> = match all {
            Some(all) => serde_json::from_str(&all)?,
            None => HashMap::new(),
        };
        Ok(all.remove(&purse.scope).unwrap_or_default())
    }

    /// How many count now.
    fn within(&self, slice: &Slice) -> u32 {
        let counts = self.0.iter().filter(|(start, _)| *start > slice.since);
        counts.fold(0, |all, (_, count)| all.saturating_add(*count))
    }

    fn one_more(&mut self, slice: &Slice) {
        self.0.retain(|(start, _)| *start > slice.since);
        match self.0.iter_mut().find(|(start, _)| *start == slice.start) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.0.push((slice.start, 1)),
        }
    }

    pub(crate) fn save(&self, db: &Connection, purse: &Purse) -> Result<()> {
        let organization = purse.organization.as_str();
        match &purse.entity {
            None => db
                .prepare_cached(
                    "INSERT INTO spending (organization, scope, slices) VALUES (?1, ?2, ?3)
                     ON CONFLICT (organization, scope) DO UPDATE SET slices = excluded.slices",
                )?
                .execute(params![
                    organization,
                    purse.scope,
                    serde_json::to_string(self)?
                ])?,
            Some(entity) => {
                let one = serde_json::to_string(&HashMap::from([(&purse.scope, self)]))?;
                db.prepare_cached(
                    "INSERT INTO entities (organization, entity, spent) VALUES (?1, ?2, ?3)
                     ON CONFLICT (organization, entity) DO UPDATE
                     SET spent = json_patch(coalesce(spent, '{}'), excluded.spent)",
                )?
                .execute(params![organization, entity, one])?
            }
        };
        Ok(())
    }
}

struct Slice {
    /// When the present slice begins.
    start: i64,
    /// Slices that begin after this still count.
    since: i64,
}

fn slice(window: Duration, now: Timestamp) -> Slice {
    let window = i64::try_from(window.as_micros()).unwrap_or(i64::MAX / 4);
    let width = (window / SLICES).max(1);
    let now = micros(now);
    Slice {
        start: now.div_euclid(width).saturating_mul(width),
        since: now.saturating_sub(window).saturating_sub(width),
    }
}

/// Whether people are to be told that an action is held back. In a storm one message about it is
/// heard and a thousand are not: once for each budget in its window, once an hour for each storm. What
/// asks because it is new is told each time; there is no storm then.
pub(crate) fn tell_once(db: &Connection, held: &Held, now: Timestamp) -> Result<bool> {
    let action = &held.instead.action;
    let mut tell = false;
    for brake in &held.brakes {
        let (what, of, window) = match brake {
            Brake::Spent(charge) if charge.while_new.is_some() => {
                tell = true;
                continue;
            }
            Brake::Spent(charge) => {
                let entity = charge.entity.as_deref().unwrap_or_default();
                ("budget", format!("{}{entity}", charge.scope), charge.window)
            }
            Brake::Storm(storm) => {
                let of = match storm.of {
                    Of::Source => "",
                    Of::Detection => action.basis.detection.as_str(),
                };
                let of = format!("{}:{of}", action.connection);
                ("storm", of, Duration::from_secs(3600))
            }
        };
        let name = format!("{what}-told:{}:{of}", action.organization);
        let window = i64::try_from(window.as_micros()).unwrap_or(i64::MAX / 4);
        let expires = micros(now).saturating_add(window);
        let told = db
            .prepare_cached(
                "INSERT INTO facts (name, value, expires) VALUES (?1, 'true', ?2)
                 ON CONFLICT (name) DO UPDATE SET expires = excluded.expires WHERE expires <= ?3",
            )?
            .execute(params![name, expires, micros(now)])?;
        tell |= told == 1;
    }
    Ok(tell)
}
