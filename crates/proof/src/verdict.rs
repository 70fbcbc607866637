//! What became of a proof. Owns the three answers and their wording, not how they are found.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::counter_example::CounterExample;

/// The answer to one statement about a policy.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It is so for every request there can be.
    Holds {
        /// In how many kinds of request (an action on a type of target) the statement says something.
        environments: usize,
        /// How long the proof took.
        #[serde(rename = "duration_ms", serialize_with = "milliseconds")]
        time: Duration,
    },
    /// It is not so.
    Fails {
        /// A request that shows it, confirmed by the authorizer that decides for real.
        counter_example: Box<CounterExample>,
    },
    /// Nobody knows. It may be so and may not.
    Undecided {
        /// Why there is no answer, for people: lower case, one line.
        why: String,
    },
}

impl Verdict {
    /// The statement was proved.
    #[must_use]
    pub const fn holds(&self) -> bool {
        matches!(self, Self::Holds { .. })
    }

    pub(crate) fn undecided(why: impl Into<String>) -> Self {
        Self::Undecided { why: why.into() }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holds { environments, time } => {
                let kinds = if *environments == 1 { "kind" } else { "kinds" };
                let time = time.as_millis();
                write!(
                    f,
                    "Holds for every request of {environments} {kinds} ({time} ms)."
                )
            }
            Self::Fails { counter_example } => write!(f, "Does not hold. {counter_example}"),
            Self::Undecided { why } => write!(f, "Undecided: {why}."),
        }
    }
}

fn milliseconds<S: serde::Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
