//! `quell opt-in` and `quell opt-out`: out of shadow mode, and back.

use std::io::{BufRead, IsTerminal};

use quell_model::ActionType;
use quell_server::api::{AutomationView, OfferView, OptInRequest, OptOutRequest};

use super::{Where, wait};
use crate::failure::{Failure, Result};
use crate::output::{self, Columns, Format, GOOD, PLAIN, QUIET, STRONG, styled, wrapped};

/// Lets Quell do an action type that was in shadow mode; without one, says what is opted in to.
///
/// You are shown a text, and what you agree to is kept in the record with your name and the time.
#[derive(Debug, clap::Args)]
pub struct In {
    #[command(flatten)]
    server: Where,
    /// The action type (`contain_host`).
    #[arg(value_name = "ACTION", value_parser = action)]
    action: Option<ActionType>,
    /// Agrees to the text without being asked, for programs.
    #[arg(long, requires = "action")]
    agree: bool,
}

/// Puts an action type back into shadow mode, at once and for queued work too.
#[derive(Debug, clap::Args)]
pub struct Out {
    #[command(flatten)]
    server: Where,
    /// The action type (`contain_host`).
    #[arg(value_name = "ACTION", value_parser = action)]
    action: ActionType,
    /// Why, one line; it is kept in the record under your name.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

const PATH: &str = "/api/v1/automation";

fn action(name: &str) -> std::result::Result<ActionType, String> {
    ActionType::named(name).ok_or_else(|| {
        let known: Vec<&str> = ActionType::ALL
            .iter()
            .map(|action| action.as_str())
            .collect();
        format!(
            "there is no such action; {}",
            quell_policy::suggestion(name, &known)
        )
    })
}

/// `quell opt-in`.
///
/// # Errors
/// When the server refuses, or the person does not agree.
pub fn opt_in(arguments: &In, format: Format) -> Result<()> {
    let client = arguments.server.client()?;
    let view: AutomationView = wait(client.get(PATH))?;
    let Some(action) = arguments.action else {
        return tell(&view, format);
    };
    let Some(offer) = view.offers.iter().find(|offer| offer.action == action) else {
        return if view.opted_in.iter().any(|known| known.action == action) {
            tell(&view, format)
        } else {
            let message = format!(
                "no connection can {}, so there is nothing to opt in to",
                action.phrase()
            );
            Err(Failure::failed(message))
        };
    };
    if !arguments.agree {
        agree(offer)?;
    }
    let order = OptInRequest {
        action,
        agreed: offer.text.clone(),
    };
    let view: AutomationView = wait(client.post(&format!("{PATH}/opt-in"), &order))?;
    tell(&view, format)
}

/// `quell opt-out`.
///
/// # Errors
/// When the server refuses.
pub fn opt_out(arguments: &Out, format: Format) -> Result<()> {
    let client = arguments.server.client()?;
    let order = OptOutRequest {
        action: arguments.action,
        reason: arguments.reason.clone(),
    };
    let view: AutomationView = wait(client.post(&format!("{PATH}/opt-out"), &order))?;
    tell(&view, format)
}

/// Shows the text and waits for the action's name, typed.
fn agree(offer: &OfferView) -> Result<()> {
    let name = offer.action.as_str();
    output::say(&wrapped(&offer.text, ""));
    if !std::io::stdin().is_terminal() {
        let failure = Failure::failed("nobody agreed to this text, so nothing was opted in to");
        return Err(failure.hint(format!("`quell opt-in {name} --agree` agrees to it")));
    }
    output::say(&format!("\nType `{name}` to agree: "));
    let mut typed = String::new();
    let read = std::io::stdin().lock().read_line(&mut typed);
    match read {
        Ok(_) if typed.trim() == name => Ok(()),
        _ => Err(Failure::failed("not agreed; nothing was opted in to")),
    }
}

fn tell(view: &AutomationView, format: Format) -> Result<()> {
    if format == Format::Json {
        return output::json(view);
    }
    let mut columns = Columns::default();
    for known in &view.opted_in {
        let when = format!("{:.0}", known.at)
            .replace('T', " ")
            .replace('Z', " UTC");
        columns.row([
            (STRONG, known.action.to_string()),
            (GOOD, "opted in".to_owned()),
            (PLAIN, format!("by {} on {when}", known.by)),
        ]);
    }
    for offer in &view.offers {
        columns.row([
            (STRONG, offer.action.to_string()),
            (QUIET, "shadow mode".to_owned()),
            (QUIET, "decided and recorded, not done".to_owned()),
        ]);
    }
    output::say(&columns.lines("  "));
    if !view.offers.is_empty() {
        let text = "\n`quell opt-in ACTION` shows what you would agree to.";
        output::say(&format!("{}\n", styled(QUIET, text)));
    }
    Ok(())
}
