//! `target/venv`: the Python packages with which some tests look at Quell from outside.
//!
//! One environment holds what every `requirements.txt` of the project asks for. Its stamp,
//! `target/venv/installed.txt`, is those files one after the other, so a test can tell that its own
//! are installed: the stamp contains them. Tests only use the environment; when it is missing or
//! out of date they call `cargo xtask venv`, which is safe to call from several at once.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::needs;
use crate::process::{answers, program, run};
use crate::repository::{files, root};

/// `cargo xtask venv`.
pub(crate) fn command() -> Result<ExitCode> {
    crate::say(&ensure()?);
    Ok(ExitCode::SUCCESS)
}

/// Makes sure that the environment holds what the project asks for. Answers with a note.
pub(crate) fn ensure() -> Result<String> {
    let requirements = requirements(&files()?);
    if requirements.is_empty() {
        return Ok("no test asks for any".to_owned());
    }
    let target = root().join("target");
    std::fs::create_dir_all(&target)?;
    let lock = File::create(target.join("venv.lock"))?;
    lock.lock().context("failed to lock `target/venv.lock`")?;

    let wanted = stamp(root(), &requirements)?;
    let venv = target.join("venv");
    let installed = venv.join("installed.txt");
    let python = venv.join("bin/python");
    let current = std::fs::read_to_string(&installed).is_ok_and(|text| text == wanted);
    if current && answers(program(&python).args(["-c", ""])) {
        return Ok("already there".to_owned());
    }

    let users: Vec<String> = requirements
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let users = users.join(", ");
    install(&venv, &python, &requirements)
        .with_context(|| format!("the tests that use the packages of {users} will fail"))?;
    std::fs::write(&installed, wanted)?;
    Ok("installed into target/venv".to_owned())
}

fn install(venv: &Path, python: &Path, requirements: &[PathBuf]) -> Result<()> {
    needs::python()?;
    let made = run(
        program("python3").args(["-m", "venv", "--clear"]).arg(venv),
        "python venv",
    )?;
    if !made.succeeded {
        bail!("`python3 -m venv` failed:\n{}", made.output);
    }
    let mut pip = program(python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]);
    for path in requirements {
        pip.arg("--requirement").arg(path);
    }
    let installed = run(&mut pip, "python packages")?;
    if !installed.succeeded {
        bail!(
            "`pip install` failed; is a package index reachable?\n{}",
            installed.output
        );
    }
    Ok(())
}

fn requirements(files: &[PathBuf]) -> Vec<PathBuf> {
    let named = |path: &&PathBuf| path.ends_with("requirements.txt");
    files.iter().filter(named).cloned().collect()
}

fn stamp(root: &Path, requirements: &[PathBuf]) -> Result<String> {
    let mut stamp = String::new();
    for path in requirements {
        let text = std::fs::read_to_string(root.join(path));
        stamp.push_str(&text.with_context(|| format!("failed to read `{}`", path.display()))?);
    }
    Ok(stamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_requirements_file_is_found_and_nothing_else() {
        let files = [
            "a/requirements.txt",
            "a/requirements.txt.md",
            "b/c/requirements.txt",
            "x.txt",
        ];
        let found = requirements(&files.map(PathBuf::from));
        assert_eq!(
            found,
            ["a/requirements.txt", "b/c/requirements.txt"].map(PathBuf::from)
        );
    }

    #[test]
    fn the_stamp_contains_each_file_word_for_word() {
        let files = ["Cargo.toml", ".gitignore"].map(PathBuf::from);
        let stamp = stamp(root(), &files).unwrap();
        for file in files {
            let text = std::fs::read_to_string(root().join(file)).unwrap();
            assert!(stamp.contains(&text));
        }
    }
}
