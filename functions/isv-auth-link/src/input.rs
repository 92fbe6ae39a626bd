use std::ops::Deref;

use function_kit::checked::{Rule, Text, optional, written_authority};
use serde::Deserialize;
use url::Url;

/// More kinds than Alipay has, and few enough for an address that every browser takes.
const MAX_TYPES: usize = 20;

/// The arguments of `isv.getAuthLink`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// Where the merchant comes back to; it must be registered in the ISV app's console.
    pub(crate) redirect_uri: RedirectUri,
    /// Comes back with the merchant, so that the ISV's site knows its own link again.
    #[serde(default, deserialize_with = "optional")]
    pub(crate) state: Option<State>,
    /// Which kinds of the merchant's apps may be chosen; none: Alipay's default.
    #[serde(default)]
    application_types: Option<ApplicationTypes>,
    /// Whether the merchant may authorise several apps at once.
    #[serde(default)]
    batch: Option<bool>,
}

impl Input {
    pub(crate) fn application_types(&self) -> &[ApplicationType] {
        self.application_types
            .as_ref()
            .map_or(&[], |ApplicationTypes(types)| types)
    }

    pub(crate) fn is_batch(&self) -> bool {
        self.batch.unwrap_or(false)
    }
}

/// An address that is sent as it is written: Alipay compares it with the registered one.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct RedirectUri(String);

impl TryFrom<String> for RedirectUri {
    type Error = Rule;

    fn try_from(text: String) -> Result<Self, Rule> {
        let is_plain_https = text.len() <= 1024
            && text.starts_with("https://")
            && text.bytes().all(|byte| byte.is_ascii_graphic())
            && !text.contains('\\')
            && names_a_host(&text)
            && Url::parse(&text).is_ok_and(|url| url.fragment().is_none());
        if is_plain_https {
            Ok(Self(text))
        } else {
            Err(Rule(
                "must be an https:// address of at most 1024 visible ASCII characters, without user, password and #"
                    .to_owned(),
            ))
        }
    }
}

/// Whether between `https://` and the path stands a host and no user.
fn names_a_host(address: &str) -> bool {
    written_authority(address)
        .is_some_and(|authority| !authority.is_empty() && !authority.contains('@'))
}

impl Deref for RedirectUri {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// Alipay takes at most 100 characters of the base64 alphabet.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct State(String);

impl TryFrom<String> for State {
    type Error = Rule;

    fn try_from(text: String) -> Result<Self, Rule> {
        let fits = (1..=100).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='));
        if fits {
            Ok(Self(text))
        } else {
            Err(Rule(
                "must be 1 to 100 characters of base64: letters, digits, +, / and =".to_owned(),
            ))
        }
    }
}

impl Deref for State {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// Such as `TINYAPP`, `WEBAPP`, `MOBILEAPP`, `PUBLICAPP`. Alipay adds kinds, so only the form is checked.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct ApplicationType(Text<32>);

impl TryFrom<String> for ApplicationType {
    type Error = Rule;

    fn try_from(text: String) -> Result<Self, Rule> {
        if text.bytes().all(|byte| byte.is_ascii_uppercase()) {
            Text::try_from(text).map(Self)
        } else {
            Err(Rule(
                "must be a name in capitals such as TINYAPP".to_owned(),
            ))
        }
    }
}

impl Deref for ApplicationType {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "Vec<ApplicationType>")]
struct ApplicationTypes(Vec<ApplicationType>);

impl TryFrom<Vec<ApplicationType>> for ApplicationTypes {
    type Error = Rule;

    fn try_from(types: Vec<ApplicationType>) -> Result<Self, Rule> {
        if types.len() > MAX_TYPES {
            return Err(Rule(format!("must have at most {MAX_TYPES} entries")));
        }
        Ok(Self(types))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_https_address_is_a_way_back() {
        for text in [
            "https://isv.example.com/callback",
            "https://isv.example.com/callback?tenant=1",
            "https://isv.example.com:8443/a@b",
        ] {
            assert!(RedirectUri::try_from(text.to_owned()).is_ok(), "{text}");
        }
        for text in [
            "",
            "http://isv.example.com/",
            "javascript:alert(1)",
            "//isv.example.com/",
            "https://",
            "https://u:p@isv.example.com/",
            "https://@isv.example.com/",
            "https://isv.example.com\\@evil.example.com",
            "https:///isv.example.com/",
            "https://isv.example.com/#x",
            "https://isv.example.com/\r\nx",
            "https://isv.example.com/回",
            &format!("https://isv.example.com/{}", "x".repeat(1024)),
        ] {
            assert!(RedirectUri::try_from(text.to_owned()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_is_null_is_left_out_and_a_list_has_an_end() {
        let input = |types: &str| {
            let text = format!(
                r#"{{"redirectUri":"https://a.example.com","batch":null,"applicationTypes":{types}}}"#
            );
            serde_json::from_str::<Input>(&text)
        };
        let left_out = input("null").unwrap();
        assert!(left_out.application_types().is_empty() && !left_out.is_batch());
        let types = |count: usize| format!("[{}]", vec![r#""TINYAPP""#; count].join(","));
        assert!(input(&types(20)).is_ok());
        assert!(input(&types(21)).is_err());
    }

    #[test]
    fn a_state_is_of_the_base64_alphabet() {
        for text in ["a", "QUJD+/8=", &"a".repeat(100)] {
            assert!(State::try_from(text.to_owned()).is_ok(), "{text}");
        }
        for text in ["a b", "a-b", "状态", "a&b=c&", &"a".repeat(101)] {
            assert!(State::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn an_application_type_is_a_name_in_capitals() {
        assert!(ApplicationType::try_from("TINYAPP".to_owned()).is_ok());
        for text in ["", "tinyapp", "TINYAPP,WEBAPP", "TINY APP"] {
            assert!(
                ApplicationType::try_from(text.to_owned()).is_err(),
                "{text}"
            );
        }
    }
}
