use std::ops::Deref;

use function_kit::checked::{OpenId, Rule, Text, optional, written_authority};
use function_kit::{EarlierCheck, Failure};
use serde::Deserialize;
use url::{Host, Url};

/// The most characters of an address. Alipay states no limit.
const MAX_ADDRESS_CHARACTERS: usize = 1_024;

/// The arguments of vk's `security.imgSecCheck` for Douyin.
#[derive(Debug, Deserialize)]
pub struct Input {
    /// The image's address.
    #[serde(default, deserialize_with = "optional")]
    image: Option<Address>,
    /// The image itself.
    #[serde(default)]
    base64: Option<String>,
    /// Whose image it is; a user who is signed in can name themselves only.
    #[serde(default, deserialize_with = "optional")]
    pub(crate) openid: Option<OpenId>,
    /// The image's own number at the caller's; with `eventId` the number of an earlier check.
    #[serde(
        default,
        rename = "dataId",
        alias = "app_scene_data_id",
        deserialize_with = "optional"
    )]
    data_id: Option<Text<100>>,
    /// The number of an earlier check whose judgement was to come later.
    #[serde(
        default,
        rename = "eventId",
        alias = "event_id",
        deserialize_with = "optional"
    )]
    event_id: Option<Text<128>>,
}

/// What is asked: exactly one of the three.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Question<'a> {
    /// Whether the image at an address may be published.
    Address {
        address: &'a str,
        data_id: Option<&'a str>,
    },
    /// Whether the image in the call may.
    Data(&'a str),
    /// What became of an earlier check.
    Earlier(EarlierCheck<'a>),
}

impl Input {
    pub(crate) fn question(&self) -> Result<Question<'_>, Failure> {
        let data = self.base64.as_deref().filter(|data| !data.is_empty());
        let data_id = self.data_id.as_deref();
        match (self.image.as_deref(), data, self.event_id.as_deref()) {
            (Some(address), None, None) => Ok(Question::Address { address, data_id }),
            (None, Some(data), None) => Ok(Question::Data(data)),
            (None, None, Some(event_id)) => {
                EarlierCheck::new(event_id, data_id).map(Question::Earlier)
            }
            (None, None, None) => Err(Failure::invalid(
                "image",
                "is required: the https address of the image",
            )),
            _ => Err(Failure::invalid(
                "image",
                "give one of image, base64 and eventId",
            )),
        }
    }
}

/// An address from which Alipay can fetch an image: https, at a public name, without a password in it.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Address(String);

impl TryFrom<String> for Address {
    type Error = Rule;

    fn try_from(text: String) -> Result<Self, Rule> {
        let rule = |text: &str| Err(Rule(text.to_owned()));
        if text.len() > MAX_ADDRESS_CHARACTERS {
            return Err(Rule(format!(
                "must have at most {MAX_ADDRESS_CHARACTERS} characters"
            )));
        }
        // A parser mends these in silence, and Alipay's may mend them otherwise.
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) || text.contains('\\') {
            return rule(
                "must be an address in ASCII without spaces; other characters are written as %E5%9B%BE",
            );
        }
        let Ok(address) = Url::parse(&text) else {
            return rule("must be an https address");
        };
        if address.scheme() != "https" || !text.to_ascii_lowercase().starts_with("https://") {
            return rule("must be an https address");
        }
        if !address.username().is_empty() || address.password().is_some() || has_user(&text) {
            return rule("must not carry a user name or password");
        }
        match address.host() {
            Some(Host::Domain(name)) if name.trim_end_matches('.').contains('.') => Ok(Self(text)),
            _ => rule("must be at a public host name, because Alipay fetches the image"),
        }
    }
}

/// Whether a user stands before the host, even an empty one.
fn has_user(text: &str) -> bool {
    written_authority(text).is_some_and(|authority| authority.contains('@'))
}

impl Deref for Address {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use function_kit::Outcome;
    use serde_json::{Value, json};

    use super::*;

    fn rule_of(address: &str) -> String {
        Address::try_from(address.to_owned()).unwrap_err().0
    }

    #[test]
    fn a_public_https_address_is_sent_as_it_is_written() {
        for address in [
            "https://img.example.com/a.png",
            "https://IMG.example.com:8443/%E5%9B%BE.jpg?sign=a%2Fb&x=@#top",
            "HTTPS://img.example.com",
        ] {
            assert_eq!(&*Address::try_from(address.to_owned()).unwrap(), address);
        }
    }

    #[test]
    fn an_address_that_alipay_could_not_or_should_not_fetch_is_refused() {
        for (address, named) in [
            ("http://img.example.com/a.png", "https"),
            ("ftp://img.example.com/a.png", "https"),
            ("file:///etc/passwd", "https"),
            ("data:image/png;base64,iVBORw0KGgo=", "https"),
            ("img.example.com/a.png", "https"),
            ("https:img.example.com/a.png", "https"),
            ("https://", "https"),
            ("https://u:p@img.example.com/a.png", "password"),
            ("https://u@img.example.com/a.png", "user name"),
            ("https://@img.example.com/a.png", "user name"),
            ("https://img.example.com\\@evil.example.com/a", "ASCII"),
            ("https://img.example.com/a b.png", "ASCII"),
            ("https://img.example.com/图.png", "ASCII"),
            ("https://img.example.com/a.png\n", "ASCII"),
            ("https://localhost/a.png", "public"),
            ("https://localhost./a.png", "public"),
            ("https://127.0.0.1/a.png", "public"),
            ("https://2130706433/a.png", "public"),
            ("https://[::1]/a.png", "public"),
        ] {
            let rule = rule_of(address);
            assert!(rule.contains(named), "{address}: {rule}");
        }
        let long = |length: usize| format!("https://img.example.com/{}", "a".repeat(length - 24));
        assert!(Address::try_from(long(1_024)).is_ok());
        assert!(rule_of(&long(1_025)).contains("1024"));
    }

    fn read(input: Value) -> Input {
        serde_json::from_value(input).unwrap()
    }

    #[test]
    fn exactly_one_question_is_asked() {
        let image = "https://img.example.com/a.png";
        for (input, field) in [
            (json!({}), "image"),
            (json!({"image": "", "base64": ""}), "image"),
            (json!({"image": null, "base64": null}), "image"),
            (json!({"image": image, "base64": "aGk="}), "image"),
            (
                json!({"image": image, "eventId": "e", "dataId": "d"}),
                "image",
            ),
            (json!({"eventId": "e"}), "dataId"),
        ] {
            let input_read = read(input.clone());
            match input_read.question().unwrap_err().outcome() {
                Outcome::InvalidArgument { field: named, .. } => {
                    assert_eq!(named, field, "{input}")
                }
                other => panic!("{input}: {other:?}"),
            }
        }
        assert_eq!(
            read(json!({"image": image, "base64": "", "dataId": "d"}))
                .question()
                .unwrap(),
            Question::Address {
                address: image,
                data_id: Some("d")
            }
        );
        assert_eq!(
            read(json!({"event_id": "e", "app_scene_data_id": "d"}))
                .question()
                .unwrap(),
            Question::Earlier(EarlierCheck::new("e", Some("d")).unwrap())
        );
    }
}
