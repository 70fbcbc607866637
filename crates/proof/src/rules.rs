//! Rules as proofs need them: loaded by policy, which refuses everything that is wrong with them, and
//! then read once more for their text. Proofs are about exactly those rules that decide.

use std::str::FromStr;

use cedar_policy::{Policy as Rule, PolicyId, PolicySet, RequestEnv, Schema, pst};
use quell_model::ActionType;
use quell_policy::{Diagnostic, Diagnostics, Matrix, Policy, RuleInfo, Source};

/// A rule with what people know it by.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) info: RuleInfo,
    pub(crate) rule: Rule,
    /// It was made from a cell of the matrix.
    pub(crate) compiled: bool,
}

/// The rules of some texts, in the order of file and line.
///
/// # Errors
/// What policy has to say against them.
pub(crate) fn load(sources: &[Source<'_>]) -> Result<Vec<Named>, Diagnostics> {
    let policy = Policy::load(sources)?;
    let mut rules = Vec::with_capacity(policy.rules().len());
    for source in sources {
        let parsed = PolicySet::from_str(source.text).map_err(|_| unreadable(source))?;
        for rule in parsed.policies() {
            let id = rule.annotation("id").unwrap_or_default();
            let info = policy.rules().iter().find(|info| info.id == id);
            let info = info.ok_or_else(|| unreadable(source))?.clone();
            let rule = rule.new_id(PolicyId::new(id));
            let compiled = source.name == Matrix::compiled("").name;
            rules.push(Named {
                info,
                rule,
                compiled,
            });
        }
    }
    rules.sort_by(|a, b| (&a.info.file, a.info.line).cmp(&(&b.info.file, b.info.line)));
    Ok(rules)
}

/// The rules that can have a say about an action: the same ones that policy asks.
pub(crate) fn about(rules: &[Named], action: ActionType) -> impl Iterator<Item = &Named> {
    rules
        .iter()
        .filter(move |rule| rule.info.actions.contains(&action))
}

/// A set of these rules; two of one name would be our own mistake and give nothing.
pub(crate) fn set<'a>(rules: impl IntoIterator<Item = &'a Rule>) -> Option<PolicySet> {
    PolicySet::from_policies(rules.into_iter().cloned()).ok()
}

/// The rule turned into a permit: what that permits is what the rule matches.
pub(crate) fn permitting(rule: &Rule) -> Option<Rule> {
    let mut body = rule.to_pst().ok()?.body().clone();
    body.effect = pst::Effect::Permit;
    let body = pst::StaticPolicy::try_from(body).ok()?;
    Rule::from_pst(pst::Policy::Static(body)).ok()
}

/// What rules may ask about.
pub(crate) fn schema() -> Result<Schema, Diagnostics> {
    let source = Policy::schema_source();
    let read = Schema::from_cedarschema_str(source.text);
    Ok(read.map_err(|_| unreadable(&source))?.0)
}

/// Every kind of request: an action on the type of target it applies to.
pub(crate) fn environments(schema: &Schema) -> Vec<(ActionType, RequestEnv)> {
    let mut all: Vec<_> = schema
        .request_envs()
        .filter_map(|env| Some((ActionType::named(env.action().id().unescaped())?, env)))
        .collect();
    all.sort_by_key(|(action, _)| *action);
    all
}

/// A text that policy has read and this module cannot; nothing brings it about.
pub(crate) fn unreadable(source: &Source<'_>) -> Diagnostics {
    wrong(source.name, 1, "the text could not be read", "split it").into()
}

pub(crate) fn wrong(file: &str, line: usize, message: &str, help: &str) -> Diagnostic {
    Diagnostic {
        file: file.to_owned(),
        line,
        column: 1,
        message: message.to_owned(),
        help: Some(help.to_owned()),
    }
}
