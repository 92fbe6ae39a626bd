use function_kit::checked::{OneTimeCode, Rule, Text, optional};
use secrecy::SecretString;
use serde::Deserialize;

/// The arguments of `isv.getAuthToken`: what came to the redirect address, as it came, or the merchant's app whose tokens are to
/// be refreshed. `source` and `state` are ignored: whether the state is one of its own is for the ISV's site to check, which
/// made it.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct Input {
    pub(crate) wish: Wish,
    /// The ISV's app that the callback names.
    pub(crate) app_id: Option<Text<32>>,
    pub(crate) need_key: bool,
}

/// What is asked for.
#[derive(Debug)]
pub(crate) enum Wish {
    /// The tokens for a code.
    Exchange(SecretString),
    /// New tokens for a merchant's app that has authorised before.
    Refresh(Text<32>),
}

/// The arguments as written.
#[derive(Deserialize)]
struct Written {
    #[serde(default, deserialize_with = "optional")]
    app_auth_code: Option<OneTimeCode>,
    #[serde(default, deserialize_with = "optional")]
    app_id: Option<Text<32>>,
    #[serde(default, rename = "authAppId", deserialize_with = "optional")]
    auth_app_id: Option<Text<32>>,
    #[serde(default)]
    refresh: Option<bool>,
    #[serde(default, rename = "needKey")]
    need_key: Option<bool>,
}

impl TryFrom<Written> for Input {
    type Error = Rule;

    fn try_from(written: Written) -> Result<Self, Rule> {
        // The missing ones are said in serde's words, which the kit turns into "app_auth_code: is required".
        let missing = |field: &str| Rule(format!("missing field `{field}`"));
        let refresh = written.refresh.unwrap_or(false);
        let wish = match (refresh, written.app_auth_code, written.auth_app_id) {
            (false, Some(code), _) => Wish::Exchange(code.into_secret()),
            (false, None, _) => return Err(missing("app_auth_code")),
            (true, None, Some(auth_app_id)) => Wish::Refresh(auth_app_id),
            (true, None, None) => return Err(missing("authAppId")),
            (true, Some(_), _) => {
                return Err(Rule(
                    "refresh and app_auth_code cannot be given together".to_owned(),
                ));
            }
        };
        Ok(Self {
            wish,
            app_id: written.app_id,
            need_key: written.need_key.unwrap_or(false),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(text: &str) -> Result<Input, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn it_is_a_code_or_a_refresh() {
        let callback =
            r#"{"app_auth_code":"c","app_id":"2021","source":"alipay_app_auth","state":"s"}"#;
        assert!(matches!(input(callback).unwrap().wish, Wish::Exchange(_)));
        let refresh = r#"{"authAppId":"2021","refresh":true}"#;
        assert!(matches!(input(refresh).unwrap().wish, Wish::Refresh(_)));
        let left_out = r#"{"app_auth_code":"c","authAppId":null,"refresh":null,"needKey":null}"#;
        assert!(matches!(input(left_out).unwrap().wish, Wish::Exchange(_)));
        for (text, named) in [
            ("{}", "missing field `app_auth_code`"),
            (r#"{"authAppId":"2021"}"#, "missing field `app_auth_code`"),
            (r#"{"refresh":true}"#, "missing field `authAppId`"),
            (
                r#"{"refresh":true,"authAppId":"2021","app_auth_code":"c"}"#,
                "together",
            ),
            (r#"{"app_auth_code":"a b"}"#, "as Alipay gave it"),
        ] {
            assert!(input(text).unwrap_err().contains(named), "{text}");
        }
    }

    #[test]
    fn debug_hides_the_code() {
        let input = input(r#"{"app_auth_code":"canary"}"#).unwrap();
        assert!(!format!("{input:?}").contains("canary"));
    }
}
