//! `quell revert`, `quell pause` and `quell resume`: orders that are no answers.

use quell_model::ConnectionId;
use quell_server::api::{ActionView, AutomationView, PauseRequest, ResumeRequest, RevertRequest};

use super::{Where, wait};
use crate::failure::Result;
use crate::output::{self, Format, GOOD, QUIET, WAITS, styled};

/// Takes an action back: restores what was before, if it still is as Quell set it.
#[derive(Debug, clap::Args)]
pub struct Revert {
    #[command(flatten)]
    server: Where,
    /// The action's id, or its last characters as `quell actions` shows them.
    #[arg(value_name = "ID")]
    id: String,
    /// Why, one line; it is kept in the record under your name.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Take it back even when nobody can tell whether Quell or somebody else did it.
    #[arg(long)]
    even_if_unclear: bool,
}

/// Stops all automation at once, queued work included. Alerts are still taken in.
#[derive(Debug, clap::Args)]
pub struct Pause {
    #[command(flatten)]
    server: Where,
    /// Only what goes through this connection.
    #[arg(long, value_name = "CONNECTION")]
    connection: Option<ConnectionId>,
    /// Why, one line; everybody who looks is shown it.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Lets automation go on, with what queued up meanwhile.
#[derive(Debug, clap::Args)]
pub struct Resume {
    #[command(flatten)]
    server: Where,
    /// What was paused for this connection; without it, what was paused for all.
    #[arg(long, value_name = "CONNECTION")]
    connection: Option<ConnectionId>,
}

/// `quell revert`.
///
/// # Errors
/// When the action cannot be taken back.
pub fn revert(arguments: &Revert, format: Format) -> Result<()> {
    let client = arguments.server.client()?;
    let (after, back) = wait(async {
        let detail = client.find(&arguments.id).await?;
        let path = format!("/api/v1/actions/{}/revert", detail.action.id);
        let order = RevertRequest {
            reason: arguments.reason.clone(),
            even_if_unclear: arguments.even_if_unclear,
        };
        let after: ActionView = client.post(&path, &order).await?;
        Ok((after, detail.reverted_by))
    })?;
    match format {
        Format::Json => output::json(&after),
        Format::Human => {
            let hint = format!(
                "`quell show {}` says when it is done.",
                super::find::short(after.id)
            );
            let back = back.map_or("take back", |back| back.phrase());
            output::say(&format!(
                "{} {back} {}. {}\n",
                styled(GOOD, "On its way:"),
                after.target_name,
                styled(QUIET, &hint)
            ));
            Ok(())
        }
    }
}

/// `quell pause`.
///
/// # Errors
/// When the server refuses.
pub fn pause(arguments: &Pause, format: Format) -> Result<()> {
    let client = arguments.server.client()?;
    let order = PauseRequest {
        reason: arguments.reason.clone(),
        connection: arguments.connection.clone(),
    };
    let view: AutomationView = wait(client.post("/api/v1/automation/pause", &order))?;
    tell(&view, format)
}

/// `quell resume`.
///
/// # Errors
/// When the server refuses.
pub fn resume(arguments: &Resume, format: Format) -> Result<()> {
    let client = arguments.server.client()?;
    let order = ResumeRequest {
        connection: arguments.connection.clone(),
    };
    let view: AutomationView = wait(client.post("/api/v1/automation/resume", &order))?;
    tell(&view, format)
}

fn tell(view: &AutomationView, format: Format) -> Result<()> {
    if format == Format::Json {
        return output::json(view);
    }
    let note = |by: Option<&str>, reason: Option<&str>| {
        let (by, reason) = (
            by.unwrap_or("somebody"),
            reason.unwrap_or("no reason given"),
        );
        format!("by {by}: {}.", reason.trim_end_matches('.'))
    };
    let mut text = if view.paused {
        format!(
            "{} {} {}\n",
            styled(WAITS, "Automation is paused"),
            note(view.by.as_deref(), view.reason.as_deref()),
            styled(
                QUIET,
                "Alerts are still taken in; `quell resume` lets actions go on."
            )
        )
    } else {
        format!("{}\n", styled(GOOD, "Automation runs."))
    };
    for pause in &view.paused_connections {
        let id = &pause.connection;
        text.push_str(&format!(
            "{} {} {}\n",
            styled(WAITS, &format!("Connection {id} is paused")),
            note(pause.by.as_deref(), pause.reason.as_deref()),
            styled(
                QUIET,
                &format!("`quell resume --connection {id}` lets it go on.")
            )
        ));
    }
    output::say(&text);
    Ok(())
}
