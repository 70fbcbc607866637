//! Running other programs: cargo without what this process inherited from cargo, and output kept
//! in a file so that it can be followed while it grows and read afterwards.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::repository::root;

/// What became of a program.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) succeeded: bool,
    pub(crate) output: String,
}

/// A program started in the root of the repository, without what `cargo run` told this process
/// about its own package. Build scripts that watch those variables (ring's does) would otherwise
/// run again each time `cargo xtask` and plain cargo take turns.
pub(crate) fn program(name: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root()).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(describes_a_package) {
            command.env_remove(name);
        }
    }
    command
}

fn describes_a_package(variable: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"]
        .iter()
        .any(|prefix| variable.starts_with(prefix))
        || ["CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE"].contains(&variable)
}

/// The cargo that runs this program, with words to pass on.
pub(crate) fn cargo(words: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = program(cargo);
    command.args(words).env("CARGO_TERM_COLOR", "never");
    command
}

/// Whether a program can be started and says that all is well.
pub(crate) fn answers(command: &mut Command) -> bool {
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Runs a program to its end, with everything it prints in `target/xtask/<log>.log`.
///
/// A file and not a pipe: a process that a test left behind would hold a pipe open for ever.
pub(crate) fn run(command: &mut Command, log: &str) -> Result<Outcome> {
    let path = log_path(log);
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)
        .with_context(|| format!("failed to create `{}`", folder.display()))?;
    let file = File::create(&path);
    let file = file.with_context(|| format!("failed to write `{}`", path.display()))?;
    let status = command.stdout(file.try_clone()?).stderr(file).status();
    let program = command.get_program().display();
    let status = status.with_context(|| format!("`{program}` could not be started"))?;
    let output = std::fs::read(&path)?;
    Ok(Outcome {
        succeeded: status.success(),
        output: String::from_utf8_lossy(&output).into_owned(),
    })
}

/// Where the output of a stage is kept.
pub(crate) fn log_path(log: &str) -> PathBuf {
    let name = log.replace(' ', "-");
    root().join("target/xtask").join(format!("{name}.log"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_output_streams_are_kept_in_order() {
        let mut command = program("sh");
        command.args(["-c", "echo one; echo two >&2; echo three; exit 3"]);
        let outcome = run(&mut command, "process test").unwrap();
        assert_eq!(outcome.output, "one\ntwo\nthree\n");
        assert!(!outcome.succeeded);
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error_and_not_an_answer() {
        assert!(!answers(&mut program("there-is-no-such-program")));
        let error = run(&mut program("there-is-no-such-program"), "process test 2").unwrap_err();
        assert!(
            error.to_string().contains("could not be started"),
            "{error}"
        );
    }

    #[test]
    fn only_what_describes_this_package_is_taken_away() {
        assert!(describes_a_package("CARGO_PKG_NAME"));
        assert!(describes_a_package("CARGO_MANIFEST_DIR"));
        assert!(!describes_a_package("CARGO_HOME"));
        assert!(!describes_a_package("CARGO_TARGET_DIR"));
    }
}
