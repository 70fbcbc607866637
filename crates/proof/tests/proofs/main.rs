//! What proofs promise, checked from outside. Those that need cvc5 are listed as ignored where it is
//! not installed, and fail with the reason when they are run nevertheless, as `cargo xtask test` does.

mod support;

mod comparisons;
mod doubts;
mod idle;
mod properties;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use support::{Check, Needs, solver};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let missing = solver().is_err();
    let checks = [
        properties::CHECKS,
        comparisons::CHECKS,
        idle::CHECKS,
        doubts::CHECKS,
    ];
    let trials = checks
        .into_iter()
        .flatten()
        .map(|(name, needs, check): &Check| {
            Trial::test(*name, move || Ok(check()?))
                .with_ignored_flag(missing && *needs == Needs::Solver)
        });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}
