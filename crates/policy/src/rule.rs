//! One rule as people meet it: its name, and its sentence with the details of the case filled in.

use std::borrow::Cow;

use quell_model::{Quorum, Reason};

use crate::question::Question;

/// What a rule is called and says.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) sentence: Sentence,
    /// Who has to say yes when it forbids Quell to act alone.
    pub(crate) quorum: Quorum,
}

impl Rule {
    pub(crate) fn reason(&self, question: &Question<'_>) -> Reason {
        Reason::new(self.id.as_str(), self.sentence.fill(question))
    }
}

/// A sentence with places for details. Only details that Quell words itself can be filled in: text
/// out of an alert was written by somebody who may be the attacker.
#[derive(Debug, Clone)]
pub(crate) struct Sentence(Vec<Piece>);

#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    Detail(Detail),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    Severity,
    Confidence,
    Class,
    Prevalence,
    Target,
    Entry,
    Special,
    Shared,
}

const DETAILS: &[(&str, Detail)] = &[
    ("severity", Detail::Severity),
    ("confidence", Detail::Confidence),
    ("class", Detail::Class),
    ("prevalence", Detail::Prevalence),
    ("target", Detail::Target),
    ("entry", Detail::Entry),
    ("special", Detail::Special),
    ("shared", Detail::Shared),
];

impl Sentence {
    /// Splits the text at its `{details}`; says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() || text.contains('\n') || text.chars().count() > 200 {
            return Err("a @reason is one sentence of at most 200 characters, on one line".into());
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            pieces.push(Piece::Text(before.to_owned()));
            let Some((name, after)) = after.split_once('}') else {
                return Err("a { in a @reason needs its }".into());
            };
            let Some((_, detail)) = DETAILS.iter().find(|(known, _)| *known == name) else {
                let known: Vec<_> = DETAILS
                    .iter()
                    .map(|(name, _)| format!("{{{name}}}"))
                    .collect();
                return Err(format!(
                    "unknown detail {{{name}}}; known are {}",
                    known.join(", ")
                ));
            };
            pieces.push(Piece::Detail(*detail));
            rest = after;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self(pieces))
    }

    /// As written, places unfilled.
    pub(crate) fn template(&self) -> String {
        self.0.iter().map(Piece::template).collect()
    }

    fn fill(&self, question: &Question<'_>) -> String {
        self.0.iter().map(|piece| piece.fill(question)).collect()
    }
}

impl Piece {
    fn template(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => text.into(),
            Self::Detail(detail) => DETAILS
                .iter()
                .find(|(_, known)| known == detail)
                .map_or(String::new(), |(name, _)| format!("{{{name}}}"))
                .into(),
        }
    }

    fn fill<'a>(&'a self, question: &Question<'_>) -> Cow<'a, str> {
        let number = |number: Option<u32>, missing: &'static str| match number {
            Some(number) => Cow::from(number.to_string()),
            None => missing.into(),
        };
        match self {
            Self::Text(text) => text.into(),
            Self::Detail(Detail::Severity) => question.basis.severity.as_str().into(),
            Self::Detail(Detail::Confidence) => {
                number(question.confidence().map(u32::from), "not given")
            }
            Self::Detail(Detail::Class) => question.class().words().into(),
            Self::Detail(Detail::Prevalence) => {
                number(question.file.prevalence, "an unknown number of")
            }
            Self::Detail(Detail::Target) => question.target.entity_type().words().into(),
            Self::Detail(Detail::Special) => question.special().unwrap_or("").into(),
            Self::Detail(Detail::Shared) => question.shared().unwrap_or("").into(),
            // Written by the organization, and cleaned when its entry was checked.
            Self::Detail(Detail::Entry) => question
                .entry
                .unwrap_or("no reason is given")
                .to_owned()
                .into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_with_an_unknown_detail_is_refused_by_name() {
        assert!(Sentence::parse("Class is {class}.").is_ok());
        let check = |text: &str, expected: &str| {
            let message = Sentence::parse(text).unwrap_err();
            assert!(message.contains(expected), "{text:?} gave {message:?}");
        };
        check("Class is {klass}.", "{klass}");
        check("Class is {class.", "needs its }");
        check("", "one sentence");
        check("a\nb", "one line");
    }

    #[test]
    fn a_template_is_the_text_it_came_from() {
        let text = "{target} {severity}, {confidence}; {class} {prevalence}.";
        assert_eq!(Sentence::parse(text).unwrap().template(), text);
    }
}
