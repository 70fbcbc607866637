//! The Python that has the pinned packages which tests need as independent peers, set up on first use in
//! `target/venv`. Shared by the test binaries of more than one crate, so it names its paths from the workspace.

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Output;

use tokio::process::Command;

/// What a test that needs Python gives back.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// The interpreter. What is missing is said, never skipped.
pub(crate) async fn python() -> Outcome<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .ok_or("the crate is not two folders below the workspace")?;
    let pins = root.join("crates/twins/tests/sdk/requirements.txt");
    let venv = root.join("target/venv");
    let python = venv.join("bin/python");
    let stamp = venv.join("installed.txt");
    std::fs::create_dir_all(&venv)?;
    // Test processes run side by side; one sets up, the others wait for it.
    let turn = File::create(root.join("target/venv.lock"))?;
    turn.lock()?;
    let wanted = std::fs::read_to_string(&pins)?;
    if std::fs::read_to_string(&stamp).ok().as_ref() == Some(&wanted) && python.exists() {
        return Ok(python);
    }
    let made = Command::new("python3")
        .args(["-m", "venv"])
        .arg(&venv)
        .output()
        .await
        .map_err(|error| {
            format!("this test needs `python3`, which could not be started: {error}")
        })?;
    if !made.status.success() {
        let said = said(&made);
        return Err(
            format!("`python3 -m venv` failed; is the venv module installed?\n{said}").into(),
        );
    }
    let installed = Command::new(&python)
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--requirement",
        ])
        .arg(&pins)
        .output()
        .await?;
    if !installed.status.success() {
        let said = said(&installed);
        return Err(format!(
            "the Python packages this test needs could not be installed; is a PyPI registry reachable?\n{said}"
        )
        .into());
    }
    std::fs::write(&stamp, wanted)?;
    Ok(python)
}

/// Everything a process printed.
pub(crate) fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}
