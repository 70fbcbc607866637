//! What the checks need beyond a Rust toolchain's bare minimum, and how to get it.
//!
//! What is missing is installed where that can be done without asking; otherwise one plain sentence
//! says what to install and which check fails without it.

use anyhow::{Result, bail};

use crate::process::{answers, cargo, program, run};

/// A part of the toolchain that `rustup` can add.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Component {
    Rustfmt,
    Clippy,
}

impl Component {
    const fn name(self) -> &'static str {
        match self {
            Self::Rustfmt => "rustfmt",
            Self::Clippy => "clippy",
        }
    }

    const fn cargo_command(self) -> &'static str {
        match self {
            Self::Rustfmt => "fmt",
            Self::Clippy => "clippy",
        }
    }

    /// Makes sure that it is there. Answers with a note if it had to be installed.
    pub(crate) fn ensure(self) -> Result<&'static str> {
        let present = || answers(&mut cargo(&[self.cargo_command(), "--version"]));
        if present() {
            return Ok("");
        }
        let name = self.name();
        if !answers(program("rustup").arg("--version")) {
            bail!(
                "{name} is not installed and there is no `rustup` to install it with, so this check \
                 could not run; install {name} for the toolchain in use"
            );
        }
        let added = program("rustup")
            .args(["component", "add", name])
            .output()?;
        if !present() {
            let said = String::from_utf8_lossy(&added.stderr);
            bail!(
                "`rustup component add {name}` did not help, so this check could not run:\n{said}"
            );
        }
        Ok("installed it with rustup")
    }
}

/// Whether cargo-nextest is there. It is not installed from source: that takes longer than the tests,
/// and `cargo test` runs the same ones.
pub(crate) fn nextest() -> bool {
    answers(&mut cargo(&["nextest", "--version"]))
}

/// Makes sure that `python3` can make virtual environments.
pub(crate) fn python() -> Result<()> {
    // Debian's python3 has `venv` but leaves out `ensurepip`, without which it fails half way.
    let present = || answers(program("python3").args(["-c", "import venv, ensurepip"]));
    if present() {
        return Ok(());
    }
    let root = program("id").arg("-u").output();
    let root = root.is_ok_and(|id| id.stdout.trim_ascii() == b"0");
    if !root || !answers(program("apt-get").arg("--version")) {
        bail!(
            "`python3` with its `venv` module is not installed, and only root on Debian or Ubuntu \
             can have it installed from here; install python3 and python3-venv"
        );
    }
    let packages = [
        "install",
        "--yes",
        "--no-install-recommends",
        "python3",
        "python3-venv",
    ];
    for words in [["update"].as_slice(), &packages] {
        let mut apt = program("apt-get");
        apt.args(words).env("DEBIAN_FRONTEND", "noninteractive");
        let outcome = run(&mut apt, "apt-get")?;
        // An outdated package list may do, so only the end counts.
        if !outcome.succeeded && words != ["update"] {
            bail!(
                "`apt-get` could not install python3 and python3-venv:\n{}",
                outcome.output
            );
        }
    }
    if !present() {
        bail!("`apt-get` installed python3 and python3-venv, but `python3` still has no `venv`");
    }
    Ok(())
}
