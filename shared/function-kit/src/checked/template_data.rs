use serde::Deserialize;
use serde_json::{Map, Value};

use super::Rule;

/// Alipay's limit on a message's `data`, in characters.
const MAX_DATA_CHARACTERS: usize = 2048;

/// The keywords of a message template as the JSON text that Alipay expects.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "WrittenData")]
pub struct TemplateData(String);

impl TemplateData {
    /// The JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An object, or the same as JSON text.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "must be an object such as {\"keyword1\":{\"value\":\"…\"}}, or the same as JSON text"
)]
enum WrittenData {
    Object(Map<String, Value>),
    Text(String),
}

impl TryFrom<WrittenData> for TemplateData {
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

    fn data(text: &str) -> Result<TemplateData, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn data_is_taken_as_an_object_or_as_its_text() {
        let keywords = r#"{"keyword1":{"value":"11"},"keyword2":{"value":2}}"#;
        assert_eq!(data(keywords).unwrap().as_str(), keywords);
        let quoted = serde_json::to_string(keywords).unwrap();
        assert_eq!(data(&quoted).unwrap().as_str(), keywords);
    }

    #[test]
    fn wrong_data_is_named() {
        for (text, rule) in [
            ("{}", "every keyword"),
            (r#"{"keyword1":"11"}"#, "keyword1 must be"),
            (r#"{"keyword1":{}}"#, "keyword1 must be"),
            ("\"x\"", "must be an object"),
            ("[]", "expected an object"),
            ("1", "expected an object"),
        ] {
            let error = data(text).unwrap_err();
            assert!(
                error.contains(rule) || error.contains("an object such as"),
                "{text}: {error}"
            );
        }
    }
}
