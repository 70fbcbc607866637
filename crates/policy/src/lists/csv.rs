//! Lists as CSV, for spreadsheets and other tools. Owns the columns and how cells are kept from being
//! executed; what an entry may say is checked where entries are.
//!
//! The first row names the columns, in any order: `subject`, `value`, `strength` and `reason` have to
//! be there, `actions` (separated by spaces, commas or semicolons), `connection`, `author`, `added`, `expires` and `source`
//! may be.

use std::collections::BTreeSet;

use jiff::Timestamp;
use quell_model::{ActionType, ConnectionId};

use super::entry::{Draft, Entry, Problem, Strength, Subject, excerpt, problem};
use crate::diagnostics::{Diagnostic, Diagnostics, Source};

/// Every column, in the order [`write`] writes them.
pub const COLUMNS: &[&str] = &[
    "subject",
    "value",
    "strength",
    "actions",
    "connection",
    "reason",
    "author",
    "added",
    "expires",
    "source",
];

const REQUIRED: &[&str] = &["subject", "value", "strength", "reason"];

/// Entries as CSV (RFC 4180, UTF-8): a row of column names, then one row for each entry.
///
/// A spreadsheet executes a cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return.
/// Such a cell gets a single quote before it, and so does one that begins with a single quote, which
/// [`read`] takes away again.
#[must_use]
pub fn write<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> String {
    let mut text = COLUMNS.join(",") + "\r\n";
    for entry in entries {
        let actions: Vec<&str> = entry.actions.iter().map(|action| action.as_str()).collect();
        let expires = entry.expires.map(|at| at.to_string());
        let cells = [
            entry.subject.as_str(),
            &entry.value,
            entry.strength.as_str(),
            &actions.join(" "),
            entry.connection.as_ref().map_or("", ConnectionId::as_str),
            &entry.reason,
            &entry.author,
            &entry.added.to_string(),
            expires.as_deref().unwrap_or_default(),
            &entry.source,
        ];
        let cells: Vec<String> = cells.into_iter().map(cell).collect();
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text
}

/// Reads entries. A row without an author is `author`'s, one without a time was added `now`, one
/// without a source was written by a `person`; rows with nothing in them are passed over.
///
/// The author in the file is what the file says; a caller that has to know who it was puts that in
/// its place.
///
/// # Errors
///
/// Everything that is wrong with the file, with the line each row begins on. Then no entry is read.
pub fn read(file: &Source<'_>, author: &str, now: Timestamp) -> Result<Vec<Entry>, Diagnostics> {
    let placed = read_placed(file, author, now)?;
    Ok(placed.into_iter().map(|(_, entry)| entry).collect())
}

/// As [`read`], each entry with the line its row begins on.
pub(crate) fn read_placed(
    file: &Source<'_>,
    author: &str,
    now: Timestamp,
) -> Result<Vec<(usize, Entry)>, Diagnostics> {
    // Spreadsheets write a byte order mark.
    let text = file.text.strip_prefix('\u{feff}').unwrap_or(file.text);
    let mut rows = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut line = Lines {
        text,
        at: 0,
        line: 1,
    };
    let mut record = csv::StringRecord::new();
    let mut columns: Option<Vec<Option<&str>>> = None;
    let (mut entries, mut wrong) = (Vec::new(), Vec::new());
    loop {
        let from = usize::try_from(rows.position().byte()).unwrap_or(usize::MAX);
        match rows.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            // It reads valid text from memory and takes rows of any length: nothing else can fail.
            Err(error) => {
                let place =
                    Problem::row(error.to_string(), "export the file again as CSV in UTF-8");
                wrong.push(diagnostic(file, line.of(from), &place));
                break;
            }
        }
        let line = line.of(from);
        let mut report = |problem: Problem| wrong.push(diagnostic(file, line, &problem));
        match &columns {
            None => match header(&record) {
                Ok(known) => columns = Some(known),
                Err(problems) => {
                    problems.into_iter().for_each(report);
                    break;
                }
            },
            Some(_) if record.iter().all(|cell| cell.trim().is_empty()) => {}
            Some(columns) if record.len() != columns.len() => report(Problem::row(
                format!("has {} cells for {} columns", record.len(), columns.len()),
                "put a value with a comma or a quote in it into double quotes",
            )),
            Some(columns) => match row(columns, &record, author, now) {
                Ok(entry) => entries.push((line, entry)),
                Err(problems) => problems.into_iter().for_each(report),
            },
        }
    }
    if columns.is_none() && wrong.is_empty() {
        wrong.push(diagnostic(file, 1, &missing("subject")));
    }
    if wrong.is_empty() {
        Ok(entries)
    } else {
        Err(Diagnostics::new(wrong))
    }
}

fn header(record: &csv::StringRecord) -> Result<Vec<Option<&'static str>>, Vec<Problem>> {
    let mut known = Vec::new();
    let mut problems = Vec::new();
    for cell in record {
        let written = cell.trim().to_lowercase();
        let column = COLUMNS.iter().copied().find(|column| *column == written);
        if column.is_some() && known.contains(&column) {
            problems.push(Problem::row(
                format!("has the column `{written}` twice"),
                "leave one out",
            ));
        } else if column.is_none() && written.contains(';') {
            problems.push(Problem::row(
                "has semicolons between its columns".to_owned(),
                "export the file with commas",
            ));
        } else if column.is_none() && !written.is_empty() {
            problems.push(Problem::row(
                format!("has the unknown column `{}`", excerpt(&written)),
                &format!("the columns are {}", COLUMNS.join(", ")),
            ));
        }
        known.push(column);
    }
    // A column that is misspelt is not also complained of as missing.
    let named = problems.is_empty();
    for column in REQUIRED {
        if named && !known.contains(&Some(column)) {
            problems.push(missing(column));
        }
    }
    if problems.is_empty() {
        Ok(known)
    } else {
        Err(problems)
    }
}

fn row(
    columns: &[Option<&str>],
    record: &csv::StringRecord,
    author: &str,
    now: Timestamp,
) -> Result<Entry, Vec<Problem>> {
    let get = |column: &'static str| {
        let at = columns.iter().position(|known| *known == Some(column));
        let cell = at.and_then(|at| record.get(at)).unwrap_or_default().trim();
        (!cell.is_empty()).then(|| unquoted(cell))
    };
    let mut problems = Vec::new();
    let subject = one_of(
        &mut problems,
        "subject",
        get("subject"),
        Subject::ALL,
        |s| s.as_str(),
    );
    let strength = one_of(
        &mut problems,
        "strength",
        get("strength"),
        Strength::ALL,
        |s| s.as_str(),
    );
    let mut actions = BTreeSet::new();
    for name in get("actions").unwrap_or_default().split([' ', ',', ';']) {
        if name.is_empty() {
            continue;
        }
        match ActionType::named(&name.to_lowercase()) {
            Some(action) => drop(actions.insert(action)),
            None => problems.push(problem(
                "actions",
                format!("has the unknown action type `{}`", excerpt(name)),
                "write names such as `contain_host`, with spaces between them",
            )),
        }
    }
    let connection = get("connection").and_then(|id| match id.parse() {
        Ok(id) => Some(id),
        Err(_) => {
            let wrong = format!("`{}` is no connection id", excerpt(id));
            problems.push(problem(
                "connection",
                wrong,
                "write the id the configuration gives it",
            ));
            None
        }
    });
    let mut time = |column| {
        get(column).and_then(|text| match text.parse::<Timestamp>() {
            Ok(at) => Some(at),
            Err(_) => {
                let wrong = format!("`{}` is no moment", excerpt(text));
                problems.push(problem(
                    column,
                    wrong,
                    "write it like `2026-12-31T23:59:59Z`",
                ));
                None
            }
        })
    };
    let (added, expires) = (time("added").unwrap_or(now), time("expires"));
    let text = |column| get(column).map(str::to_owned);
    let draft = Draft {
        // What stands in for them is never kept: a row without them has a problem already.
        subject: subject.unwrap_or(Subject::Any),
        value: text("value").unwrap_or_default(),
        strength: strength.unwrap_or(Strength::Never),
        actions,
        connection,
        reason: text("reason").unwrap_or_default(),
        author: text("author").unwrap_or_else(|| author.to_owned()),
        source: text("source").unwrap_or_else(|| "person".to_owned()),
        added,
        expires,
    };
    match Entry::new(draft) {
        Ok(entry) if problems.is_empty() => Ok(entry),
        Ok(_) => Err(problems),
        Err(more) => {
            // Whether an action fits its subject cannot be said without knowing the subject.
            problems.extend(
                more.iter()
                    .filter(|more| subject.is_some() || more.field != "actions")
                    .cloned(),
            );
            Err(problems)
        }
    }
}

fn one_of<T: Copy>(
    problems: &mut Vec<Problem>,
    column: &'static str,
    written: Option<&str>,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Option<T> {
    let found = all
        .iter()
        .copied()
        .find(|one| written.is_some_and(|written| written.eq_ignore_ascii_case(name(*one))));
    if found.is_none() {
        let wrong = match written {
            None => "is empty".to_owned(),
            Some(written) => format!("`{}` is unknown", excerpt(written)),
        };
        let names: Vec<&str> = all.iter().map(|one| name(*one)).collect();
        problems.push(problem(
            column,
            wrong,
            format!("write one of {}", names.join(", ")),
        ));
    }
    found
}

/// What a spreadsheet would take for more than text. The wide forms count as the narrow ones in some
/// languages' versions.
fn quoted(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\'', '＝', '＋', '－', '＠'])
}

fn cell(text: &str) -> String {
    let quote = if quoted(text) { "'" } else { "" };
    format!("\"{quote}{}\"", text.replace('"', "\"\""))
}

fn unquoted(cell: &str) -> &str {
    cell.strip_prefix('\'')
        .filter(|text| quoted(text))
        .unwrap_or(cell)
}

fn missing(column: &str) -> Problem {
    Problem::row(
        format!("has no column `{column}`"),
        &format!(
            "begin the file with a row of column names: {}",
            COLUMNS.join(",")
        ),
    )
}

impl Problem {
    fn row(wrong: String, fix: &str) -> Self {
        problem("row", wrong, fix)
    }
}

fn diagnostic(file: &Source<'_>, line: usize, problem: &Problem) -> Diagnostic {
    Diagnostic {
        file: file.name.to_owned(),
        line,
        column: 1,
        message: format!("`{}` {}", problem.field, problem.wrong),
        help: Some(problem.fix.clone()),
    }
}

/// Counts lines in step with the reader, which may stand on empty lines before a row.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl Lines<'_> {
    /// The line, from 1, of the row the reader finds when it goes on at byte `from`. Asked in order.
    fn of(&mut self, from: usize) -> usize {
        let passed = self.text.as_bytes().get(self.at..from).unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').count();
        self.at = self.at.max(from);
        let ahead = self.text.as_bytes().get(from..).unwrap_or_default();
        let empty = ahead
            .iter()
            .take_while(|byte| matches!(byte, b'\r' | b'\n'));
        self.line + empty.filter(|byte| **byte == b'\n').count()
    }
}
