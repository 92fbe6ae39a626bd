//! JSON of which there is one reading: no name stands twice in an object, at any depth.
//!
//! Parsers disagree on which of two equal names counts, so what one part of a system checked another would read otherwise. Names are
//! compared as read: an escape (`\u0065xp`) hides nothing.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

/// A value. Texts are wiped when they are dropped: in the login document they are keys.
pub(crate) enum Node {
    Null,
    Bool(bool),
    /// A whole number from 0 to 2⁶⁴−1, written without point or exponent.
    Whole(u64),
    /// Any other number.
    OtherNumber,
    Text(Zeroizing<String>),
    Array(Vec<Node>),
    Object(BTreeMap<String, Node>),
}

/// Reads all of `text`. Nesting beyond 128 levels is refused.
///
/// # Errors
/// Not JSON, more than JSON, or a name that stands twice. The error's text quotes nothing but our own words and a position.
pub(crate) fn parse(text: &str) -> Result<Node, serde_json::Error> {
    serde_json::from_str(text)
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Whole(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(u64::try_from(value).map_or(Node::OtherNumber, Node::Whole))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::OtherNumber)
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(Zeroizing::new(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = sequence.next_element()? {
            nodes.push(node);
        }
        Ok(Node::Array(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, node)) = map.next_entry()? {
            if members.insert(name, node).is_some() {
                return Err(A::Error::custom("a name stands twice in one object"));
            }
        }
        Ok(Node::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_stands_twice_is_refused_at_every_level_and_however_it_is_spelled() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"a":[{"b":{"c":1,"d":2,"c":1}}]}"#,
        ] {
            let error = parse(text).err().unwrap().to_string();
            assert!(error.starts_with("a name stands twice"), "{text}: {error}");
        }
        assert!(parse(r#"{"a":{"a":[{"a":1},{"a":2}]}}"#).is_ok());
    }

    #[test]
    fn what_is_not_one_json_value_is_refused() {
        let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
        for text in [
            "",
            "{} {}",
            "{}x",
            "{'a':1}",
            "{\"a\":1e400}",
            "\u{feff}{}",
            &deep,
        ] {
            assert!(parse(text).is_err(), "{text:.20}");
        }
    }

    #[test]
    fn only_whole_numbers_count_as_such() {
        for (text, whole) in [
            ("0", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("-1", None),
            ("1.0", None),
            ("1e3", None),
        ] {
            let read = match parse(text).unwrap() {
                Node::Whole(number) => Some(number),
                _ => None,
            };
            assert_eq!(read, whole, "{text}");
        }
    }
}
