//! What comes back: entries, and how a request ended.

use ldap3::{LdapResult, SearchEntry};

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) code: u32,
    /// The server's words, for the codes in them. They are never decided on and never repeated.
    words: String,
}

impl From<LdapResult> for Outcome {
    fn from(result: LdapResult) -> Self {
        Self {
            code: result.rc,
            words: result.text,
        }
    }
}

impl Outcome {
    /// The Windows error code the words of an Active Directory begin with (`0000052D`).
    pub(crate) fn windows(&self) -> Option<&str> {
        let code = self.words.get(..8)?;
        code.bytes()
            .all(|byte| byte.is_ascii_hexdigit())
            .then_some(code)
    }

    /// Why a sign-in was refused (`775`).
    pub(crate) fn data(&self) -> Option<&str> {
        let (_, rest) = self.words.split_once(", data ")?;
        let code = rest.split(',').next()?.trim();
        (!code.is_empty() && code.len() <= 8 && code.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .then_some(code)
    }
}

/// An entry of the directory with the attributes asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entry {
    /// Its distinguished name.
    pub(crate) name: String,
    attributes: Vec<(String, Vec<Vec<u8>>)>,
}

impl From<SearchEntry> for Entry {
    /// Puts texts and bytes together again: which of the two a value looks like is chance.
    fn from(found: SearchEntry) -> Self {
        let bytes = |values: Vec<String>| values.into_iter().map(String::into_bytes).collect();
        let texts = found.attrs.into_iter();
        let texts = texts.map(|(name, values)| (name, bytes(values)));
        Self {
            name: found.dn,
            attributes: texts.chain(found.bin_attrs).collect(),
        }
    }
}

impl Entry {
    /// All values of an attribute; none when it is not there or may not be read.
    pub(crate) fn all(&self, attribute: &str) -> &[Vec<u8>] {
        self.attributes
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(attribute))
            .map_or(&[], |(_, values)| values)
    }

    pub(crate) fn bytes(&self, attribute: &str) -> Option<&[u8]> {
        self.all(attribute).first().map(Vec::as_slice)
    }

    pub(crate) fn text(&self, attribute: &str) -> Option<&str> {
        std::str::from_utf8(self.bytes(attribute)?).ok()
    }

    pub(crate) fn number(&self, attribute: &str) -> Option<i64> {
        self.text(attribute)?.parse().ok()
    }

    /// Whether one of the values is this text.
    pub(crate) fn holds(&self, attribute: &str, text: &str) -> bool {
        self.all(attribute)
            .iter()
            .any(|value| value.eq_ignore_ascii_case(text.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_in_the_words_and_nothing_else_is_taken_for_one() {
        let outcome = |words: &str| Outcome {
            code: 49,
            words: words.to_owned(),
        };
        let refused = outcome(
            "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 533, v1db1",
        );
        assert_eq!(refused.data(), Some("533"));
        assert_eq!(refused.windows(), Some("80090308"));
        for odd in [
            "",
            "denied",
            "no data here",
            "x, data <secret>, v1",
            "pass wörd",
        ] {
            assert_eq!(outcome(odd).data(), None, "{odd}");
            assert_eq!(outcome(odd).windows(), None, "{odd}");
        }
    }

    #[test]
    fn an_entry_has_texts_numbers_and_bytes_by_name_in_any_case() {
        let texts = [("userAccountControl".to_owned(), vec!["514".to_owned()])];
        let bytes = [("objectGUID".to_owned(), vec![vec![0xff, 0]])];
        let entry = Entry::from(SearchEntry {
            dn: "CN=Bob,DC=corp".to_owned(),
            attrs: texts.into(),
            bin_attrs: bytes.into(),
        });
        assert_eq!(entry.name, "CN=Bob,DC=corp");
        assert_eq!(entry.number("useraccountcontrol"), Some(514));
        assert_eq!(entry.bytes("userAccountControl"), Some(b"514".as_slice()));
        assert_eq!(entry.bytes("objectGUID"), Some([0xff, 0].as_slice()));
        assert_eq!(entry.text("objectGUID"), None);
        assert!(entry.all("mail").is_empty());
    }
}
