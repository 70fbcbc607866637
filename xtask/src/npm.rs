//! `target/npm`: the Node packages with which some tests look at Quell from outside.
//!
//! Each `package-lock.json` of the project is installed into a folder of its own, named after the one it
//! stands in; `installed.json` there is the lock file it holds. Tests only use it, and call
//! `cargo xtask npm` when it is missing or out of date, which is safe to call from several at once.

use std::fs::File;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::needs;
use crate::process::{program, run};
use crate::repository::{files, root};

/// `cargo xtask npm`.
pub(crate) fn command() -> Result<ExitCode> {
    crate::say(&ensure()?);
    Ok(ExitCode::SUCCESS)
}

/// Makes sure that the packages are there. Answers with a note.
pub(crate) fn ensure() -> Result<String> {
    let target = root().join("target/npm");
    std::fs::create_dir_all(&target)?;
    let lock = File::create(root().join("target/npm.lock"))?;
    lock.lock().context("failed to lock `target/npm.lock`")?;
    let mut note = "already there";
    for path in files()? {
        let folder = path.parent().and_then(Path::file_name);
        let (true, Some(name)) = (path.ends_with("package-lock.json"), folder) else {
            continue;
        };
        let lock_file = root().join(&path);
        let (wanted, into) = (std::fs::read_to_string(&lock_file)?, target.join(name));
        let installed = into.join("installed.json");
        if std::fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
            continue;
        }
        needs::node()?;
        std::fs::create_dir_all(&into)?;
        for file in ["package.json", "package-lock.json"] {
            std::fs::copy(lock_file.with_file_name(file), into.join(file))?;
        }
        let mut npm = program("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(&into);
        let outcome = run(&mut npm, "node packages")?;
        if !outcome.succeeded {
            bail!(
                "`npm ci` failed for {}, so the tests that use its packages will fail; is a package \
                 registry reachable?\n{}",
                path.display(),
                outcome.output
            );
        }
        std::fs::write(&installed, wanted)?;
        note = "installed into target/npm";
    }
    Ok(note.to_owned())
}
