//! `policy.toml`: the matrix, the budgets and the approvals of an organization, laid over those that ship.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::Duration;

use jiff::SignedDuration;
use quell_model::{ActionType, AssetClass};
use serde::Deserialize;
use toml::Spanned;

use crate::approvals::{self, Approvals};
use crate::budget::{Budget, Budgets, Per, WINDOWS};
use crate::diagnostics::{Diagnostic, Diagnostics, Source, toml_complaint};
use crate::matrix::{Matrix, Row, Thresholds, Written, rows};

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
    /// How people are asked.
    pub approvals: Approvals,
}

impl Default for Settings {
    /// No cell, so that nothing is permitted, and no budget.
    fn default() -> Self {
        Self {
            matrix: Matrix::default(),
            budgets: Budgets::default(),
            stale_after: Duration::from_secs(3600),
            approvals: Approvals::default(),
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
    approvals: approvals::Written,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Breakers {
    stale_after: Option<Spanned<SignedDuration>>,
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
    for (name, written) in document.budgets {
        budgets.0.retain(|budget| budget.name != name);
        match budget(&name, written.get_ref()) {
            Ok(budget) => budgets.0.extend(budget),
            Err(message) => {
                let message = format!("`budgets.{}`: {message}", quell_model::text::line(&name));
                wrong.push(Diagnostic::at(source, written.span().start, message));
            }
        }
    }
    budgets.0.sort_by(|a, b| a.name.cmp(&b.name));
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
    let approvals = base.approvals.over(document.approvals, source, &mut wrong);
    if wrong.is_empty() {
        Ok(Settings {
            matrix,
            budgets,
            stale_after,
            approvals,
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
    Ok(Some(Budget {
        name: name.to_owned(),
        actions: written.actions.clone(),
        classes: written.classes.clone(),
        per: written.per,
        window,
        count,
        share: written.share,
    }))
}
