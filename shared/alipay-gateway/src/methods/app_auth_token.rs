use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::life::seconds;
use crate::{Call, GatewayError, Reply};

/// What a merchant granted to an ISV's app: the tokens to act for one app of theirs.
#[derive(Debug, Clone)]
pub struct MerchantGrant {
    /// The merchant's app.
    pub auth_app_id: String,
    /// The merchant's partner id (PID).
    pub user_id: Option<String>,
    /// For calls in the merchant's name (`app_auth_token`).
    pub app_auth_token: SecretString,
    /// For a new pair. The old pair keeps working for a while after a refresh.
    pub app_refresh_token: Option<SecretString>,
    /// Seconds as Alipay names them. Its document says not to rely on them: a token ends when the merchant cancels or authorises
    /// again, or when it is refreshed. Ten years at most; `None` where Alipay names none.
    pub expires_in: Option<u64>,
    /// The same for the refresh token.
    pub re_expires_in: Option<u64>,
}

/// What a merchant's authorisation allows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct AppAuthorization {
    /// `valid` or `invalid`.
    pub status: String,
    /// The merchant's app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_app_id: Option<String>,
    /// The merchant's partner id (PID).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The methods that may be called for the merchant.
    #[serde(default)]
    pub auth_methods: Vec<String>,
    /// Since when, as Alipay writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_start: Option<String>,
    /// Until when, as Alipay writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_end: Option<String>,
    /// Whether the merchant delegated everything (全权委托).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_by_app_auth: Option<bool>,
}

/// Exchanges the `app_auth_code` that came to the redirect address. The code works once, so the call is never repeated.
///
/// # Errors
/// Never for a text; the signature is that of every typed call.
pub fn exchange_app_auth_code(code: &SecretString) -> Result<Call, GatewayError> {
    token_call(&TokenArguments::AuthorizationCode {
        code: code.expose_secret(),
    })
}

/// Asks for a new pair of tokens. Not repeated by itself, although the old refresh token would work for a while: nobody knows how
/// long.
///
/// # Errors
/// Never for a text; the signature is that of every typed call.
pub fn refresh_app_auth_token(refresh_token: &SecretString) -> Result<Call, GatewayError> {
    token_call(&TokenArguments::RefreshToken {
        refresh_token: refresh_token.expose_secret(),
    })
}

/// Asks what the authorisation behind a token allows. Here the token is an argument in `biz_content`; it must not stand beside it
/// as it does in every other call for a merchant.
///
/// # Errors
/// Never for a text; the signature is that of every typed call.
pub fn query_app_auth_token(token: &SecretString) -> Result<Call, GatewayError> {
    #[derive(Serialize)]
    struct Arguments<'a> {
        app_auth_token: &'a str,
    }
    let arguments = Arguments {
        app_auth_token: token.expose_secret(),
    };
    Ok(Call::new("alipay.open.auth.token.app.query")
        .with_biz_content(super::biz_content(&arguments)?)
        .repeatable())
}

/// Reads the reply to an exchange or a refresh: one grant for every app that the merchant authorised, at least one. Alipay names
/// them in `tokens`, and the only one also beside it.
///
/// # Errors
/// [`GatewayError::Malformed`] when there is no grant, or one without a token or an app.
pub fn merchant_grants(reply: &Reply) -> Result<Vec<MerchantGrant>, GatewayError> {
    #[derive(Deserialize)]
    struct Node {
        #[serde(default)]
        tokens: Vec<WrittenGrant>,
        #[serde(flatten)]
        only: WrittenGrant,
    }
    let node: Node = reply.parse()?;
    let written = if node.tokens.is_empty() {
        vec![node.only]
    } else {
        node.tokens
    };
    written.into_iter().map(WrittenGrant::checked).collect()
}

/// The arguments stand in `biz_content`, unlike those of a user's token.
#[derive(Serialize)]
#[serde(tag = "grant_type", rename_all = "snake_case")]
enum TokenArguments<'a> {
    AuthorizationCode { code: &'a str },
    RefreshToken { refresh_token: &'a str },
}

fn token_call(arguments: &TokenArguments<'_>) -> Result<Call, GatewayError> {
    Ok(Call::new("alipay.open.auth.token.app").with_biz_content(super::biz_content(arguments)?))
}

#[derive(Deserialize)]
struct WrittenGrant {
    auth_app_id: Option<String>,
    user_id: Option<String>,
    app_auth_token: Option<SecretString>,
    app_refresh_token: Option<SecretString>,
    #[serde(default, deserialize_with = "seconds")]
    expires_in: Option<u64>,
    #[serde(default, deserialize_with = "seconds")]
    re_expires_in: Option<u64>,
}

impl WrittenGrant {
    fn checked(self) -> Result<MerchantGrant, GatewayError> {
        let missing = |member: &str| GatewayError::Malformed {
            reason: format!("{member} is missing or empty"),
        };
        let present = |text: Option<String>| text.filter(|text| !text.is_empty());
        let token =
            |token: Option<SecretString>| token.filter(|token| !token.expose_secret().is_empty());
        Ok(MerchantGrant {
            auth_app_id: present(self.auth_app_id).ok_or_else(|| missing("auth_app_id"))?,
            user_id: present(self.user_id),
            app_auth_token: token(self.app_auth_token).ok_or_else(|| missing("app_auth_token"))?,
            app_refresh_token: token(self.app_refresh_token),
            expires_in: self.expires_in,
            re_expires_in: self.re_expires_in,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_stand_in_biz_content_and_no_call_spends_its_token_twice() {
        let secret = SecretString::from("canary".to_owned());
        let exchange = exchange_app_auth_code(&secret).unwrap();
        assert_eq!(
            exchange.biz_content.as_deref(),
            Some(r#"{"grant_type":"authorization_code","code":"canary"}"#)
        );
        let refresh = refresh_app_auth_token(&secret).unwrap();
        assert_eq!(
            refresh.biz_content.as_deref(),
            Some(r#"{"grant_type":"refresh_token","refresh_token":"canary"}"#)
        );
        assert!(!exchange.repeatable && !refresh.repeatable);
        let query = query_app_auth_token(&secret).unwrap();
        assert!(query.repeatable && query.fields.is_empty());
        for call in [exchange, refresh, query] {
            assert!(!format!("{call:?}").contains("canary"));
        }
    }
}
