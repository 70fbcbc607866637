//! The rules in force: playbooks, policy and the organization's guardrails, replaced as a whole.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use quell_model::{ActionType, Alert, AssetClass, AssetFacts, ConnectionId, Entity, ListEntryId};
use quell_policy::lists::{Entry, Lists, Lookup, Strength, Subject};
use quell_policy::{Loaded, Playbooks, Policy, Settings, list};
use quell_store::ListState;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Everything a decision depends on besides the alert.
#[derive(Clone)]
pub struct Rules {
    /// Which actions make sense.
    pub playbooks: Playbooks,
    /// Which of them may run.
    pub policy: Arc<Policy>,
    /// How much may run by itself, and how old a decision may be.
    pub settings: Settings,
    /// What the organization says of its machines and protects.
    pub guardrails: Guardrails,
}

impl Rules {
    /// These rules with another policy in force: what the organization said of its machines and keeps on
    /// lists at run time stays.
    #[must_use]
    pub fn with(&self, loaded: Loaded) -> Self {
        Self {
            playbooks: loaded.playbooks,
            policy: Arc::new(loaded.policy),
            settings: loaded.settings,
            guardrails: self.guardrails.clone().written(&loaded.lists),
        }
    }
}

/// What the organization says of some of its machines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AssetRule {
    /// Host names or device ids; `*` at the start or the end stands for any text (`dc-*`).
    pub hosts: Vec<String>,
    /// What they are.
    pub class: AssetClass,
    /// Whether the organization would miss them.
    pub critical: bool,
    /// Labels policy knows: `non-essential`, `break-glass`, `red-team`, or your own.
    pub labels: BTreeSet<String>,
    /// Who answers for them.
    pub owner: Option<String>,
}

/// What the organization says of its machines and protects.
#[derive(Debug, Clone, Default)]
pub struct Guardrails {
    /// How many machines the organization has, for budgets that are a share of them.
    pub fleet: Option<u64>,
    /// `fleet` was counted and not configured.
    counted: bool,
    assets: Vec<AssetRule>,
    /// The entries of the policy folder.
    written: Arc<[Arc<Entry>]>,
    /// The entries beside them.
    beside: Beside,
    /// All of them.
    lists: Arc<Lists>,
    /// Those that say what is Quell itself.
    itself: Arc<Lists>,
}

impl Guardrails {
    /// Guardrails from their parts.
    #[must_use]
    pub fn new(assets: Vec<AssetRule>, lists: Lists) -> Self {
        Self {
            fleet: None,
            counted: false,
            assets,
            written: lists.entries().into(),
            beside: Beside::default(),
            lists: Arc::new(lists),
            itself: Arc::default(),
        }
    }

    /// With the lists of another policy folder.
    fn written(mut self, lists: &Lists) -> Self {
        self.written = lists.entries().into();
        self.merged()
    }

    /// With other entries beside those of the policy folder. How many machines there are is what was
    /// counted, unless the configuration says it.
    pub(crate) fn beside(mut self, beside: Beside) -> Self {
        if self.fleet.is_none() || self.counted {
            self.fleet = beside.machines;
            self.counted = true;
        }
        self.beside = beside;
        self.merged()
    }

    fn merged(mut self) -> Self {
        let entries = self.all().map(|(_, entry)| entry.clone()).collect();
        self.lists = Arc::new(Lists::of(entries));
        let itself = self.beside.own.iter().filter(|entry| {
            let subjects = [Subject::Host, Subject::Hash, Subject::Account];
            entry.strength == Strength::Never && subjects.contains(&entry.subject)
        });
        self.itself = Arc::new(Lists::of(itself.cloned().collect()));
        self
    }

    /// Whether an alert is about Quell itself: its machine, its program or an account it uses. What it
    /// does may have raised such an alert, and would raise the next. Names of programs do not count:
    /// malware can have them too.
    pub(crate) fn about_quell(
        &self,
        alert: &Alert,
        connection: &ConnectionId,
        now: Timestamp,
    ) -> bool {
        alert.entities.iter().any(|entity| {
            let kind = entity.entity_type();
            let about = |action: &&ActionType| action.target() == kind;
            let Some(action) = ActionType::ALL.iter().find(about) else {
                return false;
            };
            let lookup = Lookup {
                action: *action,
                target: entity,
                labels: &BTreeSet::new(),
                connection,
                now,
            };
            self.itself.find(&lookup).strength.is_some()
        })
    }

    /// What is in force beside the policy folder.
    pub(crate) const fn beside_the_folder(&self) -> &Beside {
        &self.beside
    }

    pub(crate) fn lists(&self) -> &Lists {
        &self.lists
    }

    /// Every entry in force, with its id where it is kept at run time: those newest first, then
    /// Quell's own, then the policy folder's.
    pub fn all(&self) -> impl Iterator<Item = (Option<ListEntryId>, &Arc<Entry>)> {
        let kept = self.beside.kept.iter().rev();
        let fixed = self.beside.own.iter().chain(self.written.iter());
        kept.map(|(id, entry)| (Some(*id), entry))
            .chain(fixed.map(|entry| (None, entry)))
    }

    /// With this many machines.
    #[must_use]
    pub const fn of_fleet(mut self, machines: Option<u64>) -> Self {
        self.fleet = machines;
        self
    }

    /// What the configuration says of the machine a target is or is on.
    #[must_use]
    pub fn asset(&self, target: &Entity) -> AssetFacts {
        let names: [Option<&str>; 2] = match target {
            Entity::Host(host) => [host.id.as_deref(), host.name.as_deref()],
            Entity::Process(process) => [process.host_id.as_deref(), process.host_name.as_deref()],
            Entity::File(file) => [file.host_id.as_deref(), None],
            _ => [None, None],
        };
        self.assets
            .iter()
            .fold(AssetFacts::default(), |facts, rule| {
                let applies = names
                    .iter()
                    .flatten()
                    .any(|name| rule.hosts.iter().any(|pattern| matches(pattern, name)));
                if !applies {
                    return facts;
                }
                facts.with(&AssetFacts {
                    class: rule.class,
                    critical: rule.critical,
                    labels: rule.labels.clone(),
                    owner: rule.owner.clone(),
                })
            })
    }

    /// How many list entries the policy folder has.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.written.len()
    }

    /// The lists a target is on.
    #[must_use]
    pub fn listed(&self, lookup: &Lookup<'_>) -> Listed {
        let found = self.lists.find(lookup);
        let mut names = Vec::new();
        match found.strength {
            Some(Strength::Never) => names.push(list::NEVER),
            Some(Strength::Ask) => names.push(list::ASK),
            Some(Strength::Allow) | None => {}
        }
        if found.not_allowed {
            names.push(list::NOT_ALLOWED);
        }
        let words = |entry: &&Entry| {
            let reason = entry.reason.trim_end_matches('.');
            let (subject, value) = (entry.subject.as_str(), &entry.value);
            format!("“{reason}” ({subject} {value}, {})", entry.author)
        };
        let entries = found.entries.iter().map(words).collect();
        Listed { names, entries }
    }
}

/// Entries beside those of the policy folder, and what was counted with them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Beside {
    /// Those Quell makes of what it needs itself.
    pub(crate) own: Arc<[Arc<Entry>]>,
    /// Those kept in the store, oldest first.
    pub(crate) kept: Arc<[(ListEntryId, Arc<Entry>)]>,
    /// The state of the store they were read in; nothing before they were read at all.
    pub(crate) state: Option<ListState>,
    /// How many machines the connections count together.
    pub(crate) machines: Option<u64>,
}

/// The lists a target is on, as policy is told of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Their names.
    pub names: Vec<&'static str>,
    /// Words about the entries it is on, the strongest first.
    pub entries: Vec<String>,
}

fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_lowercase(), name.to_lowercase());
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(inner), Some(_)) => name.contains(inner.trim_end_matches('*')),
        (Some(end), None) => name.ends_with(end),
        (None, Some(start)) => name.starts_with(start),
        (None, None) => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use quell_model::entity::Host;

    use super::*;

    fn host(name: &str) -> Entity {
        Host {
            id: Some("d1".into()),
            name: Some(name.into()),
            ..Host::default()
        }
        .into()
    }

    #[test]
    fn asset_rules_find_hosts_by_id_name_and_pattern_whatever_the_case() {
        let rule = |hosts: &str| AssetRule {
            hosts: vec![hosts.into()],
            critical: true,
            ..AssetRule::default()
        };
        for pattern in ["d1", "DC-01", "dc-*", "*-01", "*c-0*"] {
            let guardrails = Guardrails::new(vec![rule(pattern)], Lists::default());
            assert!(guardrails.asset(&host("Dc-01")).critical, "{pattern}");
            assert!(
                !guardrails.asset(&host("x")).critical || pattern == "d1",
                "{pattern}"
            );
        }
    }

    fn never(host: &str) -> Arc<Entry> {
        let draft = quell_policy::lists::Draft {
            subject: quell_policy::lists::Subject::Host,
            value: host.into(),
            strength: Strength::Never,
            actions: BTreeSet::new(),
            connection: None,
            reason: "why".into(),
            author: "ana".into(),
            source: "person".into(),
            added: Timestamp::UNIX_EPOCH,
            expires: None,
        };
        Arc::new(Entry::new(draft).unwrap())
    }

    #[test]
    fn neither_another_policy_nor_other_entries_take_the_rest_out_of_force() {
        let lists = |host: &str| Lists::of(vec![never(host)]);
        let id = ListEntryId::new(uuid::Uuid::from_u128(1));
        let beside = |kept: &str| Beside {
            own: [never("own")].into(),
            kept: [(id, never(kept))].into(),
            ..Beside::default()
        };
        let in_force = |guardrails: &Guardrails| {
            let listed = |name: &&&str| {
                let lookup = Lookup {
                    action: ActionType::ContainHost,
                    target: &host(name),
                    labels: &BTreeSet::new(),
                    connection: &"lab".parse().unwrap(),
                    now: Timestamp::UNIX_EPOCH,
                };
                guardrails.listed(&lookup).names == [list::NEVER]
            };
            let names = ["old", "new", "own", "kept", "other"];
            names.iter().filter(listed).copied().collect::<Vec<_>>()
        };
        let guardrails = Guardrails::new(Vec::new(), lists("old"));
        assert_eq!(in_force(&guardrails), ["old"]);
        let guardrails = guardrails.beside(beside("kept"));
        assert_eq!(in_force(&guardrails), ["old", "own", "kept"]);
        let guardrails = guardrails.written(&lists("new"));
        assert_eq!(in_force(&guardrails), ["new", "own", "kept"]);
        let guardrails = guardrails.beside(beside("other"));
        assert_eq!(in_force(&guardrails), ["new", "own", "other"]);
    }
}
