use std::ops::Deref;

use function_kit::checked::{Rule, Text, optional};
use serde::Deserialize;

/// The arguments of vk's `acode.getMiniCode`. Its `access_token` is accepted and ignored: Alipay has no such token.
#[derive(Debug, Deserialize)]
pub struct Input {
    /// The page that the code opens; absent: the app's `homePage`.
    #[serde(default, deserialize_with = "optional")]
    pub(crate) page: Option<PagePath>,
    /// The launch query.
    #[serde(default, deserialize_with = "optional")]
    pub(crate) scene: Option<Text<256>>,
    #[serde(default, deserialize_with = "optional")]
    pub(crate) line_color: Option<Color>,
    #[serde(default, deserialize_with = "optional")]
    pub(crate) describe: Option<Text<32>>,
    #[serde(default, deserialize_with = "optional")]
    pub(crate) size: Option<Size>,
}

/// A page's path without leading slash and without query.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct PagePath(Text<256>);

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
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Color(String);

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

/// The image's size, as Alipay names it.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum Size {
    Small,
    Medium,
    Large,
}

impl TryFrom<String> for Size {
    type Error = Rule;

    fn try_from(text: String) -> Result<Self, Rule> {
        match text.as_str() {
            "s" => Ok(Self::Small),
            "m" => Ok(Self::Medium),
            "l" => Ok(Self::Large),
            _ => Err(Rule("must be s, m or l".to_owned())),
        }
    }
}

impl Size {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Small => "s",
            Self::Medium => "m",
            Self::Large => "l",
        }
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
