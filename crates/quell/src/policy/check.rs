//! `quell policy check`: what is wrong with a policy, and which of its own rules decide nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use quell_connector::SystemClock;
use quell_policy::{Diagnostic, Loaded, RuleInfo};
use quell_proof::{Idle, Property, Solver, Why, idle};
use serde_json::json;

use super::prove::sources;
use crate::failure::{Failure, Result};
use crate::output::{self, Format, WAITS, styled};

/// How long the solver may think about one rule. It needs a tenth of a second.
const LIMIT: Duration = Duration::from_secs(5);

/// What to check.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The policy folder.
    #[arg(value_name = "FOLDER", default_value = "policy")]
    folder: PathBuf,
    /// The solver, cvc5, that looks for rules which decide nothing; without it the one that CVC5 names, or
    /// the one on the path.
    #[arg(long, value_name = "PROGRAM")]
    solver: Option<PathBuf>,
}

/// What was looked at with a solver.
#[derive(Default)]
struct Judged {
    idle: Vec<Idle>,
    /// The solver's version.
    solver: Option<String>,
    /// Why none was asked, where one was needed.
    not_looked_at: Option<String>,
}

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<()> {
    let path = arguments.folder.as_path();
    let loaded = super::load(path)?;
    if !loaded.properties.is_empty() {
        Property::load(&sources(&loaded.properties))?;
    }
    let own = |rule: &RuleInfo| Path::new(&rule.file).starts_with(path);
    let count = loaded
        .policy
        .rules()
        .iter()
        .filter(|rule| own(rule))
        .count();
    let judged = match count {
        0 => Judged::default(),
        _ => judge(&loaded, own, arguments.solver.as_deref())?,
    };

    let (mut problems, mut remarks) = (loaded.in_vain.clone(), loaded.settings.remarks.clone());
    for idle in &judged.idle {
        match help(&idle.why) {
            Some(help) => problems.push(diagnostic(idle, Some(help))),
            None => remarks.push(diagnostic(idle, None)),
        }
    }
    if format == Format::Human {
        tell(&remarks, judged.not_looked_at.as_deref());
    }
    if !problems.is_empty() {
        return Err(Failure::of_problems("the policy", problems).with("remarks", json!(remarks)));
    }
    let (rules, examples) = (loaded.policy.rules().len(), loaded.examples.len());
    let entries = loaded.lists.entries().len();
    if format == Format::Json {
        return output::json(&json!({
            "folder": path.display().to_string(),
            "rules": rules,
            "own_rules": count,
            "list_entries": entries,
            "examples": examples,
            "remarks": remarks,
            "solver": judged.solver,
            "not_looked_at": judged.not_looked_at,
        }));
    }
    output::say(&format!(
        "{} is good: {}, {count} of them your own; {entries} on lists; {}\n",
        path.display(),
        output::count(rules, "rule"),
        output::count(examples, "example"),
    ));
    Ok(())
}

fn judge(
    loaded: &Loaded,
    own: impl Fn(&RuleInfo) -> bool,
    solver: Option<&Path>,
) -> Result<Judged> {
    let solver = match Solver::find(solver, Arc::new(SystemClock)) {
        Ok(solver) => solver.with_time_limit(LIMIT),
        Err(error) => {
            return Ok(Judged {
                not_looked_at: Some(error.to_string()),
                ..Judged::default()
            });
        }
    };
    Ok(Judged {
        idle: idle(&solver, &sources(&loaded.rules), own)?,
        solver: Some(solver.version().to_owned()),
        not_looked_at: None,
    })
}

/// What to do about a rule that decides nothing, where that is a mistake: somebody relies on it.
const fn help(why: &Why) -> Option<&'static str> {
    match why {
        Why::NeverMatches => Some("mend its condition, or remove it"),
        Why::NeverPermits { .. } => Some("remove it, or change what forbids it"),
        Why::ForbiddenAnyway { .. } | Why::Undecided { .. } => None,
    }
}

fn diagnostic(idle: &Idle, help: Option<&str>) -> Diagnostic {
    Diagnostic {
        file: idle.file.clone(),
        line: idle.line,
        column: 1,
        message: idle.to_string(),
        help: help.map(str::to_owned),
    }
}

fn tell(remarks: &[Diagnostic], not_looked_at: Option<&str>) {
    let word = styled(WAITS, "remark:");
    for remark in remarks {
        output::remark(&format!("{word} {remark}"));
    }
    if let Some(why) = not_looked_at {
        output::remark(&format!(
            "{word} whether each of your rules can decide anything was not looked at: {why}"
        ));
    }
}
