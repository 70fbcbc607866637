//! Does a policy keep its properties? Owns what counts as a proof of that.

use cedar_policy::Schema;
use quell_policy::{Diagnostics, Source};

use crate::decide::{INTERRUPTED, Part, UNASKED, decide};
use crate::property::Property;
use crate::rules::{self, Named};
use crate::search::{Other, Search};
use crate::solver::Solver;
use crate::verdict::Verdict;

/// Whether the policy that these texts make keeps the properties: one verdict for each, in their order.
///
/// Blocks until it is done, at most the solver's time limit for each property.
///
/// # Errors
/// When the texts do not load as a policy.
pub fn prove(
    solver: &Solver,
    sources: &[Source<'_>],
    properties: &[Property],
) -> Result<Vec<Verdict>, Diagnostics> {
    let work = async {
        let rules = rules::load(sources)?;
        let schema = rules::schema()?;
        let mut verdicts = Vec::with_capacity(properties.len());
        for property in properties {
            verdicts.push(keeps(solver, &schema, &rules, property).await);
        }
        Ok(verdicts)
    };
    let interrupted = || Verdict::undecided(INTERRUPTED);
    solver
        .aside(work)
        .unwrap_or_else(|| Ok(properties.iter().map(|_| interrupted()).collect()))
}

async fn keeps(solver: &Solver, schema: &Schema, rules: &[Named], property: &Property) -> Verdict {
    let environments = rules::environments(schema);
    let about = environments
        .iter()
        .filter(|(action, _)| property.actions().contains(action));
    let parts = about.map(|(action, environment)| {
        let policy = rules::set(rules::about(rules, *action).map(|named| &named.rule))?;
        let unwanted = rules::set([property.unwanted()])?;
        let search = |allowing| {
            Search::new(
                schema,
                environment,
                allowing,
                unwanted.clone(),
                Other::Allows,
            )
        };
        Some(Part {
            broken: search(policy)?,
            meaning: Some(search(unwanted.clone())?),
        })
    });
    match parts.collect::<Option<Vec<_>>>() {
        Some(parts) => decide(solver, rules, &parts).await,
        None => Verdict::undecided(UNASKED),
    }
}
