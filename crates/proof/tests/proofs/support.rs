//! The solver the tests use, real or not, and small policies to prove things about.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use quell_connector::SystemClock;
use quell_policy::Source;
use quell_proof::{CounterExample, NoSolver, Property, Solver, Verdict, prove};

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// A test: its claim, what it needs, and how it is checked.
pub(crate) type Check = (&'static str, Needs, fn() -> Outcome);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    Nothing,
    Solver,
}

/// The rows of a module's tests, named like their functions.
macro_rules! checks {
    ($($needs:ident: $check:ident,)*) => {
        pub(crate) const CHECKS: &[$crate::support::Check] =
            &[$((stringify!($check), $crate::support::Needs::$needs, $check),)*];
    };
}
pub(crate) use checks;

/// cvc5, where it is installed.
pub(crate) fn solver() -> Result<Solver, NoSolver> {
    Solver::find(None, Arc::new(SystemClock))
}

/// A program that only looks like cvc5.
pub(crate) fn pretender(name: &str) -> Result<Solver, NoSolver> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/solvers")
        .join(name);
    Solver::find(Some(&path), Arc::new(SystemClock))
}

pub(crate) const fn named<'a>(name: &'a str, text: &'a str) -> Source<'a> {
    Source { name, text }
}

/// What becomes of one property under some rules.
pub(crate) fn judge(
    solver: &Solver,
    rules: &str,
    property: &str,
) -> Result<Verdict, Box<dyn Error>> {
    let properties = Property::load(&[named("properties.cedar", property)])?;
    let mut verdicts = prove(solver, &[named("rules.cedar", rules)], &properties)?;
    assert_eq!(verdicts.len(), 1);
    verdicts.pop().ok_or_else(|| "there is no verdict".into())
}

pub(crate) fn counter_example(verdict: Verdict) -> Result<CounterExample, Box<dyn Error>> {
    match verdict {
        Verdict::Fails { counter_example } => Ok(*counter_example),
        other => Err(format!("there is no counter-example: {other}").into()),
    }
}

pub(crate) fn undecided(verdict: Verdict) -> Result<String, Box<dyn Error>> {
    match verdict {
        Verdict::Undecided { why } => Ok(why),
        other => Err(format!("it is decided: {other}").into()),
    }
}

/// Rules that let Quell contain a workstation by itself, and a few things after a yes, but never what is
/// labelled break-glass.
pub(crate) const CAREFUL: &str = r#"
@id("contain-workstation") @reason("A workstation is contained at high severity.")
permit (principal == Mode::"auto", action == Action::"contain_host", resource)
when { context.severity >= 4 && resource.class == Class::"workstation" };

@id("ask-domain-controller") @reason("Containing a domain controller needs a person.")
forbid (principal == Mode::"auto", action == Action::"contain_host", resource)
when { resource.class == Class::"domain_controller" };

@id("approve-endpoint") @reason("A person may approve it.")
permit (
  principal == Mode::"approved",
  action in [Action::"contain_host", Action::"block_hash", Action::"disable_account"],
  resource
)
when { context.severity >= 3 };

@id("break-glass") @reason("It is labelled break-glass.")
forbid (principal, action in Action::"remediation", resource)
when { resource.labels.contains("break-glass") };
"#;

pub(crate) const DOMAIN_CONTROLLER: &str = r#"
@id("domain-controller") @reason("No domain controller is contained without a person.")
forbid (principal == Mode::"auto", action == Action::"contain_host", resource)
when { resource.class == Class::"domain_controller" };
"#;

/// [`CAREFUL`] with a part of its text replaced; the part has to be there.
pub(crate) fn careful_but(part: &str, replacement: &str) -> String {
    assert!(CAREFUL.contains(part), "the rules do not say `{part}`");
    CAREFUL.replace(part, replacement)
}
