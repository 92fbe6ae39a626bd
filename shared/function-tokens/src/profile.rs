use alipay_gateway::methods::{UserInfo, user_info};
use function_kit::checked::{OpenId, UserIdKind};
use function_kit::{Alipay, Caller, Failure, Outcome};

use crate::tokens::{Tokens, User};

impl Tokens {
    /// The profile of a user who granted `auth_user`, by `alipay.user.info.share` with the stored token.
    ///
    /// # Errors
    /// As [`Tokens::answer_for_user`]; `gateway_unverified` for the profile of somebody else.
    pub async fn profile_of(
        &self,
        alipay: &Alipay,
        caller: &Caller,
        user: &User<'_>,
    ) -> Result<UserInfo, Failure> {
        let reply = self
            .answer_for_user(alipay, caller, user, user_info)
            .await?;
        let profile: UserInfo = reply.parse()?;
        let (user_id, open_id) = ids(user.openid);
        if profile.is_of_another(user_id, open_id) {
            return Err(Failure::caused_by(
                Outcome::GatewayUnverified,
                "the reply is about another user than the token was stored for",
            ));
        }
        Ok(profile)
    }
}

/// The user's id, as that of the kind that it is.
fn ids(openid: &str) -> (Option<&str>, Option<&str>) {
    match OpenId::try_from(openid.to_owned()).map(|id| id.kind()) {
        Ok(UserIdKind::UserId) => (Some(openid), None),
        _ => (None, Some(openid)),
    }
}
