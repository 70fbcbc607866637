//! Replies of the Admin API, as far as they are read.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::lenient::{List, Number, Text, or_default};

/// What surrounds every reply. A failure may come with any status.
#[derive(Debug, Deserialize)]
#[serde(expecting = "a reply (a JSON object)")]
pub(super) struct Envelope<T> {
    #[serde(default)]
    pub(super) stat: Text,
    #[serde(default = "Option::default")]
    pub(super) response: Option<T>,
    #[serde(default)]
    pub(super) code: Number,
    #[serde(default)]
    pub(super) message: Text,
    #[serde(default)]
    pub(super) message_detail: Text,
}

/// A user.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct User {
    pub(super) user_id: Text,
    pub(super) username: Text,
    #[serde(deserialize_with = "or_default")]
    pub(super) aliases: BTreeMap<String, Text>,
    pub(super) alias1: Text,
    pub(super) alias2: Text,
    pub(super) alias3: Text,
    pub(super) alias4: Text,
    pub(super) email: Text,
    pub(super) status: Text,
    pub(super) groups: List<Group>,
    pub(super) last_directory_sync: Text,
}

/// A group a user is in.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Group {
    pub(super) name: Text,
}

impl User {
    /// Whether the user goes by `name`: Duo compares names without case.
    pub(super) fn goes_by(&self, name: &str) -> bool {
        let own = [
            &self.username,
            &self.alias1,
            &self.alias2,
            &self.alias3,
            &self.alias4,
        ];
        let mut names = own.into_iter().chain(self.aliases.values());
        names.any(|own| own.raw().is_some_and(|own| same(own, name)))
    }

    /// Whether `address` is the user's.
    pub(super) fn receives(&self, address: &str) -> bool {
        self.email.raw().is_some_and(|own| same(own, address))
    }
}

fn same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

/// A page of Trust Monitor events.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Events {
    pub(super) events: Vec<Box<RawValue>>,
    #[serde(deserialize_with = "or_default")]
    pub(super) metadata: Offset,
}

/// A page of the authentication log.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AuthenticationLog {
    pub(super) authlogs: Vec<Box<RawValue>>,
    #[serde(deserialize_with = "or_default")]
    pub(super) metadata: Offset,
}

/// Where the next page begins: a text, a number, or a pair of texts to be joined.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Offset {
    next_offset: List<Text>,
}

impl Offset {
    /// As the next request wants it.
    pub(super) fn next(&self) -> Option<String> {
        let parts: Vec<&str> = self.next_offset.iter().filter_map(Text::raw).collect();
        (!parts.is_empty()).then(|| parts.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_in_every_form_it_is_given_in() {
        let next = |json: &str| serde_json::from_str::<Offset>(json).unwrap().next();
        assert_eq!(
            next(r#"{"next_offset":"1591014"}"#).as_deref(),
            Some("1591014")
        );
        assert_eq!(next(r#"{"next_offset":300}"#).as_deref(), Some("300"));
        let pair = r#"{"next_offset":["1532951895000","af0ba235"]}"#;
        assert_eq!(next(pair).as_deref(), Some("1532951895000,af0ba235"));
        for last in ["{}", r#"{"next_offset":null}"#, r#"{"next_offset":[]}"#] {
            assert_eq!(next(last), None, "{last}");
        }
    }
}
