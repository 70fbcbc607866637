//! `quell policy backtest`: what a changed policy would have decided about the alerts that are stored.

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use quell_connector::SystemClock;
use quell_engine::backtest::{Backtest, Change, Count, Report};
use quell_model::{AssetClass, Clock, Outcome};
use serde_json::json;

use crate::client::{Where, wait};
use crate::failure::{Failure, Result};
use crate::folder;
use crate::output::{self, BAD, Columns, Format, GOOD, PLAIN, QUIET, STRONG, WAITS, styled};

/// What to replay, and where.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    server: Where,
    /// How far back: a time with its unit (`30d`, `12h`) or a moment (`2026-05-01T00:00:00Z`).
    #[arg(long, value_name = "TIME", default_value = "30d")]
    since: String,
    /// The changed policy folder. Without it, the policy in force is counted.
    #[arg(long, value_name = "FOLDER")]
    policy: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<()> {
    let policy = match &arguments.policy {
        None => None,
        Some(path) => {
            // Loaded here as well, so that mistakes are told with the names of the files here.
            super::load(path)?;
            Some(folder::read(path).map_err(Failure::bad_input)?)
        }
    };
    let order = Backtest {
        since: since(&arguments.since, SystemClock.now())?,
        policy,
    };
    let client = arguments.server.client()?;
    let report: Report = wait(client.post("/api/v1/policy/backtest", &order))?;
    let looser: u64 = report
        .changes
        .iter()
        .filter(|c| c.loosens())
        .map(|c| c.count)
        .sum();
    match format {
        Format::Human => output::say(&text(&report, order.policy.is_some())),
        Format::Json if looser == 0 => output::json(&report)?,
        Format::Json => {}
    }
    if looser == 0 {
        return Ok(());
    }
    let actions = if looser == 1 { "action" } else { "actions" };
    let message = format!("the new policy allows more for {looser} {actions}");
    Err(Failure::failed(message).with("report", json!(report)))
}

fn since(text: &str, now: Timestamp) -> Result<Timestamp> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    // A day is as long as it is in a record: twenty-four hours.
    let duration = match text.strip_suffix('d').map(str::parse::<i64>) {
        Some(Ok(days)) => SignedDuration::try_from_hours(days.saturating_mul(24)),
        _ => text.parse::<SignedDuration>().ok(),
    };
    duration
        .filter(|duration| duration.is_positive())
        .and_then(|duration| now.checked_sub(duration).ok())
        .ok_or_else(|| {
            Failure::bad_input(format!("`{}` is no time", quell_model::text::line(text)))
                .hint("write for example 30d, 12h or 2026-05-01T00:00:00Z")
        })
}

fn text(report: &Report, compared: bool) -> String {
    let mut text = format!(
        "{} since {}, {}, each once for its incident and target\n\n",
        counted(report.alerts, "alert"),
        report.since.strftime("%Y-%m-%d %H:%M UTC"),
        counted(report.actions, "action")
    );
    let mut columns = Columns::default();
    columns.head([
        "ACTION",
        "AUTO",
        "HELD BY BUDGET",
        "ASK",
        "NEVER",
        "ELSEWHERE",
    ]);
    for (
        action,
        Count {
            auto,
            held,
            ask,
            never,
            manual,
        },
    ) in &report.outcomes
    {
        columns.row([
            (STRONG, action.to_string()),
            (GOOD, auto.to_string()),
            (WAITS, held.to_string()),
            (WAITS, ask.to_string()),
            (BAD, never.to_string()),
            (PLAIN, manual.to_string()),
        ]);
    }
    text.push_str(&columns.lines("  "));
    if !compared {
        return text;
    }
    text.push('\n');
    for change in &report.changes {
        text.push_str(&lines(change));
    }
    if report.changes.is_empty() {
        text.push_str("The new policy decides all of them as the one in force does.\n");
    }
    text
}

fn counted(many: u64, what: &str) -> String {
    output::count(usize::try_from(many).unwrap_or(usize::MAX), what)
}

fn lines(change: &Change) -> String {
    let (style, headline) = match (change.before, change.after) {
        (_, Outcome::Auto) => (BAD, "would now run by itself"),
        (Outcome::Auto, _) => (GOOD, "would stop running by itself"),
        (Outcome::Ask, _) => (GOOD, "would stop asking"),
        (_, Outcome::Ask) => (WAITS, "would now ask"),
        _ => (PLAIN, "would be decided otherwise"),
    };
    let classes: Vec<String> = change
        .classes
        .iter()
        .filter(|(class, _)| change.classes.len() > 1 || **class != AssetClass::Unknown)
        .map(|(class, count)| format!("{count} {}", plural(*class, *count)))
        .collect();
    let of = if classes.is_empty() {
        String::new()
    } else {
        format!(" ({})", classes.join(", "))
    };
    let held = match change.held {
        0 => String::new(),
        held => format!("; budgets would hold back {held} of them"),
    };
    let mut text = format!(
        "{} {}: {}{of}, {} before and {} now{held}\n",
        styled(style, headline),
        styled(STRONG, change.action.phrase()),
        change.count,
        change.before.as_str(),
        change.after.as_str()
    );
    for case in &change.examples {
        let reasons: Vec<&str> = case
            .reasons
            .iter()
            .map(|reason| reason.text.as_str())
            .collect();
        text.push_str(&output::wrapped(
            &format!("{}: {}", case.target, reasons.join(" ")),
            "    ",
        ));
        text.push_str(&format!("    {}\n", styled(QUIET, &case.alert.to_string())));
    }
    text.push('\n');
    text
}

fn plural(class: AssetClass, count: u64) -> String {
    let words = class.words();
    match (class, count) {
        (_, 1) => words.to_owned(),
        (AssetClass::Unknown, _) => "machines of unknown class".to_owned(),
        _ => format!("{words}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_duration_back_or_a_moment() {
        let now: Timestamp = "2026-05-31T00:00:00Z".parse().unwrap();
        let moment = |text: &str| since(text, now).unwrap().to_string();
        assert_eq!(moment("30d"), "2026-05-01T00:00:00Z");
        assert_eq!(moment("12h"), "2026-05-30T12:00:00Z");
        assert_eq!(moment("2026-05-01T00:00:00Z"), "2026-05-01T00:00:00Z");
        for wrong in ["", "0d", "-3d", "soon", "99999999999999d", "3"] {
            assert!(since(wrong, now).is_err(), "{wrong}");
        }
    }
}
