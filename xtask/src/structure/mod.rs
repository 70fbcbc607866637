//! What must hold of the project as a whole, checked by tests: which crate may use which, what a
//! manifest and a source file look like, where links lead.
//!
//! Every check is a function from facts to complaints. One test gives it the project, the others
//! give it what it must refuse. A complaint says what to do.

mod arrows;
mod manifests;
mod sources;
mod texts;

use std::path::{Path, PathBuf};

use crate::process::cargo;
use crate::repository::{files, root};

/// A file of the project.
struct SourceFile {
    path: PathBuf,
    text: String,
}

impl SourceFile {
    fn new(path: &str, text: &str) -> Self {
        Self {
            path: PathBuf::from(path),
            text: text.to_owned(),
        }
    }

    fn has_extension(&self, extension: &str) -> bool {
        self.path.extension().is_some_and(|own| own == extension)
    }
}

/// Every file of the project that is text.
fn texts() -> Vec<SourceFile> {
    let files = files().unwrap();
    assert!(files.len() > 20, "the project's files were not found");
    let read = |path: PathBuf| {
        // A file may go away between being listed and being read.
        let text = String::from_utf8(std::fs::read(root().join(&path)).ok()?).ok()?;
        Some(SourceFile { path, text })
    };
    files.into_iter().filter_map(read).collect()
}

/// What a manifest says, as cargo understands it.
struct Package {
    name: String,
    manifest: PathBuf,
    description: Option<String>,
    dependencies: Vec<Dependency>,
}

struct Dependency {
    name: String,
    /// Used by tests, examples and benchmarks only.
    development: bool,
}

/// The workspace's packages.
fn packages() -> Vec<Package> {
    let mut metadata = cargo(&[
        "metadata",
        "--format-version",
        "1",
        "--no-deps",
        "--offline",
    ]);
    let metadata = metadata.output().unwrap();
    let said = String::from_utf8_lossy(&metadata.stderr);
    assert!(
        metadata.status.success(),
        "`cargo metadata` failed:\n{said}"
    );
    packages_in(&serde_json::from_slice(&metadata.stdout).unwrap())
}

fn packages_in(metadata: &serde_json::Value) -> Vec<Package> {
    let list = |value: &serde_json::Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let dependency = |value: &serde_json::Value| Dependency {
        name: text(&value["name"]).unwrap(),
        development: value["kind"] == "dev",
    };
    let package = |value: &serde_json::Value| Package {
        name: text(&value["name"]).unwrap(),
        manifest: Path::new(&text(&value["manifest_path"]).unwrap())
            .strip_prefix(root())
            .map(Path::to_path_buf)
            .unwrap_or_default(),
        description: text(&value["description"]),
        dependencies: list(&value["dependencies"])
            .iter()
            .map(dependency)
            .collect(),
    };
    list(&metadata["packages"]).iter().map(package).collect()
}

/// Fails with every complaint, one a line.
#[track_caller]
fn nothing_to_complain_of(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}
