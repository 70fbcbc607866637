//! `cargo xtask test`: every check, in the order in which a failure is cheapest to learn of.
//!
//! A later stage still runs when an earlier one has failed, so that one run tells everything. A
//! stage that cannot run has failed. Lints, build and tests use one feature set, so that
//! dependencies are compiled once for each.

use std::io::{ErrorKind, stdout};
use std::process::{Command, ExitCode};

use anyhow::{Result, ensure};

use crate::generated::{self, Mode};
use crate::needs::{self, Component};
use crate::npm;
use crate::process::{cargo, run};
use crate::python;
use crate::report::{Report, Verdict};
use crate::repository::root;
use crate::tally::Tally;

/// What lints, build and tests compile.
const EVERYTHING: [&str; 2] = ["--workspace", "--all-features"];

/// `cargo xtask test`.
pub(crate) fn command() -> Result<ExitCode> {
    let mut report = Report::new(stdout());
    report.stage("formatting", formatting)?;
    report.stage("python packages", python_packages)?;
    report.stage("node packages", node_packages)?;
    report.stage("solver", solver)?;
    report.stage("domain controller", domain_controller)?;
    report.stage("clippy", clippy)?;
    let built = report.stage("build", build)?;
    for (name, stage) in [
        ("generated files", generated_files as fn() -> _),
        ("tests", tests),
        ("doctests", doctests),
    ] {
        report.stage(name, || {
            ensure!(built, "could not run, because the build failed");
            stage()
        })?;
    }
    Ok(if report.finish()? {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn formatting() -> Result<Verdict> {
    let note = Component::Rustfmt.ensure()?;
    let mut rustfmt = cargo(&["fmt", "--all", "--check", "--", "--color", "never"]);
    Ok(one_check("formatting", &mut rustfmt)?.noting(note))
}

fn python_packages() -> Result<Verdict> {
    let note = python::ensure()?;
    Ok(Verdict::of(true, String::new()).noting(note))
}

fn node_packages() -> Result<Verdict> {
    let note = npm::ensure()?;
    Ok(Verdict::of(true, String::new()).noting(note))
}

fn solver() -> Result<Verdict> {
    Ok(Verdict::of(true, String::new()).noting(needs::solver()?))
}

fn domain_controller() -> Result<Verdict> {
    Ok(Verdict::of(true, String::new()).noting(needs::samba()?))
}

fn clippy() -> Result<Verdict> {
    let note = Component::Clippy.ensure()?;
    let mut clippy = cargo(&["clippy", "--quiet", "--keep-going", "--all-targets"]);
    clippy.args(EVERYTHING).args(["--", "--deny", "warnings"]);
    Ok(one_check("clippy", &mut clippy)?.noting(note))
}

/// Compiles the tests and, with the same features, the programs that write the generated files.
fn build() -> Result<Verdict> {
    let mut build = cargo(&["build", "--quiet", "--keep-going", "--bins", "--tests"]);
    one_check("build", build.args(EVERYTHING))
}

fn generated_files() -> Result<Verdict> {
    let differences = generated::apply(Mode::Check)?;
    let summary = generated::summary(&differences, Mode::Check);
    Ok(Verdict::of(differences.is_empty(), summary))
}

fn tests() -> Result<Verdict> {
    if needs::nextest() {
        nextest()
    } else {
        let mut libtest = cargo(&["test", "--quiet", "--tests", "--no-fail-fast"]);
        libtest.args(EVERYTHING).args(["--", "--include-ignored"]);
        let verdict = counted_from_output("tests", &mut libtest)?;
        let note = format!(
            "{}, with `cargo test`: cargo-nextest is not installed",
            verdict.note
        );
        Ok(verdict.noting(note))
    }
}

fn nextest() -> Result<Verdict> {
    // Where nextest writes by the profile in `.config/nextest.toml`.
    let junit = root().join("target/nextest/xtask/junit.xml");
    match std::fs::remove_file(&junit) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let mut nextest = cargo(&[
        "nextest",
        "run",
        "--cargo-quiet",
        "--tests",
        "--profile",
        "xtask",
    ]);
    nextest.args(EVERYTHING).args([
        "--run-ignored",
        "all",
        "--status-level",
        "fail",
        "--final-status-level",
        "fail",
    ]);
    let outcome = run(&mut nextest, "tests")?;
    let report = std::fs::read_to_string(&junit).unwrap_or_default();
    let counted = Tally::from_junit(&report);
    // A run that says it went well but left no count has not shown that it tested anything.
    let succeeded = outcome.succeeded && counted.is_some();
    let tally = counted.unwrap_or_default().agreeing_with(succeeded);
    Ok(counting(tally, outcome.output))
}

/// Nextest has no doctests, so these always run with `cargo test`.
fn doctests() -> Result<Verdict> {
    let mut libtest = cargo(&["test", "--quiet", "--doc", "--no-fail-fast"]);
    libtest.args(EVERYTHING).args(["--", "--include-ignored"]);
    counted_from_output("doctests", &mut libtest)
}

fn one_check(log: &str, command: &mut Command) -> Result<Verdict> {
    let outcome = run(command, log)?;
    Ok(Verdict::of(outcome.succeeded, outcome.output))
}

fn counted_from_output(log: &str, command: &mut Command) -> Result<Verdict> {
    let outcome = run(command, log)?;
    let tally = Tally::from_libtest(&outcome.output).agreeing_with(outcome.succeeded);
    Ok(counting(tally, outcome.output))
}

fn counting(tally: Tally, output: String) -> Verdict {
    Verdict {
        tally,
        note: format!("{} passed, {} failed", tally.passed, tally.failed),
        output,
    }
}
