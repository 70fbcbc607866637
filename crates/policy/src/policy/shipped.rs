//! The hand-written rules that ship, one by one: which of them an organization may leave out, and the
//! text that is left then.
//!
//! A rule that carries `@fixed` stays, for the reason it gives: without it a list would protect nothing,
//! or a machine would go down. The others are judgement, and an organization may judge otherwise.

use std::collections::BTreeSet;
use std::ops::Range;
use std::str::FromStr;
use std::sync::LazyLock;

use cedar_policy::PolicySet;

use super::DEFAULT;
use crate::diagnostics::suggestion;

struct Shipped {
    id: String,
    /// Why it cannot be left out.
    fixed: Option<String>,
    /// Where it stands in its text, in bytes.
    place: Range<usize>,
}

static RULES: LazyLock<Vec<Shipped>> = LazyLock::new(|| {
    // A shipped text that does not load is caught by a test, and nothing can be left out of it.
    let set = PolicySet::from_str(DEFAULT.text).unwrap_or_default();
    let rules = set.policies().filter_map(|rule| {
        let place = rule.as_ref().loc()?;
        Some(Shipped {
            id: rule.annotation("id")?.to_owned(),
            fixed: rule.annotation("fixed").map(str::to_owned),
            place: place.start()..place.end(),
        })
    });
    rules.collect()
});

/// Why the rule of this name cannot be left out, and what to do about it; nothing when it can be.
pub(crate) fn refusal(id: &str) -> Option<(String, String)> {
    let Some(rule) = RULES.iter().find(|rule| rule.id == id) else {
        let known: Vec<&str> = RULES
            .iter()
            .filter(|rule| rule.fixed.is_none())
            .map(|rule| rule.id.as_str())
            .collect();
        let message = format!(
            "no hand-written rule that ships is named `{}`",
            quell_model::text::line(id)
        );
        return Some((message, suggestion(id, &known)));
    };
    let why = rule.fixed.as_deref()?;
    let message = format!("`{id}` cannot be left out: {why}");
    Some((message, "remove it from the list".to_owned()))
}

/// The shipped text without these rules. Everything else stays on its line.
pub(super) fn without(off: &BTreeSet<String>) -> String {
    let mut text = DEFAULT.text.to_owned();
    for rule in RULES.iter().filter(|rule| off.contains(&rule.id)) {
        if let Some(part) = text.get(rule.place.clone()) {
            let blank: String = part
                .bytes()
                .map(|byte| if byte == b'\n' { '\n' } else { ' ' })
                .collect();
            text.replace_range(rule.place.clone(), &blank);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_judgement_can_be_left_out() {
        let free: Vec<&str> = RULES
            .iter()
            .filter(|rule| refusal(&rule.id).is_none())
            .map(|rule| rule.id.as_str())
            .collect();
        assert_eq!(
            free,
            ["ask-ban-well-known", "ask-ban-common", "ask-ban-unnamed"]
        );
        let matrix = crate::Settings::builtin_source().text;
        assert!(
            free.iter().all(|id| matrix.contains(id)),
            "policy.toml names them"
        );
        assert_eq!(RULES.len(), DEFAULT.text.matches("@id(").count());
    }

    #[test]
    fn what_is_left_stays_on_its_line() {
        let off = BTreeSet::from(["ask-ban-common".to_owned()]);
        let text = without(&off);
        assert_eq!(text.len(), DEFAULT.text.len());
        assert!(!text.contains("ask-ban-common"));
        let differing: Vec<&str> = DEFAULT
            .text
            .lines()
            .zip(text.lines())
            .filter(|(before, after)| before != after)
            .map(|(before, _)| before.get(..3).unwrap_or(before))
            .collect();
        assert_eq!(differing, ["@id", "for", "whe"]);
        assert_eq!(without(&BTreeSet::new()), DEFAULT.text);
    }
}
