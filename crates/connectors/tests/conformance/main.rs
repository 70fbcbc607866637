//! Runs the conformance suite for every connector that has a twin.

#![expect(
    clippy::expect_used,
    reason = "helpers of tests may fail the test where they stand"
)]

mod duo;
mod entra_id;
mod falcon;
mod github;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use quell_connector::BoxFuture;
use quell_connector::conformance::{self, Bench, Case};
use quell_connectors::catalog;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let cases = [
        cases("crowdstrike", falcon::falcon),
        cases("duo", duo::duo),
        github::cases::<{ github::ORG }>("org"),
        github::cases::<{ github::GHES }>("ghes"),
        github::cases::<{ github::EMU }>("emu"),
        cases("entra-id", entra_id::entra),
    ];
    let trials = cases.into_iter().flatten().map(trial).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn cases<B: Bench>(connector: &str, start: fn() -> BoxFuture<'static, B>) -> Vec<Case> {
    let connector = catalog::find(connector).expect("the catalog lists it");
    conformance::cases(connector, start)
}

fn trial(case: Case) -> Trial {
    Trial::test(case.name, move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(runtime.block_on((case.run)())?)
    })
}
