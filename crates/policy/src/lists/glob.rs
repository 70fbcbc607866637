//! Text with wildcards. Owns how `*` and `?` are matched; which text is asked about is the index's
//! business.

/// A pattern for a whole text: `*` stands for any characters or none, `?` for exactly one. There is
/// no way to write a literal `*` or `?`; no name that is matched here needs one.
///
/// Nothing is ever tried twice: each piece between two `*` takes its leftmost place, because a later
/// place leaves less text for the pieces after it. A piece without `?` is found in linear time; one
/// with `?` costs at most its length for each character of the text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Glob {
    first: String,
    /// The pieces between the first and the last `*`, without empty ones.
    middle: Vec<String>,
    /// Nothing when there is no `*` at all.
    last: Option<String>,
    /// The letters a match has to have.
    needs: Letters,
}

/// Which letters a text has, one bit for all that share it. It cannot tell that a text fits a
/// pattern, but nearly always at once that it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Letters(u64);

impl Letters {
    pub(super) fn of(text: &str) -> Self {
        Self(
            text.chars()
                .fold(0, |bits, letter| bits | 1 << (u32::from(letter) % 64)),
        )
    }
}

/// Whether a value is a pattern.
pub(super) fn is_glob(value: &str) -> bool {
    value.contains(['*', '?'])
}

/// A text as it is compared: in lower case, one character at a time. (`str::to_lowercase` looks at a
/// letter's neighbours, and a piece of a pattern has other neighbours than the same piece of a text.)
pub(super) fn fold(text: &str) -> String {
    if text.is_ascii() {
        text.to_ascii_lowercase()
    } else {
        text.chars().flat_map(char::to_lowercase).collect()
    }
}

impl Glob {
    /// The pattern for a folded text.
    pub(super) fn new(folded: &str) -> Self {
        let literal: String = folded.chars().filter(|c| !matches!(c, '*' | '?')).collect();
        let mut pieces = folded.split('*').map(str::to_owned);
        let first = pieces.next().unwrap_or_default();
        let last = pieces.next_back();
        let middle = pieces.filter(|piece| !piece.is_empty()).collect();
        Self {
            first,
            middle,
            last,
            needs: Letters::of(&literal),
        }
    }

    /// Whether a text with these letters may fit; to be asked before [`Self::matches`].
    pub(super) const fn may_match(&self, letters: Letters) -> bool {
        self.needs.0 & !letters.0 == 0
    }

    /// The character every match begins with, where the pattern says.
    pub(super) fn initial(&self) -> Option<char> {
        self.first.chars().next().filter(|first| *first != '?')
    }

    /// Whether the whole of a folded text fits.
    pub(super) fn matches(&self, text: &str) -> bool {
        self.rest(text) == Some("")
    }

    /// Nothing when the text does not fit, else the empty text.
    fn rest<'a>(&self, text: &'a str) -> Option<&'a str> {
        let mut text = without_start(text, &self.first)?;
        let Some(last) = &self.last else {
            return Some(text);
        };
        text = without_end(text, last)?;
        for piece in &self.middle {
            text = after(text, piece)?;
        }
        Some("")
    }
}

fn without_start<'a>(text: &'a str, piece: &str) -> Option<&'a str> {
    let mut rest = text.chars();
    let mut wanted = piece.chars();
    let found = wanted.all(|wanted| rest.next().is_some_and(|found| fits(wanted, found)));
    found.then_some(rest.as_str())
}

fn without_end<'a>(text: &'a str, piece: &str) -> Option<&'a str> {
    let mut rest = text.chars();
    let mut wanted = piece.chars().rev();
    let found = wanted.all(|wanted| rest.next_back().is_some_and(|found| fits(wanted, found)));
    found.then_some(rest.as_str())
}

/// What follows the leftmost place of `piece`.
fn after<'a>(text: &'a str, piece: &str) -> Option<&'a str> {
    if !piece.contains('?') {
        return text.split_once(piece).map(|(_, rest)| rest);
    }
    let mut from = text.chars();
    loop {
        if let Some(rest) = without_start(from.as_str(), piece) {
            return Some(rest);
        }
        from.next()?;
    }
}

const fn fits(wanted: char, found: char) -> bool {
    wanted == '?' || wanted == found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        let (glob, text) = (Glob::new(&fold(pattern)), fold(text));
        glob.may_match(Letters::of(&text)) && glob.matches(&text)
    }

    /// The definition, by trying everything.
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|skip| naive(rest, &text[skip..])),
            Some((wanted, rest)) => text
                .split_first()
                .is_some_and(|(found, text)| fits(*wanted, *found) && naive(rest, text)),
        }
    }

    #[test]
    fn a_pattern_is_anchored_and_knows_no_case() {
        for (pattern, text, expected) in [
            ("dc-*", "DC-01", true),
            ("dc-*", "xdc-01", false),
            ("*-dc", "fra-DC", true),
            ("*-dc", "fra-dc1", false),
            ("srv-??", "srv-01", true),
            ("srv-??", "srv-001", false),
            ("*a*b*", "xaxbx", true),
            ("ab*ba", "aba", false),
            ("*", "", true),
            ("?", "", false),
            ("?", "ß", true),
            ("*σ*", "ΑΣ", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_made_to_be_slow_is_not() {
        let pattern = format!("{}b", "*a".repeat(255));
        let glob = Glob::new(&pattern);
        for _ in 0..100 {
            assert!(!glob.matches(&"a".repeat(512)));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_pattern_matches_what_its_definition_says(pattern in "[ab*?]{0,8}", text in "[abé]{0,9}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(matches(&pattern, &text), naive(&chars(&pattern), &chars(&text)));
        }

        #[test]
        fn no_pattern_and_no_text_makes_it_stumble(pattern in any::<String>(), text in any::<String>()) {
            let _ = matches(&pattern, &text);
            prop_assert!(matches("*", &text));
        }
    }
}
