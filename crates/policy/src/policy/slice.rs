//! Which rules can matter for an action in a mode. A question is about one action in one mode, and
//! evaluation costs by the rule, so each pair has a set of its own. What the choice of the set has
//! answered already (`action == …`, `principal == …`) is taken out of its rules: Cedar would build and
//! evaluate it anew for each rule of each question.

use std::collections::BTreeMap;
use std::fmt::Display;

use cedar_policy::{
    ActionConstraint, Entities, EntityUid, Policy, PolicySet, PrincipalConstraint, pst,
};
use quell_model::ActionType;

use crate::facts::{Mode, Vocabulary};

/// The rules of each action in each mode.
pub(super) struct Slices(BTreeMap<(ActionType, Mode), PolicySet>);

impl Slices {
    pub(super) fn new() -> Self {
        let pairs = ActionType::ALL
            .iter()
            .flat_map(|action| Mode::ALL.map(|mode| (*action, mode)));
        Self(pairs.map(|pair| (pair, PolicySet::new())).collect())
    }

    pub(super) fn get(&self, action: ActionType, mode: Mode) -> Option<&PolicySet> {
        self.0.get(&(action, mode))
    }

    /// Adds a rule to the slices of these actions; fails with a sentence when Cedar refuses, which it
    /// does not do for a rule that it has validated.
    pub(super) fn add(
        &mut self,
        rule: &Policy,
        actions: &[ActionType],
        words: &Vocabulary,
    ) -> Result<(), String> {
        let only = match rule.principal_constraint() {
            PrincipalConstraint::Eq(mode) => Some(mode),
            _ => None,
        };
        let bare = bare(rule)?;
        for ((action, mode), slice) in &mut self.0 {
            let in_mode = only.is_none() || only.as_ref() == words.mode(*mode);
            if in_mode && actions.contains(action) {
                slice.add(bare.clone()).map_err(sentence)?;
            }
        }
        Ok(())
    }
}

/// The action types a rule's scope covers, directly or through a group.
pub(super) fn actions(rule: &Policy, words: &Vocabulary, groups: &Entities) -> Vec<ActionType> {
    let constraint = rule.action_constraint();
    let covers = |action: &EntityUid| match &constraint {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(named) => named == action,
        ActionConstraint::In(all) => all
            .iter()
            .any(|named| named == action || groups.is_ancestor_of(named, action)),
    };
    let all = ActionType::ALL.iter().copied();
    all.filter(|action| words.action(*action).is_some_and(covers))
        .collect()
}

/// The rule without what belonging to a slice has answered.
fn bare(rule: &Policy) -> Result<Policy, String> {
    let mut body = rule.to_pst().map_err(sentence)?.body().clone();
    body.action = pst::ActionConstraint::Any;
    if matches!(body.principal, pst::PrincipalConstraint::Eq(_)) {
        body.principal = pst::PrincipalConstraint::Any;
    }
    let body = pst::StaticPolicy::try_from(body).map_err(sentence)?;
    Policy::from_pst(pst::Policy::Static(body)).map_err(sentence)
}

fn sentence(error: impl Display) -> String {
    error.to_string()
}
