//! As much OData as the twin's clients need: filters of comparisons, selected members, pages.

use serde_json::{Map, Value};

use crate::clock::parse_time;

/// A filter: any of these groups, of which all comparisons hold.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Filter(Vec<Vec<Comparison>>);

#[derive(Debug, Clone, PartialEq)]
struct Comparison {
    member: String,
    /// The member is a list, of which any item may match.
    any: bool,
    operator: Operator,
    value: Operand,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
}

#[derive(Debug, Clone, PartialEq)]
enum Operand {
    Text(String),
    Flag(bool),
    Time(i64),
}

impl Filter {
    /// Reads a filter; the error is the vendor's sentence.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let invalid = || format!("Invalid filter clause: {text}");
        let groups = split(text, " or ").ok_or_else(invalid)?;
        let groups: Option<Vec<Vec<Comparison>>> = groups
            .into_iter()
            .map(|group| split(group, " and ")?.into_iter().map(comparison).collect())
            .collect();
        groups.map(Self).ok_or_else(invalid)
    }

    pub(crate) fn admits(&self, document: &Map<String, Value>) -> bool {
        self.0
            .iter()
            .any(|group| group.iter().all(|comparison| comparison.holds(document)))
    }
}

/// The parts between `separator` outside of quotes; none when a quote is left open.
fn split<'a>(text: &'a str, separator: &str) -> Option<Vec<&'a str>> {
    let (mut parts, mut start, mut quoted) = (Vec::new(), 0, false);
    for (at, byte) in text.bytes().enumerate() {
        if byte == b'\'' {
            quoted = !quoted;
        } else if !quoted && at >= start && text.get(at..)?.starts_with(separator) {
            parts.push(text.get(start..at)?);
            start = at + separator.len();
        }
    }
    parts.push(text.get(start..)?);
    (!quoted).then_some(parts)
}

fn comparison(text: &str) -> Option<Comparison> {
    let text = text.trim();
    if let Some((member, inner)) = text.split_once("/any(") {
        let (variable, inner) = inner.strip_suffix(')')?.split_once(':')?;
        let rest = inner.trim().strip_prefix(variable)?;
        return Some(Comparison {
            any: true,
            ..comparison(&format!("{member}{rest}"))?
        });
    }
    let (member, rest) = text.split_once(' ')?;
    let (operator, value) = rest.split_once(' ')?;
    let operator = match operator {
        "eq" => Operator::Eq,
        "ne" => Operator::Ne,
        "gt" => Operator::Gt,
        "ge" => Operator::Ge,
        "lt" => Operator::Lt,
        "le" => Operator::Le,
        _ => return None,
    };
    let value = value.trim();
    let quoted = value
        .strip_prefix('\'')
        .and_then(|value| value.strip_suffix('\''));
    let value = match (quoted, value) {
        (Some(text), _) => {
            // A single quote inside must be doubled, or the text ended there.
            if text.replace("''", "").contains('\'') {
                return None;
            }
            Operand::Text(text.replace("''", "'"))
        }
        (None, "true") => Operand::Flag(true),
        (None, "false") => Operand::Flag(false),
        (None, bare) => Operand::Time(parse_time(bare)?),
    };
    Some(Comparison {
        member: member.to_owned(),
        any: false,
        operator,
        value,
    })
}

impl Comparison {
    fn holds(&self, document: &Map<String, Value>) -> bool {
        let member = document.get(&self.member).unwrap_or(&Value::Null);
        match (self.any, member) {
            (true, Value::Array(items)) => items.iter().any(|item| self.compares(item)),
            (true, _) => false,
            (false, member) => self.compares(member),
        }
    }

    fn compares(&self, member: &Value) -> bool {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let order = match (&self.value, member) {
            (Operand::Text(wanted), Value::String(text)) => {
                Some(text.to_lowercase().cmp(&wanted.to_lowercase()))
            }
            (Operand::Flag(wanted), Value::Bool(flag)) => Some(flag.cmp(wanted)),
            (Operand::Time(wanted), Value::String(text)) => {
                parse_time(text).map(|time| time.cmp(wanted))
            }
            _ => None,
        };
        match self.operator {
            Operator::Eq => order == Some(Equal),
            Operator::Ne => order != Some(Equal),
            Operator::Gt => order == Some(Greater),
            Operator::Ge => matches!(order, Some(Greater | Equal)),
            Operator::Lt => order == Some(Less),
            Operator::Le => matches!(order, Some(Less | Equal)),
        }
    }
}

/// The members that `select` names, or those of `usual`.
pub(crate) fn select(
    document: &Map<String, Value>,
    select: Option<&str>,
    usual: &[&str],
) -> Map<String, Value> {
    let wanted: Vec<&str> = match select {
        Some(select) => select.split(',').map(str::trim).collect(),
        None => usual.to_vec(),
    };
    let pick = |name: &str| Some((name.to_owned(), document.get(name)?.clone()));
    wanted.into_iter().filter_map(pick).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn admits(filter: &str) -> bool {
        let document = json!({
            "mail": "o'hara@example.com",
            "proxyAddresses": ["smtp:a@example.com"],
            "detectedDateTime": "2026-01-01T00:00:00.5Z",
            "accountEnabled": true,
        });
        let Value::Object(document) = document else {
            panic!("an object")
        };
        Filter::parse(filter).unwrap().admits(&document)
    }

    #[test]
    fn comparisons_join_with_and_inside_or() {
        assert!(admits("mail eq 'x' or mail eq 'O''Hara@example.com'"));
        assert!(!admits(
            "mail eq 'o''hara@example.com' and accountEnabled eq false"
        ));
        assert!(admits("proxyAddresses/any(p:p eq 'smtp:a@example.com')"));
        assert!(admits("detectedDateTime ge 2026-01-01T00:00:00.5Z"));
        assert!(!admits("detectedDateTime gt 2026-01-01T00:00:00.5Z"));
    }

    #[test]
    fn a_quote_that_is_not_doubled_is_no_filter() {
        assert!(Filter::parse("mail eq 'o'hara'").is_err());
        assert!(Filter::parse("mail eq 'x' or 'a' eq 'a").is_err());
        assert!(Filter::parse("mail like 'x'").is_err());
    }
}
