//! The project's own commands, run as `cargo xtask <command>`.
//!
//! Owns how the project is checked and how its generated files are written. It uses no other crate
//! of ours and almost nothing else, because it is compiled before anything it does.

mod generated;
mod lists;
mod needs;
mod npm;
mod process;
mod python;
mod report;
mod repository;
mod stages;
mod tally;

#[cfg(test)]
mod structure;

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use generated::Mode;

/// One thing `cargo xtask` can do.
struct Command {
    /// The words that call it.
    words: &'static str,
    /// One line for people.
    help: &'static str,
    run: fn() -> Result<ExitCode>,
}

const COMMANDS: &[Command] = &[
    Command {
        words: "test",
        help: "run every check: formatting, lints, tests, generated files, structure",
        run: stages::command,
    },
    Command {
        words: "gen",
        help: "write the generated files",
        run: || generated::command(Mode::Write),
    },
    Command {
        words: "gen --check",
        help: "say which generated files are out of date",
        run: || generated::command(Mode::Check),
    },
    Command {
        words: "lists",
        help: "write crates/policy/data anew from the pinned package, after changing its version",
        run: lists::command,
    },
    Command {
        words: "venv",
        help: "set up target/venv, the Python packages that some tests use",
        run: python::command,
    },
    Command {
        words: "npm",
        help: "set up target/npm, the Node packages that some tests use",
        run: npm::command,
    },
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words = words.join(" ");
    if words.is_empty() || words == "help" || words == "--help" {
        say(&usage());
        return ExitCode::SUCCESS;
    }
    let Some(command) = COMMANDS.iter().find(|command| command.words == words) else {
        complain(&format!(
            "there is no command `cargo xtask {words}`\n\n{}",
            usage()
        ));
        return ExitCode::from(2);
    };
    match (command.run)() {
        Ok(code) => code,
        Err(error) => {
            complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn usage() -> String {
    let width = COMMANDS.iter().map(|c| c.words.len()).max().unwrap_or(0);
    let rows: Vec<String> = COMMANDS
        .iter()
        .map(|command| format!("  cargo xtask {:width$}  {}", command.words, command.help))
        .collect();
    format!("The project's own commands:\n\n{}", rows.join("\n"))
}

/// Prints a line for people. There is nobody left to tell when standard output is closed.
fn say(text: &str) {
    drop(writeln!(std::io::stdout(), "{text}"));
}

/// Prints what went wrong.
fn complain(text: &str) {
    drop(writeln!(std::io::stderr(), "{text}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_names_every_command_with_one_line_of_help() {
        let usage = usage();
        for command in COMMANDS {
            assert!(usage.contains(command.words), "{}", command.words);
            assert!(!command.help.contains('\n'), "{}", command.words);
        }
    }
}
