//! What is wrong with a rule or a playbook, and where. Owns positions in text, not how they are
//! printed on a terminal.

use std::fmt;

use serde::Serialize;

/// A text with the name people know it by: usually a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source<'a> {
    /// The name diagnostics repeat (`policies/default.cedar`).
    pub name: &'a str,
    /// The text itself.
    pub text: &'a str,
}

/// One thing that keeps a text from loading.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Diagnostic {
    /// Name of the source.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// What is wrong, lower case, one line.
    pub message: String,
    /// What to do about it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Diagnostic {
    /// A diagnostic at a byte offset of `source`; an offset outside the text means its end.
    pub(crate) fn at(source: &Source<'_>, offset: usize, message: impl AsRef<str>) -> Self {
        let before = source.text.get(..offset).unwrap_or(source.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            file: source.name.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or("").chars().count() + 1,
            message: one_line(message.as_ref()),
            help: None,
        }
    }

    pub(crate) fn help(mut self, help: impl AsRef<str>) -> Self {
        self.help = Some(one_line(help.as_ref()));
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            column,
            message,
            help,
        } = self;
        write!(f, "{file}:{line}:{column}: {message}")?;
        match help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

/// Everything that keeps a set of texts from loading, in the order of the texts; never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// Sorts and keeps each complaint once. There has to be one: nothing wrong is not an error.
    #[must_use]
    pub fn new(mut all: Vec<Diagnostic>) -> Self {
        all.sort();
        all.dedup();
        Self(all)
    }

    /// One by one.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(one: Diagnostic) -> Self {
        Self(vec![one])
    }
}

/// One diagnostic a line.
impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What somebody who wrote `given` may have meant: the nearest of the `known` names, or all of them.
#[must_use]
pub fn suggestion(given: &str, known: &[&str]) -> String {
    let near = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(given, name), *name))
        .min()
        .filter(|(distance, name)| *distance <= (name.chars().count() / 3).max(1));
    match near {
        Some((_, name)) => format!("did you mean `{name}`?"),
        None if known.is_empty() => "nothing can stand here".to_owned(),
        None => format!("known here: {}", listing(known)),
    }
}

/// Names as a person reads them: `a`, `b`.
#[must_use]
pub fn listing(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// What the TOML reader says, at its place.
pub(crate) fn toml_complaint(
    source: &Source<'_>,
    field: &str,
    error: &toml::de::Error,
) -> Diagnostics {
    let start = error.span().unwrap_or_default().start;
    let message = match field {
        "" | "." => error.message().to_owned(),
        field => format!("`{field}`: {}", error.message()),
    };
    Diagnostic::at(source, start, message).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let source = Source {
            name: "a.cedar",
            text: "one\nzwölf x\n",
        };
        for (offset, expected) in [(0, (1, 1)), (4, (2, 1)), (11, (2, 7)), (999, (3, 1))] {
            let found = Diagnostic::at(&source, offset, "wrong");
            assert_eq!((found.line, found.column), expected, "offset {offset}");
        }
    }

    #[test]
    fn a_diagnostic_is_one_line_that_editors_can_jump_to() {
        let source = Source {
            name: "a.cedar",
            text: "x",
        };
        let found = Diagnostic::at(&source, 0, "unknown\n  attribute").help("look it\nup");
        assert_eq!(
            found.to_string(),
            "a.cedar:1:1: unknown attribute (look it up)"
        );
    }
}
