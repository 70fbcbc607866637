//! Who has to say yes: what people may do, and how many of them it takes.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a person may do. Each role may do what those before it may.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads everything, changes nothing.
    Viewer,
    /// Approves, rejects and reverts actions, checks connections, and pauses automation: in an
    /// emergency whoever is on duty must be able to stop it.
    Responder,
    /// Also lets automation run again, puts a changed policy in force, and approves what policy
    /// leaves to administrators.
    Administrator,
}

impl Role {
    /// The name used in configuration, JSON and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Responder => "responder",
            Self::Administrator => "administrator",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Viewer, Self::Responder, Self::Administrator]
            .into_iter()
            .find(|role| role.as_str() == name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A person who gives orders, by their credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The name that stands in the journal. Two names are two people.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

/// How many different people have to say yes, and what each of them has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Quorum {
    /// How many, 1 or 2.
    pub approvers: u8,
    /// The least role that counts.
    pub role: Role,
}

impl Quorum {
    /// Most people that can be asked for.
    pub const MOST: u8 = 2;
    /// One responder: what "ask" means when nothing else is said.
    pub const ONE: Self = Self {
        approvers: 1,
        role: Role::Responder,
    };

    /// Whether it is [`Quorum::ONE`].
    #[must_use]
    pub fn is_one(&self) -> bool {
        *self == Self::ONE
    }

    /// What satisfies both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            approvers: self.approvers.max(other.approvers),
            role: self.role.max(other.role),
        }
    }

    /// Whether whoever satisfied this has satisfied `other`.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self.and(other) == self
    }

    /// "two administrators".
    #[must_use]
    pub const fn words(self) -> &'static str {
        match (self.approvers, self.role) {
            (..=1, Role::Administrator) => "an administrator",
            (..=1, _) => "a person",
            (_, Role::Administrator) => "two administrators",
            (_, _) => "two people",
        }
    }
}

impl Default for Quorum {
    fn default() -> Self {
        Self::ONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stricter_of_two_quorums_takes_the_most_of_each() {
        let two = Quorum {
            approvers: 2,
            ..Quorum::ONE
        };
        let administrator = Quorum {
            role: Role::Administrator,
            ..Quorum::ONE
        };
        let both = two.and(administrator);
        assert_eq!(both.words(), "two administrators");
        assert!(both.covers(two) && both.covers(administrator) && both.covers(Quorum::ONE));
        assert!(!two.covers(administrator) && !administrator.covers(two));
    }
}
