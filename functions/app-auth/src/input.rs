use function_kit::Failure;
use function_kit::checked::{OneTimeCode, optional};
use secrecy::SecretString;
use serde::Deserialize;

/// How the paths of the two routes end.
const AUTH_INFO: &str = "/app/getAuthInfo";
const LOGIN: &str = "/app/login";

/// The arguments of both calls.
#[derive(Debug, Deserialize)]
#[serde(from = "Written")]
pub struct Input {
    auth_code: Option<SecretString>,
    target_id: Option<SecretString>,
}

/// The arguments as written: the code has two names, the SDK's and vk's.
#[derive(Deserialize)]
struct Written {
    #[serde(default, deserialize_with = "optional")]
    auth_code: Option<OneTimeCode>,
    #[serde(default, deserialize_with = "optional")]
    code: Option<OneTimeCode>,
    #[serde(default, deserialize_with = "optional")]
    target_id: Option<OneTimeCode>,
}

impl From<Written> for Input {
    fn from(written: Written) -> Self {
        let code = written.auth_code.or(written.code);
        Self {
            auth_code: code.map(OneTimeCode::into_secret),
            target_id: written.target_id.map(OneTimeCode::into_secret),
        }
    }
}

/// What a call asks for.
#[derive(Debug)]
pub(crate) enum Wanted<'a> {
    /// `app.getAuthInfo`.
    AuthInfo,
    /// `app.login`.
    Login(Login<'a>),
}

/// What the plugin's `login` gave.
#[derive(Debug)]
pub(crate) struct Login<'a> {
    pub auth_code: &'a SecretString,
    pub target_id: &'a SecretString,
}

impl Input {
    /// What is asked for by a call at `path`. Where that is neither of the routes, a code or a target makes it a login.
    pub(crate) fn wanted(&self, path: Option<&str>) -> Result<Wanted<'_>, Failure> {
        let path = path.unwrap_or_default();
        let is_login = path.ends_with(LOGIN)
            || (!path.ends_with(AUTH_INFO)
                && (self.auth_code.is_some() || self.target_id.is_some()));
        if !is_login {
            return Ok(Wanted::AuthInfo);
        }
        let required = |field| move || Failure::invalid(field, "is required");
        Ok(Wanted::Login(Login {
            auth_code: self.auth_code.as_ref().ok_or_else(required("auth_code"))?,
            target_id: self.target_id.as_ref().ok_or_else(required("target_id"))?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use function_kit::Outcome;

    use super::*;

    /// `None` for a question for the login string, `Some` with what is missing for a login.
    fn read(path: Option<&str>, text: &str) -> Option<String> {
        let input: Input = serde_json::from_str(text).unwrap();
        match input.wanted(path) {
            Ok(Wanted::AuthInfo) => None,
            Ok(Wanted::Login(_)) => Some(String::new()),
            Err(failure) => match failure.outcome() {
                Outcome::InvalidArgument { field, .. } => Some(field.clone()),
                other => panic!("{other:?}"),
            },
        }
    }

    const BOTH: &str = r#"{"auth_code":"c","target_id":"t"}"#;
    const NEITHER: &str = r#"{"auth_code":"","target_id":""}"#;
    const NO_CODE: &str = r#"{"target_id":"t"}"#;
    const NO_TARGET: &str = r#"{"code":"c"}"#;

    #[test]
    fn at_a_route_the_route_tells_what_is_asked_for() {
        for text in [BOTH, NEITHER, NO_CODE, NO_TARGET] {
            assert_eq!(read(Some("/openapi/alipay/app/getAuthInfo"), text), None);
        }
        for (text, missing) in [
            (BOTH, ""),
            (NEITHER, "auth_code"),
            ("{}", "auth_code"),
            (NO_CODE, "auth_code"),
            (NO_TARGET, "target_id"),
        ] {
            for path in [
                "/openapi/alipay/app/login",
                "/custom/openapi/alipay/app/login",
            ] {
                assert_eq!(read(Some(path), text).as_deref(), Some(missing), "{text}");
            }
        }
    }

    #[test]
    fn elsewhere_a_code_or_a_target_makes_it_a_login() {
        for path in [None, Some("/")] {
            for (text, wanted) in [
                ("{}", None),
                (NEITHER, None),
                (BOTH, Some("")),
                (NO_CODE, Some("auth_code")),
                (NO_TARGET, Some("target_id")),
            ] {
                assert_eq!(read(path, text).as_deref(), wanted, "{path:?} {text}");
            }
        }
    }

    #[test]
    fn what_cannot_be_a_code_never_reaches_the_gateway() {
        for code in ["a b", "a\\n", "\\u0000", "🙂", &"c".repeat(41)] {
            let text = format!(r#"{{"auth_code":"{code}","target_id":"t"}}"#);
            assert!(serde_json::from_str::<Input>(&text).is_err(), "{code}");
        }
    }

    #[test]
    fn debug_hides_both() {
        let text = r#"{"auth_code":"canary1","target_id":"canary2"}"#;
        let input: Input = serde_json::from_str(text).unwrap();
        let wanted = input.wanted(None).unwrap();
        assert!(!format!("{input:?} {wanted:?}").contains("canary"));
    }
}
