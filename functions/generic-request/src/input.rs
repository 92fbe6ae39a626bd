use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

use function_kit::Failure;
use function_kit::checked::{OpenId, Rule, Text, check_structure, optional};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Names that the protocol itself sets. A caller who could set them could act as another app or change what is signed.
const RESERVED: [&str; 13] = [
    "app_cert_sn",
    "app_id",
    "alipay_cert_sn",
    "alipay_root_cert_sn",
    "charset",
    "encrypt_type",
    "format",
    "method",
    "sign",
    "sign_type",
    "timestamp",
    "version",
    "ws_service_url",
];

/// Bytes. The longest names in Alipay's documents have half of it.
const MAX_NAME_BYTES: usize = 64;

/// The arguments of vk's `request`, and whose stored token goes with the call.
#[derive(Debug, Deserialize)]
pub struct Input {
    pub(crate) method: Method,
    #[serde(default)]
    pub(crate) data: Data,
    #[serde(default, rename = "successText", deserialize_with = "optional")]
    success_text: Option<Text<256>>,
    /// The user whose stored access token goes with the call as `auth_token`.
    #[serde(default, deserialize_with = "optional")]
    pub(crate) openid: Option<OpenId>,
    /// Which of the user's authorisations, where code2Session was given a `scope`.
    #[serde(default, deserialize_with = "optional")]
    pub(crate) scope: Option<Text<64>>,
    /// The merchant's app that an ISV's app acts for: its stored token goes with the call as `app_auth_token`, and `openid` is
    /// then a user who logged in to the merchant's app by `auth.code2Session` with the same `authAppId`.
    #[serde(default, rename = "authAppId", deserialize_with = "optional")]
    pub(crate) auth_app_id: Option<Text<32>>,
}

impl Input {
    pub(crate) fn success_text(&self) -> String {
        self.success_text.as_deref().unwrap_or("ok").to_owned()
    }

    /// Checks that it is clear whose token goes with the call.
    pub(crate) fn check_tokens(&self) -> Result<(), Failure> {
        for (chooser, is_given, token) in [
            ("openid", self.openid.is_some(), "auth_token"),
            ("authAppId", self.auth_app_id.is_some(), "app_auth_token"),
        ] {
            if is_given && self.data.fields.contains_key(token) {
                return Err(Failure::invalid(
                    chooser,
                    format!("cannot be given together with data.{token}; give one of them"),
                ));
            }
        }
        Ok(())
    }
}

/// A method's name, such as `alipay.trade.query`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Method(String);

impl TryFrom<String> for Method {
    type Error = Rule;

    fn try_from(text: String) -> Result<Self, Rule> {
        let parts = text.split('.');
        let is_name = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        if text.len() <= 128
            && (2..=9).contains(&parts.clone().count())
            && parts.clone().all(is_name)
        {
            Ok(Self(text))
        } else {
            Err(Rule("must be a method such as alipay.trade.query: 2 to 9 lower-case names joined by dots".to_owned()))
        }
    }
}

impl Method {
    /// Whether calling it twice does what calling it once does: Alipay's reading methods.
    pub(crate) fn only_reads(&self) -> bool {
        self.0.ends_with(".query") || self.0 == "alipay.user.info.share"
    }
}

impl Deref for Method {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// The call's arguments: `biz_content` as text, and whatever stands beside it.
#[derive(Default, Deserialize)]
#[serde(try_from = "WrittenData")]
pub(crate) struct Data {
    pub(crate) biz_content: Option<String>,
    pub(crate) fields: BTreeMap<String, String>,
}

/// Names only: the values are the caller's business.
impl fmt::Debug for Data {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_set()
            .entries(self.fields.keys())
            .finish_non_exhaustive()
    }
}

/// The members as written, in their order, with the text of each value.
struct WrittenData(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for WrittenData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = WrittenData;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WrittenData, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(WrittenData(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// The members of the object that `text` is, in their order, with the text of each value.
pub(crate) fn ordered_members(text: &str) -> serde_json::Result<Vec<(String, Box<RawValue>)>> {
    serde_json::from_str::<WrittenData>(text).map(|members| members.0)
}

impl TryFrom<WrittenData> for Data {
    type Error = Rule;

    fn try_from(written: WrittenData) -> Result<Self, Rule> {
        let mut data = Self::default();
        for (name, value) in written.0 {
            if !is_argument_name(&name) {
                return Err(Rule(format!(
                    "names must be 1 to {MAX_NAME_BYTES} letters, digits, _, - and ."
                )));
            }
            if RESERVED.iter().any(|one| one.eq_ignore_ascii_case(&name)) {
                return Err(Rule(format!(
                    "{name} is set by the protocol and cannot be given"
                )));
            }
            if name == "biz_content" || name == "bizContent" {
                if data.biz_content.is_some() {
                    return Err(Rule(
                        "biz_content is given twice; give biz_content or bizContent, once"
                            .to_owned(),
                    ));
                }
                data.biz_content = Some(biz_content(&value)?);
            } else {
                let text = argument(&value).ok_or_else(|| {
                    Rule(format!("{name} must be a text, a number or true/false"))
                })?;
                if data.fields.contains_key(&name) {
                    return Err(Rule(format!("{name} stands twice")));
                }
                data.fields.insert(name, text);
            }
        }
        Ok(data)
    }
}

/// The names of the protocol are such. With `=`, `&` or a space in a name, one signed text could be read as another call's.
fn is_argument_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

/// An object as its text; a text as it is, if it is one of an object. Never encoded twice.
fn biz_content(value: &RawValue) -> Result<String, Rule> {
    let text = match serde_json::from_str::<String>(value.get()) {
        Ok(text) => text,
        Err(_) => value.get().to_owned(),
    };
    check_structure(&text).map_err(|Rule(rule)| Rule(format!("biz_content {rule}")))?;
    match ordered_members(&text) {
        Ok(_) => Ok(text),
        Err(_) => Err(Rule(
            "biz_content must be an object, or an object as JSON text".to_owned(),
        )),
    }
}

fn argument(value: &RawValue) -> Option<String> {
    let text = value.get();
    match text.as_bytes().first()? {
        b'"' => serde_json::from_str(text).ok(),
        b'{' | b'[' | b'n' => None,
        _ => Some(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(text: &str) -> Result<Data, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn biz_content_is_sent_as_written_and_never_encoded_twice() {
        assert_eq!(
            data(r#"{"biz_content":{"a":1.10,"b":"2"}}"#)
                .unwrap()
                .biz_content
                .unwrap(),
            r#"{"a":1.10,"b":"2"}"#
        );
        assert_eq!(
            data(r#"{"bizContent":"{\"a\":1}"}"#)
                .unwrap()
                .biz_content
                .unwrap(),
            r#"{"a":1}"#
        );
        for text in [
            r#"{"biz_content":{},"bizContent":{}}"#,
            r#"{"biz_content":[]}"#,
            r#"{"biz_content":"x"}"#,
            r#"{"biz_content":1}"#,
        ] {
            assert!(data(text).is_err(), "{text}");
        }
    }

    #[test]
    fn biz_content_as_text_has_the_limits_of_a_body() {
        let text = |json: String| {
            let text = serde_json::to_string(&json).unwrap();
            data(&format!(r#"{{"biz_content":{text}}}"#))
        };
        let nested = |levels| format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
        assert!(text(nested(64)).is_ok());
        assert!(text(nested(65)).err().unwrap().contains("deeper than 64"));
        let wide = |members| format!(r#"{{"a":[{}1]}}"#, "1,".repeat(members));
        assert!(text(wide(10_000)).err().unwrap().contains("10,000 members"));
    }

    #[test]
    fn every_name_of_the_protocol_is_refused() {
        for name in RESERVED {
            let error = data(&format!("{{\"{name}\":\"x\"}}")).err().unwrap();
            assert!(error.contains(name), "{error}");
        }
        // Spelled with an escape, or in capitals, it is the same name.
        assert!(data(r#"{"app_i\u0064":"x"}"#).is_err());
        assert!(data(r#"{"APP_ID":"x"}"#).is_err());
    }

    #[test]
    fn an_argument_has_a_name_that_cannot_be_read_as_more_than_a_name() {
        for name in [
            "x=1&app_id",
            "app_id ",
            " app_id",
            "",
            "a\\nb",
            "名",
            &"a".repeat(65),
        ] {
            let error = data(&format!("{{\"{name}\":\"x\"}}")).err().unwrap();
            assert!(error.contains("letters, digits"), "{name:?}: {error}");
        }
        for name in ["grant_type", "notifyUrl", "ext.id", "x-1", &"a".repeat(64)] {
            assert!(data(&format!("{{\"{name}\":\"x\"}}")).is_ok(), "{name}");
        }
    }

    #[test]
    fn arguments_beside_biz_content_are_signed_as_texts() {
        let data = data(
            r#"{"app_auth_token":"t","notify_url":"https://example.com/n","n":1.50,"b":true}"#,
        )
        .unwrap();
        assert_eq!(data.fields["n"], "1.50");
        assert_eq!(data.fields["b"], "true");
        assert_eq!(data.fields["app_auth_token"], "t");
        assert!(self::data(r#"{"x":{}}"#).is_err() && self::data(r#"{"x":null}"#).is_err());
    }

    #[test]
    fn a_method_is_lower_case_names_joined_by_dots() {
        let method = |text: &str| Method::try_from(text.to_owned());
        assert!(method("alipay.trade.query").is_ok());
        for text in [
            "",
            "alipay",
            " alipay.trade.query",
            "ALIPAY.trade.query",
            "a..b",
            "../a",
            "a.b\n",
            "支付.a",
            &format!("a.{}", "b".repeat(127)),
            "a.b.c.d.e.f.g.h.i.j",
        ] {
            assert!(method(text).is_err(), "{text:?}");
        }
    }
}
