//! The key that seals temporary passwords: from where the configuration says, or a file of its own beside
//! the database, made when it is not there.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use quell_engine::Seal;
use quell_model::Secret;

use crate::failure::{Failure, Result, why};

/// Hexadecimal digits of a key.
const DIGITS: usize = Seal::KEY * 2;

/// The key in `secret`.
///
/// # Errors
/// With one sentence that contains nothing of it.
pub(crate) fn read(secret: &Secret) -> Result<Seal, String> {
    let digits = secret.expose().trim();
    let bytes: Option<Vec<u8>> = (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok())
        .collect();
    let key = bytes.filter(|_| digits.len() == DIGITS);
    key.and_then(|key| Seal::new(&key).ok()).ok_or_else(|| {
        format!("must be {DIGITS} hexadecimal digits; `openssl rand -hex 32` makes one")
    })
}

/// The key beside the database at `store`. Whoever has only the database cannot read what it seals.
///
/// # Errors
/// When the file cannot be read or made.
pub(crate) fn beside(store: &Path) -> Result<Seal> {
    let path = PathBuf::from(format!("{}.key", store.display()));
    let failed = |what: &str, error: &std::io::Error| {
        Failure::failed(format!(
            "the sealing key `{}` cannot be {what}: {}",
            path.display(),
            why(error)
        ))
    };
    let mut text = String::new();
    match File::open(&path) {
        Ok(mut file) => {
            file.read_to_string(&mut text)
                .map_err(|error| failed("read", &error))?;
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let key = Seal::fresh_key().map_err(|error| Failure::failed(error.to_string()))?;
            text = key.iter().map(|byte| format!("{byte:02x}")).collect();
            // Written under another name first: a crash must not leave half a key.
            let fresh = path.with_extension("key.new");
            let write = || -> std::io::Result<()> {
                let mut options = OpenOptions::new();
                options.write(true).create(true).truncate(true);
                #[cfg(unix)]
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
                let mut file = options.open(&fresh)?;
                file.write_all(text.as_bytes())?;
                file.sync_all()?;
                std::fs::rename(&fresh, &path)
            };
            write().map_err(|error| failed("made", &error))?;
        }
        Err(error) => return Err(failed("read", &error)),
    }
    read(&Secret::new(text)).map_err(|problem| {
        Failure::failed(format!("the sealing key `{}` {problem}", path.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_beside_a_database_is_made_once_and_for_its_owner_alone() {
        let folder = std::env::temp_dir().join(format!("quell-key-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let store = folder.join("quell.db");
        let sealed = beside(&store)
            .unwrap()
            .seal("act_1", &Secret::new("word".to_owned()))
            .unwrap();
        assert_eq!(
            beside(&store)
                .unwrap()
                .open("act_1", &sealed)
                .unwrap()
                .expose(),
            "word"
        );
        let path = folder.join("quell.db.key");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        std::fs::write(&path, "not a key").unwrap();
        let failure = beside(&store).unwrap_err().to_string();
        assert!(failure.contains("64 hexadecimal digits"), "{failure}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
