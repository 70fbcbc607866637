//! `quell policy apply`: the running server reads its policy again and puts it in force.

use quell_server::api::{AppliedView, ApplyRequest};

use crate::client::{Where, wait};
use crate::failure::Result;
use crate::output::{self, Format, GOOD, QUIET, styled};

/// Which server.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    server: Where,
}

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<()> {
    let client = arguments.server.client()?;
    let applied: AppliedView = wait(client.post("/api/v1/policy/apply", &ApplyRequest {}))?;
    if format == Format::Json {
        return output::json(&applied);
    }
    let changed = match applied.changed.as_slice() {
        [] => "No rule changed.".to_owned(),
        changed => format!(
            "New or changed, in your name: {}. Somebody else has to approve by them for a while.",
            changed.join(", ")
        ),
    };
    output::say(&format!(
        "{} {}, {} on lists.\n{}",
        styled(GOOD, "In force:"),
        output::count(applied.rules, "rule"),
        applied.list_entries,
        output::wrapped(&styled(QUIET, &changed), "")
    ));
    Ok(())
}
