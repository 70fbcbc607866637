//! Solvers that are missing, slow, broken or lying: a reason instead of an answer, and never a proof.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use quell_connector::SystemClock;
use quell_proof::{NoSolver, Solver};

use crate::support::{CAREFUL, DOMAIN_CONTROLLER, Outcome, checks, judge, pretender, undecided};

checks! {
    Nothing: a_missing_solver_is_named_with_what_to_install,
    Nothing: another_program_is_no_solver,
    Nothing: a_solver_that_hangs_is_given_up_at_the_time_limit,
    Nothing: a_solver_that_talks_nonsense_decides_nothing,
    Nothing: a_solver_that_never_finds_anything_proves_nothing,
    Nothing: a_solver_that_dies_decides_nothing,
    Nothing: a_solver_that_floods_decides_nothing,
}

fn a_missing_solver_is_named_with_what_to_install() -> Outcome {
    let missing = Solver::find(Some(Path::new("/nowhere/cvc5")), Arc::new(SystemClock));
    let error = missing.err().ok_or("it was found")?;
    assert!(matches!(error, NoSolver::Missing { .. }));
    assert_eq!(
        error.to_string(),
        "the solver `/nowhere/cvc5` could not be started; proofs need cvc5 (`apt-get install cvc5`), \
         everything else of Quell works without it"
    );
    Ok(())
}

fn another_program_is_no_solver() -> Outcome {
    let error = pretender("is_no_solver.sh")
        .err()
        .ok_or("it was taken for one")?;
    assert!(matches!(error, NoSolver::Other { .. }));
    assert!(
        error.to_string().contains("apt-get install cvc5"),
        "{error}"
    );
    Ok(())
}

/// What is said when this solver is asked something that is in fact so.
fn doubt(name: &str, limit: Duration) -> Result<String, Box<dyn std::error::Error>> {
    let solver = pretender(name)?.with_time_limit(limit);
    undecided(judge(&solver, CAREFUL, DOMAIN_CONTROLLER)?)
}

fn a_solver_that_hangs_is_given_up_at_the_time_limit() -> Outcome {
    let why = doubt("hangs.sh", Duration::from_millis(200))?;
    assert_eq!(why, "the solver did not answer within 0.2 s");
    Ok(())
}

const AMPLE: Duration = Duration::from_secs(60);

fn a_solver_that_talks_nonsense_decides_nothing() -> Outcome {
    let why = doubt("talks_nonsense.sh", AMPLE)?;
    assert_eq!(
        why,
        "the solver's answer makes no sense: `perhaps (maybe (`"
    );
    let why = doubt("empty_models.sh", AMPLE)?;
    assert!(why.contains("solver"), "{why}");
    Ok(())
}

fn a_solver_that_never_finds_anything_proves_nothing() -> Outcome {
    let why = doubt("always_unsat.sh", AMPLE)?;
    assert!(
        why.contains("a wrong answer to a question whose answer is known"),
        "{why}"
    );
    let why = doubt("unsat_after_the_first.sh", AMPLE)?;
    assert!(why.contains("no request can match"), "{why}");
    Ok(())
}

fn a_solver_that_dies_decides_nothing() -> Outcome {
    let why = doubt("dies.sh", AMPLE)?;
    assert!(why.contains("the solver"), "{why}");
    Ok(())
}

fn a_solver_that_floods_decides_nothing() -> Outcome {
    let why = doubt("floods.sh", AMPLE)?;
    assert!(why.contains("printed too much"), "{why}");
    Ok(())
}
