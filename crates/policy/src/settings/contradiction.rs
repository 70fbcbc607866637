//! Budgets that can never count, or never be spent. Owns what counts as either; the first is a mistake,
//! the second does no harm, because the tighter budget holds.

use std::collections::BTreeSet;

use quell_model::{ActionType, AssetClass};

use crate::budget::{Budget, Budgets, Per, words};
use crate::matrix::has_class;

/// The action on whose targets a budget for these classes never counts.
pub(super) fn uncounted(
    actions: &BTreeSet<ActionType>,
    classes: &BTreeSet<AssetClass>,
) -> Option<String> {
    // What has no class is looked up as unknown.
    let some = !classes.is_empty() && !classes.contains(&AssetClass::Unknown);
    let action = actions
        .iter()
        .find(|action| some && !has_class(action.target()))?;
    Some(format!(
        "`{action}` acts on what has no class, so it never counts; leave out `classes`, or the action"
    ))
}

/// Why a budget can never be spent: another one that covers the same is spent before.
pub(super) fn unspent(budget: &Budget, all: &Budgets) -> Option<String> {
    let tighter = all.iter().find(|other| {
        other.name != budget.name
            && within(&budget.actions, &other.actions)
            && within(&budget.classes, &other.classes)
            && counts_together(other.per, budget.per)
            && other.window >= budget.window
            && other.count < budget.count
            && counts_as_long(other, budget)
            && budget
                .share
                .is_none_or(|share| other.share.is_some_and(|tighter| tighter <= share))
    })?;
    Some(format!(
        "it can never be spent, because `{}` lets only {} through in {}",
        tighter.name,
        tighter.count,
        words(tighter.window)
    ))
}

/// Whether what one budget names is among what the other names; naming none means all.
fn within<T: Ord>(inner: &BTreeSet<T>, outer: &BTreeSet<T>) -> bool {
    outer.is_empty() || (!inner.is_empty() && inner.is_subset(outer))
}

/// Whether one counts whenever the other does: a budget for what is new counts for a while only.
fn counts_as_long(outer: &Budget, inner: &Budget) -> bool {
    outer.new_for.is_none_or(|span| {
        outer.per == inner.per && inner.new_for.is_some_and(|inner| inner <= span)
    })
}

/// Whether what is counted apart under `inner` is counted apart, or together, under `outer`.
fn counts_together(outer: Per, inner: Per) -> bool {
    outer == inner
        || outer == Per::Organization
        || (outer == Per::Source && inner == Per::Detection)
}
