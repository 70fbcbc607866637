//! A request that should not be permitted and is, told so that an analyst understands it. Owns the
//! wording; that it is permitted has been confirmed before.

use std::collections::BTreeMap;
use std::fmt;

use cedar_policy::EvalResult;
use quell_model::{ActionType, AssetClass, EntityType, Severity};
use serde::Serialize;

use crate::rules::Named;
use crate::search::Found;

/// Who would act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Quell by itself.
    Auto,
    /// Quell after a person said yes.
    Approved,
}

impl Mode {
    /// Both, the one without a person first.
    pub const ALL: [Self; 2] = [Self::Auto, Self::Approved];

    /// The name used in JSON and in rules.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Approved => "approved",
        }
    }

    /// The name in a sentence for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Auto => "by itself",
            Self::Approved => "after a yes",
        }
    }
}

/// A request that the policy permits although it should not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CounterExample {
    /// What would be done.
    pub action: ActionType,
    /// Who would act.
    pub mode: Mode,
    /// What kind of thing it would be done to.
    pub target: EntityType,
    /// What is known of that thing, by the names that rules use.
    pub attributes: BTreeMap<String, Attribute>,
    /// The lists it is on.
    pub lists: Vec<String>,
    /// Severity of the alert.
    pub severity: Severity,
    /// How sure the vendor is, when it said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<i64>,
    /// Connector the alert came from.
    pub source: String,
    /// Rule or pattern that fired.
    pub detection: String,
    /// The rules that permit it, in order of file and line.
    pub permitted_by: Vec<PermittedBy>,
}

/// A rule that permits a counter-example.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PermittedBy {
    /// Its `@id`.
    pub rule: String,
    /// Name of the text it stands in.
    pub file: String,
    /// The line it begins on.
    pub line: usize,
}

/// The value of one attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Attribute {
    /// Yes or no.
    Flag(bool),
    /// A number.
    Number(i64),
    /// A text, or the name of one of several values.
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
}

impl CounterExample {
    /// Nothing when the request is none that Quell could make, which the schema excludes.
    pub(crate) fn of(found: &Found, rules: &[Named]) -> Option<Self> {
        let request = &found.request;
        let action = ActionType::named(request.action()?.id().unescaped())?;
        let principal = request.principal()?.id().unescaped();
        let mode = Mode::ALL
            .into_iter()
            .find(|mode| mode.as_str() == principal)?;
        let uid = request.resource()?;
        let target = found.entities.get(uid)?;
        let mut attributes = BTreeMap::new();
        for (name, value) in target.attrs() {
            attributes.insert(name.to_owned(), Attribute::of(&value.ok()?)?);
        }
        let mut lists: Vec<String> = found
            .entities
            .ancestors(uid)?
            .map(|list| list.id().unescaped().to_owned())
            .collect();
        lists.sort();
        let context = request.context()?;
        let number = |name| match context.get(name) {
            Some(EvalResult::Long(number)) => Some(number),
            _ => None,
        };
        let text = |name| match context.get(name) {
            Some(EvalResult::String(text)) => Some(text),
            _ => None,
        };
        let level = number("severity")?;
        let permits = rules
            .iter()
            .filter(|rule| found.permits.contains(rule.rule.id()));
        Some(Self {
            action,
            mode,
            target: action.target(),
            attributes,
            lists,
            severity: SEVERITIES
                .into_iter()
                .find(|one| i64::from(one.level()) == level)?,
            confidence: number("confidence"),
            source: text("source")?,
            detection: text("detection")?,
            permitted_by: permits
                .map(|named| PermittedBy {
                    rule: named.info.id.clone(),
                    file: named.info.file.clone(),
                    line: named.info.line,
                })
                .collect(),
        })
    }

    fn target_in_words(&self) -> String {
        let mut said = Vec::new();
        if let Some(Attribute::Text(class)) = self.attributes.get("class") {
            let known = AssetClass::ALL
                .into_iter()
                .find(|known| known.as_str() == class);
            said.push(match (known, self.target) {
                (Some(class), EntityType::Host) => class.words().to_owned(),
                (Some(class), _) => format!("on a {}", class.words()),
                (None, _) => format!("class {class}"),
            });
        }
        for (name, value) in &self.attributes {
            match value {
                Attribute::Flag(critical) if name == "critical" => {
                    said.push(
                        if *critical {
                            "critical"
                        } else {
                            "not critical"
                        }
                        .to_owned(),
                    );
                }
                Attribute::Texts(labels) if labels.is_empty() => {
                    said.push(format!("no {}", words(name)));
                }
                Attribute::Texts(texts) => {
                    let texts: Vec<_> = texts.iter().map(|text| quoted(text)).collect();
                    said.push(format!("{} {}", words(name), texts.join(", ")));
                }
                // A flag that is off is what people take for granted.
                Attribute::Flag(false) => {}
                Attribute::Flag(true) => said.push(words(name)),
                Attribute::Number(number) => said.push(format!("{} {number}", words(name))),
                Attribute::Text(_) if name == "class" => {}
                Attribute::Text(text) => said.push(format!("{} {}", words(name), quoted(text))),
            }
        }
        said.push(if self.lists.is_empty() {
            "on no list".to_owned()
        } else {
            let lists: Vec<_> = self.lists.iter().map(|list| quoted(list)).collect();
            format!("on the list {}", lists.join(", "))
        });
        said.join(", ")
    }

    fn alert_in_words(&self) -> String {
        let mut said = vec![format!("severity {}", self.severity.as_str())];
        said.push(match self.confidence {
            Some(confidence) => format!("confidence {confidence}"),
            None => "no confidence given".to_owned(),
        });
        for (name, text) in [("source", &self.source), ("detection", &self.detection)] {
            if text != UNINTERESTING {
                said.push(format!("{name} {}", quoted(text)));
            }
        }
        said.join(", ")
    }
}

impl fmt::Display for CounterExample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Quell may {} {}. Target: {} ({}). Alert: {}. Permitted by ",
            self.action.phrase(),
            self.mode.words(),
            self.target.words(),
            self.target_in_words(),
            self.alert_in_words(),
        )?;
        for (index, by) in self.permitted_by.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}`{}` ({}:{})", by.rule, by.file, by.line)?;
        }
        f.write_str(".")
    }
}

impl Attribute {
    fn of(value: &EvalResult) -> Option<Self> {
        match value {
            EvalResult::Bool(flag) => Some(Self::Flag(*flag)),
            EvalResult::Long(number) => Some(Self::Number(*number)),
            EvalResult::String(text) => Some(Self::Text(text.clone())),
            EvalResult::EntityUid(uid) => Some(Self::Text(uid.id().unescaped().to_owned())),
            EvalResult::Set(texts) => {
                let texts = texts.iter().map(|text| match text {
                    EvalResult::String(text) => Some(text.clone()),
                    _ => None,
                });
                texts.collect::<Option<_>>().map(Self::Texts)
            }
            EvalResult::Record(_) | EvalResult::ExtensionValue(_) => None,
        }
    }
}

/// What a text is set to where it does not matter.
pub(crate) const UNINTERESTING: &str = "example";

const SEVERITIES: [Severity; 5] = [
    Severity::Informational,
    Severity::Low,
    Severity::Medium,
    Severity::High,
    Severity::Critical,
];

/// An attribute's name in a sentence.
fn words(name: &str) -> String {
    let known = match name {
        "vital" => "vital to the machine",
        "unnamed" => "without name and path",
        "system_file" => "part of the operating system",
        "os_signed" => "signed by the operating system's maker",
        "prevalence" => "machines it was seen on:",
        "recipients" => "recipients:",
        "whole_domain" => "a whole domain",
        "special" => "no sensible target of a block",
        "shared" => "shared with many others",
        _ => return name.replace('_', " "),
    };
    known.to_owned()
}

/// A text that the solver made up, which may be anything.
fn quoted(text: &str) -> String {
    format!("“{}”", text.escape_debug())
}
