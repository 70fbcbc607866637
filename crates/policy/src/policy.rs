//! Rules: loading them, and deciding by them. Owns the meaning of auto, ask and never; what the
//! rules say stands in `policies/default.cedar`.
//!
//! Cedar knows two answers, a decision has three. So Cedar is asked twice: may Quell do it alone, and
//! may Quell do it after a person said yes.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use cedar_policy::{Authorizer, PolicyId, Response};
use quell_model::{ActionType, Decision, Outcome, Quorum, Reason};

use crate::diagnostics::{Diagnostics, Source};
use crate::facts::{Mode, Vocabulary};
use crate::matrix::Matrix;
use crate::question::Question;
use crate::rule::Rule;
use crate::settings::Settings;

mod bounds;
mod load;
mod shipped;
mod slice;

pub(crate) use load::said_twice;
pub(crate) use shipped::refusal;
use slice::Slices;

/// The hand-written rules that ship with Quell.
const DEFAULT: Source<'static> = Source {
    name: "policies/default.cedar",
    text: include_str!("../../../policies/default.cedar"),
};

/// What rules may ask about.
const SCHEMA: Source<'static> = Source {
    name: "policies/quell.cedarschema",
    text: include_str!("../../../policies/quell.cedarschema"),
};

/// A set of rules that has been checked completely.
pub struct Policy {
    words: Vocabulary,
    authorizer: Authorizer,
    slices: Slices,
    rules: HashMap<PolicyId, Rule>,
    listing: Vec<RuleInfo>,
}

/// A loaded rule, for people to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleInfo {
    /// Its `@id`.
    pub id: String,
    /// Its `@reason`, with details as `{places}`.
    pub reason: String,
    /// It forbids; otherwise it permits.
    pub forbids: bool,
    /// Who has to say yes where it lets people decide.
    pub quorum: Quorum,
    /// Hash of what it says: another one when anything but its place changed.
    pub digest: String,
    /// Action types it can have a say in, in catalogue order.
    pub actions: Vec<ActionType>,
    /// Name of the source it stands in.
    pub file: String,
    /// The line it begins on.
    pub line: usize,
}

impl Policy {
    /// Loads rules: all of them, or none with everything that is wrong.
    ///
    /// # Errors
    /// When a text is not Cedar, asks about something that the schema does not know, can never
    /// apply, is a template, or lacks a unique `@id` or a `@reason`.
    pub fn load(sources: &[Source<'_>]) -> Result<Self, Diagnostics> {
        load::load(sources)
    }

    /// The rules that ship with Quell.
    ///
    /// # Errors
    /// When the shipped rules do not load, which a test excludes.
    pub fn builtin() -> Result<Self, Diagnostics> {
        Self::with(&Settings::builtin().matrix, &[DEFAULT])
    }

    /// The rules a matrix means, with hand-written ones beside them.
    ///
    /// # Errors
    /// As [`Policy::load`].
    pub fn with(matrix: &Matrix, rules: &[Source<'_>]) -> Result<Self, Diagnostics> {
        let text = matrix.rules();
        let mut sources = vec![Matrix::compiled(&text)];
        sources.extend_from_slice(rules);
        Self::load(&sources)
    }

    /// The text of the hand-written rules that ship with Quell, to load beside an organization's own.
    #[must_use]
    pub const fn builtin_source() -> Source<'static> {
        DEFAULT
    }

    /// That text without the rules an organization leaves out (`off` under `[rules]`). What is left stays
    /// on its line, so it keeps the name of [`Policy::builtin_source`].
    #[must_use]
    pub fn builtin_without(off: &BTreeSet<String>) -> String {
        shipped::without(off)
    }

    /// The text that says what rules may ask about, for editors and for people who write rules.
    #[must_use]
    pub const fn schema_source() -> Source<'static> {
        SCHEMA
    }

    /// The loaded rules, in order of file and line.
    #[must_use]
    pub fn rules(&self) -> &[RuleInfo] {
        &self.listing
    }

    /// Decides one action on one target.
    ///
    /// Auto when the rules let Quell act alone; ask when they let a person approve it; never
    /// otherwise. A rule that cannot be evaluated means a person decides at best, because Cedar
    /// passes over a `forbid` that fails. The reasons are sorted, and there is at least one. Of
    /// several rules that ask, the most people and the highest role are needed.
    #[must_use]
    pub fn decide(&self, question: &Question<'_>) -> Decision {
        let wanted = question.action.target();
        if question.target.entity_type() != wanted {
            let text = format!(
                "“{}” is about a {}, not about a {}.",
                question.action.phrase(),
                wanted.words(),
                question.target.entity_type().words()
            );
            return Decision::because(Outcome::Never, WRONG_TARGET, text);
        }
        self.answer(question).unwrap_or_else(|| {
            // Without facts no never rule could be checked, so not even a person may wave it through.
            Decision::because(
                Outcome::Never,
                EVALUATION_ERROR,
                "The facts could not be put to the rules, so nothing is done.",
            )
        })
    }

    fn answer(&self, question: &Question<'_>) -> Option<Decision> {
        let facts = self.words.put(question)?;
        let ask = |mode| {
            let request = facts.request(mode, None)?;
            let rules = self.slices.get(question.action, mode)?;
            Some(Answer(self.authorizer.is_authorized(
                &request,
                rules,
                &facts.entities,
            )))
        };

        let alone = ask(Mode::Auto)?;
        let mut reasons = BTreeSet::new();
        if alone.allows() && !alone.failed() {
            self.deciders(&alone, question, &mut reasons);
            return Some(decision(Outcome::Auto, reasons));
        }
        let quorum = self.quorum(&alone);

        let approved = ask(Mode::Approved)?;
        self.failures(&alone, &mut reasons);
        self.failures(&approved, &mut reasons);
        if !approved.allows() {
            self.deciders(&approved, question, &mut reasons);
            if reasons.is_empty() {
                reasons.insert(Reason::new(NO_RULE, "No rule permits this."));
            }
            return Some(decision(Outcome::Never, reasons));
        }
        if !alone.allows() {
            self.deciders(&alone, question, &mut reasons);
        }
        if reasons.is_empty() {
            // No rule stopped Quell, none permitted it to act alone: the one that lets a person
            // approve says so.
            self.deciders(&approved, question, &mut reasons);
        }
        Some(decision(Outcome::Ask, reasons).of(quorum))
    }

    /// The permits of a yes, the forbids of a no; none when nothing permitted.
    fn deciders(&self, answer: &Answer, question: &Question<'_>, to: &mut BTreeSet<Reason>) {
        for id in answer.0.diagnostics().reason() {
            to.extend(self.rules.get(id).map(|rule| rule.reason(question)));
        }
    }

    /// Who has to say yes, by the rules that stopped Quell from acting alone. One that failed counts
    /// as well: it may have been about to ask for more.
    fn quorum(&self, answer: &Answer) -> Quorum {
        let diagnostics = answer.0.diagnostics();
        let failed = diagnostics.errors().map(|error| {
            let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
            error.policy_id()
        });
        diagnostics
            .reason()
            .chain(failed)
            .filter_map(|id| self.rules.get(id))
            .fold(Quorum::ONE, |all, rule| all.and(rule.quorum))
    }

    fn failures(&self, answer: &Answer, to: &mut BTreeSet<Reason>) {
        for error in answer.0.diagnostics().errors() {
            let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
            let rule = self
                .rules
                .get(error.policy_id())
                .map_or("?", |rule| rule.id.as_str());
            let text = format!("Rule `{rule}` could not be evaluated, so nothing runs by itself.");
            to.insert(Reason::new(EVALUATION_ERROR, text));
        }
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = self.listing.iter().map(|rule| rule.id.as_str());
        f.debug_set().entries(rules).finish()
    }
}

/// Reasons that no rule text gives; rules cannot take these names.
const NO_RULE: &str = "no-rule";
const EVALUATION_ERROR: &str = "evaluation-error";
const WRONG_TARGET: &str = "wrong-target";
const RESERVED: [&str; 3] = [NO_RULE, EVALUATION_ERROR, WRONG_TARGET];

struct Answer(Response);

impl Answer {
    fn allows(&self) -> bool {
        self.0.decision() == cedar_policy::Decision::Allow
    }

    fn failed(&self) -> bool {
        self.0.diagnostics().errors().next().is_some()
    }
}

fn decision(outcome: Outcome, reasons: BTreeSet<Reason>) -> Decision {
    Decision::new(outcome, reasons.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use cedar_policy::{PolicySet, Schema};
    use quell_model::action::Basis;
    use quell_model::entity::{File, Host, Process};
    use quell_model::{AssetClass, AssetFacts, Entity, FileFacts, Severity};

    use super::*;

    #[test]
    fn slicing_changes_no_answer() {
        let policy = Policy::builtin().unwrap();
        let schema = Schema::from_cedarschema_str(SCHEMA.text).unwrap().0;
        let text = Settings::builtin().matrix.rules() + DEFAULT.text;
        let whole = PolicySet::from_str(&text).unwrap();
        let path = || Some(r"C:\Windows\System32\lsass.exe".to_owned());
        let targets: [Entity; 3] = [
            Host::default().into(),
            Process {
                path: path(),
                ..Process::default()
            }
            .into(),
            File {
                path: path(),
                ..File::default()
            }
            .into(),
        ];
        let mut answers = 0;
        for action in ActionType::ALL {
            for target in targets
                .iter()
                .filter(|target| target.entity_type() == action.target())
            {
                for (class, severity, label, lists) in cases() {
                    let asset = AssetFacts {
                        class,
                        labels: [label.to_owned()].into(),
                        ..AssetFacts::default()
                    };
                    let confidence = (label == "non-essential").then_some(96);
                    let (source, detection) = ("a".to_owned(), "b".to_owned());
                    let question = Question {
                        action: *action,
                        target,
                        asset: &asset,
                        basis: &Basis {
                            severity,
                            confidence,
                            source,
                            detection,
                        },
                        file: FileFacts {
                            os_signed: confidence.map(|_| true),
                            prevalence: Some(500),
                        },
                        lists,
                        entry: None,
                    };
                    let facts = policy.words.put(&question).unwrap();
                    for mode in Mode::ALL {
                        let request = facts.request(mode, Some(&schema)).unwrap();
                        let slice = policy.slices.get(*action, mode).unwrap();
                        let [sliced, full] = [slice, &whole].map(|rules| {
                            policy
                                .authorizer
                                .is_authorized(&request, rules, &facts.entities)
                        });
                        let sliced_ids: BTreeSet<_> = sliced
                            .diagnostics()
                            .reason()
                            .map(|id| policy.rules[id].id.as_str())
                            .collect();
                        let full_ids: BTreeSet<_> = full
                            .diagnostics()
                            .reason()
                            .filter_map(|id| whole.annotation(id, "id"))
                            .collect();
                        assert_eq!(
                            (sliced.decision(), sliced_ids),
                            (full.decision(), full_ids),
                            "{question:#?} {mode:?}"
                        );
                        answers += 1;
                    }
                }
            }
        }
        assert!(answers > 1000, "only {answers} answers compared");
    }

    fn cases() -> impl Iterator<Item = (AssetClass, Severity, &'static str, &'static [&'static str])>
    {
        let classes = [
            AssetClass::Workstation,
            AssetClass::Server,
            AssetClass::DomainController,
            AssetClass::Unknown,
        ];
        let severities = [Severity::Low, Severity::Medium, Severity::High];
        let labels = ["eu", "non-essential", "red-team", "break-glass"];
        let lists: [&[&str]; 3] = [&[], &["ask"], &["never", "vip"]];
        classes.into_iter().flat_map(move |class| {
            severities.into_iter().flat_map(move |severity| {
                labels
                    .into_iter()
                    .flat_map(move |label| lists.map(|lists| (class, severity, label, lists)))
            })
        })
    }
}
