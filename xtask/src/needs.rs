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
    let what = "`python3` with its `venv` module";
    debian(what, present, &["python3", "python3-venv"]).map(drop)
}

/// Makes sure that Node can run programs and install their packages.
pub(crate) fn node() -> Result<()> {
    let there = |name: &str| answers(program(name).arg("--version"));
    let present = || there("node") && there("npm");
    debian("`node` with `npm`", present, &["nodejs", "npm"]).map(drop)
}

/// Makes sure that proofs have their solver. Answers with a note.
pub(crate) fn solver() -> Result<&'static str> {
    // The tests look for it in the same places.
    let named = std::env::var_os("CVC5").unwrap_or_else(|| "cvc5".into());
    let present = || answers(program(&named).arg("--version"));
    let installed = debian(
        "`cvc5`, with which policies are proved,",
        present,
        &["cvc5"],
    )?;
    Ok(if installed {
        "installed it with apt-get"
    } else {
        "already there"
    })
}

/// Makes sure that the tests of Active Directory have a domain controller to run. Answers with a note.
pub(crate) fn samba() -> Result<&'static str> {
    // The tests start `samba`, make its domain with Debian's own Python, and look at it with OpenLDAP's
    // tools. Debian starts none of it by itself.
    let present = || {
        let modules = ["-c", "import samba.samdb, samba.provision"];
        answers(program("samba").arg("--version"))
            && answers(program("/usr/bin/python3").args(modules))
            && answers(program("ldapsearch").arg("-VV"))
            && answers(program("openssl").arg("version"))
    };
    let installed = debian(
        "`samba` as a domain controller, with which the Active Directory connector is tested,",
        present,
        &["samba-ad-dc", "samba-ad-provision", "ldap-utils", "openssl"],
    )?;
    Ok(if installed {
        "installed it with apt-get"
    } else {
        "already there"
    })
}

/// Installs packages unless what they bring is there. Answers whether that was needed.
fn debian(what: &str, present: impl Fn() -> bool, packages: &[&str]) -> Result<bool> {
    if present() {
        return Ok(false);
    }
    let names = packages.join(" and ");
    let root = program("id").arg("-u").output();
    let root = root.is_ok_and(|id| id.stdout.trim_ascii() == b"0");
    if !root || !answers(program("apt-get").arg("--version")) {
        bail!(
            "{what} is not installed, and only root on Debian or Ubuntu can have it installed from \
             here; install {names}"
        );
    }
    let install = [&["install", "--yes", "--no-install-recommends"], packages].concat();
    for words in [["update"].as_slice(), &install] {
        let mut apt = program("apt-get");
        apt.args(words).env("DEBIAN_FRONTEND", "noninteractive");
        let outcome = run(&mut apt, "apt-get")?;
        // An outdated package list may do, so only the end counts.
        if !outcome.succeeded && words != ["update"] {
            bail!("`apt-get` could not install {names}:\n{}", outcome.output);
        }
    }
    if !present() {
        bail!("`apt-get` installed {names}, but {what} is still not there");
    }
    Ok(true)
}
