//! Runs the conformance suite for every connector that has a twin.

#![expect(
    clippy::expect_used,
    reason = "helpers of tests may fail the test where they stand"
)]

mod domain;
mod duo;
mod entra_id;
mod falcon;
mod github;
#[path = "../support/google_workspace.rs"]
mod google_lab;
mod google_workspace;
mod okta;
#[path = "../okta/lab.rs"]
mod okta_lab;
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
use support::clock;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let cases = [
        cases("crowdstrike", falcon::falcon),
        cases("duo", duo::duo),
        github::cases::<{ github::ORG }>("org"),
        github::cases::<{ github::GHES }>("ghes"),
        github::cases::<{ github::EMU }>("emu"),
        cases("entra-id", entra_id::entra),
        cases("google-workspace", google_workspace::google),
        cases("okta", okta::okta),
        cases("active-directory", domain::domain),
    ];
    // Without Samba some are listed as ignored; `cargo xtask test` runs them all.
    let missing = !samba::installed();
    let trials = cases.into_iter().flatten().map(|case| {
        let ignored = missing && case.name.starts_with("active-directory::");
        trial(case).with_ignored_flag(ignored)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
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
