//! Hostile text. Everything in an alert was written by somebody who may be the attacker, so it is
//! cut to a length and stripped of control characters once, when it enters the model.

/// Longest single-line text the model keeps (titles, names, paths), in characters.
pub const LINE_LIMIT: usize = 512;
/// Longest command line or description the model keeps, in characters.
pub const BLOCK_LIMIT: usize = 4096;

/// A one-line text: control and bidirectional-override characters become spaces, at most
/// [`LINE_LIMIT`] characters, a cut is marked with `…`.
#[must_use]
pub fn line(text: &str) -> String {
    clean(text, LINE_LIMIT)
}

/// As [`line()`], with room for [`BLOCK_LIMIT`] characters.
#[must_use]
pub fn block(text: &str) -> String {
    clean(text, BLOCK_LIMIT)
}

fn clean(text: &str, limit: usize) -> String {
    // Control characters could forge log lines and drive terminals; bidirectional controls could
    // make `gpj.exe` read as `exe.jpg` to the person who approves.
    let harmless = |c: char| {
        let hides = matches!(c,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
        if c.is_control() || hides { ' ' } else { c }
    };
    let mut chars = text.trim().chars();
    let mut kept: String = chars.by_ref().take(limit).map(harmless).collect();
    if chars.next().is_some() {
        kept.pop();
        kept.push('…');
    }
    kept
}

/// Nothing, if the text is one of the ways vendors spell "no value".
#[must_use]
pub fn present(text: &str) -> Option<&str> {
    let text = text.trim();
    let missing = text.is_empty()
        || text.eq_ignore_ascii_case("n/a")
        || text.eq_ignore_ascii_case("none")
        || text.eq_ignore_ascii_case("null")
        || text == "-";
    (!missing).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_cannot_forge_a_log_line_or_reverse_its_reading() {
        assert_eq!(line("a\r\nb\u{1b}[31m\u{202e}exe"), "a  b [31m exe");
    }

    #[test]
    fn long_text_is_cut_by_characters_and_the_cut_is_visible() {
        let cut = line(&"ä".repeat(LINE_LIMIT + 5));
        assert_eq!(cut.chars().count(), LINE_LIMIT);
        assert!(cut.ends_with('…'));
        assert_eq!(line(&"ä".repeat(LINE_LIMIT)).chars().last(), Some('ä'));
    }

    #[test]
    fn spellings_of_nothing_are_nothing() {
        for missing in ["", "  ", "N/A", "None", "null", "-"] {
            assert_eq!(present(missing), None);
        }
        assert_eq!(present(" x "), Some("x"));
    }
}
