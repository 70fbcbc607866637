//! The clocks: when each action was received, decided, executed and verified, and how fast that is.

use jiff::Timestamp;
use quell_model::{Action, EffectBy, Outcome};

use super::stage::Stage;
use crate::client::actions::state_style;
use crate::client::show::span;
use crate::output::{Columns, PLAIN, QUIET};
use crate::plan::outcome;

/// One row per action: what became of it, and when.
pub(super) fn timeline<'a>(stage: &Stage, actions: impl Iterator<Item = &'a Action>) -> String {
    let mut columns = Columns::limited(&[48, 8, 18]);
    columns.head([
        "ACTION", "DECISION", "STATE", "RECEIVED", "DECIDED", "EXECUTED", "VERIFIED",
    ]);
    for action in actions {
        let clocks = &action.clocks;
        let (style, word) = outcome(action.decision.outcome);
        let after = |from: Option<Timestamp>, to: Option<Timestamp>| match (from, to) {
            (Some(from), Some(to)) => (PLAIN, format!("+{}", span(from, to))),
            _ => (QUIET, String::new()),
        };
        columns.row([
            (
                PLAIN,
                format!("{} {}", action.action.phrase(), action.target),
            ),
            (style, word.to_owned()),
            (state_style(action.state), action.state.words()),
            (
                PLAIN,
                clocks
                    .received
                    .map_or_else(String::new, |at| format!("{} s", stage.since(at))),
            ),
            after(clocks.received, clocks.decided),
            after(clocks.approved.or(clocks.decided), clocks.executed),
            after(clocks.executed, clocks.verified),
        ]);
    }
    columns.lines("  ")
}

/// One row per stretch of the way: how often, the middle value, the largest.
pub(super) fn clocks<'a>(actions: impl Iterator<Item = &'a Action> + Clone) -> String {
    let all = || actions.clone();
    let done = || all().filter(|action| action.effect_by == EffectBy::Quell);
    let alone = || done().filter(|action| action.decision.outcome == Outcome::Auto);
    let mut columns = Columns::default();
    columns.head(["FROM", "TO", "COUNT", "P50", "MAX"]);
    let mut row = |from: &str, to: &str, mut took: Vec<i128>| {
        took.sort_unstable();
        let (Some(middle), Some(most)) = (took.get(took.len().saturating_sub(1) / 2), took.last())
        else {
            return;
        };
        columns.row([
            (PLAIN, from.to_owned()),
            (PLAIN, to.to_owned()),
            (QUIET, took.len().to_string()),
            (PLAIN, micros(*middle)),
            (PLAIN, micros(*most)),
        ]);
    };
    let between = |from: Option<Timestamp>, to: Option<Timestamp>| -> Option<i128> {
        Some(to?.duration_since(from?).as_micros())
    };
    row(
        "received",
        "decided",
        all()
            .filter_map(|a| between(a.clocks.received, a.clocks.decided))
            .collect(),
    );
    row(
        "decided",
        "executed, by itself",
        alone()
            .filter_map(|a| between(a.clocks.decided, a.clocks.executed))
            .collect(),
    );
    row(
        "approved",
        "executed",
        done()
            .filter_map(|a| between(a.clocks.approved, a.clocks.executed))
            .collect(),
    );
    row(
        "executed",
        "verified",
        done()
            .filter_map(|a| between(a.clocks.executed, a.clocks.verified))
            .collect(),
    );
    row(
        "received",
        "verified, by itself",
        alone()
            .filter_map(|a| between(a.clocks.received, a.clocks.verified))
            .collect(),
    );
    let note = "The simulated vendors take 1.5 s to contain a host, 0.6 s to end a process, and 0.8 s to show that sessions are revoked.";
    format!(
        "{}\n{}",
        columns.lines("  "),
        crate::output::styled(QUIET, &format!("  {note}\n"))
    )
}

fn micros(micros: i128) -> String {
    match micros {
        ..10_000 => format!("{}.{} ms", micros / 1000, micros % 1000 / 100),
        10_000..1_000_000 => format!("{} ms", micros / 1000),
        _ => format!("{}.{} s", micros / 1_000_000, micros % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_is_told_in_the_unit_that_suits_it() {
        assert_eq!(micros(420), "0.4 ms");
        assert_eq!(micros(9_950), "9.9 ms");
        assert_eq!(micros(41_000), "41 ms");
        assert_eq!(micros(2_140_000), "2.1 s");
    }
}
