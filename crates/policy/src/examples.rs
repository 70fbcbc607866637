//! Examples: what somebody expects policy to say about a case. They are the tests of a policy, kept
//! beside it.
//!
//! ```toml
//! [[example]]
//! name = "ransomware on a finance server waits for a person"
//! action = "contain_host"
//! target = { name = "SRV-FIN-01" }
//! class = "server"
//! severity = "high"
//! expect = "ask"
//! because = ["contain-host-server"]
//! ```

use std::collections::BTreeSet;

use quell_model::action::Basis;
use quell_model::{
    ActionType, AssetClass, AssetFacts, Decision, Entity, FileFacts, Outcome, Severity,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use toml::Spanned;

use crate::diagnostics::{Diagnostic, Diagnostics, Source, listing, toml_complaint};
use crate::policy::Policy;
use crate::question::Question;

/// A case and what is expected to be decided about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// What it shows, as a sentence.
    pub name: String,
    /// Where it stands.
    pub file: String,
    /// The line it begins on.
    pub line: usize,
    /// The action that is proposed.
    pub action: ActionType,
    /// Its target.
    pub target: Entity,
    /// What is known of the target.
    pub asset: AssetFacts,
    /// What is known of the alert.
    pub basis: Basis,
    /// What is known of the file, when the target is one.
    pub facts: FileFacts,
    /// The lists the target is on.
    pub lists: BTreeSet<String>,
    /// The expected answer.
    pub expect: Outcome,
    /// Rules that are expected among the reasons.
    pub because: BTreeSet<String>,
}

/// What policy really says about an example.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// The decision.
    pub decision: Decision,
    /// What is not as expected, one sentence each; none when all of it is.
    pub problems: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    example: Vec<Spanned<Written>>,
}

/// An example as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    action: ActionType,
    #[serde(default)]
    target: Map<String, Value>,
    #[serde(default)]
    class: AssetClass,
    #[serde(default)]
    critical: bool,
    #[serde(default)]
    labels: BTreeSet<String>,
    #[serde(default = "high")]
    severity: Severity,
    confidence: Option<u8>,
    #[serde(default = "a_source")]
    source: String,
    #[serde(default)]
    detection: String,
    os_signed: Option<bool>,
    prevalence: Option<u32>,
    #[serde(default)]
    lists: BTreeSet<String>,
    expect: Expected,
    #[serde(default)]
    because: BTreeSet<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expected {
    Auto,
    Ask,
    Never,
}

const fn high() -> Severity {
    Severity::High
}

fn a_source() -> String {
    "example".to_owned()
}

/// What the shipped policy says.
const SHIPPED: Source<'static> = Source {
    name: "policies/examples.toml",
    text: include_str!("../../../policies/examples.toml"),
};

impl Example {
    /// The text of the examples that ship with Quell, to start one's own from.
    #[must_use]
    pub const fn shipped() -> Source<'static> {
        SHIPPED
    }

    /// Reads the examples of a file.
    ///
    /// # Errors
    /// With everything that is wrong, at its line.
    pub fn parse(source: &Source<'_>) -> Result<Vec<Self>, Diagnostics> {
        let deserializer = toml::Deserializer::parse(source.text)
            .map_err(|error| toml_complaint(source, "", &error))?;
        let document: Document = serde_path_to_error::deserialize(deserializer)
            .map_err(|error| toml_complaint(source, &error.path().to_string(), error.inner()))?;
        let mut wrong = Vec::new();
        let mut examples = Vec::with_capacity(document.example.len());
        for written in document.example {
            let offset = written.span().start;
            match read(source, offset, written.into_inner()) {
                Ok(example) => examples.push(example),
                Err(message) => wrong.push(Diagnostic::at(source, offset, message)),
            }
        }
        if wrong.is_empty() {
            Ok(examples)
        } else {
            Err(Diagnostics::new(wrong))
        }
    }

    /// Asks `policy` and compares.
    #[must_use]
    pub fn check(&self, policy: &Policy) -> Checked {
        let lists: Vec<&str> = self.lists.iter().map(String::as_str).collect();
        let decision = policy.decide(&Question {
            action: self.action,
            target: &self.target,
            asset: &self.asset,
            basis: &self.basis,
            file: self.facts,
            lists: &lists,
            entry: None,
        });
        let mut problems = Vec::new();
        if decision.outcome != self.expect {
            problems.push(format!(
                "expected {}, but policy says {}",
                self.expect.as_str(),
                decision.outcome.as_str()
            ));
        }
        let given: Vec<&str> = decision
            .reasons
            .iter()
            .map(|reason| reason.rule.as_str())
            .collect();
        for rule in &self.because {
            if !given.contains(&rule.as_str()) {
                problems.push(format!(
                    "expected rule `{rule}` among the reasons, which are {}",
                    listing(&given)
                ));
            }
        }
        Checked { decision, problems }
    }
}

fn read(source: &Source<'_>, offset: usize, written: Written) -> Result<Example, String> {
    let target = target(written.action, written.target)?;
    if let Some(confidence) = written.confidence.filter(|confidence| *confidence > 100) {
        return Err(format!("`confidence`: {confidence} is more than 100"));
    }
    Ok(Example {
        name: quell_model::text::line(&written.name),
        file: source.name.to_owned(),
        line: Diagnostic::at(source, offset, "").line,
        action: written.action,
        target,
        asset: AssetFacts {
            class: written.class,
            critical: written.critical,
            labels: written.labels,
            owner: None,
        },
        basis: Basis {
            severity: written.severity,
            confidence: written.confidence,
            source: written.source,
            detection: written.detection,
        },
        facts: FileFacts {
            os_signed: written.os_signed,
            prevalence: written.prevalence,
        },
        lists: written.lists,
        expect: match written.expect {
            Expected::Auto => Outcome::Auto,
            Expected::Ask => Outcome::Ask,
            Expected::Never => Outcome::Never,
        },
        because: written.because,
    })
}

/// The target, whose type follows from the action. What the model does not keep was misspelt.
fn target(action: ActionType, mut given: Map<String, Value>) -> Result<Entity, String> {
    let names: Vec<String> = given.keys().cloned().collect();
    given.insert("type".to_owned(), action.target().as_str().into());
    let target: Entity = serde_json::from_value(Value::Object(given))
        .map_err(|error| format!("`target`: {error}"))?;
    let kept = serde_json::to_value(&target).unwrap_or_default();
    match names.iter().find(|name| kept.get(name.as_str()).is_none()) {
        Some(name) => Err(format!(
            "`target.{}`: a {} has no such member, or not this value",
            quell_model::text::line(name),
            action.target().words()
        )),
        None => Ok(target),
    }
}
