//! Identifiers.
//!
//! Ids that Quell makes are UUIDv7, so they sort by creation time; their text form carries a
//! prefix (`act_0193…`), so that an id pasted into the wrong place is refused by name. Ids that a
//! person chooses (organization, connection) are short slugs checked on entry.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// A text that is not the id it was said to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The prefix belongs to another kind of id, or is missing.
    #[error("`{text}` is not {what}: it must start with `{prefix}_`")]
    Prefix {
        /// The text as given, cut to a readable length.
        text: String,
        /// What was expected, with its article.
        what: &'static str,
        /// The expected prefix, without the underscore.
        prefix: &'static str,
    },
    /// The part after the prefix is not 32 hexadecimal digits.
    #[error("`{text}` is not {what}: 32 hexadecimal digits must follow `{prefix}_`")]
    Digits {
        /// The text as given, cut to a readable length.
        text: String,
        /// What was expected, with its article.
        what: &'static str,
        /// The expected prefix, without the underscore.
        prefix: &'static str,
    },
    /// A slug is empty, too long or has a character outside `a-z 0-9 . _ -`.
    #[error("`{text}` is not {what}: use 1 to 64 of the characters a-z, 0-9, `.`, `_`, `-`")]
    Slug {
        /// The text as given, cut to a readable length.
        text: String,
        /// What was expected, with its article.
        what: &'static str,
    },
}

fn excerpt(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(48).collect()
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The prefix of the text form, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// Wraps an already made UUID; the source of ids is [`crate::IdSource`].
            #[must_use]
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let digits = text.strip_prefix(concat!($prefix, "_")).ok_or_else(|| IdError::Prefix {
                    text: excerpt(text),
                    what: $what,
                    prefix: $prefix,
                })?;
                // `Uuid` also reads hyphenated and braced forms; one spelling keeps ids comparable as text.
                if digits.len() == 32 && let Ok(uuid) = Uuid::try_parse(digits) {
                    return Ok(Self(uuid));
                }
                Err(IdError::Digits { text: excerpt(text), what: $what, prefix: $prefix })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "pattern": concat!("^", $prefix, "_[0-9a-f]{32}$")
                })
            }
        }
    };
}

uuid_id!(
    /// One alert as Quell stored it.
    AlertId, "alr", "an alert id"
);
uuid_id!(
    /// One incident: alerts that belong together.
    IncidentId, "inc", "an incident id"
);
uuid_id!(
    /// One action on one target.
    ActionId, "act", "an action id"
);
uuid_id!(
    /// One entry of a protection list that is kept at run time.
    ListEntryId, "lst", "a list entry id"
);
uuid_id!(
    /// One question to the person an alert is about.
    QuestionId, "que", "a question id"
);
uuid_id!(
    /// One running server process; a new one at each start.
    NodeId, "nod", "a node id"
);

macro_rules! slug_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let allowed =
                    |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
                if (1..=64).contains(&text.len()) && text.bytes().all(allowed) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(IdError::Slug { text: excerpt(text), what: $what })
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": "^[a-z0-9._-]{1,64}$" })
            }
        }
    };
}

slug_id!(
    /// One customer. Nothing crosses its border.
    OrganizationId, "an organization id"
);
slug_id!(
    /// One configured account of a connector (`crowdstrike-prod`).
    ConnectionId, "a connection id"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips() {
        let id = ActionId::new(Uuid::from_u128(0x0193_0000_0000_7000_8000_0000_0000_0001));
        assert_eq!(id.to_string(), "act_01930000000070008000000000000001");
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn refuses_the_id_of_another_kind() {
        let error = "alr_01930000000070008000000000000001"
            .parse::<ActionId>()
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "`alr_01930000000070008000000000000001` is not an action id: it must start with `act_`"
        );
    }

    #[test]
    fn refuses_a_hyphenated_uuid_so_that_ids_compare_as_text() {
        assert!(
            "act_01930000-0000-7000-8000-000000000001"
                .parse::<ActionId>()
                .is_err()
        );
    }

    #[test]
    fn refuses_slugs_that_could_break_a_path_or_a_log_line() {
        for bad in ["", "Crowd Strike", "a/b", "a\nb", "../x", &"a".repeat(65)] {
            assert!(bad.parse::<ConnectionId>().is_err(), "{bad:?} was accepted");
        }
        assert!("crowdstrike-prod.eu_1".parse::<ConnectionId>().is_ok());
    }
}
