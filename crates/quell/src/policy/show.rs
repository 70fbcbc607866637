//! `quell policy show`: who decides about what, as a table and as rules.

use std::path::PathBuf;

use quell_policy::budget::{Per, words};
use quell_policy::matrix::{self, Cell, Column};
use quell_policy::{Approvals, Budget, Loaded, Matrix, RuleInfo, Settings};
use serde_json::{Map, Value, json};

use crate::failure::Result;
use crate::output::{self, BAD, Columns, Format, GOOD, PLAIN, QUIET, STRONG, WAITS, styled};

/// What to show.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The policy folder; without it, what ships with Quell.
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Also list the rules, each with the place it stands in.
    #[arg(long)]
    rules: bool,
    /// Print the rules that the matrix means, in Cedar.
    #[arg(long, conflicts_with = "rules")]
    cedar: bool,
}

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<()> {
    let loaded = match &arguments.folder {
        Some(folder) => super::load(folder)?,
        None => super::shipped()?,
    };
    if format == Format::Json {
        return output::json(&document(&loaded));
    }
    if arguments.cedar {
        output::say(&loaded.settings.matrix.rules());
        return Ok(());
    }
    output::say(&table(&loaded.settings.matrix));
    output::say(&format!("\n{}", budgets(&loaded.settings)));
    output::say(&left_out(&loaded.settings));
    output::say(&format!("\n{}", approvals(&loaded.settings.approvals)));
    if arguments.rules {
        output::say(&format!("\n{}", rules(loaded.policy.rules())));
    }
    Ok(())
}

/// The word for a cell. One that asks below a confidence is told by its target.
const fn answer(cell: Cell) -> &'static str {
    match cell {
        Cell::Auto => "auto",
        Cell::Ask(_) | Cell::AskBelowConfidence(_) => "ask",
        Cell::Never => "never",
    }
}

fn table(matrix: &Matrix) -> String {
    let mut columns = Columns::default();
    columns.head(["ACTION", "ANSWER", "TARGETS"]);
    for action in matrix::rows() {
        lines(&mut columns, action.as_str(), |column| {
            matrix.cell(action, column)
        });
    }
    lines(&mut columns, "every action", |column| {
        matrix.every_action(column)
    });
    format!(
        "{}\nNothing is done below {} severity; below {} a person decides. What stands after a + comes on\n\
         top of the class; of all that apply, the strictest holds.\n",
        columns.lines("  "),
        matrix.act_from.as_str(),
        matrix.auto_from.as_str()
    )
}

fn lines(columns: &mut Columns, name: &str, cell: impl Fn(Column) -> Option<Cell>) {
    let mut name = name.to_owned();
    for (word, style) in [("auto", GOOD), ("ask", WAITS), ("never", BAD)] {
        let targets: Vec<String> = Column::all()
            .filter_map(|column| Some((column, cell(column)?)))
            .filter(|(_, cell)| answer(*cell) == word)
            .map(|(column, cell)| {
                let plus = if column.is_class() { "" } else { "+" };
                let from = match cell {
                    Cell::AskBelowConfidence(from) => format!(" (auto from confidence {from})"),
                    Cell::Ask(quorum) if !quorum.is_one() => format!(" ({})", quorum.words()),
                    _ => String::new(),
                };
                format!("{plus}{}{from}", column.as_str())
            })
            .collect();
        if !targets.is_empty() {
            columns.row([
                (STRONG, std::mem::take(&mut name)),
                (style, word.to_owned()),
                (PLAIN, targets.join(", ")),
            ]);
        }
    }
}

fn budgets(settings: &Settings) -> String {
    let mut columns = Columns::limited(&[40]);
    columns.head(["BUDGET", "BY ITSELF", "OF"]);
    for budget in settings.budgets.iter() {
        let each = match budget.per {
            Per::Organization => "",
            Per::Source => ", each source",
            Per::Detection => ", each detection",
            Per::Target => ", each target",
        };
        let new = budget.new_for.map_or(String::new(), |span| {
            format!(" while new for {}", words(span))
        });
        let share = budget.share.map_or(String::new(), |share| {
            format!(", at most {share} % of the fleet")
        });
        let limit = format!(
            "{} in {}{share}{each}{new}",
            budget.count,
            words(budget.window)
        );
        let names = |all: Vec<&str>, none: &str| match all.is_empty() {
            true => none.to_owned(),
            false => all.join(", "),
        };
        let actions = names(
            budget
                .actions
                .iter()
                .map(|action| action.as_str())
                .collect(),
            "every action",
        );
        let classes = names(
            budget.classes.iter().map(|class| class.as_str()).collect(),
            "",
        );
        let of = if classes.is_empty() {
            actions
        } else {
            format!("{actions} on {classes}")
        };
        columns.row([(STRONG, budget.name.clone()), (PLAIN, limit), (PLAIN, of)]);
    }
    let storm = settings.storm.map_or(String::new(), |storm| {
        format!(
            "In a storm everything asks: {} alerts of one source or detection within 10 minutes, and {} times\n\
             as many as usual.\n",
            storm.at_least, storm.times
        )
    });
    format!(
        "{}\nWhat goes beyond a budget asks a person, and so does what was decided more than {} ago.\n{storm}",
        columns.lines("  "),
        words(settings.stale_after)
    )
}

/// The shipped rules that this policy does without; nothing when it has all of them.
fn left_out(settings: &Settings) -> String {
    if settings.rules_off.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = settings.rules_off.iter().map(String::as_str).collect();
    format!(
        "\nOf the shipped rules these are left out: {}.\n",
        names.join(", ")
    )
}

fn approvals(approvals: &Approvals) -> String {
    let mut sentences = vec![format!(
        "People have {} to answer; then nothing is done.",
        words(approvals.deadline)
    )];
    if let Some(after) = approvals.remind_after {
        sentences.push(format!(
            "They are reminded whenever {} has passed.",
            words(after)
        ));
    }
    if !approvals.escalate_to.is_empty() {
        let channels: Vec<&str> = approvals
            .escalate_to
            .iter()
            .map(|c| c.id.as_str())
            .collect();
        let after = words(approvals.escalate_after);
        sentences.push(format!("After {after}, {} is told.", channels.join(", ")));
    }
    sentences.push(format!(
        "After {} by one person within an hour, each further yes needs a second person.",
        match approvals.alone_per_hour {
            1 => "1 yes".to_owned(),
            many => format!("{many} yeses"),
        }
    ));
    if !approvals.author_excluded_for.is_zero() {
        sentences.push(format!(
            "Whoever changed a rule cannot approve by it for {}.",
            words(approvals.author_excluded_for)
        ));
    }
    output::wrapped(&sentences.join(" "), "")
}

fn rules(rules: &[RuleInfo]) -> String {
    let mut text = String::new();
    for rule in rules {
        let effect = if rule.forbids { "forbids" } else { "permits" };
        let place = format!("{}:{}", rule.file, rule.line);
        text.push_str(&format!(
            "{} {effect}{} {}\n{}",
            styled(STRONG, &rule.id),
            if rule.quorum.is_one() {
                String::new()
            } else {
                format!(", and asks {}", rule.quorum.words())
            },
            styled(QUIET, &place),
            output::wrapped(&rule.reason, "    ")
        ));
    }
    text
}

fn document(loaded: &Loaded) -> Value {
    let matrix = &loaded.settings.matrix;
    let budgets: Vec<&Budget> = loaded.settings.budgets.iter().collect();
    let row = |cell: &dyn Fn(Column) -> Option<Cell>| -> Map<String, Value> {
        Column::all()
            .filter_map(|column| Some((column.as_str().to_owned(), json!(cell(column)?))))
            .collect()
    };
    let actions: Map<String, Value> = matrix::rows()
        .map(|action| {
            let cells = row(&|column| matrix.cell(action, column));
            (action.as_str().to_owned(), Value::Object(cells))
        })
        .collect();
    let rules: Vec<Value> = loaded
        .policy
        .rules()
        .iter()
        .map(|rule| {
            json!({
                "id": rule.id,
                "reason": rule.reason,
                "forbids": rule.forbids,
                "quorum": rule.quorum,
                "actions": rule.actions,
                "file": rule.file,
                "line": rule.line,
            })
        })
        .collect();
    json!({
        "severity": { "act_from": matrix.act_from, "auto_from": matrix.auto_from },
        "every_action": row(&|column| matrix.every_action(column)),
        "actions": actions,
        "budgets": budgets,
        "approvals": loaded.settings.approvals,
        "rules": rules,
        "rules_off": loaded.settings.rules_off,
    })
}
