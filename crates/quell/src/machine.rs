//! Where this program runs, and as what: for the list of what nothing may be done to.

use std::fs::File;
use std::io::{Read, Result};
use std::path::{Path, PathBuf};

use quell_engine::{Machine, Program};
use sha2::{Digest, Sha256};
use tracing::warn;

use crate::secrets;

/// This machine and this program. Reads the program's file to its end.
pub(crate) fn here() -> Machine {
    let host = name();
    if host.is_none() {
        warn!(
            "this machine's name is not known; put it on a never list in lists/ of the policy folder"
        );
    }
    Machine {
        host,
        program: program(),
    }
}

fn name() -> Option<String> {
    let file = |path| std::fs::read_to_string(path).ok();
    [
        file("/proc/sys/kernel/hostname"),
        file("/etc/hostname"),
        secrets::variable("HOSTNAME"),
        secrets::variable("COMPUTERNAME"),
    ]
    .into_iter()
    .flatten()
    .map(|name| name.trim().to_owned())
    .find(|name| !name.is_empty())
}

fn program() -> Option<Program> {
    let path = std::env::current_exe().ok()?;
    let name = path.file_name()?.to_str()?;
    // What was replaced while it runs is still the program that runs.
    let name = name.strip_suffix(" (deleted)").unwrap_or(name).to_owned();
    let running = PathBuf::from("/proc/self/exe");
    let sha256 = digest(&running).or_else(|_| digest(&path));
    let sha256 = sha256
        .inspect_err(|error| {
            warn!(
                error = error as &dyn std::error::Error,
                "Quell's own program cannot be read; its hash is on no list"
            );
        })
        .ok();
    Some(Program { name, sha256 })
}

fn digest(path: &Path) -> Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut part = vec![0; 1 << 16];
    loop {
        let length = file.read(&mut part)?;
        let Some(read) = part.get(..length).filter(|read| !read.is_empty()) else {
            break;
        };
        hasher.update(read);
    }
    let digest = hasher.finalize();
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_knows_its_own_name_and_hash() {
        let program = here().program.unwrap();
        assert!(program.name.starts_with("quell"), "{program:?}");
        assert_eq!(program.sha256.unwrap().len(), 64);
    }

    #[test]
    fn a_file_is_hashed_to_its_end() {
        let path = std::env::temp_dir().join(format!("quell-hash-{}", std::process::id()));
        std::fs::write(&path, "abc").unwrap();
        let found = digest(&path);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(
            found.unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
