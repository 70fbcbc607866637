//! `quell approve` and `quell reject`: a person's yes or no, bound to what they were shown.

use quell_model::ActionState;
use quell_server::api::{ActionView, AnswerRequest};

use super::{Where, show, wait};
use crate::failure::{Failure, Result};
use crate::output::{self, Format, GOOD, QUIET, WAITS, styled};

/// Answers an action that waits for a person.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    server: Where,
    /// The action's id, or its last characters as `quell actions` shows them.
    #[arg(value_name = "ID")]
    id: String,
    /// Why, one line; it is kept in the record under your name.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The `shown` hash of what you looked at (`quell show ID --format json`); without it, what is
    /// printed now.
    #[arg(long, value_name = "HASH")]
    shown: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When the action does not wait for an answer, or changed since it was shown.
pub fn run(arguments: &Arguments, yes: bool, format: Format) -> Result<()> {
    let client = arguments.server.client()?;
    wait(async {
        let detail = client.find(&arguments.id).await?;
        if format == Format::Human {
            output::say(&show::summary(&detail));
            output::say("\n");
        }
        if arguments
            .shown
            .as_ref()
            .is_some_and(|shown| *shown != detail.shown)
        {
            return Err(changed());
        }
        let verb = if yes { "approve" } else { "reject" };
        let path = format!("/api/v1/actions/{}/{verb}", detail.action.id);
        let answer = AnswerRequest {
            shown: detail.shown.clone(),
            reason: arguments.reason.clone(),
        };
        let after: ActionView = client.post(&path, &answer).await?;
        match format {
            Format::Json => output::json(&after),
            Format::Human => {
                let waits = after.state == ActionState::AwaitingApproval;
                let (style, word) = match (yes, waits) {
                    (true, true) => (WAITS, "Recorded; somebody else has to say yes as well."),
                    (true, false) => (GOOD, "Approved."),
                    (false, _) => (GOOD, "Rejected."),
                };
                let note = match waits {
                    true => after.note.clone(),
                    false => format!("It is now {}.", after.state.words()),
                };
                output::say(&format!(
                    "{} {}\n",
                    styled(style, word),
                    styled(QUIET, &note)
                ));
                Ok(())
            }
        }
    })
}

fn changed() -> Failure {
    Failure::failed("the action changed since you looked at it, so nothing was answered")
        .hint("look at it again with `quell show`, and answer again")
}
