//! `policy.toml`: the matrix, the budgets, the left-out rules and the approvals of an organization, laid
//! over what ships.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::Duration;

use jiff::SignedDuration;
use quell_model::{ActionType, AssetClass};
use serde::Deserialize;
use toml::Spanned;

use crate::approvals::{self, Approvals};
use crate::ask_user::{self, AskUser};
use crate::breaker::Storm;
use crate::budget::{Budget, Budgets, Per, WINDOWS};
use crate::diagnostics::{Diagnostic, Diagnostics, Source, toml_complaint};
use crate::matrix::{Matrix, Row, Thresholds, Written, rows};
use crate::passwords::{self, Passwords};
use crate::policy::refusal;

mod contradiction;

/// The file that ships with Quell.
const SHIPPED: Source<'static> = Source {
    name: "policies/policy.toml",
    text: include_str!("../../../policies/policy.toml"),
};

/// What `policy.toml` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Who decides about what.
    pub matrix: Matrix,
    /// How much may run by itself.
    pub budgets: Budgets,
    /// How old a decision or a yes may be when it is acted on.
    pub stale_after: Duration,
    /// What counts as a storm, unless that is turned off.
    pub storm: Option<Storm>,
    /// The shipped hand-written rules that are left out.
    pub rules_off: BTreeSet<String>,
    /// What has no effect and does no harm, at its line.
    pub remarks: Vec<Diagnostic>,
    /// How people are asked.
    pub approvals: Approvals,
    /// Who is shown temporary passwords.
    pub passwords: Passwords,
    /// Whether the person an alert is about is asked.
    pub ask_user: AskUser,
}

impl Default for Settings {
    /// No cell, so that nothing is permitted, and no budget.
    fn default() -> Self {
        Self {
            matrix: Matrix::default(),
            budgets: Budgets::default(),
            stale_after: Duration::from_secs(3600),
            storm: None,
            rules_off: BTreeSet::new(),
            remarks: Vec::new(),
            approvals: Approvals::default(),
            passwords: Passwords::default(),
            ask_user: AskUser::default(),
        }
    }
}

static BUILTIN: LazyLock<Settings> = LazyLock::new(|| {
    // A shipped text that does not load is caught by a test; without rules nothing would be permitted.
    over(&Settings::default(), &SHIPPED).unwrap_or_default()
});

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Document {
    severity: Thresholds,
    every_action: Row,
    actions: BTreeMap<String, Spanned<Row>>,
    budgets: BTreeMap<String, Spanned<WrittenBudget>>,
    breakers: Breakers,
    rules: Rules,
    approvals: approvals::Written,
    passwords: passwords::Written,
    ask_user: ask_user::Written,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Rules {
    off: Vec<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Breakers {
    stale_after: Option<Spanned<SignedDuration>>,
    storm: Option<Spanned<WrittenStorm>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenStorm {
    #[serde(default)]
    off: bool,
    at_least: Option<u32>,
    times: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenBudget {
    #[serde(default)]
    off: bool,
    #[serde(default)]
    actions: BTreeSet<ActionType>,
    #[serde(default)]
    classes: BTreeSet<AssetClass>,
    #[serde(default)]
    per: Per,
    window: Option<SignedDuration>,
    count: Option<u32>,
    share: Option<u8>,
    new_for: Option<SignedDuration>,
}

impl Settings {
    /// What ships with Quell.
    #[must_use]
    pub fn builtin() -> &'static Self {
        &BUILTIN
    }

    /// The text that ships with Quell, to start one's own from.
    #[must_use]
    pub const fn builtin_source() -> Source<'static> {
        SHIPPED
    }

    /// What ships, with the cells and budgets of `source` in place of those of the same name.
    ///
    /// # Errors
    /// With everything that is wrong, at its line.
    pub fn load(source: &Source<'_>) -> Result<Self, Diagnostics> {
        over(Self::builtin(), source)
    }
}

fn over(base: &Settings, source: &Source<'_>) -> Result<Settings, Diagnostics> {
    let deserializer = toml::Deserializer::parse(source.text)
        .map_err(|error| toml_complaint(source, "", &error))?;
    let document: Document = serde_path_to_error::deserialize(deserializer)
        .map_err(|error| toml_complaint(source, &error.path().to_string(), error.inner()))?;
    let mut wrong = Vec::new();
    let written = Written {
        severity: document.severity,
        every_action: document.every_action,
        actions: document.actions,
    };
    let matrix = match base.matrix.over(&written, source) {
        Ok(matrix) => matrix,
        Err(diagnostics) => {
            wrong.extend(diagnostics.iter().cloned());
            base.matrix.clone()
        }
    };
    let mut budgets = base.budgets.clone();
    let mut own = BTreeMap::new();
    for (name, written) in document.budgets {
        budgets.0.retain(|budget| budget.name != name);
        match budget(&name, written.get_ref()) {
            Ok(budget) => {
                budgets.0.extend(budget);
                own.insert(name, written.span().start);
            }
            Err(message) => {
                let message = format!("`budgets.{}`: {message}", quell_model::text::line(&name));
                wrong.push(Diagnostic::at(source, written.span().start, message));
            }
        }
    }
    budgets.0.sort_by(|a, b| a.name.cmp(&b.name));
    let mut remarks = Vec::new();
    for budget in budgets.iter() {
        let why = contradiction::unspent(budget, &budgets);
        if let (Some(why), Some(offset)) = (why, own.get(&budget.name)) {
            let message = format!("`budgets.{}`: {why}", budget.name);
            let help = "lower its count, or raise the other's";
            remarks.push(Diagnostic::at(source, *offset, message).help(help));
        }
    }
    let mut stale_after = base.stale_after;
    if let Some(written) = document.breakers.stale_after {
        match window_of(*written.get_ref()) {
            Some(limit) => stale_after = limit,
            None => {
                let message = "`breakers.stale_after` must be from 1 minute to 30 days";
                wrong.push(Diagnostic::at(source, written.span().start, message));
            }
        }
    }
    let mut storm = base.storm;
    if let Some(written) = document.breakers.storm {
        match storm_of(written.get_ref()) {
            Ok(read) => storm = read,
            Err(message) => {
                let message = format!("`breakers.storm`: {message}");
                wrong.push(Diagnostic::at(source, written.span().start, message));
            }
        }
    }
    let mut rules_off = base.rules_off.clone();
    for id in document.rules.off {
        match refusal(id.get_ref()) {
            Some((message, help)) => {
                let message = format!("`rules.off`: {message}");
                wrong.push(Diagnostic::at(source, id.span().start, message).help(help));
            }
            None => {
                rules_off.insert(id.into_inner());
            }
        }
    }
    let approvals = base.approvals.over(document.approvals, source, &mut wrong);
    let passwords = base.passwords.over(document.passwords, source, &mut wrong);
    let ask_user = base.ask_user.over(document.ask_user, source, &mut wrong);
    if wrong.is_empty() {
        Ok(Settings {
            matrix,
            budgets,
            stale_after,
            storm,
            rules_off,
            remarks,
            approvals,
            passwords,
            ask_user,
        })
    } else {
        Err(Diagnostics::new(wrong))
    }
}

/// A time that is neither too short to mean anything nor too long to be counted.
fn window_of(written: SignedDuration) -> Option<Duration> {
    let window = Duration::try_from(written).ok()?;
    (WINDOWS.0..=WINDOWS.1).contains(&window).then_some(window)
}

/// What counts as a storm; none when it is turned off.
fn storm_of(written: &WrittenStorm) -> Result<Option<Storm>, String> {
    match (written.off, written.at_least, written.times) {
        (true, None, None) => Ok(None),
        (true, _, _) => {
            Err("it is off, so at_least and times mean nothing; remove the one or the other".into())
        }
        (false, Some(at_least @ 2..), Some(times @ 2..)) => Ok(Some(Storm { at_least, times })),
        (false, Some(_), Some(_)) => Err("`at_least` and `times` must be 2 or more".into()),
        (false, _, _) => Err(
            "write how many, and how many times as many as usual: at_least = 30, times = 10".into(),
        ),
    }
}

/// The budget; none when it is turned off.
fn budget(name: &str, written: &WrittenBudget) -> Result<Option<Budget>, String> {
    let well_formed = (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !well_formed {
        return Err("a name has lower-case letters, digits and -, at most 64 of them".into());
    }
    if written.off {
        return match (written.window, written.count) {
            (None, None) => Ok(None),
            _ => Err(
                "it is off, so window and count mean nothing; remove the one or the other".into(),
            ),
        };
    }
    let (Some(window), Some(count)) = (written.window, written.count) else {
        return Err("write how many in what time: count = 10, window = \"1h\"".into());
    };
    let window = window_of(window).ok_or("`window` must be from 1 minute to 30 days")?;
    if let Some(share) = written.share.filter(|share| !(1..=100).contains(share)) {
        return Err(format!(
            "`share` is a part of the fleet in percent, from 1 to 100, not {share}"
        ));
    }
    if let Some(action) = written
        .actions
        .iter()
        .find(|action| !rows().any(|row| row == **action))
    {
        return Err(format!(
            "`{action}` takes an action back and never runs by itself"
        ));
    }
    let new_for = match written.new_for {
        None => None,
        Some(_) if !matches!(written.per, Per::Source | Per::Detection) => {
            return Err("`new_for` is about a source or a detection; write per = \"source\" or per = \"detection\"".into());
        }
        Some(span) => Some(window_of(span).ok_or("`new_for` must be from 1 minute to 30 days")?),
    };
    if let Some(why) = contradiction::uncounted(&written.actions, &written.classes) {
        return Err(why);
    }
    Ok(Some(Budget {
        name: name.to_owned(),
        actions: written.actions.clone(),
        classes: written.classes.clone(),
        per: written.per,
        window,
        count,
        share: written.share,
        new_for,
    }))
}
