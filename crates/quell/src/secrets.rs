//! Secrets by reference. The only module that reads the environment, and the only one that reads
//! secret files. Nothing it says contains a secret, or the text of something that may be one.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use quell_connector::SecretSource;
use quell_connector::settings::SecretRef;
use quell_model::Secret;

/// Largest secret file read, in bytes; a private key is a few thousand.
const LARGEST: u64 = 64 * 1024;

/// Resolves `env:NAME` and `file:/path`; relative paths start at `base`.
#[derive(Debug, Clone)]
pub struct References {
    base: PathBuf,
}

impl References {
    /// References whose relative paths start at `base`.
    #[must_use]
    pub fn below(base: impl Into<PathBuf>) -> Self {
        Self { base: base.into() }
    }
}

impl SecretSource for References {
    fn resolve(&self, reference: &SecretRef) -> Result<Secret, String> {
        let text = match parse(reference.as_str()) {
            Some(Reference::Environment(name)) => {
                variable(name).ok_or_else(|| format!("environment variable `{name}` is not set"))?
            }
            Some(Reference::File(path)) => read(&self.base.join(path))?,
            None => return Err(NOT_A_REFERENCE.to_owned()),
        };
        if text.is_empty() {
            return Err(format!("`{}` is empty", reference.as_str()));
        }
        Ok(Secret::new(text))
    }
}

/// What to say to somebody who wrote something else where a reference belongs.
pub const NOT_A_REFERENCE: &str = "must say where the secret is kept, `env:NAME` or `file:/path`; the secret itself never belongs here";

/// Whether a text is a reference and not, most likely, a secret.
#[must_use]
pub fn is_reference(text: &str) -> bool {
    parse(text).is_some()
}

/// A file behind a reference that others on this machine can read.
#[must_use]
pub fn exposed_file(reference: &str, base: &Path) -> Option<PathBuf> {
    let Some(Reference::File(path)) = parse(reference) else {
        return None;
    };
    let path = base.join(path);
    readable_by_others(&path).then_some(path)
}

/// The value of an environment variable, if it is set and is text.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place where the environment is read"
)]
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

enum Reference<'a> {
    Environment(&'a str),
    File(&'a Path),
}

fn parse(text: &str) -> Option<Reference<'_>> {
    let (scheme, rest) = text.split_once(':')?;
    let named = |name: &str| {
        let mut characters = name.chars();
        characters
            .next()
            .is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
            && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    match scheme {
        "env" if named(rest) => Some(Reference::Environment(rest)),
        "file" if !rest.trim().is_empty() => Some(Reference::File(Path::new(rest))),
        _ => None,
    }
}

fn read(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let file = File::open(path)
        .map_err(|error| format!("`{shown}` cannot be read: {}", crate::failure::why(&error)))?;
    let mut text = String::new();
    let read = file.take(LARGEST + 1).read_to_string(&mut text);
    read.map_err(|_| format!("`{shown}` is not text"))?;
    if text.len() as u64 > LARGEST {
        return Err(format!("`{shown}` is too large for a secret"));
    }
    // Editors and `echo` end a file with a line break that is no part of the secret.
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

#[cfg(unix)]
fn readable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn readable_by_others(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: &str) -> Result<String, String> {
        let references = References::below("/nowhere");
        let secret = references.resolve(&SecretRef::new(text))?;
        Ok(secret.expose().to_owned())
    }

    #[test]
    fn what_is_no_reference_is_refused_without_being_repeated() {
        for literal in [
            "hunter2",
            "env:",
            "env:hunter2!",
            "env:a b",
            "https://u:hunter2@h",
            "file:",
        ] {
            let refused = resolve(literal).unwrap_err();
            assert_eq!(refused, NOT_A_REFERENCE, "{literal}");
        }
    }

    #[test]
    fn a_variable_or_file_that_is_missing_is_named() {
        let refused = resolve("env:QUELL_SURELY_NOT_SET").unwrap_err();
        assert_eq!(
            refused,
            "environment variable `QUELL_SURELY_NOT_SET` is not set"
        );
        let refused = resolve("file:secret").unwrap_err();
        assert!(
            refused.starts_with("`/nowhere/secret` cannot be read"),
            "{refused}"
        );
    }

    #[test]
    fn a_file_is_read_without_the_line_break_at_its_end() {
        let path = std::env::temp_dir().join(format!("quell-secret-{}", std::process::id()));
        std::fs::write(&path, "s3cret\r\n").unwrap();
        let secret = resolve(&format!("file:{}", path.display()));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(secret.as_deref(), Ok("s3cret"));
    }
}
