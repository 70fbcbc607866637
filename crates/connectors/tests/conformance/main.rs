//! Runs the conformance suite for every connector that has a twin.

#![expect(
    clippy::expect_used,
    reason = "helpers of tests may fail the test where they stand"
)]

mod domain;
mod falcon;
#[expect(
    dead_code,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helper, of which the connector's own tests use more than the suite does"
)]
#[path = "../samba/mod.rs"]
mod samba;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use quell_connector::BoxFuture;
use quell_connector::conformance::{self, Bench, Case};
use quell_connectors::catalog;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let twins = [cases("crowdstrike", falcon::falcon)];
    let trials = twins.into_iter().flatten().map(trial);
    // Without Samba these are listed as ignored; `cargo xtask test` runs them all.
    let missing = !samba::installed();
    let domain = cases("active-directory", domain::domain).into_iter();
    let domain = domain.map(|case| trial(case).with_ignored_flag(missing));
    libtest_mimic::run(&arguments, trials.chain(domain).collect()).exit_code()
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
