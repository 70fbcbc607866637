//! What reaches a terminal: colours that vanish when nobody sees them, aligned columns, wrapped
//! sentences, and JSON for programs. Owns the form, not the words.

use std::io::Write;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::failure::{Failure, Result};

/// Who reads the output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A person.
    #[default]
    Human,
    /// A program: one JSON document.
    Json,
}

/// Headings and what matters most.
pub const STRONG: Style = Style::new().bold();
/// What can be skipped at first reading.
pub const QUIET: Style = Style::new().dimmed();
/// Done, as wanted.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Waits for a person.
pub const WAITS: Style = AnsiColor::Yellow.on_default();
/// Went wrong, or is bad.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// Under way.
pub const BUSY: Style = AnsiColor::Cyan.on_default();
/// Nothing special.
pub const PLAIN: Style = Style::new();

/// Widest line written on purpose.
pub const WIDTH: usize = 100;

/// Writes text as it is. A reader that went away is no reason to complain.
pub fn say(text: &str) {
    drop(anstream::stdout().lock().write_all(text.as_bytes()));
}

/// Writes what a person should know beside the result.
pub fn remark(text: &str) {
    drop(writeln!(anstream::stderr(), "{text}"));
}

/// Writes JSON, indented.
///
/// # Errors
/// When the value does not serialise, which none of ours does.
pub fn json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::failed("the result cannot be written as JSON").because(&error))?;
    say(&format!("{text}\n"));
    Ok(())
}

/// `text` with a style around it.
#[must_use]
pub fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Rows of cells in columns as wide as they need to be; the last one runs free.
#[derive(Debug, Default)]
pub struct Columns {
    rows: Vec<Vec<(Style, String)>>,
    limits: Vec<usize>,
}

impl Columns {
    /// Columns that are cut to these widths; a column without one is never cut.
    #[must_use]
    pub fn limited(limits: &[usize]) -> Self {
        Self {
            rows: Vec::new(),
            limits: limits.to_vec(),
        }
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [(Style, String); N]) {
        let cut = |(column, (style, text)): (usize, (Style, String))| {
            let limit = self.limits.get(column).copied().unwrap_or(usize::MAX);
            (style, shorten(&text, limit))
        };
        self.rows
            .push(cells.into_iter().enumerate().map(cut).collect());
    }

    /// Adds a row of headings.
    pub fn head<const N: usize>(&mut self, cells: [&str; N]) {
        self.row(cells.map(|cell| (QUIET, cell.to_owned())));
    }

    /// The rows as lines, each after `indent`.
    #[must_use]
    pub fn lines(&self, indent: &str) -> String {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.rows {
            for (column, (_, text)) in row.iter().enumerate() {
                let width = text.chars().count();
                match widths.get_mut(column) {
                    Some(widest) => *widest = width.max(*widest),
                    None => widths.push(width),
                }
            }
        }
        let mut lines = String::new();
        for row in &self.rows {
            let mut line = indent.to_owned();
            // Spaces are only written when something follows them.
            let mut gap = 0;
            for (column, (style, text)) in row.iter().enumerate() {
                if !text.is_empty() {
                    line.push_str(&" ".repeat(gap));
                    line.push_str(&styled(*style, text));
                    gap = 0;
                }
                let width = widths.get(column).copied().unwrap_or(0) + 2;
                gap += width.saturating_sub(text.chars().count());
            }
            lines.push_str(&line);
            lines.push('\n');
        }
        lines
    }
}

/// "1 rule", "3 rules".
#[must_use]
pub fn count(many: usize, what: &str) -> String {
    match many {
        1 => format!("1 {what}"),
        many => format!("{many} {what}s"),
    }
}

/// `text` cut to `limit` characters, the cut visible.
#[must_use]
pub fn shorten(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(limit.saturating_sub(1)).collect();
    kept.push('…');
    kept
}

/// `text` in lines of at most [`WIDTH`] characters, the first after `lead` and the others as far in.
#[must_use]
pub fn wrapped(text: &str, lead: &str) -> String {
    let margin = lead.chars().count();
    let room = WIDTH.saturating_sub(margin).max(20);
    let mut lines = lead.to_owned();
    let mut used = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > room {
            lines.push('\n');
            lines.push_str(&" ".repeat(margin));
            used = 0;
        }
        if used > 0 {
            lines.push(' ');
            used += 1;
        }
        lines.push_str(word);
        used += length;
    }
    lines.push('\n');
    lines
}

/// A sentence and, behind it, the name of the rule it comes from.
#[must_use]
pub fn reasoned(reason: &quell_model::Reason, lead: &str) -> String {
    let tag = format!("[{}]", reason.rule);
    let text = wrapped(&format!("{} {tag}", reason.text), lead);
    // The tag has no space in it, so it is never broken.
    match text.rfind(&tag) {
        Some(at) => {
            let (before, after) = text.split_at(at);
            format!(
                "{before}{}{}",
                styled(QUIET, &tag),
                after.strip_prefix(&tag).unwrap_or(after)
            )
        }
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_by_what_is_seen_not_by_what_is_written() {
        let mut columns = Columns::limited(&[6]);
        columns.head(["STATE", "WHAT"]);
        columns.row([(GOOD, "done".into()), (PLAIN, "a".into())]);
        columns.row([(BAD, "much too long".into()), (PLAIN, "b".into())]);
        let seen = anstream::adapter::strip_str(&columns.lines("  ")).to_string();
        assert_eq!(seen, "  STATE   WHAT\n  done    a\n  much …  b\n");
    }

    #[test]
    fn wrapped_text_stays_within_the_width_and_loses_no_word() {
        let text = "word ".repeat(60);
        let lines = wrapped(&text, "    ");
        assert!(lines.lines().all(|line| line.chars().count() <= WIDTH));
        assert_eq!(lines.split_whitespace().count(), 60);
    }
}
