//! How large and how deep a rule may be. Cedar's parser uses the stack without looking, and its
//! validator, when the stack runs short, passes a rule unchecked and says nothing. So what reaches
//! Cedar is bounded first, and then read on a stack that is large enough for anything within bounds.

use std::thread;

use crate::diagnostics::{Diagnostic, Diagnostics, Source};

/// All the text of one source, in bytes.
const SOURCE_LIMIT: usize = 1 << 20;
/// One rule without comments, in bytes. The longest shipped rule has a few hundred.
const RULE_LIMIT: usize = 8 << 10;
/// Brackets within brackets.
const NESTING_LIMIT: usize = 24;
/// Several times what the deepest rule within these limits needs; only what is used is ever backed
/// by memory.
const STACK: usize = 128 << 20;

/// What is too large or too deep; nothing when Cedar may read the text.
pub(super) fn check(source: &Source<'_>) -> Option<Diagnostic> {
    if source.text.len() > SOURCE_LIMIT {
        let message = format!("the text is longer than {SOURCE_LIMIT} bytes");
        return Some(Diagnostic::at(source, 0, message).help("split it, or use lists"));
    }
    let mut place = Place::Code;
    let mut depth = 0_usize;
    let mut length = 0_usize;
    let mut string_start = 0;
    let mut bytes = source.text.bytes().enumerate().peekable();
    while let Some((offset, byte)) = bytes.next() {
        place = match (place, byte) {
            (Place::Comment, b'\n' | b'\r') => Place::Code,
            (Place::Comment, _) => continue,
            (Place::String, b'\\') => {
                bytes.next();
                Place::String
            }
            (Place::String, b'"') => Place::Code,
            (Place::Code, b'"') => {
                string_start = offset;
                Place::String
            }
            (Place::Code, b'/') if bytes.peek().is_some_and(|(_, next)| *next == b'/') => {
                Place::Comment
            }
            (Place::Code, b'(' | b'[' | b'{') => {
                depth += 1;
                Place::Code
            }
            (Place::Code, b')' | b']' | b'}') => {
                depth = depth.saturating_sub(1);
                Place::Code
            }
            (Place::Code, b';') => {
                (depth, length) = (0, 0);
                Place::Code
            }
            (place, _) => place,
        };
        length += 1;
        if depth > NESTING_LIMIT {
            let message = format!("brackets are nested more than {NESTING_LIMIT} deep");
            return Some(Diagnostic::at(source, offset, message).help("split the rule"));
        }
        if length > RULE_LIMIT {
            let message = format!("the rule is longer than {RULE_LIMIT} bytes");
            return Some(Diagnostic::at(source, offset, message).help("split it, or use lists"));
        }
    }
    (place == Place::String).then(|| Diagnostic::at(source, string_start, "the string has no end"))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Code,
    Comment,
    String,
}

/// Runs `work` on a stack of its own; whatever it does to that, the caller gets an answer.
pub(super) fn on_large_stack<T: Send>(
    source: &Source<'_>,
    work: impl FnOnce() -> Result<T, Diagnostics> + Send,
) -> Result<T, Diagnostics> {
    let failed = || Diagnostics::from(Diagnostic::at(source, 0, "the rules could not be read"));
    thread::scope(|scope| {
        let reader = thread::Builder::new()
            .name("policy-load".into())
            .stack_size(STACK);
        let running = reader.spawn_scoped(scope, work).map_err(|_| failed())?;
        running.join().map_err(|_| failed())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_or_too_deep_is_refused_and_nothing_else() {
        let check = |text: &str, expected: Option<&str>| {
            let found = super::check(&Source { name: "a", text }).map(|found| found.message);
            let start: String = text.chars().take(40).collect();
            match (&found, expected) {
                (Some(found), Some(expected)) => {
                    assert!(found.contains(expected), "{start}: {found}")
                }
                _ => assert_eq!(found.as_deref(), expected, "{start}"),
            }
        };
        check("", None);
        check(&"([{".repeat(8), None);
        check(&"([{".repeat(9), Some("nested"));
        check(&"(;".repeat(1000), None);
        check(&format!("// {}", "(".repeat(10_000)), None);
        check(&format!("// a\r{}", "(".repeat(100)), Some("nested"));
        check(&format!("\"{}\"", "(".repeat(5_000)), None);
        check(r#""\"((((" ;"#, None);
        check(&"a".repeat(RULE_LIMIT), None);
        check(&"a".repeat(RULE_LIMIT + 1), Some("rule is longer"));
        check(&"a;".repeat(SOURCE_LIMIT / 2), None);
        check(&"a;".repeat(SOURCE_LIMIT), Some("text is longer"));
        check("a \"b", Some("no end"));
    }

    #[test]
    fn a_crash_while_reading_is_an_answer() {
        let source = Source {
            name: "a",
            text: "",
        };
        let result = on_large_stack::<()>(&source, || panic!("on purpose"));
        assert!(result.is_err());
    }
}
