//! `alipay.user.info.share`: the profile of the user whose access token comes as `auth_token`.

use serde_json::Value;

use super::{Answer, Call};
use crate::grants::{BadAccess, Scope};
use crate::refusal::{Refusal, success};
use crate::users;
use crate::world::World;

pub(super) fn run(world: &mut World, call: &Call<'_>) -> Answer {
    let invalid = || Refusal::token("aop.invalid-auth-token", "无效的访问令牌");
    let token = call.parameter("auth_token").ok_or_else(invalid)?;
    let tokens = world
        .grants
        .access(call.app_id, token, world.clock.now())
        .map_err(|bad| match bad {
            BadAccess::Invalid => invalid(),
            BadAccess::Expired => Refusal::token("aop.auth-token-time-out", "访问令牌已过期"),
        })?;
    if tokens.scope != Scope::AuthUser {
        return Err(invalid());
    }
    let (Some(app), Some(user)) = (
        world.apps.get(call.app_id),
        world.users.get(&tokens.user_id),
    ) else {
        return Err(invalid());
    };
    let identifiers = app.options.identifiers;
    let members = [
        (
            "user_id",
            identifiers.has_user_id().then(|| user.user_id.clone()),
        ),
        (
            "open_id",
            identifiers
                .has_open_id()
                .then(|| users::open_id(call.app_id, &user.user_id)),
        ),
        ("nick_name", user.nick_name.clone()),
        ("avatar", user.avatar.clone()),
        ("gender", user.gender.clone()),
        ("province", user.province.clone()),
        ("city", user.city.clone()),
    ];
    Ok(success(members.into_iter().filter_map(|(name, value)| {
        Some((name, Value::from(value?)))
    })))
}
