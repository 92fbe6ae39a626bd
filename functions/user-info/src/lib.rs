//! `user.getUserInfo`: the profile of a user who granted `auth_user`, by `alipay.user.info.share` with the user's stored token. Over
//! HTTP users get their own profile, by a direct invoke that of whoever is named.

mod input;

use alipay_gateway::methods::{self, user_info};
use function_kit::checked::{OpenId, UserIdKind};
use function_kit::{Access, Alipay, Caller, Failure, Function, Outcome, Success};
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
        let reply = self
            .tokens
            .answer_for_user(&self.alipay, caller, &user, user_info)
            .await?;
        let profile: methods::UserInfo = reply.parse()?;
        check_same_user(openid, &profile)?;
        Ok(Success::new("ok", fields(openid, profile)))
    }
}

/// A genuine reply about somebody else must not pass for this user's. Where the reply does not name the user in the way the
/// caller did, the token is all there is to go by.
fn check_same_user(asked: &OpenId, profile: &methods::UserInfo) -> Result<(), Failure> {
    let answered = match asked.kind() {
        UserIdKind::UserId => profile.user_id.as_deref(),
        UserIdKind::OpenId => profile.open_id.as_deref(),
    };
    match answered {
        Some(answered) if answered != &**asked => Err(Failure::caused_by(
            Outcome::GatewayUnverified,
            "the reply is about another user than the token was stored for",
        )),
        _ => Ok(()),
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

    fn profile(user_id: Option<&str>, open_id: Option<&str>) -> methods::UserInfo {
        methods::UserInfo {
            user_id: user_id.map(str::to_owned),
            open_id: open_id.map(str::to_owned),
            nick_name: None,
            avatar: None,
            gender: None,
            province: None,
            city: None,
        }
    }

    #[test]
    fn a_reply_about_another_user_is_not_taken() {
        let (user, other) = ("2088000000000001", "2088000000000002");
        for (asked, user_id, open_id, taken) in [
            (user, Some(user), Some("o1"), true),
            (user, None, Some("o1"), true),
            (user, Some(other), Some("o1"), false),
            ("o1", Some(user), Some("o1"), true),
            ("o1", Some(user), None, true),
            ("o1", Some(user), Some("o2"), false),
        ] {
            let asked = OpenId::try_from(asked.to_owned()).unwrap();
            let result = check_same_user(&asked, &profile(user_id, open_id));
            assert_eq!(result.is_ok(), taken, "{asked:?} {user_id:?} {open_id:?}");
        }
    }

    #[test]
    fn what_alipay_does_not_send_is_left_out() {
        let fields = fields("o1", profile(None, Some("o1")));
        let text = serde_json::to_string(&fields).unwrap();
        assert_eq!(text, r#"{"openid":"o1"}"#);
    }
}
