//! Decisions: may a proposed action run, and who says so.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::quorum::Quorum;

/// What a decision comes to. Ordered by strictness: the later, the stricter.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It runs by itself.
    Auto,
    /// A person has to say yes.
    Ask,
    /// Quell cannot do it (no device id, no connector for it): a person has to, elsewhere.
    /// Policy never answers this; it is found before policy is asked.
    Manual,
    /// It does not run through Quell.
    Never,
}

impl Outcome {
    /// The name used in JSON and on pages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Ask => "ask",
            Self::Manual => "manual",
            Self::Never => "never",
        }
    }
}

/// One rule that decided, in one sentence.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct Reason {
    /// Id of the rule (`contain-host-server`), or of the check that stood in for one.
    pub rule: String,
    /// One sentence for people.
    pub text: String,
}

impl Reason {
    /// A reason.
    #[must_use]
    pub fn new(rule: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            rule: rule.into(),
            text: text.into(),
        }
    }
}

/// The answer of policy, with the rules that decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// What it comes to.
    pub outcome: Outcome,
    /// The rules that made it so; never empty.
    pub reasons: Vec<Reason>,
    /// Who has to say yes, when it asks: the strictest of the rules that decided.
    #[serde(default, skip_serializing_if = "Quorum::is_one")]
    pub quorum: Quorum,
}

impl Decision {
    /// A decision with a single reason.
    #[must_use]
    pub fn because(outcome: Outcome, rule: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(outcome, vec![Reason::new(rule, text)])
    }

    /// A decision that, if it asks, asks one responder.
    #[must_use]
    pub const fn new(outcome: Outcome, reasons: Vec<Reason>) -> Self {
        Self {
            outcome,
            reasons,
            quorum: Quorum::ONE,
        }
    }

    /// The same, asking these people.
    #[must_use]
    pub const fn of(mut self, quorum: Quorum) -> Self {
        self.quorum = quorum;
        self
    }
}
