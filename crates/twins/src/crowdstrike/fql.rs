//! The part of Falcon Query Language that the covered endpoints need: `name:'value'`, `name:!'value'`, comparisons,
//! `name:*'pa*ern'`, lists in brackets, `+` for and, `,` for or, and brackets for grouping. `+` binds tighter.
//! Values are quoted with `'` (a backslash escapes) or are bare numbers and booleans (SDK and console documentation).

use std::borrow::Cow;

use crate::clock;

/// A parsed filter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    All(Vec<Expr>),
    Any(Vec<Expr>),
    Test(Test),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Test {
    pub(crate) field: String,
    pub(crate) op: Op,
    pub(crate) wanted: Vec<Literal>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Glob,
}

/// A value in a filter, with every reading of it made once.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Literal {
    pub(crate) text: String,
    number: Option<f64>,
    time: Option<i64>,
}

/// The value a document has for a field.
#[derive(Debug)]
pub(crate) enum Value<'a> {
    Missing,
    Text(Cow<'a, str>),
    Number(f64),
    Time(i64),
    Flag(bool),
    Many(Vec<&'a str>),
}

impl<'a> Value<'a> {
    /// The value at a dotted path of a JSON document.
    pub(crate) fn of_json(
        document: &'a serde_json::Map<String, serde_json::Value>,
        path: &str,
    ) -> Self {
        let mut steps = path.split('.');
        let mut at = steps.next().and_then(|step| document.get(step));
        for step in steps {
            at = at.and_then(|value| value.get(step));
        }
        match at {
            Some(serde_json::Value::String(text)) => Self::Text(Cow::Borrowed(text)),
            Some(serde_json::Value::Number(number)) => {
                number.as_f64().map_or(Self::Missing, Self::Number)
            }
            Some(serde_json::Value::Bool(flag)) => Self::Flag(*flag),
            Some(serde_json::Value::Array(items)) => {
                Self::Many(items.iter().filter_map(|item| item.as_str()).collect())
            }
            _ => Self::Missing,
        }
    }
}

impl Expr {
    /// Whether a document matches; `value` looks a field up.
    pub(crate) fn matches<'a>(&self, value: &impl Fn(&str) -> Value<'a>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.matches(value)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(value)),
            Self::Test(test) => test.matches(&value(&test.field)),
        }
    }

    /// Tests that every matching document must pass: what an index may be asked for.
    pub(crate) fn required(&self) -> Vec<&Test> {
        match self {
            Self::All(parts) => parts.iter().flat_map(Self::required).collect(),
            Self::Any(parts) if parts.len() == 1 => parts.iter().flat_map(Self::required).collect(),
            Self::Any(_) => Vec::new(),
            Self::Test(test) => vec![test],
        }
    }

    /// The one value a field must equal in every matching document.
    pub(crate) fn required_value(&self, field: &str) -> Option<&str> {
        self.required()
            .into_iter()
            .find(|test| test.field == field && test.op == Op::Equal && test.wanted.len() == 1)
            .and_then(|test| test.wanted.first())
            .map(|wanted| wanted.text.as_str())
            .filter(|text| !text.contains('*'))
    }

    /// The instant before which no matching document lies.
    pub(crate) fn earliest(&self, field: &str) -> Option<i64> {
        self.required()
            .into_iter()
            .filter(|test| {
                test.field == field && matches!(test.op, Op::Greater | Op::GreaterOrEqual)
            })
            .filter_map(|test| test.wanted.first()?.time)
            .max()
    }

    /// Every field name the filter mentions.
    pub(crate) fn fields(&self) -> Vec<&str> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::fields).collect(),
            Self::Test(test) => vec![&test.field],
        }
    }
}

impl Test {
    fn matches(&self, value: &Value<'_>) -> bool {
        match self.op {
            Op::NotEqual => !self.wanted.iter().any(|wanted| wanted.equals(value)),
            Op::Glob => self.wanted.iter().any(|wanted| wanted.globs(value)),
            Op::Equal => self.wanted.iter().any(|wanted| wanted.equals(value)),
            op => self.wanted.iter().any(|wanted| wanted.compares(op, value)),
        }
    }
}

impl Literal {
    fn new(text: String, now: i64) -> Self {
        let number = text.parse().ok();
        let time = relative_time(&text, now).or_else(|| clock::parse_time(&text));
        Self { text, number, time }
    }

    fn equals(&self, value: &Value<'_>) -> bool {
        match value {
            Value::Missing => false,
            Value::Text(text) => self.equals_text(text),
            Value::Number(number) => self.number == Some(*number),
            Value::Time(time) => self.time == Some(*time),
            Value::Flag(flag) => self.text == if *flag { "true" } else { "false" },
            Value::Many(items) => items.iter().any(|item| self.equals_text(item)),
        }
    }

    /// A closing `*` in a plain value matches a prefix; anywhere else it is an ordinary character.
    fn equals_text(&self, text: &str) -> bool {
        text == self.text
            || self
                .text
                .strip_suffix('*')
                .is_some_and(|prefix| !prefix.contains('*') && text.starts_with(prefix))
    }

    fn globs(&self, value: &Value<'_>) -> bool {
        match value {
            Value::Text(text) => glob(&self.text, text),
            Value::Many(items) => items.iter().any(|item| glob(&self.text, item)),
            _ => false,
        }
    }

    fn compares(&self, op: Op, value: &Value<'_>) -> bool {
        let order = match value {
            Value::Time(time) => self.time.map(|wanted| time.cmp(&wanted)),
            Value::Number(number) => self.number.and_then(|wanted| number.partial_cmp(&wanted)),
            Value::Text(text) => match self.time {
                Some(wanted) => clock::parse_time(text).map(|time| time.cmp(&wanted)),
                None => Some(text.as_ref().cmp(self.text.as_str())),
            },
            _ => None,
        };
        order.is_some_and(|order| match op {
            Op::Greater => order.is_gt(),
            Op::GreaterOrEqual => order.is_ge(),
            Op::Less => order.is_lt(),
            Op::LessOrEqual => order.is_le(),
            _ => order.is_eq(),
        })
    }
}

/// `now`, `now-15m`, `now+1d`.
fn relative_time(text: &str, now: i64) -> Option<i64> {
    let rest = text.strip_prefix("now")?;
    if rest.is_empty() {
        return Some(now);
    }
    let (sign, rest) = match (rest.strip_prefix('-'), rest.strip_prefix('+')) {
        (Some(rest), _) => (-1, rest),
        (_, Some(rest)) => (1, rest),
        _ => return None,
    };
    let unit = rest.chars().next_back()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    let count: i64 = rest.strip_suffix(unit)?.parse().ok()?;
    now.checked_add(sign * count.checked_mul(seconds)?.checked_mul(1_000_000_000)?)
}

fn glob(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match text.split_once(part) {
            Some((_, after)) => text = after,
            None => return false,
        }
    }
    text.ends_with(last)
}

/// Reads a filter. The error is the position (in characters) that could not be understood.
pub(crate) fn parse(text: &str, now: i64) -> Result<Expr, usize> {
    let mut parser = Parser {
        text: text.chars().collect(),
        at: 0,
        now,
    };
    let expr = parser.any(0)?;
    parser.blanks();
    if parser.at < parser.text.len() {
        Err(parser.at)
    } else {
        Ok(expr)
    }
}

struct Parser {
    text: Vec<char>,
    at: usize,
    now: i64,
}

/// Deeper nesting than this is nobody's filter.
const DEEPEST: usize = 32;

impl Parser {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn any(&mut self, depth: usize) -> Result<Expr, usize> {
        let mut parts = vec![self.all(depth)?];
        while {
            self.blanks();
            self.take(',')
        } {
            parts.push(self.all(depth)?);
        }
        Ok(Expr::Any(parts))
    }

    fn all(&mut self, depth: usize) -> Result<Expr, usize> {
        let mut parts = vec![self.one(depth)?];
        while {
            self.blanks();
            self.take('+')
        } {
            parts.push(self.one(depth)?);
        }
        Ok(Expr::All(parts))
    }

    fn one(&mut self, depth: usize) -> Result<Expr, usize> {
        self.blanks();
        if self.take('(') {
            if depth >= DEEPEST {
                return Err(self.at);
            }
            let inner = self.any(depth + 1)?;
            self.blanks();
            return if self.take(')') {
                Ok(inner)
            } else {
                Err(self.at)
            };
        }
        let field = self.name()?;
        if !self.take(':') {
            return Err(self.at);
        }
        let op = self.op();
        self.blanks();
        let wanted = if self.take('[') {
            self.list()?
        } else {
            vec![self.value()?]
        };
        Ok(Expr::Test(Test { field, op, wanted }))
    }

    fn name(&mut self) -> Result<String, usize> {
        let start = self.at;
        while self
            .peek()
            .is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
        {
            self.at += 1;
        }
        if self.at == start {
            Err(start)
        } else {
            Ok(self.text.iter().skip(start).take(self.at - start).collect())
        }
    }

    fn op(&mut self) -> Op {
        if self.take('>') {
            if self.take('=') {
                Op::GreaterOrEqual
            } else {
                Op::Greater
            }
        } else if self.take('<') {
            if self.take('=') {
                Op::LessOrEqual
            } else {
                Op::Less
            }
        } else if self.take('!') {
            Op::NotEqual
        } else if self.take('*') {
            Op::Glob
        } else {
            // `~` is a text match; on the short values here it reads as equality.
            self.take('~');
            Op::Equal
        }
    }

    fn list(&mut self) -> Result<Vec<Literal>, usize> {
        let mut values = Vec::new();
        loop {
            self.blanks();
            values.push(self.value()?);
            self.blanks();
            if self.take(']') {
                return Ok(values);
            }
            if !self.take(',') {
                return Err(self.at);
            }
        }
    }

    fn value(&mut self) -> Result<Literal, usize> {
        let mut text = String::new();
        match self.peek() {
            Some(quote @ ('\'' | '"')) => {
                let start = self.at;
                self.at += 1;
                loop {
                    let next = self.peek().ok_or(start)?;
                    self.at += 1;
                    match next {
                        '\\' => {
                            text.push(self.peek().ok_or(start)?);
                            self.at += 1;
                        }
                        closing if closing == quote => break,
                        other => text.push(other),
                    }
                }
            }
            _ => {
                while let Some(c) = self
                    .peek()
                    .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
                {
                    text.push(c);
                    self.at += 1;
                }
                if text.is_empty() {
                    return Err(self.at);
                }
            }
        }
        Ok(Literal::new(text, self.now))
    }
}

#[cfg(test)]
mod tests {
    use super::{Expr, Value, parse};
    use serde_json::json;

    fn check(filter: &str, document: &serde_json::Value, expected: bool) {
        let parsed = parse(filter, 0);
        let document = document.as_object().cloned().unwrap_or_default();
        let found = parsed
            .as_ref()
            .map(|expr: &Expr| expr.matches(&|field| Value::of_json(&document, field)));
        assert_eq!(found, Ok(expected), "{filter}");
    }

    #[test]
    fn reads_the_operators() {
        let host = json!({"hostname": "WS-12", "severity": 60, "on": true, "tags": ["a", "b"], "device": {"x": "y"},
                          "at": "2025-01-01T00:00:00.5Z", "odd": "it's \\ here"});
        check("hostname:'WS-12'", &host, true);
        check("hostname:'ws-12'", &host, false);
        check("hostname:!'WS-12'", &host, false);
        check("hostname:'WS-*'", &host, true);
        check("hostname:'W*12'", &host, false);
        check("hostname:*'W*12'", &host, true);
        check("severity:>=60+on:true", &host, true);
        check("severity:>60,on:true", &host, true);
        check("severity:>60+on:true", &host, false);
        check("severity:<'70'", &host, true);
        check("tags:'b'", &host, true);
        check("hostname:['x','WS-12']", &host, true);
        check("device.x:'y'", &host, true);
        check("at:>'2025-01-01T00:00:00.499999999Z'", &host, true);
        check("at:>'2025-01-01T00:00:00.500Z'", &host, false);
        check("odd:'it\\'s \\\\ here'", &host, true);
        check("(hostname:'x',hostname:'WS-12')+on:true", &host, true);
        check("missing:'x'", &host, false);
        check("missing:!'x'", &host, true);
    }

    #[test]
    fn refuses_what_it_cannot_read() {
        for filter in [
            "",
            "hostname",
            "hostname:",
            "hostname:'open",
            "a:'b'+",
            "a:'b' c:'d'",
            "(a:'b'",
            ":'x'",
            "a:[]",
        ] {
            assert!(parse(filter, 0).is_err(), "{filter}");
        }
        assert!(parse(&"(".repeat(5000), 0).is_err());
    }
}
