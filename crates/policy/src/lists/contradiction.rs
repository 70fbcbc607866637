//! Entries that say two things about the same. Owns which of them is in vain; that the stronger one
//! wins is the search's business.

use std::collections::HashMap;

use super::entry::{Entry, Strength, Subject};
use super::form::Form;
use crate::diagnostics::Diagnostic;

/// The entries of one file, each with its line.
pub(crate) struct Placed<'a> {
    pub(crate) file: &'a str,
    pub(crate) entries: Vec<(usize, Entry)>,
}

/// An entry, and the file and line it stands in.
type Place<'a> = (&'a str, usize, &'a Entry);

/// Every entry that allows what another one protects, wherever and for as long as it counts. Entries
/// that protect the same twice do no harm.
pub(crate) fn contradictions(files: &[Placed<'_>]) -> Vec<Diagnostic> {
    let all = || {
        files.iter().flat_map(|file| {
            let entries = file.entries.iter();
            entries.map(move |(line, entry)| (file.file, *line, entry))
        })
    };
    let mut allowing: HashMap<(Subject, &Form), Vec<Place<'_>>> = HashMap::new();
    for place in all().filter(|(_, _, entry)| entry.strength == Strength::Allow) {
        let key = (place.2.subject, place.2.form());
        allowing.entry(key).or_default().push(place);
    }
    let mut found = Vec::new();
    for stronger in all().filter(|(_, _, entry)| entry.strength != Strength::Allow) {
        let key = (stronger.2.subject, stronger.2.form());
        let beaten = allowing.get(&key).into_iter().flatten();
        let beaten = beaten.filter(|allowed| covers(stronger.2, allowed.2));
        found.extend(beaten.map(|allowed| complaint(allowed, &stronger)));
    }
    found
}

fn covers(stronger: &Entry, allowed: &Entry) -> bool {
    let everywhere = stronger.connection.is_none() || stronger.connection == allowed.connection;
    let always = stronger
        .expires
        .is_none_or(|end| allowed.expires.is_some_and(|other| other <= end));
    let actions = stronger.actions.is_empty()
        || (!allowed.actions.is_empty() && allowed.actions.is_subset(&stronger.actions));
    everywhere && always && actions
}

fn complaint(allowed: &Place<'_>, stronger: &Place<'_>) -> Diagnostic {
    let (file, line, entry) = *allowed;
    let strength = stronger.2.strength.as_str();
    Diagnostic {
        file: file.to_owned(),
        line,
        column: 1,
        message: format!(
            "`strength` allows `{}`, but {}:{} says `{strength}` of it, which wins",
            super::entry::excerpt(&entry.value),
            stronger.0,
            stronger.1
        ),
        help: Some("remove one of the two".to_owned()),
    }
}
