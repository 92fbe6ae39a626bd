use std::ops::Deref;

use serde::Deserialize;

use super::{Rule, Text};

/// A page's path in the mini-program, without leading slash and without query.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct PagePath(Text<256>);

impl TryFrom<String> for PagePath {
    type Error = Rule;

    fn try_from(text: String) -> Result<Self, Rule> {
        if text.starts_with('/') {
            return Err(Rule(
                "must not begin with /; write pages/index/index".to_owned(),
            ));
        }
        if text.contains('?') {
            return Err(Rule(
                "must not carry parameters; put them into scene".to_owned(),
            ));
        }
        if text.trim().is_empty() {
            return Err(Rule("must not be blank".to_owned()));
        }
        Text::try_from(text).map(Self)
    }
}

impl Deref for PagePath {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// A colour, in any of the usual spellings, as Alipay's `0x` and six digits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Color(String);

impl TryFrom<String> for Color {
    type Error = Rule;

    fn try_from(text: String) -> Result<Self, Rule> {
        let digits = text
            .strip_prefix('#')
            .or_else(|| text.strip_prefix("0x"))
            .unwrap_or(&text);
        if digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            Ok(Self(format!("0x{}", digits.to_ascii_uppercase())))
        } else {
            Err(Rule(
                "must be six hexadecimal digits such as #1677FF".to_owned(),
            ))
        }
    }
}

impl Deref for Color {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_read_in_the_usual_spellings() {
        for text in ["#1677ff", "0x1677FF", "1677Ff"] {
            assert_eq!(&*Color::try_from(text.to_owned()).unwrap(), "0x1677FF");
        }
        for text in ["blue", "#fff", "#1677fg", ""] {
            assert!(Color::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_page_has_neither_slash_nor_query() {
        assert!(PagePath::try_from("pages/index/index".to_owned()).is_ok());
        assert!(
            PagePath::try_from("/pages/index/index".to_owned())
                .unwrap_err()
                .0
                .contains("begin with /")
        );
        assert!(
            PagePath::try_from("pages/index/index?a=1".to_owned())
                .unwrap_err()
                .0
                .contains("scene")
        );
        assert!(PagePath::try_from("p".repeat(257)).is_err());
    }
}
