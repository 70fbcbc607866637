//! `quell policy prove`: what holds for every request there can be, said by a solver.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use quell_connector::SystemClock;
use quell_policy::{Loaded, Source};
use quell_proof::{Comparison, Property, Solver, Verdict};
use serde_json::{Value, json};

use crate::failure::{Failure, Result};
use crate::output::{self, BAD, Format, GOOD, QUIET, STRONG, WAITS, styled};

/// What to prove.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The policy folder; without it, what ships with Quell.
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Prove instead that FOLDER permits nothing that this older policy refused.
    #[arg(long, value_name = "OLD FOLDER")]
    against: Option<PathBuf>,
    /// The solver, cvc5; without it the one that CVC5 names, or the one on the path.
    #[arg(long, value_name = "PROGRAM")]
    solver: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<()> {
    let loaded = open(arguments.folder.as_deref())?;
    let solver = Solver::find(arguments.solver.as_deref(), Arc::new(SystemClock))
        .map_err(|error| Failure::failed(error.to_string()))?;
    match &arguments.against {
        None => properties(&solver, &loaded, format),
        Some(old) => against(&solver, &super::load(old)?, &loaded, format),
    }
}

fn open(folder: Option<&Path>) -> Result<Loaded> {
    folder.map_or_else(super::shipped, super::load)
}

pub(super) fn sources(texts: &[(String, String)]) -> Vec<Source<'_>> {
    texts
        .iter()
        .map(|(name, text)| Source { name, text })
        .collect()
}

/// Whether the policy keeps its properties.
fn properties(solver: &Solver, loaded: &Loaded, format: Format) -> Result<()> {
    let mut texts = sources(&loaded.properties);
    if texts.is_empty() {
        texts.push(Property::shipped_source());
    }
    let properties = Property::load(&texts)?;
    let verdicts = quell_proof::prove(solver, &sources(&loaded.rules), &properties)?;
    let judged: Vec<(&Property, Verdict)> = properties.iter().zip(verdicts).collect();
    let open = judged
        .iter()
        .filter(|(_, verdict)| !verdict.holds())
        .count();
    if format == Format::Human {
        for (property, verdict) in &judged {
            output::say(&line(property.statement(), property.id(), verdict));
        }
    }
    let views = judged.iter().map(|(property, verdict)| {
        json!({
            "property": property.id(),
            "statement": property.statement(),
            "file": property.file(),
            "line": property.line(),
            "verdict": verdict,
        })
    });
    let total = judged.len();
    let said = format!("{} of {total} properties hold", total - open);
    conclude(views.collect(), open, &said, format)
}

/// Whether a changed policy permits nothing new.
fn against(solver: &Solver, old: &Loaded, new: &Loaded, format: Format) -> Result<()> {
    let answers = quell_proof::compare(solver, &sources(&old.rules), &sources(&new.rules))?;
    let loosened: Vec<&Comparison> = answers
        .iter()
        .filter(|answer| !answer.verdict.holds())
        .collect();
    if format == Format::Human {
        for answer in &loosened {
            let statement = format!(
                "“{}” {} is permitted only where it was.",
                answer.action.phrase(),
                answer.mode.words()
            );
            output::say(&line(&statement, answer.action.as_str(), &answer.verdict));
        }
    }
    let open = loosened.len();
    let said = match open {
        0 => "The new policy permits nothing that the old one refused".to_owned(),
        open => format!(
            "{open} of {} kinds of action permit more than before",
            answers.len()
        ),
    };
    conclude(
        answers.iter().map(|answer| json!(answer)).collect(),
        open,
        &said,
        format,
    )
}

fn line(statement: &str, name: &str, verdict: &Verdict) -> String {
    let (style, word) = match verdict {
        Verdict::Holds { .. } => (GOOD, "holds"),
        Verdict::Fails { .. } => (BAD, "does not hold"),
        Verdict::Undecided { .. } => (WAITS, "undecided"),
    };
    let detail = match verdict {
        Verdict::Holds { .. } => String::new(),
        Verdict::Fails { counter_example } => output::wrapped(&counter_example.to_string(), "    "),
        Verdict::Undecided { why } => output::wrapped(why, "    "),
    };
    format!(
        "{}  {} {}\n{detail}",
        styled(style, word),
        styled(STRONG, statement),
        styled(QUIET, &format!("[{name}]"))
    )
}

fn conclude(views: Vec<Value>, open: usize, said: &str, format: Format) -> Result<()> {
    if open > 0 {
        return Err(Failure::failed(said.to_owned()).with("verdicts", views));
    }
    match format {
        Format::Human => output::say(&format!("{}\n", styled(GOOD, &format!("{said}.")))),
        Format::Json => output::json(&json!({ "verdicts": views }))?,
    }
    Ok(())
}
