//! Backtest: what a changed policy would have decided about the alerts that are stored, beside what the
//! policy in force decides about them now. Nothing is written and nobody is called.
//!
//! An action counts once for each incident and target, by the most that any of its alerts allows, as it
//! would be done once. Budgets are counted along the times the alerts were received, and told apart
//! from what the rules say: in a storm they would hide it. Opt-ins are left out: the question is what
//! policy says.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;
use quell_model::{
    ActionType, AlertId, AssetClass, ConnectionId, Effect, Entity, IncidentId, Outcome, Reason,
};
use quell_policy::budget::{Counted, Scope};
use quell_policy::{Budgets, Diagnostics, Folder};
use quell_store::AlertRecord;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::again::Events;
use crate::engine::Engine;
use crate::plan::{self, Planned, Standpoint};
use crate::rules::Rules;

/// Alerts read at once.
const BATCH: usize = 500;
/// Examples kept of each kind of change.
const EXAMPLES: usize = 5;

/// What to replay.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Backtest {
    /// Alerts received from this moment on.
    pub since: Timestamp,
    /// The texts of a policy folder to compare with the policy in force; without it, the policy in
    /// force is only counted.
    #[serde(default)]
    pub policy: Option<Folder>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Alerts received from this moment on.
    pub since: Timestamp,
    /// How many alerts were replayed.
    pub alerts: u64,
    /// How many actions they call for, each once for its incident and target.
    pub actions: u64,
    /// How the new policy decides, by action.
    pub outcomes: BTreeMap<ActionType, Count>,
    /// Where it decides otherwise than the policy in force; those that allow more come first.
    pub changes: Vec<Change>,
}

/// How many actions are decided how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Count {
    /// Run by themselves.
    pub auto: u64,
    /// Would run by themselves, but a budget is spent, so they wait for a person.
    pub held: u64,
    /// Wait for a person.
    pub ask: u64,
    /// Are never done.
    pub never: u64,
    /// Are for a person elsewhere: Quell cannot do them.
    pub manual: u64,
}

/// Actions that are decided otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// The action.
    pub action: ActionType,
    /// What the policy in force decides.
    pub before: Outcome,
    /// What the new one decides.
    pub after: Outcome,
    /// How many actions.
    pub count: u64,
    /// How many of them a budget of the new policy holds back.
    pub held: u64,
    /// How many of them on which class of machine.
    pub classes: BTreeMap<AssetClass, u64>,
    /// Some of them.
    pub examples: Vec<Case>,
}

impl Change {
    /// Whether the new policy allows more.
    #[must_use]
    pub fn loosens(&self) -> bool {
        self.after < self.before
    }
}

/// One action that is decided otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Case {
    /// The alert.
    pub alert: AlertId,
    /// The target, by name.
    pub target: String,
    /// Why the new policy decides as it does.
    pub reasons: Vec<Reason>,
}

/// Why nothing was replayed.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    /// The policy does not load.
    #[error("the policy does not load: {0}")]
    Policy(Diagnostics),
    /// The store failed.
    #[error("the stored alerts could not be read")]
    Store(#[from] quell_store::Error),
    /// It was interrupted.
    #[error("the backtest was interrupted")]
    Interrupted,
}

impl Engine {
    /// Replays stored alerts.
    ///
    /// # Errors
    /// When the policy does not load, or the store fails.
    pub async fn backtest(&self, backtest: Backtest) -> Result<Report, BacktestError> {
        let (now, since) = (self.now(), backtest.since);
        let old = self.rules();
        let base = old.clone();
        // Loading and deciding keep a processor busy; the tasks of the engine are not to wait for it.
        let new = aside(move || match backtest.policy {
            None => Ok::<_, BacktestError>(base),
            Some(folder) => {
                let loaded = folder.load("", now).map_err(BacktestError::Policy)?;
                Ok(std::sync::Arc::new(base.with(loaded)))
            }
        })
        .await??;
        let mut replay = Replay::new(since, Side::of(old), Side::of(new));
        let mut after = None;
        loop {
            let store = &self.0.store;
            let alerts = store
                .alerts_since(self.organization(), since, after, BATCH)
                .await?;
            let Some(last) = alerts.last() else {
                return Ok(replay.report());
            };
            after = Some(last.id);
            let engine = self.clone();
            replay = aside(move || {
                for record in &alerts {
                    replay.take(record, |effect, target| {
                        let source = engine.connection(&record.connection)?;
                        engine.through(source, effect, target)
                    });
                }
                replay
            })
            .await?;
        }
    }
}

async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, BacktestError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| BacktestError::Interrupted)
}

/// One of the two policies, and what its budgets have left.
struct Side {
    rules: std::sync::Arc<Rules>,
    spent: HashMap<Scope, VecDeque<Timestamp>>,
    /// Events of each subject, for what is done the second time only.
    events: Events,
}

impl Side {
    fn of(rules: std::sync::Arc<Rules>) -> Self {
        Self {
            rules,
            spent: HashMap::new(),
            events: Events::default(),
        }
    }

    /// The budgets that hold back an action that would run by itself; none: it is charged and runs.
    fn charge(&mut self, planned: &Planned, record: &AlertRecord) -> Vec<Reason> {
        let rules = self.rules.clone();
        let budgets: &Budgets = &rules.settings.budgets;
        let class = planned.asset.class;
        // A connection that is new brings the alerts of its last hours all at once.
        let at = record.alert.time.min(record.received);
        let covering: Vec<_> = budgets
            .covering(planned.action, class)
            // By the time a policy is in force, what is in the store is not new any more.
            .filter(|budget| budget.new_for.is_none())
            .map(|budget| {
                let scope = budget.scope(&Counted {
                    source: record.connection.as_str(),
                    detection: &record.alert.detection,
                    action: planned.action,
                    target: &planned.target,
                });
                (budget, scope)
            })
            .collect();
        let mut reasons = Vec::new();
        for (budget, scope) in &covering {
            let times = self.spent.entry(scope.clone()).or_default();
            let window = jiff::SignedDuration::try_from(budget.window).unwrap_or_default();
            while times
                .front()
                .is_some_and(|time| at.duration_since(*time) >= window)
            {
                times.pop_front();
            }
            let limit = budget.limit(rules.guardrails.fleet);
            if times.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
                reasons.push(budget.spent(limit));
            }
        }
        if reasons.is_empty() {
            for (_, scope) in covering {
                let times = self.spent.entry(scope).or_default();
                times.push_back(at);
            }
        }
        reasons
    }
}

/// What is known of one action on one target of an incident.
#[derive(Clone, Copy)]
struct Seen {
    action: ActionType,
    class: AssetClass,
    old: Answer,
    new: Answer,
}

/// What one policy makes of it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Answer {
    /// What the rules say.
    rules: Outcome,
    /// The budgets let it run.
    ran: bool,
}

impl Answer {
    /// The strictest there is: it is not even proposed.
    const NONE: Self = Self {
        rules: Outcome::Never,
        ran: false,
    };

    fn held(self) -> bool {
        self.rules == Outcome::Auto && !self.ran
    }

    fn with_budgets(self) -> Outcome {
        if self.held() {
            Outcome::Ask
        } else {
            self.rules
        }
    }
}

impl Seen {
    /// What changes: what the rules say, and where they say the same, what the budgets let through.
    fn change(&self) -> Option<(Outcome, Outcome)> {
        let rules = (self.old.rules, self.new.rules);
        let budgets = (self.old.with_budgets(), self.new.with_budgets());
        [rules, budgets].into_iter().find(|(old, new)| old != new)
    }
}

struct Replay {
    since: Timestamp,
    old: Side,
    new: Side,
    alerts: u64,
    seen: HashMap<u64, Seen>,
    /// Examples by what they may be examples of; which they are is known at the end.
    examples: HashMap<(ActionType, Outcome, Outcome), Vec<(u64, Case)>>,
}

impl Replay {
    fn new(since: Timestamp, old: Side, new: Side) -> Self {
        Self {
            since,
            old,
            new,
            alerts: 0,
            seen: HashMap::new(),
            examples: HashMap::new(),
        }
    }

    fn take<'c>(
        &mut self,
        record: &AlertRecord,
        through: impl Fn(Effect, &Entity) -> Option<&'c ConnectionId>,
    ) {
        self.alerts += 1;
        let at = Standpoint {
            connection: &record.connection,
            now: record.received,
        };
        let same = std::sync::Arc::ptr_eq(&self.old.rules, &self.new.rules);
        let old = plan::plan(&self.old.rules, at, &record.alert, &through);
        let new = if same {
            old.clone()
        } else {
            plan::plan(&self.new.rules, at, &record.alert, &through)
        };
        for planned in old.actions {
            self.place(record, &planned, false);
        }
        for planned in new.actions {
            self.place(record, &planned, true);
        }
    }

    fn place(&mut self, record: &AlertRecord, planned: &Planned, new: bool) {
        if let Some(event) = planned.recurrence(&record.connection, &record.alert) {
            let side = if new { &mut self.new } else { &mut self.old };
            if !side.events.happened_again(event) {
                return;
            }
        }
        let key = key(record.incident, planned);
        let seen = self.seen.entry(key).or_insert(Seen {
            action: planned.action,
            class: planned.asset.class,
            old: Answer::NONE,
            new: Answer::NONE,
        });
        let (side, answer) = if new {
            (&mut self.new, &mut seen.new)
        } else {
            (&mut self.old, &mut seen.old)
        };
        // What runs by itself already is joined, and costs no budget again.
        if answer.ran {
            return;
        }
        answer.rules = answer.rules.min(planned.decision.outcome);
        let mut held = Vec::new();
        if planned.decision.outcome == Outcome::Auto {
            held = side.charge(planned, record);
            answer.ran = held.is_empty();
        }
        let seen = *seen;
        if new && let Some((before, after)) = seen.change() {
            let examples = self
                .examples
                .entry((seen.action, before, after))
                .or_default();
            // Some may turn out to be none; twice as many leave enough.
            let shown = examples.iter().any(|(known, _)| *known == key);
            if examples.len() < EXAMPLES * 2 && !shown {
                let of_rules = planned.decision.reasons.iter().cloned();
                let case = Case {
                    alert: record.id,
                    target: planned.target.to_string(),
                    reasons: of_rules.chain(held).collect(),
                };
                examples.push((key, case));
            }
        }
    }

    fn report(self) -> Report {
        let mut outcomes: BTreeMap<ActionType, Count> = BTreeMap::new();
        let mut changes: BTreeMap<(ActionType, Outcome, Outcome), Change> = BTreeMap::new();
        for seen in self.seen.values() {
            outcomes.entry(seen.action).or_default().add(seen.new);
            let Some((before, after)) = seen.change() else {
                continue;
            };
            let change = changes
                .entry((seen.action, before, after))
                .or_insert_with(|| Change {
                    action: seen.action,
                    before,
                    after,
                    count: 0,
                    held: 0,
                    classes: BTreeMap::new(),
                    examples: Vec::new(),
                });
            change.count += 1;
            change.held += u64::from(seen.new.held());
            *change.classes.entry(seen.class).or_default() += 1;
        }
        for (kind, examples) in self.examples {
            let Some(change) = changes.get_mut(&kind) else {
                continue;
            };
            let still = examples.into_iter().filter(|(key, _)| {
                let now = self.seen.get(key);
                let now = now.and_then(|seen| Some((seen.action, seen.change()?)));
                now.is_some_and(|(action, (before, after))| (action, before, after) == kind)
            });
            change.examples = still.map(|(_, case)| case).take(EXAMPLES).collect();
        }
        let mut changes: Vec<Change> = changes.into_values().collect();
        changes.sort_by_key(|change| (!change.loosens(), change.action, change.after));
        Report {
            since: self.since,
            alerts: self.alerts,
            actions: u64::try_from(self.seen.len()).unwrap_or(u64::MAX),
            outcomes,
            changes,
        }
    }
}

impl Count {
    fn add(&mut self, answer: Answer) {
        let count = match answer.rules {
            Outcome::Auto if answer.held() => &mut self.held,
            Outcome::Auto => &mut self.auto,
            Outcome::Ask => &mut self.ask,
            Outcome::Never => &mut self.never,
            Outcome::Manual => &mut self.manual,
        };
        *count += 1;
    }
}

/// Names an action on a target of an incident. A hash: there may be hundreds of thousands, and two of
/// one hash would at worst be counted as one.
fn key(incident: IncidentId, planned: &Planned) -> u64 {
    let mut hasher = DefaultHasher::new();
    incident.hash(&mut hasher);
    planned.action.hash(&mut hasher);
    match planned.target.key() {
        Some(key) => key.hash(&mut hasher),
        None => planned.target.to_string().hash(&mut hasher),
    }
    hasher.finish()
}
