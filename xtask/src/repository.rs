//! Where the repository is and which files belong to it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// The folder that holds the workspace.
pub(crate) fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// Every file of the project, relative to the root and sorted: what git tracks, and what it would
/// track next. Without git (a source archive) it is everything outside the build folders.
pub(crate) fn files() -> Result<Vec<PathBuf>> {
    let listed = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root())
        .output();
    if let Ok(listed) = listed
        && listed.status.success()
    {
        let names = String::from_utf8_lossy(&listed.stdout).into_owned();
        let files: BTreeSet<PathBuf> = names
            .split('\0')
            .filter(|name| !name.is_empty())
            .map(PathBuf::from)
            .filter(|path| root().join(path).is_file())
            .collect();
        return Ok(files.into_iter().collect());
    }
    files_under(root())
}

/// Every file below a folder, relative to it and sorted, without build folders and git's own.
pub(crate) fn files_under(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        let entries = std::fs::read_dir(&next);
        let entries = entries.with_context(|| format!("failed to list `{}`", next.display()))?;
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            let name = entry.file_name();
            if kind.is_dir() && name != "target" && name != ".git" {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path().strip_prefix(folder)?.to_path_buf());
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn git_and_the_walk_agree_on_this_file() {
        let this = PathBuf::from("xtask/src/repository.rs");
        assert!(files().unwrap().contains(&this));
        assert!(files_under(root()).unwrap().contains(&this));
    }
}
