//! The rules in force: playbooks, policy and the organization's guardrails, replaced as a whole.

use std::collections::BTreeSet;

use quell_model::{AssetClass, AssetFacts, Entity};
use quell_policy::lists::{Entry, Lists, Lookup, Strength};
use quell_policy::{Loaded, Playbooks, Policy, Settings, list};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Everything a decision depends on besides the alert.
pub struct Rules {
    /// Which actions make sense.
    pub playbooks: Playbooks,
    /// Which of them may run.
    pub policy: Policy,
    /// How much may run by itself, and how old a decision may be.
    pub settings: Settings,
    /// What the organization says of its machines and protects.
    pub guardrails: Guardrails,
}

impl Rules {
    /// These rules with another policy in force: what the organization said of its machines stays.
    #[must_use]
    pub fn with(&self, loaded: Loaded) -> Self {
        Self {
            playbooks: loaded.playbooks,
            policy: loaded.policy,
            settings: loaded.settings,
            guardrails: Guardrails {
                lists: loaded.lists,
                ..self.guardrails.clone()
            },
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
    assets: Vec<AssetRule>,
    lists: Lists,
}

impl Guardrails {
    /// Guardrails from their parts.
    #[must_use]
    pub const fn new(assets: Vec<AssetRule>, lists: Lists) -> Self {
        Self {
            fleet: None,
            assets,
            lists,
        }
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

    /// How many list entries there are.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.lists.entries().len()
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
}
