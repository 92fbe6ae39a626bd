use function_kit::checked::{OneTimeCode, Rule, Text, optional};
use secrecy::SecretString;
use serde::Deserialize;

/// The arguments of vk's `auth.code2Session`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct Input {
    code: SecretString,
    pub(crate) need_key: bool,
    pub(crate) scope: Option<Text<64>>,
    /// The merchant's app that the user logs in to, where an ISV's app acts for it.
    pub(crate) auth_app_id: Option<Text<32>>,
}

impl Input {
    pub(crate) fn code(&self) -> &SecretString {
        &self.code
    }
}

/// The arguments as written: the code has two names, as in vk.
#[derive(Deserialize)]
struct Written {
    #[serde(default, deserialize_with = "optional")]
    code: Option<OneTimeCode>,
    #[serde(default, deserialize_with = "optional")]
    js_code: Option<OneTimeCode>,
    #[serde(default, rename = "needKey")]
    need_key: bool,
    #[serde(default, deserialize_with = "optional")]
    scope: Option<Text<64>>,
    #[serde(default, rename = "authAppId", deserialize_with = "optional")]
    auth_app_id: Option<Text<32>>,
}

impl TryFrom<Written> for Input {
    type Error = Rule;

    fn try_from(written: Written) -> Result<Self, Rule> {
        // Said in serde's words, which the kit turns into "code: is required".
        let code = written
            .code
            .or(written.js_code)
            .ok_or_else(|| Rule("missing field `code`".to_owned()))?;
        Ok(Self {
            code: code.into_secret(),
            need_key: written.need_key,
            scope: written.scope,
            auth_app_id: written.auth_app_id,
        })
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn code_of(text: &str) -> Result<String, String> {
        serde_json::from_str::<Input>(text)
            .map(|input| input.code.expose_secret().to_owned())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_code_has_two_names() {
        assert_eq!(code_of(r#"{"code":"c1"}"#).unwrap(), "c1");
        assert_eq!(code_of(r#"{"js_code":"c2"}"#).unwrap(), "c2");
        assert_eq!(code_of(r#"{"code":"","js_code":"c2"}"#).unwrap(), "c2");
        assert!(code_of("{}").unwrap_err().contains("missing field `code`"));
    }

    #[test]
    fn what_cannot_be_a_code_never_reaches_the_gateway() {
        for text in ["a b", "a\\n", "\\u0000", "🙂", &"c".repeat(41)] {
            assert!(
                code_of(&format!("{{\"code\":\"{text}\"}}")).is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn debug_hides_the_code() {
        let input: Input = serde_json::from_str(r#"{"code":"canary"}"#).unwrap();
        assert!(!format!("{input:?}").contains("canary"));
    }
}
