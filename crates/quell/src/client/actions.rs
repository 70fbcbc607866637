//! `quell actions`: what was decided, and where each stands.

use clap::builder::PossibleValuesParser;
use jiff::Timestamp;
use quell_model::ActionState;
use quell_server::api::{ActionView, Page};

use super::{Where, find, wait};
use crate::failure::Result;
use crate::output::{self, BAD, BUSY, Columns, Format, GOOD, PLAIN, QUIET, WAITS};

/// Lists actions, newest first: what was decided, and where each stands.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    server: Where,
    /// Only actions in this state; may be given several times.
    #[arg(long, value_name = "STATE", value_parser = states())]
    state: Vec<String>,
    /// How many at most.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=200))]
    limit: u32,
}

fn states() -> PossibleValuesParser {
    PossibleValuesParser::new(ActionState::ALL.iter().map(|state| state.as_str()))
}

/// Runs the command.
///
/// # Errors
/// When the server cannot be asked.
pub fn run(arguments: &Arguments, format: Format) -> Result<()> {
    let client = arguments.server.client()?;
    let mut path = format!("/api/v1/actions?limit={}", arguments.limit);
    for state in &arguments.state {
        path.push_str(&format!("&state={state}"));
    }
    let page: Page<ActionView> = wait(client.get(&path))?;
    match format {
        Format::Json => output::json(&page),
        Format::Human => {
            output::say(&table(&page, arguments.state.is_empty()));
            Ok(())
        }
    }
}

fn table(page: &Page<ActionView>, any: bool) -> String {
    if page.items.is_empty() {
        let nothing = if any {
            "No actions yet: no alert has asked for one.\n"
        } else {
            "No action is in that state.\n"
        };
        return nothing.to_owned();
    }
    let mut columns = Columns::limited(&[8, 16, 18, 8, 20, 48]);
    columns.head(["ID", "RECEIVED", "STATE", "DECISION", "ACTION", "TARGET"]);
    for action in &page.items {
        let (style, word) = crate::plan::outcome(action.decision.outcome);
        columns.row([
            (PLAIN, find::short(action.id)),
            (
                QUIET,
                action.clocks.received.map(moment).unwrap_or_default(),
            ),
            (state_style(action.state), action.state.words()),
            (style, word.to_owned()),
            (PLAIN, action.action.phrase().to_owned()),
            (PLAIN, action.target_name.clone()),
        ]);
    }
    let mut text = columns.lines("");
    let waiting = page
        .items
        .iter()
        .filter(|a| a.state == ActionState::AwaitingApproval)
        .count();
    let more = if page.next.is_some() {
        " There are older ones; --limit shows more."
    } else {
        ""
    };
    if waiting > 0 {
        let one = if waiting == 1 {
            "1 waits".to_owned()
        } else {
            format!("{waiting} wait")
        };
        let line = format!(
            "\n{one} for a person: `quell show ID`, then `quell approve ID --reason \"…\"` or `quell reject`.{more}\n"
        );
        text.push_str(&line);
    } else if !more.is_empty() {
        text.push_str(&format!("\n{}\n", more.trim_start()));
    }
    text
}

/// A moment in a table: to the second, in UTC.
pub(crate) fn moment(at: Timestamp) -> String {
    at.strftime("%m-%d %H:%M:%S").to_string()
}

/// The colour of a state.
pub(crate) const fn state_style(state: ActionState) -> anstyle::Style {
    match state {
        ActionState::Completed | ActionState::Reverted => GOOD,
        ActionState::AwaitingApproval | ActionState::Manual | ActionState::Drifted => WAITS,
        ActionState::Failed
        | ActionState::Unknown
        | ActionState::RevertFailed
        | ActionState::Unverified => BAD,
        ActionState::Proposed
        | ActionState::Scheduled
        | ActionState::Running
        | ActionState::Verifying
        | ActionState::Reverting => BUSY,
        ActionState::Shadowed
        | ActionState::Denied
        | ActionState::Rejected
        | ActionState::Expired => QUIET,
    }
}
