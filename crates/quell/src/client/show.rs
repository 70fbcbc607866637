//! `quell show`: everything about one action.

use jiff::Timestamp;
use quell_model::{ActionState, AssetClass, Cause, Clocks, EffectBy, Entity, Quorum};
use quell_server::api::{ActionDetail, ApprovalNeeded, PasswordState, QuestionView};

use super::actions::state_style;
use super::{Where, wait};
use crate::failure::Result;
use crate::output::{
    self, Columns, Format, PLAIN, QUIET, STRONG, WAITS, WIDTH, reasoned, shorten, styled, wrapped,
};

/// Shows everything about one action: why, what happened when, who said yes, how to take it back.
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
/// When the server cannot be asked or has no such action.
pub fn run(arguments: &Arguments, format: Format) -> Result<()> {
    let client = arguments.server.client()?;
    let detail = wait(client.find(&arguments.id))?;
    match format {
        Format::Json => output::json(&detail),
        Format::Human => {
            output::say(&text(&detail));
            Ok(())
        }
    }
}

fn text(detail: &ActionDetail) -> String {
    let mut out = summary(detail);
    section("What happened", &mut out);
    let mut history = Columns::limited(&[12, 17, 16]);
    for row in &detail.history {
        history.row([
            (QUIET, row.at.strftime("%H:%M:%S%.3f").to_string()),
            (state_style(row.to), row.to.words()),
            (QUIET, by(&row.cause)),
            (PLAIN, row.note.clone()),
        ]);
    }
    out.push_str(&history.lines("  "));
    section("How fast", &mut out);
    out.push_str(&clocks(&detail.action.clocks));
    if !detail.approvals.is_empty() {
        section("Who answered", &mut out);
        for approval in &detail.approvals {
            let yes = if approval.yes { "yes" } else { "no" };
            let at = approval.at.strftime("%Y-%m-%d %H:%M:%S UTC");
            let line = format!(
                "{} said {yes} at {at}: {}",
                approval.person, approval.reason
            );
            out.push_str(&wrapped(&line, "  "));
        }
    }
    section("Alerts behind it", &mut out);
    for view in &detail.alerts {
        let alert = &view.alert;
        let line = format!(
            "{}  {}",
            alert.severity.as_str(),
            shorten(&alert.title, WIDTH - 20)
        );
        out.push_str(&format!("  {line}\n"));
        out.push_str(&format!(
            "    {}\n",
            styled(QUIET, &format!("{} · {}", view.connection, alert.id))
        ));
        if let Some(url) = &alert.console_url {
            out.push_str(&format!("    {}\n", styled(QUIET, url)));
        }
    }
    section("What now", &mut out);
    let (sentence, commands) = next(detail);
    out.push_str(&wrapped(&sentence, "  "));
    for command in commands {
        out.push_str(&format!("    {command}\n"));
    }
    out
}

/// What an answer is about: the action, its target and why it stands where it stands.
pub(super) fn summary(detail: &ActionDetail) -> String {
    let action = &detail.action;
    let what = format!("{} {}", action.action.phrase(), action.target_name);
    let mut out = format!("{}\n", styled(STRONG, &shorten(&what, WIDTH)));
    out.push_str(&styled(QUIET, &action.id.to_string()));
    out.push_str("\n\n");
    let mut facts = Columns::limited(&[12, WIDTH - 16]);
    let mut fact =
        |name: &str, style, value: String| facts.row([(QUIET, name.to_owned()), (style, value)]);
    fact("state", state_style(action.state), action.state.words());
    let (style, word) = crate::plan::outcome(action.decision.outcome);
    fact("decision", style, word.to_owned());
    fact(
        "target",
        PLAIN,
        format!(
            "{} · {}",
            action.target.entity_type().words(),
            action.target_name
        ),
    );
    // An account is no machine.
    let class = action.asset.class;
    let machine = class != AssetClass::Unknown || !matches!(action.target, Entity::Account(_));
    let mut known = Vec::new();
    known.extend(machine.then(|| class.words().to_owned()));
    known.extend(action.asset.critical.then(|| "critical".to_owned()));
    known.extend(action.asset.labels.iter().cloned());
    if !known.is_empty() {
        fact("asset", PLAIN, known.join(" · "));
    }
    if !action.file.is_empty() {
        fact("file", PLAIN, action.file.words().join(" · "));
    }
    let confidence = action
        .confidence
        .map_or(String::new(), |c| format!(" · confidence {c}"));
    fact(
        "alert",
        PLAIN,
        format!(
            "{} · severity {}{confidence}",
            action.detection,
            action.severity.as_str()
        ),
    );
    fact(
        "through",
        PLAIN,
        format!("{} · playbook {}", action.connection, action.playbook),
    );
    fact("effect", PLAIN, detail.impact.clone());
    if let Some(approval) = &detail.approval {
        fact("needs", WAITS, needs(approval));
    }
    if let Some(password) = &detail.password {
        fact("password", PLAIN, kept(password));
    }
    for question in &detail.asked {
        fact("asked", PLAIN, said(question));
    }
    out.push_str(&facts.lines("  "));
    section("Why", &mut out);
    for reason in &action.decision.reasons {
        out.push_str(&reasoned(reason, "  "));
    }
    out
}

/// "ana@corp.example whether they signed in at 2026-05-04 14:30 UTC; said no at 2026-05-04 14:41 UTC".
fn said(question: &QuestionView) -> String {
    let day = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M UTC").to_string();
    let answer = match (question.yes, question.answered) {
        (Some(yes), Some(at)) => format!("said {} at {}", if yes { "yes" } else { "no" }, day(at)),
        _ => format!("no answer; open until {}", day(question.expires)),
    };
    format!(
        "{} whether they signed in at {}; {answer}",
        question.account,
        day(question.about)
    )
}

/// What is known of a temporary password, but for itself.
fn kept(password: &PasswordState) -> String {
    let day = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M UTC").to_string();
    match (&password.shown_to, password.shown_at) {
        (Some(by), Some(at)) => format!("temporary, shown to {by} at {}", day(at)),
        _ if password.kept => format!(
            "temporary, kept until {}; `quell password` shows it once",
            day(password.expires)
        ),
        _ => format!("temporary, forgotten at {}", day(password.expires)),
    }
}

/// "the yes of two people by 2026-05-04 14:30 UTC; ana said yes".
fn needs(approval: &ApprovalNeeded) -> String {
    let quorum = Quorum {
        approvers: approval.approvers,
        role: approval.role,
    };
    let by = approval.answer_by.map_or(String::new(), |by| {
        format!(" by {}", by.strftime("%Y-%m-%d %H:%M UTC"))
    });
    let yes = match approval.yes.is_empty() {
        true => String::new(),
        false => format!("; {} said yes", approval.yes.join(", ")),
    };
    format!("the yes of {}{by}{yes}", quorum.words())
}

fn section(title: &str, out: &mut String) {
    out.push_str(&format!("\n{}\n", styled(STRONG, title)));
}

fn by(cause: &Cause) -> String {
    match cause {
        Cause::Policy => "policy".to_owned(),
        Cause::Person { name, .. } => name.clone(),
        Cause::Timer => "timer".to_owned(),
        Cause::Engine => "engine".to_owned(),
        Cause::Recovery => "recovery".to_owned(),
    }
}

fn clocks(clocks: &Clocks) -> String {
    let mut columns = Columns::default();
    let mut before: Option<Timestamp> = None;
    for (name, at) in [
        ("detected", clocks.detected),
        ("received", clocks.received),
        ("decided", clocks.decided),
        ("asked", clocks.asked),
        ("approved", clocks.approved),
        ("executed", clocks.executed),
        ("verified", clocks.verified),
    ] {
        let Some(at) = at else { continue };
        let since = before.map_or(String::new(), |before| format!("+{}", span(before, at)));
        columns.row([
            (QUIET, name.to_owned()),
            (PLAIN, at.strftime("%Y-%m-%d %H:%M:%S%.3f UTC").to_string()),
            (QUIET, since),
        ]);
        before = Some(at);
    }
    columns.lines("  ")
}

/// The time between two moments, in the unit that suits it.
pub(crate) fn span(from: Timestamp, to: Timestamp) -> String {
    let millis = to.duration_since(from).as_millis();
    match millis {
        ..0 => "0 ms".to_owned(),
        0..1_000 => format!("{millis} ms"),
        1_000..100_000 => format!("{}.{} s", millis / 1000, millis % 1000 / 100),
        100_000..7_200_000 => format!("{} min", millis / 60_000),
        _ => format!("{} h", millis / 3_600_000),
    }
}

/// What a person can do now, and the commands for it.
fn next(detail: &ActionDetail) -> (String, Vec<String>) {
    let action = &detail.action;
    let command = |verb: &str| {
        format!(
            "quell {verb} {} --reason \"…\"",
            super::find::short(action.id)
        )
    };
    if detail.awaits_answer {
        let sentence = match action.state {
            ActionState::Unknown => {
                "Nobody can tell whether it happened. Look at the target, then say that it did, or that it did not:"
            }
            _ if detail.approval.as_ref().is_some_and(|a| !a.yes.is_empty()) => {
                "It waits for somebody else's yes, or anybody's no:"
            }
            _ => "It waits for a person's yes or no:",
        };
        return (
            sentence.to_owned(),
            vec![command("approve"), command("reject")],
        );
    }
    let back = detail
        .reverted_by
        .filter(|_| action.state.allows(ActionState::Reverting));
    match (back, action.effect_by) {
        (Some(back), EffectBy::Quell) => (
            format!("It can be taken back ({}):", back.phrase()),
            vec![command("revert")],
        ),
        (Some(back), EffectBy::Unclear) => (
            format!(
                "Nobody can tell whether Quell or somebody else did it. To take it back all the same ({}):",
                back.phrase()
            ),
            vec![command("revert --even-if-unclear")],
        ),
        (_, EffectBy::Other) => {
            let sentence = "It was already in place before Quell acted, so there is nothing of Quell's to take back.";
            (sentence.to_owned(), Vec::new())
        }
        (None, _) if action.state.in_effect() => (
            "It is done, and cannot be taken back.".to_owned(),
            Vec::new(),
        ),
        _ => ("Nothing is left to do.".to_owned(), Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_contained_host_is_told_whole() {
        let host =
            json!({ "type": "host", "id": "5d1c", "name": "SRV-FILES-01", "class": "server" });
        let at = |second: &str| format!("2026-05-04T09:14:{second}Z");
        let detail = serde_json::from_value(json!({
            "action": {
                "id": "act_01930000000070008000000000c0ffee",
                "incident": "inc_01930000000070008000000000000001",
                "action": "contain_host", "target": host, "target_name": "SRV-FILES-01",
                "asset": { "class": "server", "critical": true, "labels": ["files"], "owner": null },
                "connection": "crowdstrike", "state": "completed", "shadow": false,
                "decision": { "outcome": "ask", "reasons": [
                    { "rule": "ask-critical", "text": "Containing a critical asset needs a person." },
                ] },
                "severity": "high", "confidence": 90, "detection": "Credential theft",
                "playbook": "malicious-process", "effect_by": "quell", "note": "done",
                "clocks": {
                    "detected": at("03"), "received": at("04.1"), "decided": at("04.102"),
                    "approved": at("30"), "executed": at("30.009"), "verified": at("32"),
                },
            },
            "shown": "00", "awaits_answer": false, "reverted_by": "release_host",
            "impact": "The host loses its network until it is released.",
            "history": [
                { "at": at("04.102"), "from": "proposed", "to": "awaiting_approval", "cause": { "by": "policy" },
                  "note": "Waits for a person's yes or no." },
                { "at": at("30"), "from": "awaiting_approval", "to": "scheduled",
                  "cause": { "by": "person", "name": "ana", "reason": "confirmed" }, "note": "ana approves: confirmed" },
            ],
            "approvals": [
                { "person": "ana", "yes": true, "reason": "confirmed", "at": at("30"), "shown": "00" },
            ],
            "alerts": [],
            "incident": {
                "id": "inc_01930000000070008000000000000001", "title": "Credential theft", "severity": "high",
                "opened": at("04.1"), "updated": at("04.1"),
            },
        }));
        let text = text(&detail.unwrap());
        insta::assert_snapshot!("show", anstream::adapter::strip_str(&text).to_string());
    }

    #[test]
    fn what_an_action_needs_is_said_with_those_who_said_yes() {
        let mut approval = ApprovalNeeded {
            approvers: 2,
            role: quell_model::Role::Administrator,
            yes: Vec::new(),
            answer_by: "2026-05-04T14:30:00Z".parse().ok(),
        };
        let all = "the yes of two administrators by 2026-05-04 14:30 UTC";
        assert_eq!(needs(&approval), all);
        approval.yes.push("ana".into());
        assert_eq!(needs(&approval), format!("{all}; ana said yes"));
    }

    #[test]
    fn the_time_between_two_moments_is_told_in_the_unit_that_suits_it() {
        let at = |millis| Timestamp::from_millisecond(millis).unwrap();
        for (millis, expected) in [
            (-5, "0 ms"),
            (12, "12 ms"),
            (2_940, "2.9 s"),
            (600_000, "10 min"),
            (8_000_000, "2 h"),
        ] {
            assert_eq!(span(at(0), at(millis)), expected);
        }
    }
}
