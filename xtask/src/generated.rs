//! Files that are written by a program and committed: who writes which, and whether they are fresh.
//!
//! What goes into such a file is decided where its facts live (`quell` knows the configuration, the
//! routes and every connector); this module only calls the writers, compares and copies.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};

use crate::process::{cargo, program, run};
use crate::repository::{files_under, root};

/// A program of the workspace that writes files.
///
/// It is started with `arguments` and one more, an empty folder, into which it writes its files
/// under their paths in the repository. It is a program and not a library on purpose: were `xtask`
/// to link it, every `cargo xtask` would compile all of Quell before its first line of output. In
/// the checks it comes out of the build that the tests need anyway.
pub(crate) struct Generator {
    /// For people: what it writes.
    pub(crate) name: &'static str,
    /// Package and binary, which have the same name.
    pub(crate) program: &'static str,
    pub(crate) arguments: &'static [&'static str],
    /// The paths it may write: files, or folders with a slash at the end, in which there is then
    /// nothing that it did not write.
    pub(crate) owns: &'static [&'static str],
}

/// Every generator. To add one, teach a program to write into a folder and add its row.
pub(crate) const GENERATORS: &[Generator] = &[Generator {
    name: "reference pages",
    program: "quell",
    arguments: &["generate"],
    owns: &["docs/reference/"],
}];

/// Whether to mend or to complain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Write,
    Check,
}

/// One file that is not as its generator would have it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Difference {
    Missing(PathBuf),
    Stale(PathBuf),
    Changed {
        path: PathBuf,
        /// The first and last line that differ, as they are in the repository.
        lines: (usize, usize),
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(path) => write!(f, "{}: is not there", path.display()),
            Self::Stale(path) => write!(f, "{}: is no longer generated", path.display()),
            Self::Changed {
                path,
                lines: (first, last),
            } if first == last => write!(f, "{}: line {first} differs", path.display()),
            Self::Changed {
                path,
                lines: (first, last),
            } => write!(f, "{}: lines {first} to {last} differ", path.display()),
        }
    }
}

/// `cargo xtask gen [--check]`.
pub(crate) fn command(mode: Mode) -> Result<ExitCode> {
    for program in programs() {
        let built = run(
            &mut cargo(&["build", "--quiet", "--package", program, "--bin", program]),
            "generators",
        )?;
        ensure!(
            built.succeeded,
            "`{program}` does not build:\n{}",
            built.output
        );
    }
    let differences = apply(mode)?;
    crate::say(&summary(&differences, mode));
    let fresh = mode == Mode::Write || differences.is_empty();
    Ok(if fresh {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What was found or done, for people.
pub(crate) fn summary(differences: &[Difference], mode: Mode) -> String {
    if differences.is_empty() {
        return "generated files are up to date".to_owned();
    }
    let mut lines: Vec<String> = differences.iter().map(ToString::to_string).collect();
    lines.push(match mode {
        Mode::Write => "written anew; commit what has changed".to_owned(),
        Mode::Check => "`cargo xtask gen` mends this; commit what it changes".to_owned(),
    });
    lines.join("\n")
}

/// Runs every generator, whose programs must be built, and compares or mends.
pub(crate) fn apply(mode: Mode) -> Result<Vec<Difference>> {
    apply_all(GENERATORS, root(), &root().join("target/gen"), mode, start)
}

fn programs() -> Vec<&'static str> {
    let mut programs: Vec<_> = GENERATORS.iter().map(|row| row.program).collect();
    programs.sort_unstable();
    programs.dedup();
    programs
}

fn start(generator: &Generator, folder: &Path) -> Result<()> {
    // Beside this program, which cargo put where it puts all of them.
    let binary = std::env::current_exe()?.with_file_name(generator.program);
    let mut command: Command = program(binary);
    let outcome = run(
        command.args(generator.arguments).arg(folder),
        generator.name,
    )?;
    ensure!(
        outcome.succeeded,
        "{} failed:\n{}",
        generator.name,
        outcome.output
    );
    Ok(())
}

fn apply_all(
    generators: &[Generator],
    root: &Path,
    scratch: &Path,
    mode: Mode,
    start: impl Fn(&Generator, &Path) -> Result<()>,
) -> Result<Vec<Difference>> {
    let mut differences = Vec::new();
    for (number, generator) in generators.iter().enumerate() {
        let folder = scratch.join(number.to_string());
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        start(generator, &folder)?;
        let wanted = contents(&folder, files_under(&folder)?)?;
        for path in wanted.keys() {
            if !generator.owns.iter().any(|owned| owns(owned, path)) {
                let path = path.display();
                bail!(
                    "{} writes `{path}`, which its row does not list",
                    generator.name
                );
            }
        }
        let found = compare(&wanted, &contents(root, owned(root, generator)?)?);
        if mode == Mode::Write {
            for difference in &found {
                mend(root, difference, &wanted)?;
            }
        }
        differences.extend(found);
    }
    Ok(differences)
}

fn owns(owned: &str, path: &Path) -> bool {
    if owned.ends_with('/') {
        path.starts_with(owned)
    } else {
        path == Path::new(owned)
    }
}

/// The files in the repository that belong to a generator.
fn owned(root: &Path, generator: &Generator) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for owned in generator.owns {
        let path = root.join(owned);
        if path.is_file() {
            paths.push(PathBuf::from(owned));
        } else if path.is_dir() {
            paths.extend(
                files_under(&path)?
                    .iter()
                    .map(|below| Path::new(owned).join(below)),
            );
        }
    }
    Ok(paths)
}

fn contents(root: &Path, paths: Vec<PathBuf>) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let read = |path: PathBuf| {
        let bytes = std::fs::read(root.join(&path));
        let bytes = bytes.with_context(|| format!("failed to read `{}`", path.display()))?;
        Ok((path, bytes))
    };
    paths.into_iter().map(read).collect()
}

fn compare(
    wanted: &BTreeMap<PathBuf, Vec<u8>>,
    present: &BTreeMap<PathBuf, Vec<u8>>,
) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (path, wanted) in wanted {
        let path = path.clone();
        match present.get(&path) {
            None => differences.push(Difference::Missing(path)),
            Some(present) if present != wanted => {
                let lines = differing_lines(present, wanted);
                differences.push(Difference::Changed { path, lines });
            }
            Some(_) => {}
        }
    }
    let stale = present.keys().filter(|path| !wanted.contains_key(*path));
    differences.extend(stale.cloned().map(Difference::Stale));
    differences
}

/// The first and last line of `present` between what both begin and end with.
fn differing_lines(present: &[u8], wanted: &[u8]) -> (usize, usize) {
    let lines = |bytes: &[u8]| -> Vec<Vec<u8>> {
        bytes
            .split(|byte| *byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect()
    };
    let (present, wanted) = (lines(present), lines(wanted));
    let same = |pairs: &mut dyn Iterator<Item = (&Vec<u8>, &Vec<u8>)>| {
        pairs.take_while(|(one, other)| one == other).count()
    };
    let before = same(&mut present.iter().zip(&wanted));
    let after = same(&mut present.iter().rev().zip(wanted.iter().rev()));
    let first = before + 1;
    (first, first.max(present.len().saturating_sub(after)))
}

fn mend(root: &Path, difference: &Difference, wanted: &BTreeMap<PathBuf, Vec<u8>>) -> Result<()> {
    match difference {
        Difference::Stale(path) => std::fs::remove_file(root.join(path))?,
        Difference::Missing(path) | Difference::Changed { path, .. } => {
            let target = root.join(path);
            if let Some(folder) = target.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::write(target, wanted.get(path).map_or(&[][..], Vec::as_slice))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGES: Generator = Generator {
        name: "pages",
        program: "quell",
        arguments: &[],
        owns: &["docs/reference/", "openapi.json"],
    };

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("xtask-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn put(&self, path: &str, text: &str) {
            let path = self.0.join("repository").join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }

        fn apply(&self, mode: Mode, files: &[(&str, &str)]) -> Result<Vec<Difference>> {
            let (root, scratch) = (self.0.join("repository"), self.0.join("scratch"));
            std::fs::create_dir_all(&root).unwrap();
            apply_all(&[PAGES], &root, &scratch, mode, |_, folder| {
                for (path, text) in files {
                    let path = folder.join(path);
                    std::fs::create_dir_all(path.parent().unwrap())?;
                    std::fs::write(path, text)?;
                }
                Ok(())
            })
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(std::fs::remove_dir_all(&self.0));
        }
    }

    #[test]
    fn checking_tells_and_writing_mends_what_is_missing_changed_or_stale() {
        let folder = Folder::new("mends");
        folder.put("docs/reference/old.md", "left behind");
        folder.put("docs/reference/changed.md", "a\nb\nc\nd\n");
        folder.put("docs/guide.md", "written by a person");
        let files = [
            ("docs/reference/changed.md", "a\nB\nC\nd\n"),
            ("docs/reference/same/new.md", "new"),
            ("openapi.json", "{}"),
        ];
        let expected = [
            Difference::Changed {
                path: "docs/reference/changed.md".into(),
                lines: (2, 3),
            },
            Difference::Missing("docs/reference/same/new.md".into()),
            Difference::Missing("openapi.json".into()),
            Difference::Stale("docs/reference/old.md".into()),
        ];
        assert_eq!(folder.apply(Mode::Check, &files).unwrap(), expected);
        assert_eq!(folder.apply(Mode::Write, &files).unwrap(), expected);
        assert_eq!(folder.apply(Mode::Check, &files).unwrap(), []);
        assert!(folder.0.join("repository/docs/guide.md").exists());
    }

    #[test]
    fn a_generator_may_not_write_what_it_does_not_own() {
        let folder = Folder::new("owns");
        let error = folder
            .apply(Mode::Write, &[("README.md", "mine")])
            .unwrap_err();
        assert!(error.to_string().contains("`README.md`"), "{error}");
        assert!(!folder.0.join("repository/README.md").exists());
    }

    #[test]
    fn a_check_names_the_lines_and_the_command_that_mends() {
        let found = [Difference::Changed {
            path: "docs/reference/plan.md".into(),
            lines: (3, 9),
        }];
        let summary = summary(&found, Mode::Check);
        assert!(
            summary.contains("docs/reference/plan.md: lines 3 to 9 differ"),
            "{summary}"
        );
        assert!(summary.contains("`cargo xtask gen`"), "{summary}");
    }

    #[test]
    fn lines_that_were_only_added_or_removed_are_still_located() {
        assert_eq!(differing_lines(b"a\nc\n", b"a\nb\nc\n"), (2, 2));
        assert_eq!(differing_lines(b"a\nb\nc\n", b"a\nc\n"), (2, 2));
        assert_eq!(differing_lines(b"", b"a"), (1, 1));
    }
}
