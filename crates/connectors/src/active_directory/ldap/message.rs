//! Requests and replies of LDAP version 3 (RFC 4511): bind, search, modify, and what comes back.
//!
//! A filter is built from its parts and never from text, so nothing in a value can end it, widen it
//! or begin another: there is nothing to escape.

use super::ber::{ENUMERATED, INTEGER, OCTETS, Reader, SEQUENCE, SET, Writer};

const BIND: u8 = 0x60;
const BIND_RESULT: u8 = 0x61;
const UNBIND: u8 = 0x42;
const SEARCH: u8 = 0x63;
const ENTRY: u8 = 0x64;
const SEARCH_RESULT: u8 = 0x65;
const MODIFY: u8 = 0x66;
const MODIFY_RESULT: u8 = 0x67;
const REFERENCE: u8 = 0x73;
const REPLACE: i32 = 2;

/// The result codes that are decided on.
pub(crate) mod code {
    pub(crate) const SUCCESS: i64 = 0;
    pub(crate) const OPERATIONS_ERROR: i64 = 1;
    pub(crate) const TIME_LIMIT: i64 = 3;
    pub(crate) const SIZE_LIMIT: i64 = 4;
    pub(crate) const STRONGER_AUTH: i64 = 8;
    pub(crate) const REFERRAL: i64 = 10;
    pub(crate) const ADMIN_LIMIT: i64 = 11;
    pub(crate) const CONSTRAINT: i64 = 19;
    pub(crate) const NO_SUCH_OBJECT: i64 = 32;
    pub(crate) const INVALID_CREDENTIALS: i64 = 49;
    pub(crate) const NO_RIGHTS: i64 = 50;
    pub(crate) const BUSY: i64 = 51;
    pub(crate) const UNAVAILABLE: i64 = 52;
    pub(crate) const UNWILLING: i64 = 53;
}

/// Which entries a search is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scope {
    /// The entry named.
    Base = 0,
    /// It and all below it.
    Subtree = 2,
}

/// A condition on entries.
#[derive(Debug, Clone)]
pub(crate) enum Filter {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    /// The attribute is there.
    Has(&'static str),
    /// An attribute has the value, by the directory's own rule of what is equal.
    Is(&'static str, Vec<u8>),
    /// An attribute matches the value by the rule with this object identifier.
    Matches(&'static str, &'static str, Vec<u8>),
}

impl Filter {
    pub(crate) fn is(attribute: &'static str, value: &str) -> Self {
        Self::Is(attribute, value.as_bytes().to_vec())
    }

    fn write(&self, to: &mut Writer) {
        match self {
            Self::All(parts) => to.nested(0xa0, |to| parts.iter().for_each(|part| part.write(to))),
            Self::Any(parts) => to.nested(0xa1, |to| parts.iter().for_each(|part| part.write(to))),
            Self::Not(part) => to.nested(0xa2, |to| part.write(to)),
            Self::Has(attribute) => to.octets(0x87, attribute.as_bytes()),
            Self::Is(attribute, value) => to.nested(0xa3, |to| {
                to.octets(OCTETS, attribute.as_bytes());
                to.octets(OCTETS, value);
            }),
            Self::Matches(rule, attribute, value) => to.nested(0xa9, |to| {
                to.octets(0x81, rule.as_bytes());
                to.octets(0x82, attribute.as_bytes());
                to.octets(0x83, value);
            }),
        }
    }
}

/// What to look for.
#[derive(Debug)]
pub(crate) struct Search<'a> {
    pub(crate) base: &'a str,
    pub(crate) scope: Scope,
    pub(crate) filter: Filter,
    pub(crate) attributes: &'a [&'a str],
    /// Most entries wanted. Where one more would change the answer, ask for it too.
    pub(crate) most: i32,
}

/// One request. It may hold a password, so it has no `Debug`.
pub(super) enum Request<'a> {
    Bind {
        name: &'a str,
        password: &'a str,
    },
    Search(&'a Search<'a>),
    /// Replaces all values of each attribute, all at once or not at all.
    Replace {
        name: &'a str,
        values: &'a [(&'a str, &'a [u8])],
    },
    Unbind,
}

impl Request<'_> {
    pub(super) fn encode(&self, id: i32) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.nested(SEQUENCE, |to| {
            to.integer(INTEGER, id);
            self.write(to);
        });
        writer.finish()
    }

    fn write(&self, to: &mut Writer) {
        match self {
            Self::Bind { name, password } => to.nested(BIND, |to| {
                to.integer(INTEGER, 3);
                to.octets(OCTETS, name.as_bytes());
                to.octets(0x80, password.as_bytes());
            }),
            Self::Search(search) => to.nested(SEARCH, |to| {
                to.octets(OCTETS, search.base.as_bytes());
                to.integer(ENUMERATED, search.scope as i32);
                // Aliases are not followed; Active Directory has none.
                to.integer(ENUMERATED, 0);
                to.integer(INTEGER, search.most);
                to.integer(INTEGER, 0);
                to.boolean(false);
                search.filter.write(to);
                to.nested(SEQUENCE, |to| {
                    for attribute in search.attributes {
                        to.octets(OCTETS, attribute.as_bytes());
                    }
                });
            }),
            Self::Replace { name, values } => to.nested(MODIFY, |to| {
                to.octets(OCTETS, name.as_bytes());
                to.nested(SEQUENCE, |to| {
                    for (attribute, value) in *values {
                        to.nested(SEQUENCE, |to| {
                            to.integer(ENUMERATED, REPLACE);
                            to.nested(SEQUENCE, |to| {
                                to.octets(OCTETS, attribute.as_bytes());
                                to.nested(SET, |to| to.octets(OCTETS, value));
                            });
                        });
                    }
                });
            }),
            Self::Unbind => to.octets(UNBIND, &[]),
        }
    }
}

/// One reply.
#[derive(Debug)]
pub(super) enum Reply {
    Entry(Entry),
    /// Another server may hold more. Not followed: it may be anybody's.
    Elsewhere,
    Done(Outcome),
    /// Nothing that was asked for.
    Other,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) code: i64,
    /// The server's words, for the codes in them. They are never decided on and never repeated.
    pub(super) words: String,
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

/// The id a reply belongs to, and the reply. `None` when it is not LDAP.
pub(super) fn decode(message: &[u8]) -> Option<(i64, Reply)> {
    let mut message = Reader(Reader(message).expect(SEQUENCE)?);
    let id = message.integer(INTEGER)?;
    let (tag, content) = message.next()?;
    let reply = match tag {
        ENTRY => Reply::Entry(entry(Reader(content))?),
        REFERENCE => Reply::Elsewhere,
        BIND_RESULT | SEARCH_RESULT | MODIFY_RESULT => {
            let mut result = Reader(content);
            let code = result.integer(ENUMERATED)?;
            let _matched = result.text(OCTETS)?;
            let words = result.text(OCTETS)?;
            Reply::Done(Outcome { code, words })
        }
        _ => Reply::Other,
    };
    Some((id, reply))
}

fn entry(mut content: Reader<'_>) -> Option<Entry> {
    let name = content.text(OCTETS)?;
    let mut list = Reader(content.expect(SEQUENCE)?);
    let mut attributes = Vec::new();
    while !list.0.is_empty() {
        let mut attribute = Reader(list.expect(SEQUENCE)?);
        let kind = attribute.text(OCTETS)?;
        let mut set = Reader(attribute.expect(SET)?);
        let mut values = Vec::new();
        while !set.0.is_empty() {
            values.push(set.expect(OCTETS)?.to_vec());
        }
        attributes.push((kind, values));
    }
    Some(Entry { name, attributes })
}

/// An entry of the directory with the attributes asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entry {
    /// Its distinguished name.
    pub(crate) name: String,
    attributes: Vec<(String, Vec<Vec<u8>>)>,
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
    use proptest::prelude::*;

    use super::*;

    fn reply(tag: u8, fill: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.nested(SEQUENCE, |to| {
            to.integer(INTEGER, 7);
            to.nested(tag, fill);
        });
        writer.finish()
    }

    #[test]
    fn a_value_full_of_filter_characters_is_one_value() {
        let hostile = "*)(objectClass=*))(|(cn=\0\\";
        let search = Search {
            base: "DC=corp",
            scope: Scope::Subtree,
            filter: Filter::is("sAMAccountName", hostile),
            attributes: &["objectGUID"],
            most: 2,
        };
        let bytes = Request::Search(&search).encode(1);
        let mut message = Reader(Reader(&bytes).expect(SEQUENCE).unwrap());
        assert_eq!(message.integer(INTEGER), Some(1));
        let mut search = Reader(message.expect(SEARCH).unwrap());
        assert_eq!(search.text(OCTETS).as_deref(), Some("DC=corp"));
        for _ in 0..5 {
            search.next().unwrap();
        }
        let mut filter = Reader(search.expect(0xa3).unwrap());
        assert_eq!(filter.text(OCTETS).as_deref(), Some("sAMAccountName"));
        assert_eq!(filter.text(OCTETS).as_deref(), Some(hostile));
        assert!(filter.0.is_empty());
    }

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
        let bytes = reply(ENTRY, |to| {
            to.octets(OCTETS, b"CN=Bob,DC=corp");
            to.nested(SEQUENCE, |to| {
                to.nested(SEQUENCE, |to| {
                    to.octets(OCTETS, b"userAccountControl");
                    to.nested(SET, |to| to.octets(OCTETS, b"514"));
                });
                to.nested(SEQUENCE, |to| {
                    to.octets(OCTETS, b"objectGUID");
                    to.nested(SET, |to| to.octets(OCTETS, &[0xff, 0]));
                });
            });
        });
        let Some((7, Reply::Entry(entry))) = decode(&bytes) else {
            panic!("not an entry");
        };
        assert_eq!(entry.name, "CN=Bob,DC=corp");
        assert_eq!(entry.number("useraccountcontrol"), Some(514));
        assert_eq!(entry.bytes("objectGUID"), Some([0xff, 0].as_slice()));
        assert_eq!(entry.text("objectGUID"), None);
        assert!(entry.all("mail").is_empty());
    }

    proptest! {
        #[test]
        fn no_bytes_make_decoding_panic(bytes: Vec<u8>, tag: u8) {
            decode(&bytes);
            decode(&reply(tag, |to| to.octets(OCTETS, &bytes)));
        }
    }
}
