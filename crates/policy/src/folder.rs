//! A policy folder: everything an organization decided about what Quell may do, as texts under version
//! control. Owns which file means what; who reads the files is the caller's business.
//!
//! ```text
//! policy/
//!   policy.toml          the matrix, the budgets, rules that are left out: over what ships
//!   *.cedar              rules of one's own beside the shipped ones
//!   lists/*.csv          who and what must not be touched, or only after a yes, or alone may be
//!   playbooks/*.toml     playbooks of one's own; one of a shipped name replaces it
//!   properties/*.cedar   what must hold whatever the rules say, for `quell policy prove`
//!   tests/*.toml         examples with the expected decision, for `quell policy test`
//! ```

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnostics::{Diagnostic, Diagnostics, Source};
use crate::examples::Example;
use crate::lists::{self, Lists, Placed};
use crate::matrix::Matrix;
use crate::playbook::Playbooks;
use crate::policy::{Policy, said_twice};
use crate::settings::Settings;

/// Most files of a folder.
const FILES: usize = 200;

/// The texts of a policy folder. Without any, what ships with Quell holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Folder {
    /// Path in the folder, with `/`, to text.
    pub files: BTreeMap<String, String>,
}

/// What a file of a policy folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Settings,
    Rules,
    Lists,
    Playbook,
    Examples,
    Properties,
}

/// A folder that has been read and checked.
#[derive(Debug)]
pub struct Loaded {
    /// Who decides about what, and how much may run by itself.
    pub settings: Settings,
    /// The rules in force: the matrix's, the shipped ones and the organization's own.
    pub policy: Policy,
    /// Which actions make sense for which alert.
    pub playbooks: Playbooks,
    /// Who and what is protected, or alone allowed.
    pub lists: Lists,
    /// Entries that allow what others protect. The stronger holds, so nothing is the less protected;
    /// a folder with them is in force and still to be mended.
    pub in_vain: Vec<Diagnostic>,
    /// What policy is expected to say.
    pub examples: Vec<Example>,
    /// The texts of all rules, by name: those of the matrix, the shipped ones and one's own.
    pub rules: Vec<(String, String)>,
    /// The texts with what must hold whatever the rules say, by name; none when it has none of its own.
    pub properties: Vec<(String, String)>,
}

impl Folder {
    /// Whether a file with this path is a part of a policy folder. Others (a README) are nobody's
    /// business; a TOML, Cedar or CSV file in an unknown place is refused when the folder is loaded.
    #[must_use]
    pub fn takes(path: &str) -> bool {
        part(path).is_some()
            || [".toml", ".cedar", ".csv"]
                .iter()
                .any(|end| path.ends_with(end))
    }

    /// Reads and checks all of it. `name` is what people call the folder; diagnostics put it in front
    /// of the files' paths. List entries that do not say when they were added were added `now`.
    ///
    /// # Errors
    /// With everything that is wrong in any of the files.
    pub fn load(&self, name: &str, now: Timestamp) -> Result<Loaded, Diagnostics> {
        let texts: Vec<(String, &str, Option<Part>)> = self
            .files
            .iter()
            .map(|(path, text)| (shown(name, path), text.as_str(), part(path)))
            .collect();
        let of = |wanted: Part| -> Vec<Source<'_>> {
            texts
                .iter()
                .filter(|(_, _, part)| *part == Some(wanted))
                .map(|(name, text, _)| Source { name, text })
                .collect()
        };
        let mut wrong = self.misplaced(name);
        let mut keep = |diagnostics: Diagnostics| wrong.extend(diagnostics.iter().cloned());
        let settings = match of(Part::Settings).first() {
            Some(source) => Settings::load(source),
            None => Ok(Settings::builtin().clone()),
        };
        let settings = settings.map_err(&mut keep).ok();
        // Rules are checked even where the matrix cannot be read, so that one attempt shows everything.
        let in_force = settings.as_ref().unwrap_or(Settings::builtin());
        let compiled = in_force.matrix.rules();
        let shipped = Policy::builtin_without(&in_force.rules_off);
        let shipped = Source {
            text: &shipped,
            ..Policy::builtin_source()
        };
        let mut sources = vec![Matrix::compiled(&compiled), shipped];
        sources.extend(of(Part::Rules));
        let policy = Policy::load(&sources).map_err(&mut keep).ok();
        let playbooks = Playbooks::load(&of(Part::Playbook)).map_err(&mut keep).ok();
        let mut lists = Vec::new();
        for source in of(Part::Lists) {
            match lists::csv::read_placed(&source, source.name, now) {
                Ok(entries) => lists.push(Placed {
                    file: source.name,
                    entries,
                }),
                Err(diagnostics) => keep(diagnostics),
            }
        }
        let mut examples = Vec::new();
        for source in of(Part::Examples) {
            match Example::parse(&source) {
                Ok(read) => examples.extend(read),
                Err(diagnostics) => keep(diagnostics),
            }
        }
        let in_vain = lists::contradictions(&lists);
        if policy.is_some() {
            // Only among its own: one that ships must not keep a folder from loading after an update.
            wrong.extend(said_twice(&of(Part::Rules)));
        }
        let entries = lists.into_iter().flat_map(|file| file.entries);
        match (settings, policy, playbooks) {
            (Some(settings), Some(policy), Some(playbooks)) if wrong.is_empty() => Ok(Loaded {
                settings,
                policy,
                playbooks,
                lists: Lists::new(entries.map(|(_, entry)| entry).collect()),
                in_vain,
                examples,
                rules: owned(&sources),
                properties: owned(&of(Part::Properties)),
            }),
            _ => Err(Diagnostics::new(wrong)),
        }
    }

    fn misplaced(&self, name: &str) -> Vec<Diagnostic> {
        let complain = |path: &str, message: &str| {
            let name = shown(name, path);
            let source = Source {
                name: &name,
                text: "",
            };
            Diagnostic::at(&source, 0, message)
                .help("a policy folder has policy.toml, *.cedar, lists/*.csv, playbooks/*.toml, properties/*.cedar and tests/*.toml")
        };
        let mut wrong: Vec<Diagnostic> = self
            .files
            .keys()
            .filter(|path| part(path).is_none())
            .map(|path| complain(path, "nothing reads a file of this name in this place"))
            .collect();
        if self.files.len() > FILES {
            wrong.push(complain(
                "",
                &format!("the folder has more than {FILES} files"),
            ));
        }
        wrong
    }
}

fn owned(sources: &[Source<'_>]) -> Vec<(String, String)> {
    sources
        .iter()
        .map(|source| (source.name.to_owned(), source.text.to_owned()))
        .collect()
}

fn part(path: &str) -> Option<Part> {
    match path.rsplit_once('/') {
        None if path == "policy.toml" => Some(Part::Settings),
        None if path.ends_with(".cedar") => Some(Part::Rules),
        Some(("lists", file)) if file.ends_with(".csv") => Some(Part::Lists),
        Some(("playbooks", file)) if file.ends_with(".toml") => Some(Part::Playbook),
        Some(("properties", file)) if file.ends_with(".cedar") => Some(Part::Properties),
        Some(("tests", file)) if file.ends_with(".toml") => Some(Part::Examples),
        _ => None,
    }
}

/// The path as people know it.
fn shown(folder: &str, path: &str) -> String {
    let path = quell_model::text::line(path);
    match folder.trim_end_matches('/') {
        "" => path,
        folder => format!("{folder}/{path}"),
    }
}
