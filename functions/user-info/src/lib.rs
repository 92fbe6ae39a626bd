//! `user.getUserInfo`: the profile of a user who granted `auth_user`, by `alipay.user.info.share` with the user's stored token. Over
//! HTTP users get their own profile, by a direct invoke that of whoever is named.

mod input;

use alipay_gateway::methods;
use function_kit::{Access, Alipay, Caller, Failure, Function, Success};
use function_tokens::{Tokens, User};
use serde::Serialize;

pub use input::Input;

/// The function.
#[derive(Debug, Clone)]
pub struct UserInfo {
    alipay: Alipay,
    tokens: Tokens,
}

/// The profile under vk's names. What Alipay does not send is left out. Personal, so there is no `Debug`.
#[derive(Serialize)]
pub struct Fields {
    /// As the caller named the user.
    openid: String,
    #[serde(rename = "nickName", skip_serializing_if = "Option::is_none")]
    nick_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    avatar: Option<String>,
    /// Alipay's letters, `F` or `M`, and not WeChat's numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    gender: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    province: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    city: Option<String>,
}

impl UserInfo {
    /// Reads profiles for the apps of `alipay`, with users' tokens from `tokens`.
    pub fn new(alipay: Alipay, tokens: Tokens) -> Self {
        Self { alipay, tokens }
    }
}

impl Function for UserInfo {
    const NAME: &'static str = "user-info";
    const ACCESS: Access = Access::SignedIn;
    type Input = Input;
    type Fields = Fields;

    async fn call(&self, input: Input, caller: &Caller) -> Result<Success<Fields>, Failure> {
        let openid = caller
            .subject(input.openid.as_ref())?
            .ok_or_else(|| Failure::invalid("openid", "is required"))?;
        let merchant = caller
            .user
            .as_ref()
            .and_then(|user| user.auth_app_id.as_deref());
        let user = User {
            openid,
            scope: input.scope.as_deref(),
            auth_app_id: merchant,
        };
        let profile = self.tokens.profile_of(&self.alipay, caller, &user).await?;
        Ok(Success::new("ok", fields(openid, profile)))
    }
}

fn fields(openid: &str, profile: methods::UserInfo) -> Fields {
    Fields {
        openid: openid.to_owned(),
        nick_name: profile.nick_name,
        avatar: profile.avatar,
        gender: profile.gender,
        province: profile.province,
        city: profile.city,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_alipay_does_not_send_is_left_out() {
        let profile = methods::UserInfo {
            user_id: None,
            open_id: Some("o1".to_owned()),
            nick_name: None,
            avatar: None,
            gender: None,
            province: None,
            city: None,
        };
        let text = serde_json::to_string(&fields("o1", profile)).unwrap();
        assert_eq!(text, r#"{"openid":"o1"}"#);
    }
}
