//! Properties: what must be so whatever the rules say. Owns how they are written; whether a policy
//! keeps them is another matter.

use cedar_policy::Policy as Rule;
use quell_model::ActionType;
use quell_policy::{Diagnostics, RuleInfo, Source};

use crate::rules::{self, Named};
use crate::stack;

/// The properties that ship with Quell.
const SHIPPED: Source<'static> = Source {
    name: "policies/properties.cedar",
    text: include_str!("../../../policies/properties.cedar"),
};

/// One thing that a policy must never allow, whatever its rules are.
///
/// It is written as a Cedar `forbid`: a policy keeps it when it allows no request that the rule
/// matches. Unlike a rule, it stops nothing; it is what rules are measured by.
#[derive(Debug, Clone)]
pub struct Property {
    info: RuleInfo,
    /// The rule turned into a permit, so that what it permits is what must not be.
    unwanted: Rule,
}

impl Property {
    /// Reads properties: all of them, or none with everything that is wrong.
    ///
    /// # Errors
    /// When the texts would not load as rules, when one of them permits, or when there is none.
    pub fn load(sources: &[Source<'_>]) -> Result<Vec<Self>, Diagnostics> {
        let first = sources.first().unwrap_or(&SHIPPED);
        stack::large(|| read(sources)).unwrap_or_else(|| Err(rules::unreadable(first)))
    }

    /// The text of the properties that ship with Quell; the rules that ship keep them.
    #[must_use]
    pub const fn shipped_source() -> Source<'static> {
        SHIPPED
    }

    /// Its `@id`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.info.id
    }

    /// Its `@reason`: what holds when the property holds, in a sentence.
    #[must_use]
    pub fn statement(&self) -> &str {
        &self.info.reason
    }

    /// Name of the text it stands in.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.info.file
    }

    /// The line it begins on.
    #[must_use]
    pub const fn line(&self) -> usize {
        self.info.line
    }

    /// The action types it is about, in catalogue order.
    #[must_use]
    pub fn actions(&self) -> &[ActionType] {
        &self.info.actions
    }

    pub(crate) const fn unwanted(&self) -> &Rule {
        &self.unwanted
    }
}

fn read(sources: &[Source<'_>]) -> Result<Vec<Property>, Diagnostics> {
    let rules = rules::load(sources)?;
    let permits = rules.iter().filter(|rule| !rule.info.forbids);
    let wrong = permits.map(|rule| {
        rules::wrong(
            &rule.info.file,
            rule.info.line,
            "a property cannot permit",
            "say what must never happen, as a `forbid`",
        )
    });
    let wrong: Vec<_> = wrong.collect();
    if !wrong.is_empty() {
        return Err(Diagnostics::new(wrong));
    }
    if rules.is_empty() {
        let file = sources.first().map_or(SHIPPED.name, |source| source.name);
        let missing = rules::wrong(
            file,
            1,
            "there is no property",
            "write at least one `forbid`",
        );
        return Err(missing.into());
    }
    rules.into_iter().map(property).collect()
}

fn property(named: Named) -> Result<Property, Diagnostics> {
    let Named { info, rule, .. } = named;
    match rules::permitting(&rule) {
        Some(unwanted) => Ok(Property { info, unwanted }),
        None => Err(rules::wrong(
            &info.file,
            info.line,
            "the property could not be read",
            "write it in another way",
        )
        .into()),
    }
}
