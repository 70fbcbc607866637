//! Members as vendors really send them: texts that are numbers, numbers and booleans that are
//! texts, lists that are `null`. A type that cannot be meant is still an error, with its JSON path.

use std::fmt;
use std::marker::PhantomData;

use quell_model::text;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, IgnoredAny, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Longest list that is kept; the rest is read over.
const LONGEST_LIST: usize = 256;

/// A text, or a number or boolean to be read as one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Text(Option<String>);

impl Text {
    /// The text as it came, unless it is one of the spellings of nothing.
    pub(crate) fn raw(&self) -> Option<&str> {
        self.0.as_deref().and_then(text::present)
    }

    /// The text with its white space, empty when there is none.
    pub(crate) fn as_written(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    /// One harmless line.
    pub(crate) fn line(&self) -> Option<String> {
        self.raw().map(text::line).filter(|text| !text.is_empty())
    }

    /// A harmless longer text.
    pub(crate) fn block(&self) -> Option<String> {
        self.raw().map(text::block).filter(|text| !text.is_empty())
    }
}

/// A whole number, or a text that holds one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Number(pub(crate) Option<i64>);

/// Yes or no, or a text that says so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Flag(Option<bool>);

impl Flag {
    /// Whether the document says yes.
    pub(crate) fn is_set(self) -> bool {
        self.0 == Some(true)
    }
}

/// For `deserialize_with`: the default where the document says `null`.
pub(crate) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    from: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// A list, a single item, or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct List<T>(pub(crate) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> List<T> {
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }
}

macro_rules! scalar {
    ($type:ident, $visitor:ident) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_any($visitor)
            }
        }

        struct $visitor;
    };
}

scalar!(Text, TextVisitor);
scalar!(Number, NumberVisitor);
scalar!(Flag, FlagVisitor);

macro_rules! nothing {
    ($value:expr) => {
        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
            Ok($value)
        }
    };
}

impl Visitor<'_> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    nothing!(Text(None));

    fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
        Ok(Text(Some(text.to_owned())))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Text, E> {
        Ok(Text(Some(text)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Text, E> {
        Ok(Text(Some(number.to_string())))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Text, E> {
        Ok(Text(Some(number.to_string())))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Text, E> {
        Ok(Text(Some(number.to_string())))
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Text, E> {
        Ok(Text(Some(flag.to_string())))
    }
}

impl Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    nothing!(Number(None));

    fn visit_i64<E: Error>(self, number: i64) -> Result<Number, E> {
        Ok(Number(Some(number)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Number, E> {
        Ok(Number(Some(i64::try_from(number).unwrap_or(i64::MAX))))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Number, E> {
        // A number no 64-bit integer holds is no count or score of anything.
        Ok(Number(format!("{number:.0}").parse().ok()))
    }

    fn visit_str<E: Error>(self, given: &str) -> Result<Number, E> {
        let Some(given) = text::present(given) else {
            return Ok(Number(None));
        };
        let number = given.parse().ok();
        let number = number.or_else(|| {
            given
                .parse()
                .ok()
                .and_then(|n: f64| format!("{n:.0}").parse().ok())
        });
        match number {
            Some(number) => Ok(Number(Some(number))),
            None => Err(E::custom(format!(
                "`{}` is not a number",
                text::line(given)
            ))),
        }
    }
}

impl Visitor<'_> for FlagVisitor {
    type Value = Flag;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true or false")
    }

    nothing!(Flag(None));

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Flag, E> {
        Ok(Flag(Some(flag)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Flag, E> {
        Ok(Flag(Some(number != 0)))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Flag, E> {
        Ok(Flag(Some(number != 0)))
    }

    fn visit_str<E: Error>(self, given: &str) -> Result<Flag, E> {
        let Some(given) = text::present(given) else {
            return Ok(Flag(None));
        };
        match given.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Ok(Flag(Some(true))),
            "false" | "no" | "0" => Ok(Flag(Some(false))),
            _ => Err(E::custom(format!(
                "`{}` is neither true nor false",
                text::line(given)
            ))),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = List<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    nothing!(List(Vec::new()));

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<List<T>, A::Error> {
        let mut kept = Vec::new();
        while kept.len() < LONGEST_LIST {
            match items.next_element::<Option<T>>()? {
                Some(item) => kept.extend(item),
                None => return Ok(List(kept)),
            }
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(List(kept))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<List<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members)).map(|item| List(vec![item]))
    }

    fn visit_u64<E: Error>(self, item: u64) -> Result<List<T>, E> {
        T::deserialize(item.into_deserializer()).map(|item| List(vec![item]))
    }

    fn visit_str<E: Error>(self, item: &str) -> Result<List<T>, E> {
        if text::present(item).is_none() {
            return Ok(List(Vec::new()));
        }
        T::deserialize(item.into_deserializer()).map(|item| List(vec![item]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Sample {
        text: Text,
        number: Number,
        flag: Flag,
        list: List<Text>,
    }

    fn read(json: &str) -> Result<Sample, quell_connector::DocumentError> {
        quell_connector::document::from_str(json)
    }

    #[test]
    fn what_is_meant_is_understood_whatever_its_type() {
        let sample = read(r#"{"text":7,"number":" 12 ","flag":"TRUE","list":"a"}"#).unwrap();
        assert_eq!(sample.text.raw(), Some("7"));
        assert_eq!(sample.number, Number(Some(12)));
        assert!(sample.flag.is_set());
        assert_eq!(sample.list.0.len(), 1);
        let sample = read(r#"{"text":null,"number":"N/A","flag":"","list":[null,"b"]}"#).unwrap();
        assert_eq!(sample.text.raw(), None);
        assert_eq!(sample.number, Number(None));
        assert!(!sample.flag.is_set());
        assert_eq!(sample.list.0.len(), 1);
        let large = read(r#"{"text":9223372036854775809,"number":1.8e1}"#).unwrap();
        assert_eq!(large.text.raw(), Some("9223372036854775809"));
        assert_eq!(large.number, Number(Some(18)));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_path() {
        let path = |json| read(json).unwrap_err().path;
        assert_eq!(path(r#"{"text":{}}"#), "$.text");
        assert_eq!(path(r#"{"number":"many"}"#), "$.number");
        assert_eq!(path(r#"{"flag":[]}"#), "$.flag");
        assert_eq!(path(r#"{"list":["a",["b"]]}"#), "$.list[1]");
    }

    #[test]
    fn an_endless_list_is_cut() {
        let json = format!(r#"{{"list":[{}"x"]}}"#, "\"x\",".repeat(10_000));
        assert_eq!(read(&json).unwrap().list.0.len(), LONGEST_LIST);
    }
}
