//! The filter language of searches and of the System Log: comparisons joined by `and` and `or`, in parentheses where
//! needed. Texts compare without case, as the vendor says they do.

use serde_json::Value;

/// A filter that was read.
#[derive(Debug)]
pub(crate) enum Filter {
    Compare {
        path: String,
        operator: Operator,
        value: Literal,
    },
    Present(String),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Contains,
    StartsWith,
    EndsWith,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    Text(String),
    Flag(bool),
    Number(i64),
}

#[derive(Debug, Clone, PartialEq)]
enum Word {
    Open,
    Close,
    Bare(String),
    Quoted(String),
}

impl Filter {
    /// Reads a filter; nothing when it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut words = words(text)?.into_iter().peekable();
        let filter = any_of(&mut words)?;
        words.next().is_none().then_some(filter)
    }

    /// Whether a document fulfils it. Of a list any item will do.
    pub(crate) fn holds(&self, document: &Value) -> bool {
        match self {
            Self::And(a, b) => a.holds(document) && b.holds(document),
            Self::Or(a, b) => a.holds(document) || b.holds(document),
            Self::Present(path) => at(document, path).iter().any(|found| !found.is_null()),
            Self::Compare {
                path,
                operator,
                value,
            } => at(document, path)
                .into_iter()
                .any(|found| compare(found, *operator, value)),
        }
    }
}

type Words = std::iter::Peekable<std::vec::IntoIter<Word>>;

fn joined(
    words: &mut Words,
    word: &str,
    part: fn(&mut Words) -> Option<Filter>,
    join: fn(Box<Filter>, Box<Filter>) -> Filter,
) -> Option<Filter> {
    let mut filter = part(words)?;
    while matches!(words.peek(), Some(Word::Bare(next)) if next.eq_ignore_ascii_case(word)) {
        words.next();
        filter = join(Box::new(filter), Box::new(part(words)?));
    }
    Some(filter)
}

fn any_of(words: &mut Words) -> Option<Filter> {
    joined(words, "or", all_of, Filter::Or)
}

fn all_of(words: &mut Words) -> Option<Filter> {
    joined(words, "and", one, Filter::And)
}

fn one(words: &mut Words) -> Option<Filter> {
    let path = match words.next()? {
        Word::Open => {
            let inner = any_of(words)?;
            return (words.next()? == Word::Close).then_some(inner);
        }
        Word::Bare(path) => path,
        Word::Close | Word::Quoted(_) => return None,
    };
    let Word::Bare(operator) = words.next()? else {
        return None;
    };
    let operator = match operator.to_ascii_lowercase().as_str() {
        "pr" => return Some(Filter::Present(path)),
        "eq" => Operator::Equal,
        "ne" => Operator::NotEqual,
        "co" => Operator::Contains,
        "sw" => Operator::StartsWith,
        "ew" => Operator::EndsWith,
        "gt" => Operator::Greater,
        "ge" => Operator::GreaterOrEqual,
        "lt" => Operator::Less,
        "le" => Operator::LessOrEqual,
        _ => return None,
    };
    let value = match words.next()? {
        Word::Quoted(text) => Literal::Text(text),
        Word::Bare(word) => match word.as_str() {
            "true" => Literal::Flag(true),
            "false" => Literal::Flag(false),
            number => Literal::Number(number.parse().ok()?),
        },
        Word::Open | Word::Close => return None,
    };
    Some(Filter::Compare {
        path,
        operator,
        value,
    })
}

fn words(text: &str) -> Option<Vec<Word>> {
    let mut words = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(first) = chars.next() {
        match first {
            ' ' | '\t' => {}
            '(' => words.push(Word::Open),
            ')' => words.push(Word::Close),
            '"' => {
                let mut quoted = String::new();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => quoted.push(chars.next()?),
                        other => quoted.push(other),
                    }
                }
                words.push(Word::Quoted(quoted));
            }
            first => {
                let mut bare = String::from(first);
                while let Some(next) = chars.next_if(|c| !matches!(c, ' ' | '(' | ')' | '"')) {
                    bare.push(next);
                }
                words.push(Word::Bare(bare));
            }
        }
    }
    Some(words)
}

fn at<'a>(document: &'a Value, path: &str) -> Vec<&'a Value> {
    let mut found = vec![document];
    for member in path.split('.') {
        found = found
            .into_iter()
            .flat_map(|value| match value {
                Value::Array(items) => items.iter().filter_map(|item| item.get(member)).collect(),
                other => other.get(member).into_iter().collect::<Vec<_>>(),
            })
            .collect();
    }
    found
}

fn compare(found: &Value, operator: Operator, wanted: &Literal) -> bool {
    let order = match (found, wanted) {
        (Value::String(found), Literal::Text(wanted)) => {
            let (found, wanted) = (found.to_lowercase(), wanted.to_lowercase());
            match operator {
                Operator::Contains => return found.contains(&wanted),
                Operator::StartsWith => return found.starts_with(&wanted),
                Operator::EndsWith => return found.ends_with(&wanted),
                _ => found.cmp(&wanted),
            }
        }
        (Value::Bool(found), Literal::Flag(wanted)) => found.cmp(wanted),
        (Value::Number(found), Literal::Number(wanted)) => match found.as_i64() {
            Some(found) => found.cmp(wanted),
            None => return false,
        },
        _ => return operator == Operator::NotEqual,
    };
    match operator {
        Operator::Equal => order.is_eq(),
        Operator::NotEqual => order.is_ne(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterOrEqual => order.is_ge(),
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Contains | Operator::StartsWith | Operator::EndsWith => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(filter: &str, holds: bool) {
        let document = json!({
            "eventType": "user.session.clear",
            "target": [{"id": "00u1", "type": "User"}, {"id": "00u2", "type": "User"}],
            "profile": {"login": "Ana@Example.com"},
        });
        let parsed = Filter::parse(filter).expect(filter);
        assert_eq!(parsed.holds(&document), holds, "{filter}");
    }

    #[test]
    fn comparisons_hold_as_the_vendor_says() {
        check(r#"eventType eq "user.session.clear""#, true);
        check(r#"target.id eq "00u2""#, true);
        check(r#"target.id eq "00u3""#, false);
        check(r#"profile.login eq "ana@example.COM""#, true);
        check(
            r#"eventType eq "x" or eventType sw "user." and target.id eq "00u1""#,
            true,
        );
        check(
            r#"(eventType eq "x" or eventType sw "user.") and target.id eq "00u9""#,
            false,
        );
        check(r#"profile.login eq "a\"b""#, false);
        check("profile.nickName pr", false);
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for bad in [
            "",
            "eventType",
            "eventType eq",
            "eventType is \"x\"",
            "(a eq \"b\"",
            "a eq \"b",
        ] {
            assert!(Filter::parse(bad).is_none(), "{bad}");
        }
    }
}
