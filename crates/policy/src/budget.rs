//! Budgets: how much may run by itself in a time. What goes beyond asks a person; nothing is dropped.
//!
//! A budget is checked and charged where the decision becomes durable, in one transaction, so that no
//! number of alerts at once and no second node can go past it. Here stands only what a budget means.

use std::collections::BTreeSet;
use std::time::Duration;

use quell_model::entity::Host;
use quell_model::{ActionType, AssetClass, Entity, Reason};
use serde::Serialize;

/// Shortest and longest window.
pub(crate) const WINDOWS: (Duration, Duration) =
    (Duration::from_secs(60), Duration::from_secs(30 * 24 * 3600));

/// A share of a small fleet is never less than this: an attack on one machine soon is one on a few.
pub const LEAST_SHARE: u32 = 3;

/// What has a budget of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// All of the organization together.
    #[default]
    Organization,
    /// Each connection that alerts come from.
    Source,
    /// Each detection of each connection.
    Detection,
    /// Each action on each target; for what is done on a machine, the machine.
    Target,
}

/// What an action is counted by.
#[derive(Debug, Clone, Copy)]
pub struct Counted<'a> {
    /// The connection its alert came from.
    pub source: &'a str,
    /// The detection of that connection.
    pub detection: &'a str,
    /// The action.
    pub action: ActionType,
    /// Its target.
    pub target: &'a Entity,
}

/// How much may run by itself within a sliding window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Budget {
    /// Its name, lower case with dashes.
    pub name: String,
    /// The actions it covers; all against an attack when empty.
    pub actions: BTreeSet<ActionType>,
    /// The classes of machine it covers; all, and targets without a class, when empty.
    pub classes: BTreeSet<AssetClass>,
    /// What has a budget of its own.
    pub per: Per,
    /// How long the window is.
    #[serde(serialize_with = "seconds")]
    pub window: Duration,
    /// How many actions may run by themselves within the window.
    pub count: u32,
    /// The same as a share of the known fleet, in percent; the smaller of the two holds, but for
    /// [`LEAST_SHARE`]. Without a known fleet the count holds alone.
    pub share: Option<u8>,
    /// It counts only while the source or detection was first seen less than this ago.
    #[serde(
        serialize_with = "seconds_if_any",
        skip_serializing_if = "Option::is_none"
    )]
    pub new_for: Option<Duration>,
}

/// The budgets in force, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Budgets(pub(crate) Vec<Budget>);

impl Budgets {
    /// One by one, by name.
    pub fn iter(&self) -> std::slice::Iter<'_, Budget> {
        self.0.iter()
    }

    /// Those that cover an action on a target of this class.
    pub fn covering(&self, action: ActionType, class: AssetClass) -> impl Iterator<Item = &Budget> {
        self.iter()
            .filter(move |budget| budget.covers(action, class))
    }
}

/// What a budget counts together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The budget's name, with the source, detection or action if each has its own.
    pub name: String,
    /// Key of the entity, if each has its own.
    pub entity: Option<String>,
}

impl Budget {
    /// Whether an action on a target of this class counts.
    #[must_use]
    pub fn covers(&self, action: ActionType, class: AssetClass) -> bool {
        let (actions, classes) = (&self.actions, &self.classes);
        (actions.is_empty() || actions.contains(&action))
            && (classes.is_empty() || classes.contains(&class))
    }

    /// What is counted together: what the budget covers, of whatever each has its own for.
    #[must_use]
    pub fn scope(&self, counted: &Counted<'_>) -> Scope {
        let Counted {
            source,
            detection,
            action,
            target,
        } = counted;
        // No name and no cleaned text contains the separator.
        let name = match self.per {
            Per::Organization => self.name.clone(),
            Per::Source => format!("{}\u{1f}{source}", self.name),
            Per::Detection => format!("{}\u{1f}{source}\u{1f}{detection}", self.name),
            Per::Target => format!("{}\u{1f}{action}", self.name),
        };
        let entity = (self.per == Per::Target).then(|| place(target));
        Scope { name, entity }
    }

    /// How many may run by themselves, with a fleet of this many machines.
    #[must_use]
    pub fn limit(&self, fleet: Option<u64>) -> u32 {
        let share = self.share.zip(fleet).map(|(share, fleet)| {
            let part = fleet.saturating_mul(u64::from(share)) / 100;
            u32::try_from(part).map_or(u32::MAX, |part| part.max(LEAST_SHARE))
        });
        share.map_or(self.count, |share| share.min(self.count))
    }

    /// Why an action asks once this budget is spent.
    #[must_use]
    pub fn spent(&self, limit: u32) -> Reason {
        let window = words(self.window);
        let text = match (self.per, self.new_for) {
            (Per::Target, _) => format!(
                "Quell did this {limit} times here within {window} and it came back, so a person decides."
            ),
            (per, Some(new)) => {
                let what = match per {
                    Per::Detection => "detection",
                    _ => "connection",
                };
                let rest = match limit {
                    0 => "so a person decides".to_owned(),
                    limit => format!("and {limit} of it ran by themselves, so a person decides"),
                };
                format!(
                    "The first alert of this {what} came less than {} ago, {rest}.",
                    words(new)
                )
            }
            (per, None) => {
                let of = match per {
                    Per::Source => " for one source",
                    Per::Detection => " for one detection",
                    Per::Organization | Per::Target => "",
                };
                format!(
                    "The budget “{}” of {limit} by itself in {window}{of} is spent, so a person decides.",
                    self.name
                )
            }
        };
        Reason::new(format!("budget-{}", self.name), text)
    }
}

/// Where an action takes place: the machine a process runs or a file lies on, else the target itself.
/// A process that is killed comes back as another one.
fn place(target: &Entity) -> String {
    let machine = match target {
        Entity::Process(process) => Entity::from(Host {
            id: process.host_id.clone(),
            ..Host::default()
        })
        .key(),
        _ => None,
    };
    machine
        .or_else(|| target.key())
        .unwrap_or_else(|| target.to_string())
}

/// A window as a person says it.
#[must_use]
pub fn words(window: Duration) -> String {
    let seconds = window.as_secs();
    let (count, unit) = match seconds {
        _ if seconds.is_multiple_of(24 * 3600) => (seconds / (24 * 3600), "day"),
        _ if seconds.is_multiple_of(3600) => (seconds / 3600, "hour"),
        _ if seconds.is_multiple_of(60) => (seconds / 60, "minute"),
        _ => (seconds, "second"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

fn seconds_if_any<S: serde::Serializer>(
    window: &Option<Duration>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match window {
        Some(window) => seconds(window, to),
        None => to.serialize_none(),
    }
}

pub(crate) fn seconds<S: serde::Serializer>(window: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&format!("{}s", window.as_secs()))
}
