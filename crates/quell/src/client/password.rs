//! `quell password`: a temporary password, shown once.

use quell_server::api::{PasswordRequest, PasswordView};

use super::{Where, wait};
use crate::failure::Result;
use crate::output::{self, Format, QUIET, styled};

/// Shows the temporary password that a reset set, once; it is recorded and told that you saw it.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    server: Where,
    /// The action's id, or its last characters as `quell actions` shows them.
    #[arg(value_name = "ID")]
    id: String,
}

/// Runs the command.
///
/// # Errors
/// When there is no password any more, or it is not for whoever asks.
pub fn run(arguments: &Arguments, format: Format) -> Result<()> {
    let client = arguments.server.client()?;
    wait(async {
        let detail = client.find(&arguments.id).await?;
        let path = format!("/api/v1/actions/{}/password", detail.action.id);
        let shown: PasswordView = client.post(&path, &PasswordRequest {}).await?;
        match format {
            Format::Json => output::json(&shown),
            Format::Human => {
                output::say(&format!(
                    "{}\n{}\n",
                    shown.password,
                    styled(
                        QUIET,
                        &format!(
                            "for {}. It is not kept any more; hand it over in person or by phone. It has to be changed at the next sign-in.",
                            shown.account
                        )
                    )
                ));
                Ok(())
            }
        }
    })
}
