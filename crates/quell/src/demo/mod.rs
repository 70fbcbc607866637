//! `quell demo`: a simulated attack on a simulated tenant, answered by a real server.
//!
//! The server, its configuration, the way alerts come in and the way a person answers are those of
//! `quell serve`; only the vendor is simulated. Owns the order of the evening and nothing else.

mod player;
mod screen;
mod sign_ins;
mod stage;
mod story;
mod times;
mod verdict;

use std::net::SocketAddr;
use std::time::Duration;

use quell_model::{ActionState, ActionType};

use crate::client::find::short;
use crate::failure::{Failure, Result};
use crate::output::{self, GOOD, QUIET, WAITS, styled};
use crate::serve;
use player::Player;
use stage::Stage;
use story::{BEATS, FALSE_ALARM, FILE_SERVER};

/// Shows a simulated attack being answered, from the first alert to an undo.
///
/// Starts simulated tenants of CrowdStrike and Entra ID and a real Quell server on this machine, and
/// shows what is received, decided and why, done, and confirmed. One action waits for you. Nothing
/// real is touched.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Run to the end without anybody: the demo approves, and checks every effect in the simulated
    /// vendor's own state. Exits with 1 when one is missing.
    #[arg(long)]
    once: bool,
    /// Where the server listens; port 0 picks a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7835")]
    listen: SocketAddr,
}

/// Runs the command.
///
/// # Errors
/// When it cannot start, or, with `--once`, when an expected effect is missing.
pub fn run(arguments: &Arguments) -> Result<()> {
    serve::runtime()?.block_on(async {
        let stage = Stage::build(arguments.listen).await?;
        screen::opening(&stage);
        let ended = tokio::select! {
            ended = Box::pin(play(&stage, arguments.once)) => Some(ended),
            () = serve::told_to_stop() => None,
        };
        let keep = !arguments.once || matches!(ended, Some(Err(_)));
        let folder = stage.folder.display().to_string();
        stage.end(keep).await;
        if keep {
            let text = format!("\nThe database and the log stay in {folder}; delete the folder when you are done.\n");
            output::say(&styled(QUIET, &text));
        }
        match ended {
            Some(result) => result,
            None if arguments.once => Err(Failure::failed("stopped before the end")),
            None => Ok(()),
        }
    })
}

async fn play(stage: &Stage, once: bool) -> Result<()> {
    let mut player = Player::new(stage);
    for beat in BEATS {
        player.beat(beat).await?;
        if !once && !beat.hurried {
            stage.clock.sleep(Duration::from_millis(1800)).await;
        }
    }
    let waiting = player
        .find(ActionType::ContainHost, FILE_SERVER)
        .filter(|action| action.state == ActionState::AwaitingApproval)
        .ok_or_else(|| {
            Failure::failed(format!(
                "the containment of {FILE_SERVER} does not wait for a person"
            ))
        })?
        .id;
    if once {
        screen::heading("The demo approves in your place, through the same API.");
        player
            .answer(
                waiting,
                "the theft is confirmed with the file server's owner",
            )
            .await?;
    } else {
        screen::question(stage, waiting);
    }
    player.answered(waiting, !once).await?;
    player.settle().await?;

    screen::heading(
        "The script on the sales laptop was the help desk's own: its containment is taken back.",
    );
    let contained = player
        .find(ActionType::ContainHost, FALSE_ALARM)
        .ok_or_else(|| Failure::failed(format!("{FALSE_ALARM} was not contained")))?
        .id;
    player
        .revert(contained, "false alarm: the help desk's own script")
        .await?;
    player.settle().await?;

    for sign_in in sign_ins::SIGN_INS {
        player.sign_in(sign_in).await?;
        if !once {
            stage.clock.sleep(Duration::from_millis(1800)).await;
        }
    }
    let reset = sign_ins::reset(player.actions())
        .ok_or_else(|| Failure::failed("no password was reset"))?;
    let password = if once {
        screen::heading(
            "The demo looks at the temporary password in your place. It is shown once.",
        );
        Some(sign_ins::password(stage, reset).await?)
    } else {
        screen::password(stage, reset);
        None
    };

    screen::section("Timeline");
    output::say(&times::timeline(stage, player.actions()));
    screen::section("How fast");
    output::say(&times::clocks(player.actions()));
    if once {
        screen::section("Checked in the vendors' own state");
        return verdict::check(stage, &player, password.as_deref()).await;
    }
    screen::section("The vendors' own state");
    output::say(&verdict::state(stage));
    ending(stage, &player);
    player.follow().await
}

fn ending(stage: &Stage, player: &Player<'_>) {
    let waiting: Vec<_> = player
        .actions()
        .filter(|action| action.state == ActionState::AwaitingApproval)
        .collect();
    if !waiting.is_empty() {
        screen::section("Still waits for you");
        for action in &waiting {
            let what = format!("{} {}", action.action.phrase(), action.target);
            output::say(&format!("  {}  {what}\n", styled(WAITS, &short(action.id))));
        }
    }
    screen::section("Where to look further");
    let any = waiting
        .first()
        .map(|action| action.id)
        .or_else(|| player.actions().next().map(|a| a.id));
    let any = any.map_or_else(|| "ID".to_owned(), short);
    let quell = screen::program();
    let lines = [
        format!("export {}", screen::environment(stage)),
        format!("{quell} actions"),
        format!("{quell} show {any}"),
        format!("{quell} connections check"),
        format!("curl {}/_twin/state", stage.twin.base_url()),
        format!("curl {}/_twin/state", stage.tenant.base_url()),
    ];
    for line in lines {
        output::say(&format!("  {line}\n"));
    }
    output::say(&format!(
        "\n{} {}\n",
        styled(GOOD, "The server keeps running."),
        styled(QUIET, "Ctrl-C ends the demo.")
    ));
}
