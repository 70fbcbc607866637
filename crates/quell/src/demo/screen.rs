//! How the demo looks: one line per thing that happened, with the time since the start.

use anstyle::Style;
use quell_model::{Action, ActionId, ActionState, Cause, Severity, Transition};

use super::stage::{PERSON, Stage};
use super::story::{By, FILE_SERVER};
use crate::client::find::short;
use crate::output::{self, BAD, BUSY, GOOD, PLAIN, QUIET, STRONG, WAITS, styled, wrapped};
use crate::plan::{outcome, severity_style};

/// Where sentences below a line begin.
const MARGIN: &str = "                    ";

pub(super) fn opening(stage: &Stage) {
    output::say(&format!(
        "{}\n\n",
        styled(
            STRONG,
            "A simulated attack, answered by a real Quell server"
        )
    ));
    let mut columns = output::Columns::default();
    let mut row =
        |name: &str, value: String| columns.row([(QUIET, name.to_owned()), (PLAIN, value)]);
    row("server", format!("http://{}", stage.running.address));
    let hosts = stage.twin.hosts().len();
    row(
        "vendors",
        format!(
            "a simulated CrowdStrike Falcon with {hosts} hosts at {}",
            stage.twin.base_url()
        ),
    );
    row(
        "",
        format!("and a simulated Entra ID at {}", stage.tenant.base_url()),
    );
    row(
        "policy",
        "what ships with Quell, at connections that are not new; opted in to all they can do"
            .to_owned(),
    );
    row(
        "database",
        stage.folder.join("quell.db").display().to_string(),
    );
    row(
        "config, log",
        format!("quell.toml and quell.log beside it; everything is done in the name of {PERSON}"),
    );
    output::say(&columns.lines("  "));
}

pub(super) fn heading(text: &str) {
    output::say(&format!("\n{}\n", styled(STRONG, text)));
}

pub(super) fn section(text: &str) {
    output::say(&format!("\n{}\n\n", styled(STRONG, text)));
}

fn line(since: &str, style: Style, word: &str, text: &str) {
    let lead = format!(
        "{}  {}  ",
        styled(QUIET, &format!("{since:>7} s")),
        styled(style, &format!("{word:<7}"))
    );
    // The lead is styled, so the text is wrapped against a lead of the same width.
    let text = wrapped(text, MARGIN);
    output::say(&format!("{lead}{}", text.trim_start()));
}

pub(super) fn alert(since: &str, severity: Severity, title: &str, host: &str, by: By) {
    let by = match by {
        By::Push => "pushed by the vendor",
        By::Poll => "found by polling",
    };
    let severity = styled(severity_style(severity), severity.as_str());
    // Many a title names the account already.
    let subject = match title.contains(host) {
        true => String::new(),
        false => format!(" · {host}"),
    };
    let lead = format!(
        "{}  {}  ",
        styled(QUIET, &format!("{since:>7} s")),
        styled(STRONG, "alert  ")
    );
    output::say(&format!(
        "{lead}{severity} · {title}{subject} {}\n",
        styled(QUIET, &format!("({by})"))
    ));
}

pub(super) fn remark(text: &str) {
    output::say(&styled(QUIET, &wrapped(text, MARGIN)));
}

/// Says what happened to an action; nothing of what only the engine cares about.
pub(super) fn transition(since: &str, action: &Action, transition: &Transition) {
    let what = format!("{} {}", action.action.phrase(), action.target);
    let note = transition.note.as_str();
    match (transition.from, transition.to, &transition.cause) {
        (Some(ActionState::Proposed), _, _) => {
            let (style, word) = outcome(action.decision.outcome);
            line(since, style, word, &what);
        }
        (_, ActionState::Running, _) => {}
        (_, ActionState::Verifying, _) => {
            line(since, BUSY, "sent", &format!("{what}: the vendor accepted"))
        }
        (_, ActionState::Completed, _) => line(since, GOOD, "done", note),
        (_, ActionState::Scheduled, Cause::Person { .. }) => line(since, GOOD, "yes", note),
        (_, ActionState::Rejected, _) => line(since, WAITS, "no", note),
        (_, ActionState::Reverting, _) => line(since, BUSY, "undo", note),
        (_, ActionState::Reverted, _) => line(since, GOOD, "undone", note),
        (_, ActionState::Scheduled, _) => {}
        (_, ActionState::AwaitingApproval, _) => {
            line(since, WAITS, "ask", &format!("{what}: {note}"))
        }
        (_, state, _) => line(
            since,
            BAD,
            "problem",
            &format!("{what} is {}: {note}", state.words()),
        ),
    }
}

/// The rules behind a decision, once for actions that have the same.
pub(super) fn reasons(action: &Action, before: &mut String) {
    let text: Vec<&str> = action
        .decision
        .reasons
        .iter()
        .map(|reason| reason.text.as_str())
        .collect();
    let text = text.join(" ");
    if text != *before {
        remark(&text);
    }
    *before = text;
}

/// Asks the person who watches.
pub(super) fn question(stage: &Stage, id: ActionId) {
    heading(&format!(
        "Your turn: the containment of {FILE_SERVER} waits for a person. In another terminal:"
    ));
    let (environment, quell, id) = (environment(stage), program(), short(id));
    let yes = format!("{environment} {quell} approve {id} --reason \"the theft is confirmed\"");
    output::say(&format!("\n  {}\n\n", styled(STRONG, &yes)));
    remark(&format!(
        "`show {id}` tells all there is to know before, `reject {id}` says no. Ctrl-C ends the demo."
    ));
    output::say("\n");
}

/// Says how to see the temporary password that was set.
pub(super) fn password(stage: &Stage, id: ActionId) {
    heading(
        "Mara's temporary password is sealed. Whoever hands it to her sees it once, from another terminal:",
    );
    let (environment, quell, id) = (environment(stage), program(), short(id));
    let command = format!("{environment} {quell} password {id}");
    output::say(&format!("\n  {}\n", styled(STRONG, &command)));
}

/// This program, as it can be called from any folder.
pub(super) fn program() -> String {
    let path = std::env::current_exe();
    let program = path.map_or_else(|_| "quell".to_owned(), |path| path.display().to_string());
    if program.contains(' ') {
        format!("'{program}'")
    } else {
        program
    }
}

/// What commands in another terminal need to know.
pub(super) fn environment(stage: &Stage) -> String {
    let elsewhere = match stage.running.address.to_string().as_str() {
        "127.0.0.1:7835" => String::new(),
        address => format!("QUELL_URL=http://{address} "),
    };
    format!("{elsewhere}QUELL_TOKEN={}", stage.token)
}
