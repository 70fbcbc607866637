//! Facts: what is known of an entity beyond the alert that named it.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What kind of machine a host is. `Unknown` is a value of its own: policy must not guess.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AssetClass {
    /// Used by a person: laptop, desktop.
    Workstation,
    /// Serves others.
    Server,
    /// Runs the directory; containing it can lock everybody out.
    DomainController,
    /// Phone or tablet.
    Mobile,
    /// No source said what it is.
    #[default]
    Unknown,
}

impl AssetClass {
    /// Every class.
    pub const ALL: [Self; 5] = [
        Self::Workstation,
        Self::Server,
        Self::DomainController,
        Self::Mobile,
        Self::Unknown,
    ];

    /// The name used in policy, JSON and pages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Workstation => "workstation",
            Self::Server => "server",
            Self::DomainController => "domain_controller",
            Self::Mobile => "mobile",
            Self::Unknown => "unknown",
        }
    }

    /// The name in a sentence for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Workstation => "workstation",
            Self::Server => "server",
            Self::DomainController => "domain controller",
            Self::Mobile => "mobile device",
            Self::Unknown => "machine of unknown class",
        }
    }
}

/// What is known of the entity an action would touch. Facts from the configuration, the alert and
/// the vendor's live record are merged with [`AssetFacts::with`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AssetFacts {
    /// What kind of machine it is (for a process or a file: of the host it is on).
    pub class: AssetClass,
    /// The organization calls it critical.
    pub critical: bool,
    /// Labels from the configuration and from the vendor's tags, lower case.
    pub labels: BTreeSet<String>,
    /// Who answers for it.
    pub owner: Option<String>,
}

impl AssetFacts {
    /// These facts with `newer` laid over them. A known class replaces an unknown one and a more
    /// protected class is never replaced by a less protected one, so that a forged document cannot
    /// turn a domain controller into a workstation; labels add up and critical stays critical.
    #[must_use]
    pub fn with(mut self, newer: &Self) -> Self {
        if protection(newer.class) > protection(self.class) {
            self.class = newer.class;
        }
        self.critical |= newer.critical;
        self.labels.extend(newer.labels.iter().cloned());
        if newer.owner.is_some() {
            self.owner.clone_from(&newer.owner);
        }
        self
    }
}

/// What is known of a file beyond the alert, usually from the vendor. Missing means nobody said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct FileFacts {
    /// The operating system's maker signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os_signed: Option<bool>,
    /// On how many machines the vendor has seen it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prevalence: Option<u32>,
}

impl FileFacts {
    /// Whether nothing is known.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.os_signed.is_none() && self.prevalence.is_none()
    }

    /// These facts with `newer` laid over them. What one source knows stays known when another does
    /// not say, and of two answers the one that asks for more care stays: a signature, and the
    /// larger number.
    #[must_use]
    pub fn with(self, newer: Self) -> Self {
        Self {
            os_signed: self.os_signed.max(newer.os_signed),
            prevalence: self.prevalence.max(newer.prevalence),
        }
    }

    /// What is known, in words for people; nothing when nothing is.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let signed = self.os_signed.map(|signed| {
            let not = if signed { "" } else { "not " };
            format!("{not}signed by the operating system's maker")
        });
        let seen = self.prevalence.map(|machines| match machines {
            1 => "seen on 1 machine".to_owned(),
            machines => format!("seen on {machines} machines"),
        });
        signed.into_iter().chain(seen).collect()
    }
}

const fn protection(class: AssetClass) -> u8 {
    match class {
        AssetClass::Unknown => 0,
        AssetClass::Workstation => 1,
        AssetClass::Mobile => 2,
        AssetClass::Server => 3,
        AssetClass::DomainController => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(class: AssetClass) -> AssetFacts {
        AssetFacts {
            class,
            ..AssetFacts::default()
        }
    }

    #[test]
    fn a_document_cannot_talk_a_domain_controller_down_to_a_workstation() {
        let known = class(AssetClass::DomainController);
        assert_eq!(
            known.with(&class(AssetClass::Workstation)).class,
            AssetClass::DomainController
        );
        let claimed = class(AssetClass::Workstation);
        assert_eq!(
            claimed.with(&class(AssetClass::DomainController)).class,
            AssetClass::DomainController
        );
    }

    #[test]
    fn what_is_known_of_a_file_is_not_forgotten_and_the_more_careful_answer_stays() {
        let file = |os_signed, prevalence| FileFacts {
            os_signed,
            prevalence,
        };
        let known = file(Some(true), Some(100));
        for newer in [file(None, None), file(Some(false), Some(3))] {
            assert_eq!(known.with(newer), known);
            assert_eq!(newer.with(known), known);
        }
        assert_eq!(
            known.words(),
            [
                "signed by the operating system's maker",
                "seen on 100 machines"
            ]
        );
        assert!(FileFacts::default().words().is_empty());
    }

    #[test]
    fn a_known_class_replaces_an_unknown_one() {
        assert_eq!(
            AssetFacts::default().with(&class(AssetClass::Server)).class,
            AssetClass::Server
        );
    }
}
