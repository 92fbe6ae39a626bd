//! Types for inputs that cannot hold a bad value. Each is read from a JSON text, and says which rule a refused text breaks
//! without quoting it.

mod mini_code;
mod object;
mod template_data;

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use secrecy::SecretString;
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

pub use mini_code::{Color, PagePath};
pub use object::Object;
pub use template_data::TemplateData;

use crate::input_limits;

/// Reads an optional text: `null` and the empty text, which vk clients send for what they leave out, count as absent.
///
/// # Errors
/// The rule that the text breaks.
pub fn optional<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: TryFrom<String, Error = Rule>,
    D: Deserializer<'de>,
{
    struct Optional<T>(PhantomData<T>);

    impl<T: TryFrom<String, Error = Rule>> Visitor<'_> for Optional<T> {
        type Value = Option<T>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a string")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            self.visit_string(text.to_owned())
        }

        fn visit_string<E: de::Error>(self, text: String) -> Result<Self::Value, E> {
            if text.is_empty() {
                return Ok(None);
            }
            T::try_from(text).map(Some).map_err(E::custom)
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }

    deserializer.deserialize_any(Optional(PhantomData))
}

/// A non-empty text of at most `MAX` characters without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Text<const MAX: usize>(String);

/// The rule that a refused text breaks, for the caller.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct Rule(pub String);

impl<const MAX: usize> TryFrom<String> for Text<MAX> {
    type Error = Rule;

    fn try_from(text: String) -> Result<Self, Rule> {
        if text.is_empty() {
            return Err(Rule("must not be empty".to_owned()));
        }
        if text.chars().count() > MAX {
            return Err(Rule(format!("must have at most {MAX} characters")));
        }
        if text.chars().any(char::is_control) {
            return Err(Rule("must not hold control characters".to_owned()));
        }
        Ok(Self(text))
    }
}

impl<const MAX: usize> Deref for Text<MAX> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// Holds JSON that is written as a text inside the arguments to the limits that the arguments themselves have.
///
/// # Errors
/// The rule about depth or number of members that it breaks.
pub fn check_structure(json: &str) -> Result<(), Rule> {
    input_limits::check_structure(json).map_err(|rule| Rule(rule.to_owned()))
}

/// What stands between `https://` and the path of an address as it is written: the host, and a user where there is one. A parser
/// mends what is written otherwise, and Alipay's may mend it otherwise, so what must not stand there is looked for here.
pub fn written_authority(address: &str) -> Option<&str> {
    address
        .split('/')
        .nth(2)
        .and_then(|authority| authority.split(['?', '#']).next())
}

/// A code that Alipay gave for one exchange: 32 characters in all samples, 40 at most like every token of the protocol.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct OneTimeCode(SecretString);

impl OneTimeCode {
    /// The code.
    pub fn into_secret(self) -> SecretString {
        self.0
    }
}

impl TryFrom<String> for OneTimeCode {
    type Error = Rule;

    fn try_from(text: String) -> Result<Self, Rule> {
        let fits = (1..=40).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if fits {
            Ok(Self(text.into()))
        } else {
            Err(Rule(
                "must be a code as Alipay gave it: at most 40 letters, digits, - and _".to_owned(),
            ))
        }
    }
}

/// Which of Alipay's two kinds of user id a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "camelCase", try_from = "String")]
pub enum UserIdKind {
    /// 16 digits beginning 2088, the same in all apps of one merchant account.
    UserId,
    /// Opaque, valid for one app.
    OpenId,
}

impl TryFrom<String> for UserIdKind {
    type Error = Rule;

    fn try_from(text: String) -> Result<Self, Rule> {
        match text.as_str() {
            "userId" => Ok(Self::UserId),
            "openId" => Ok(Self::OpenId),
            _ => Err(Rule("must be userId or openId".to_owned())),
        }
    }
}

/// A user of an app: a `user_id` or an `open_id`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct OpenId(String);

impl TryFrom<String> for OpenId {
    type Error = Rule;

    /// Open ids are kept as they come; their alphabet is not documented, so only what no id can hold is refused.
    fn try_from(text: String) -> Result<Self, Rule> {
        let fits =
            (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if fits {
            Ok(Self(text))
        } else {
            Err(Rule(
                "must be a userId or openId: 1 to 128 visible ASCII characters".to_owned(),
            ))
        }
    }
}

impl OpenId {
    /// 16 digits beginning 2088 are a user id, anything else an open id.
    pub fn kind(&self) -> UserIdKind {
        let is_user_id = self.0.len() == 16
            && self.0.starts_with("2088")
            && self.0.bytes().all(|byte| byte.is_ascii_digit());
        if is_user_id {
            UserIdKind::UserId
        } else {
            UserIdKind::OpenId
        }
    }
}

impl Deref for OpenId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text<const MAX: usize>(text: &str) -> Result<Text<MAX>, Rule> {
        text.to_owned().try_into()
    }

    #[test]
    fn a_text_counts_characters_not_bytes() {
        assert_eq!(&*text::<2>("推广").unwrap(), "推广");
        assert_eq!(
            text::<2>("推广了").unwrap_err().0,
            "must have at most 2 characters"
        );
        assert!(text::<2>("").is_err());
        assert!(text::<9>("a\nb").is_err());
    }

    #[test]
    fn sixteen_digits_beginning_2088_are_a_user_id() {
        let kind = |id: &str| OpenId::try_from(id.to_owned()).unwrap().kind();
        assert_eq!(kind("2088411964574197"), UserIdKind::UserId);
        assert_eq!(kind("208841196457419"), UserIdKind::OpenId);
        assert_eq!(kind("20884119645741970"), UserIdKind::OpenId);
        assert_eq!(kind("208841196457419x"), UserIdKind::OpenId);
        assert_eq!(
            kind("074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5"),
            UserIdKind::OpenId
        );
    }

    #[test]
    fn what_no_id_can_hold_is_refused() {
        for id in ["", " ", "a b", "a\n", "用户", &"1".repeat(129)] {
            assert!(OpenId::try_from(id.to_owned()).is_err(), "{id:?}");
        }
    }
}
