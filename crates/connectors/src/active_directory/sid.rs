//! How Active Directory tells things apart: security identifiers and object GUIDs.

use std::fmt;

/// A security identifier (`S-1-5-21-…-1104`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sid {
    authority: u64,
    parts: Vec<u32>,
}

impl Sid {
    /// Reads the bytes of `objectSid`.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (head, rest) = bytes.split_at_checked(8)?;
        let [1, count, authority @ ..] = head else {
            return None;
        };
        let authority = authority
            .iter()
            .fold(0, |all, byte| all << 8 | u64::from(*byte));
        let (words, odd) = rest.as_chunks::<4>();
        if !odd.is_empty() || words.len() != usize::from(*count) {
            return None;
        }
        let parts = words.iter().map(|word| u32::from_le_bytes(*word)).collect();
        Some(Self { authority, parts })
    }

    /// Reads the written form.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut words = text.trim().split('-');
        let prefix = (words.next()?, words.next()?);
        if !prefix.0.eq_ignore_ascii_case("s") || prefix.1 != "1" {
            return None;
        }
        let number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
        let authority = words.next().filter(|word| number(word))?.parse().ok()?;
        let parts: Vec<u32> = words
            .map(|word| word.parse().ok().filter(|_| number(word)))
            .collect::<Option<_>>()?;
        // The longest there are have 15 parts.
        let fits = authority < 1 << 48 && (1..=15).contains(&parts.len());
        fits.then_some(Self { authority, parts })
    }

    /// The last part, which tells apart what is in one domain.
    pub(super) fn relative(&self) -> Option<u32> {
        self.parts.last().copied()
    }

    /// The identifier with another last part: somebody else of the same domain.
    pub(super) fn sibling(&self, relative: u32) -> Self {
        let mut sibling = self.clone();
        if let Some(last) = sibling.parts.last_mut() {
            *last = relative;
        }
        sibling
    }

    /// Whether it was given out by a domain, and not by Windows for every one of them.
    pub(super) fn of_a_domain(&self) -> bool {
        self.authority == 5 && self.parts.first() == Some(&21) && self.parts.len() == 5
    }

    /// The last part of a group that every Windows has (`S-1-5-32-544`).
    pub(super) fn built_in(&self) -> Option<u32> {
        match (self.authority, self.parts.as_slice()) {
            (5, [32, relative]) => Some(*relative),
            _ => None,
        }
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S-1-{}", self.authority)?;
        self.parts.iter().try_for_each(|part| write!(f, "-{part}"))
    }
}

/// Which end of each group of a GUID comes first: the first three are numbers, least byte first.
const GUID: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

/// The written form of the bytes of `objectGUID`.
pub(super) fn guid(bytes: &[u8]) -> Option<String> {
    let mut text = String::new();
    for (place, from) in GUID.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{:02x}", bytes.get(*from)?));
    }
    (bytes.len() == GUID.len()).then_some(text)
}

/// A written GUID in its one form, with or without braces.
pub(super) fn parse_guid(text: &str) -> Option<String> {
    let text = text.trim();
    let inner = text
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    let text = inner.unwrap_or(text).to_ascii_lowercase();
    let lengths = text.split('-').map(str::len);
    let hexadecimal = |c: char| c == '-' || c.is_ascii_hexdigit();
    (lengths.eq([8, 4, 4, 4, 12]) && text.chars().all(hexadecimal)).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BYTES: [u8; 28] = [
        1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0xf4, 1, 0, 0,
    ];

    #[test]
    fn a_security_identifier_is_the_same_as_bytes_and_as_text() {
        let sid = Sid::from_bytes(&BYTES).unwrap();
        assert_eq!(sid.to_string(), "S-1-5-21-1-2-3-500");
        assert_eq!(Sid::parse("s-1-5-21-1-2-3-500"), Some(sid.clone()));
        assert_eq!(sid.relative(), Some(500));
        assert_eq!(sid.sibling(512).to_string(), "S-1-5-21-1-2-3-512");
        assert!(sid.of_a_domain());
        assert_eq!(Sid::parse("S-1-5-32-544").unwrap().built_in(), Some(544));
    }

    #[test]
    fn what_is_not_exactly_an_identifier_is_none() {
        for bad in [
            "",
            "S-1",
            "S-1-5",
            "S-2-5-21",
            "S-1-5-x",
            "S-1-5-21-1)(cn=*",
            "S-1-5-+1",
            "S-1-5-21-99999999999",
            "5-21-1-2-3-500",
        ] {
            assert_eq!(Sid::parse(bad), None, "{bad}");
        }
        for bad in [&BYTES[..27], &BYTES[..7], &[]] {
            assert_eq!(Sid::from_bytes(bad), None);
        }
        for bad in [
            "",
            "{}",
            "83e0e024",
            "83e0e024-9ab9-498c-8d3b-6c3bbeb8db2>",
            "+3e0e024-9ab9-498c-8d3b-6c3bbeb8db23",
        ] {
            assert_eq!(parse_guid(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_guid_s_first_groups_are_little_endian() {
        let bytes = [
            0x24, 0xe0, 0xe0, 0x83, 0xb9, 0x9a, 0x8c, 0x49, 0x8d, 0x3b, 0x6c, 0x3b, 0xbe, 0xb8,
            0xdb, 0x23,
        ];
        let text = "83e0e024-9ab9-498c-8d3b-6c3bbeb8db23";
        assert_eq!(guid(&bytes).as_deref(), Some(text));
        assert_eq!(
            parse_guid(&format!("{{{}}}", text.to_uppercase())).as_deref(),
            Some(text)
        );
        assert_eq!(guid(&bytes[1..]), None);
    }

    proptest! {
        #[test]
        fn what_is_read_from_bytes_is_read_from_its_text_again(
            authority: [u8; 6],
            parts in prop::collection::vec(any::<u32>(), 1..=15),
        ) {
            let count = u8::try_from(parts.len()).unwrap();
            let parts: Vec<u8> = parts.into_iter().flat_map(u32::to_le_bytes).collect();
            let sid = Sid::from_bytes(&[&[1, count], authority.as_slice(), &parts].concat());
            prop_assert!(sid.is_some());
            prop_assert_eq!(Sid::parse(&sid.clone().unwrap().to_string()), sid);
        }

        #[test]
        fn no_text_makes_reading_panic(text: String) {
            Sid::parse(&text);
            parse_guid(&text);
        }
    }
}
