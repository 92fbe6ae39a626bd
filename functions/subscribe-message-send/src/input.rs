use function_kit::checked::{OpenId, Rule, Text, UserIdKind, optional};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Alipay's limit on `data`, in characters.
const MAX_DATA_CHARACTERS: usize = 2048;

/// The arguments of vk's `subscribeMessage.send`. Its `access_token` is accepted and ignored: Alipay has no such token.
#[derive(Debug, Deserialize)]
pub struct Input {
    pub(crate) touser: OpenId,
    pub(crate) template_id: Text<64>,
    /// May carry `?k=v`.
    #[serde(default, deserialize_with = "optional")]
    pub(crate) page: Option<Text<128>>,
    #[serde(default, deserialize_with = "optional")]
    pub(crate) form_id: Option<Text<64>>,
    pub(crate) data: Data,
    /// Which kind of id `touser` is; absent: 16 digits beginning 2088 are a user id.
    #[serde(default, rename = "touserType", deserialize_with = "optional")]
    touser_type: Option<UserIdKind>,
    #[serde(default, rename = "idempotencyKey", deserialize_with = "optional")]
    pub(crate) idempotency_key: Option<Text<128>>,
}

impl Input {
    pub(crate) fn recipient_kind(&self) -> UserIdKind {
        self.touser_type.unwrap_or_else(|| self.touser.kind())
    }
}

/// The template's keywords as the JSON text that Alipay expects.
#[derive(Debug, Deserialize)]
#[serde(try_from = "WrittenData")]
pub(crate) struct Data(String);

impl Data {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// An object, or the same as JSON text.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "an object such as {\"keyword1\":{\"value\":\"…\"}}, or the same as JSON text"
)]
enum WrittenData {
    Object(Map<String, Value>),
    Text(String),
}

impl TryFrom<WrittenData> for Data {
    type Error = Rule;

    fn try_from(written: WrittenData) -> Result<Self, Rule> {
        let keywords = match written {
            WrittenData::Object(keywords) => keywords,
            WrittenData::Text(text) => serde_json::from_str(&text)
                .map_err(|_| Rule("must be an object, or an object as JSON text".to_owned()))?,
        };
        if keywords.is_empty() {
            return Err(Rule("must hold every keyword of the template".to_owned()));
        }
        let is_value = |keyword: &Value| {
            keyword
                .get("value")
                .is_some_and(|value| value.is_string() || value.is_number())
        };
        if let Some((name, _)) = keywords.iter().find(|(_, keyword)| !is_value(keyword)) {
            let name: String = name.chars().take(32).collect();
            return Err(Rule(format!("{name} must be {{\"value\":\"…\"}}")));
        }
        let text = Value::Object(keywords).to_string();
        if text.chars().count() > MAX_DATA_CHARACTERS {
            return Err(Rule(format!(
                "must have at most {MAX_DATA_CHARACTERS} characters as JSON"
            )));
        }
        Ok(Self(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(touser: &str, data: &str, more: &str) -> Result<Input, String> {
        serde_json::from_str(&format!(
            r#"{{"touser":"{touser}","template_id":"t","data":{data}{more}}}"#
        ))
        .map_err(|error: serde_json::Error| error.to_string())
    }

    #[test]
    fn data_is_taken_as_an_object_or_as_its_text() {
        let keywords = r#"{"keyword1":{"value":"11"},"keyword2":{"value":2}}"#;
        assert_eq!(input("2088", keywords, "").unwrap().data.as_str(), keywords);
        let quoted = serde_json::to_string(keywords).unwrap();
        assert_eq!(input("2088", &quoted, "").unwrap().data.as_str(), keywords);
    }

    #[test]
    fn wrong_data_is_named() {
        for (data, rule) in [
            ("{}", "every keyword"),
            (r#"{"keyword1":"11"}"#, "keyword1 must be"),
            (r#"{"keyword1":{}}"#, "keyword1 must be"),
            ("\"x\"", "must be an object"),
            ("[]", "expected an object"),
            ("1", "expected an object"),
        ] {
            let error = input("2088", data, "").unwrap_err();
            assert!(
                error.contains(rule) || error.contains("an object such as"),
                "{data}: {error}"
            );
        }
    }

    #[test]
    fn the_kind_of_id_is_guessed_unless_the_caller_says() {
        let data = r#"{"k":{"value":"v"}}"#;
        assert_eq!(
            input("2088411964574197", data, "")
                .unwrap()
                .recipient_kind(),
            UserIdKind::UserId
        );
        assert_eq!(
            input("074a1CcTG1LelxKe4x", data, "")
                .unwrap()
                .recipient_kind(),
            UserIdKind::OpenId
        );
        let said = input("2088411964574197", data, r#","touserType":"openId""#).unwrap();
        assert_eq!(said.recipient_kind(), UserIdKind::OpenId);
    }
}
