//! `quell policy explain`: why an action was decided as it was, with what was known at that moment.

use quell_model::{ActionState, Decision, FileFacts, Outcome, Transition};
use quell_server::api::ActionDetail;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::client::{Where, wait};
use crate::failure::Result;
use crate::output::{self, Columns, Format, PLAIN, QUIET, STRONG, reasoned, styled, wrapped};

/// Which action.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    server: Where,
    /// The action's id, or its last characters as `quell actions` shows them.
    #[arg(value_name = "ACTION")]
    id: String,
}

/// What the journal keeps of a decision.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    decision: Decision,
    #[serde(default)]
    asset: quell_model::AssetFacts,
    #[serde(default, skip_serializing_if = "FileFacts::is_empty")]
    file: FileFacts,
    #[serde(default)]
    lists: Lists,
    #[serde(default)]
    budgets: Vec<Budget>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Lists {
    names: Vec<String>,
    entries: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Budget {
    budget: String,
    used: u32,
    limit: u32,
}

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<()> {
    let client = arguments.server.client()?;
    let detail = wait(client.find(&arguments.id))?;
    let decisions = decisions(&detail.history);
    if format == Format::Json {
        let views: Vec<_> = decisions
            .iter()
            .map(|(row, kept)| json!({ "at": row.at, "state": row.to, "facts": kept }))
            .collect();
        return output::json(&json!({
            "action": detail.action,
            "decisions": views,
            "approvals": detail.approvals,
        }));
    }
    output::say(&text(&detail, &decisions));
    Ok(())
}

/// The decisions in a journal: at the proposal, and each that was taken again and came out otherwise.
fn decisions(history: &[Transition]) -> Vec<(&Transition, Kept)> {
    history
        .iter()
        .filter_map(|row| Some((row, Kept::deserialize(&row.evidence).ok()?)))
        .collect()
}

fn text(detail: &ActionDetail, decisions: &[(&Transition, Kept)]) -> String {
    let action = &detail.action;
    let question = format!(
        "May Quell {} {}?",
        action.action.phrase(),
        action.target_name
    );
    let mut out = format!(
        "{}\n{}\n",
        styled(STRONG, &question),
        styled(QUIET, &action.id.to_string())
    );
    let confidence = action
        .confidence
        .map_or("no confidence given".to_owned(), |c| {
            format!("confidence {c}")
        });
    let asked = format!(
        "Playbook {} proposed it for an alert of {}: {}, severity {}, {confidence}.",
        action.playbook,
        action.connection,
        action.detection,
        action.severity.as_str()
    );
    out.push_str(&wrapped(&asked, ""));
    for (index, (row, kept)) in decisions.iter().enumerate() {
        out.push_str(&one(row, kept, index > 0));
    }
    for approval in &detail.approvals {
        let yes = if approval.yes { "yes" } else { "no" };
        let at = approval.at.strftime("%Y-%m-%d %H:%M:%S UTC");
        let line = format!("{at}: {} said {yes}: {}", approval.person, approval.reason);
        out.push_str(&format!("\n{}", wrapped(&line, "")));
    }
    let now = format!("Now it is {}: {}", action.state.words(), action.note);
    out.push_str(&format!("\n{}", wrapped(&now, "")));
    out
}

fn one(row: &Transition, kept: &Kept, again: bool) -> String {
    let (style, _) = crate::plan::outcome(kept.decision.outcome);
    let answer = match kept.decision.outcome {
        Outcome::Auto => "yes, by itself",
        Outcome::Ask if kept.decision.quorum.is_one() => "only after a person's yes",
        Outcome::Ask => &format!("only after the yes of {}", kept.decision.quorum.words()),
        Outcome::Never => "no, never",
        Outcome::Manual => "it cannot; a person has to, elsewhere",
    };
    let when = if again {
        "decided again immediately before the call"
    } else {
        "decided when it was proposed"
    };
    let shadow = if row.to == ActionState::Shadowed {
        " (not opted in: recorded, not done)"
    } else {
        ""
    };
    let at = row.at.strftime("%Y-%m-%d %H:%M:%S UTC");
    let mut out = format!("\n{at}, {when}: {}{shadow}\n", styled(style, answer));
    for reason in &kept.decision.reasons {
        out.push_str(&reasoned(reason, "  - "));
    }
    let mut known = vec![kept.asset.class.words().to_owned()];
    let critical = if kept.asset.critical {
        "critical"
    } else {
        "not critical"
    };
    known.push(critical.to_owned());
    known.extend(
        kept.asset
            .labels
            .iter()
            .map(|label| format!("label {label}")),
    );
    known.extend(kept.file.words());
    let mut facts = Columns::default();
    facts.row([(QUIET, "known of it".into()), (PLAIN, known.join(", "))]);
    facts.row([(QUIET, "lists".into()), (PLAIN, lists(&kept.lists))]);
    facts.row([(QUIET, "budgets".into()), (PLAIN, budgets(&kept.budgets))]);
    out.push_str(&facts.lines("  "));
    out
}

fn lists(lists: &Lists) -> String {
    match (lists.entries.is_empty(), lists.names.is_empty()) {
        (true, true) => "it was on none".to_owned(),
        (true, false) => "not on the allow list".to_owned(),
        (false, _) => lists.entries.join("; "),
    }
}

fn budgets(budgets: &[Budget]) -> String {
    if budgets.is_empty() {
        return "none was asked: only what runs by itself is charged".to_owned();
    }
    let one = |budget: &Budget| format!("{} {} of {}", budget.budget, budget.used, budget.limit);
    budgets.iter().map(one).collect::<Vec<_>>().join(", ")
}
