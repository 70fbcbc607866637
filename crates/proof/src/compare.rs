//! Does a changed policy permit something new? Owns the question for one action in one mode.

use std::collections::BTreeSet;

use cedar_policy::{PolicySet, RequestEnv, Schema};
use quell_model::ActionType;
use quell_policy::{Diagnostics, Source};
use serde::Serialize;

use crate::counter_example::Mode;
use crate::decide::{INTERRUPTED, Part, UNASKED, decide};
use crate::rules::{self, Named};
use crate::search::{self, Other, Search};
use crate::solver::Solver;
use crate::verdict::Verdict;

/// Whether a new policy permits an action in a mode only where the old one did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The action.
    pub action: ActionType,
    /// Who would act.
    pub mode: Mode,
    /// Holds when the new policy permits nothing that the old one refused.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Whether the policy of `new` permits nothing that the policy of `old` refused: one answer for each
/// action and mode, in catalogue order. What the new policy no longer permits is not reported.
///
/// Blocks until it is done, at most the solver's time limit for each answer.
///
/// # Errors
/// When the texts of either do not load as a policy.
pub fn compare(
    solver: &Solver,
    old: &[Source<'_>],
    new: &[Source<'_>],
) -> Result<Vec<Comparison>, Diagnostics> {
    let work = async {
        let (old, new) = (rules::load(old)?, rules::load(new)?);
        let schema = rules::schema()?;
        let mut answers = Vec::new();
        for (action, environment) in rules::environments(&schema) {
            for mode in Mode::ALL {
                let verdict =
                    loosened(solver, &schema, &environment, &old, &new, action, mode).await;
                answers.push(Comparison {
                    action,
                    mode,
                    verdict,
                });
            }
        }
        Ok(answers)
    };
    solver.aside(work).unwrap_or_else(|| Ok(interrupted()))
}

fn interrupted() -> Vec<Comparison> {
    let pairs = ActionType::ALL
        .iter()
        .flat_map(|action| Mode::ALL.map(|mode| (*action, mode)));
    pairs
        .map(|(action, mode)| Comparison {
            action,
            mode,
            verdict: Verdict::undecided(INTERRUPTED),
        })
        .collect()
}

async fn loosened(
    solver: &Solver,
    schema: &Schema,
    environment: &RequestEnv,
    old: &[Named],
    new: &[Named],
    action: ActionType,
    mode: Mode,
) -> Verdict {
    let started = solver.now();
    if texts(old, action) == texts(new, action) {
        // The same rules permit the same; no solver has to say so.
        return Verdict::Holds {
            environments: 1,
            time: solver.since(started),
        };
    }
    let part = || {
        let set = |rules| set(rules, action);
        let new = search::with(&set(new)?, "?mode", only(mode))?;
        Some(Part {
            broken: Search::new(schema, environment, new, set(old)?, Other::Refuses)?,
            meaning: None,
        })
    };
    match part() {
        Some(part) => decide(solver, new, &[part]).await,
        None => Verdict::undecided(UNASKED),
    }
}

/// The rule that leaves one mode only.
const fn only(mode: Mode) -> &'static str {
    match mode {
        Mode::Auto => {
            "forbid (principal, action, resource) unless { principal == Mode::\"auto\" };"
        }
        Mode::Approved => {
            "forbid (principal, action, resource) unless { principal == Mode::\"approved\" };"
        }
    }
}

fn set(rules: &[Named], action: ActionType) -> Option<PolicySet> {
    rules::set(rules::about(rules, action).map(|named| &named.rule))
}

fn texts(rules: &[Named], action: ActionType) -> BTreeSet<String> {
    rules::about(rules, action)
        .map(|named| named.rule.to_string())
        .collect()
}
