//! JSON reading that refuses a member name standing twice in one object.
//!
//! Parsers disagree on which of two equal names counts. A reply in which they stand could therefore be verified with one value
//! and read with the other, so it is refused. Names are compared as read, so an escape (`respons\u0065`) hides nothing.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::GatewayError;

/// Why a text was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misbuilt {
    /// No JSON, or the beginning of some: a proxy's page, half a reply.
    NotJson,
    /// JSON that is built as no reply is, so that readers may differ on what it says.
    Ambiguous(&'static str),
}

impl Misbuilt {
    fn of(error: &serde_json::Error, text: &str) -> Self {
        if !error.is_data() {
            Self::NotJson
        } else if error.to_string().starts_with(REPEATED) {
            Self::Ambiguous(REPEATED)
        } else if serde_json::from_str::<IgnoredAny>(text).is_ok() {
            Self::Ambiguous("the reply is not an object")
        } else {
            // Such as `502 Bad Gateway`, which only begins like JSON.
            Self::NotJson
        }
    }
}

impl From<Misbuilt> for GatewayError {
    fn from(misbuilt: Misbuilt) -> Self {
        match misbuilt {
            Misbuilt::NotJson => Self::unreachable("what came back is not a reply of the gateway"),
            Misbuilt::Ambiguous(reason) => Self::unverified(reason),
        }
    }
}

/// The members of an object, each value as it stands in the text.
pub(crate) type Members<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// A member's name, copied only where it holds an escape.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The members of the object that `text` consists of.
pub(crate) fn top_level_members(text: &str) -> Result<Members<'_>, Misbuilt> {
    struct MembersVisitor;

    impl<'de> Visitor<'de> for MembersVisitor {
        type Value = Members<'de>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Members::new();
            while let Some((Name(name), value)) = map.next_entry::<Name<'_>, &RawValue>()? {
                if members.insert(name, value).is_some() {
                    return Err(de::Error::custom(REPEATED));
                }
            }
            Ok(members)
        }
    }

    if text.starts_with('\u{feff}') {
        return Err(Misbuilt::Ambiguous(
            "a byte order mark stands before the reply",
        ));
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let members = deserializer
        .deserialize_map(MembersVisitor)
        .map_err(|error| Misbuilt::of(&error, text))?;
    deserializer
        .end()
        .map_err(|_| Misbuilt::Ambiguous("something stands behind the reply"))?;
    Ok(members)
}

/// Refuses `text` when any object in it, at any depth, has a member name twice. Nesting beyond 128 levels is refused too.
pub(crate) fn check_unique(text: &str) -> Result<(), &'static str> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Unique
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end())
        .map_err(|error| match Misbuilt::of(&error, text) {
            Misbuilt::Ambiguous(reason) => reason,
            Misbuilt::NotJson => "the node is nested too deeply or holds a number out of range",
        })
}

const REPEATED: &str = "a member name stands twice";

struct Unique;

impl<'de> DeserializeSeed<'de> for Unique {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut names = BTreeSet::new();
        while let Some(Name(name)) = map.next_key::<Name<'_>>()? {
            if !names.insert(name) {
                return Err(de::Error::custom(REPEATED));
            }
            map.next_value_seed(Unique)?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        while sequence.next_element_seed(Unique)?.is_some() {}
        Ok(())
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(IgnoredAny).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_the_text_of_their_values() {
        let members = top_level_members(" {\"a\" : { \"b\":1 } ,\"c\":\"\\u0064\"} ").unwrap();
        assert_eq!(members["a"].get(), "{ \"b\":1 }");
        assert_eq!(members["c"].get(), "\"\\u0064\"");
    }

    #[test]
    fn a_repeated_name_is_refused_however_it_is_spelled() {
        for text in [r#"{"a":1,"a":2}"#, r#"{"a":1,"\u0061":2}"#] {
            assert_eq!(
                top_level_members(text).unwrap_err(),
                Misbuilt::Ambiguous(REPEATED),
                "{text}"
            );
            assert_eq!(check_unique(text), Err(REPEATED), "{text}");
        }
        assert_eq!(
            check_unique(r#"[{"x":{"a":1,"b":[{}],"a":2}}]"#),
            Err(REPEATED)
        );
        check_unique(r#"{"a":{"a":{"b":[1,-1,1.5,true,null,"x"]}},"b":[]}"#).unwrap();
    }

    #[test]
    fn what_is_json_but_not_one_object_is_told_from_what_is_no_json() {
        for text in ["{} {}", "{} x", "[]", "null", "\"{}\"", "1", "\u{feff}{}"] {
            assert!(
                matches!(top_level_members(text), Err(Misbuilt::Ambiguous(_))),
                "{text}"
            );
        }
        for text in [
            "",
            "<html>",
            "502 Bad Gateway",
            "null?",
            "{\"a\":{\"b\"",
            "{\"a\" 1}",
            "{'a':1}",
        ] {
            assert_eq!(
                top_level_members(text).unwrap_err(),
                Misbuilt::NotJson,
                "{text}"
            );
        }
        assert!(check_unique("{} x").is_err());
    }

    #[test]
    fn deep_nesting_is_refused_without_exhausting_the_stack() {
        let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
        assert_ne!(check_unique(&deep), Err(REPEATED));
        assert!(check_unique(&deep).is_err());
    }
}
