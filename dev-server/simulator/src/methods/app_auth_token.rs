//! `alipay.open.auth.token.app` and `….query`: an ISV's app_auth_tokens. Here the parameters do stand in `biz_content`.
//!
//! The sub_codes are those of Alipay's SDK. A reply about one merchant has its members at the top and in `tokens`; one
//! about several has `tokens` alone.

use std::time::SystemTime;

use serde_json::{Map, Value};

use super::{Answer, Call, METHODS, text};
use crate::apps::NumberSpelling;
use crate::clock::beijing_text;
use crate::merchants::{MerchantTokens, Rejected, owner};
use crate::refusal::{Refusal, success};
use crate::world::World;

pub(super) fn run(world: &mut World, call: &Call<'_>) -> Answer {
    require_isv(world, call)?;
    let biz_content = call.biz_content().map_err(|_| grant_type_invalid())?;
    let member = |name: &str| text(&biz_content, name).unwrap_or_default();
    let now = world.clock.now();
    let app = world.apps.get(call.app_id);
    let rules = app
        .map(|app| app.options.merchant_tokens)
        .unwrap_or_default();
    let granted = match member("grant_type") {
        "authorization_code" => world
            .merchants
            .exchange(call.app_id, member("code"), rules, now),
        "refresh_token" => world
            .merchants
            .refresh(call.app_id, member("refresh_token"), rules, now)
            .map(|tokens| vec![tokens]),
        _ => return Err(grant_type_invalid()),
    };
    let granted = granted.map_err(|rejected| match rejected {
        Rejected::CodeUnknown => Refusal::business("AUTH_CODE_NOT_EXIST", "授权码不存在"),
        Rejected::CodeSpent => Refusal::business("AUTH_CODE_NOT_VALID", "授权码无效"),
        Rejected::RefreshTokenUnknown => {
            Refusal::business("REFRESH_TOKEN_NOT_EXIST", "刷新令牌不存在")
        }
        Rejected::RefreshTokenDead => Refusal::business("REFRESH_TOKEN_NOT_VALID", "刷新令牌无效"),
        Rejected::RefreshTokenExpired => {
            Refusal::business("REFRESH_TOKEN_TIME_OUT", "刷新令牌已过期")
        }
        Rejected::OtherApp => Refusal::business("APP_ID_NOT_CONSISTENT", "应用不一致"),
    })?;
    let spelling = spelling(world, call);
    let members: Vec<_> = granted
        .iter()
        .map(|tokens| members(tokens, spelling, now))
        .collect();
    let mut node = success([]);
    if let [only] = members.as_slice() {
        node.extend(only.clone());
    }
    node.insert("tokens".to_owned(), members.into());
    Ok(node)
}

pub(super) fn query(world: &mut World, call: &Call<'_>) -> Answer {
    let illegal = || Refusal::business("ILLEGAL_PARAM", "参数不合法：app_auth_token");
    // The token is what is asked about, not by whose leave: as a public parameter it has no place here.
    if call.parameter("app_auth_token").is_some() {
        return Err(illegal());
    }
    require_isv(world, call)?;
    let biz_content = call.biz_content().map_err(|_| illegal())?;
    let token = text(&biz_content, "app_auth_token").ok_or_else(illegal)?;
    let tokens = world
        .merchants
        .find(token)
        .ok_or_else(|| Refusal::business("AUTH_TOKEN_NOT_EXISTED", "应用授权令牌不存在"))?;
    if tokens.isv_app_id != call.app_id {
        return Err(Refusal::business(
            "AUTH_TOKEN_NOT_CONSISTENT",
            "应用授权令牌与应用不一致",
        ));
    }
    let now = world.clock.now();
    let valid = tokens.is_usable(now) && now < tokens.token_expires;
    let methods: Vec<&str> = METHODS.iter().map(|method| method.name).collect();
    Ok(success([
        ("user_id", owner(&tokens.auth_app_id).into()),
        ("auth_app_id", tokens.auth_app_id.as_str().into()),
        (
            "expires_in",
            seconds(tokens.token_expires, spelling(world, call), now),
        ),
        ("auth_methods", methods.into()),
        ("auth_start", beijing_text(tokens.issued).into()),
        ("auth_end", beijing_text(tokens.token_expires).into()),
        ("status", if valid { "valid" } else { "invalid" }.into()),
        ("is_by_app_auth", true.into()),
    ]))
}

fn require_isv(world: &World, call: &Call<'_>) -> Result<(), Refusal> {
    if world.merchants.is_isv(call.app_id) {
        Ok(())
    } else {
        Err(Refusal::business("APP_NOT_ISV", "应用不是第三方应用"))
    }
}

fn grant_type_invalid() -> Refusal {
    Refusal::business("GRANT_TYPE_INVALID", "授权类型无效")
}

fn spelling(world: &World, call: &Call<'_>) -> NumberSpelling {
    world
        .apps
        .get(call.app_id)
        .map(|app| app.options.tokens.spelling)
        .unwrap_or_default()
}

fn seconds(until: SystemTime, spelling: NumberSpelling, now: SystemTime) -> Value {
    let seconds = until.duration_since(now).unwrap_or_default().as_secs();
    match spelling {
        NumberSpelling::Number => seconds.into(),
        NumberSpelling::String => seconds.to_string().into(),
    }
}

fn members(
    tokens: &MerchantTokens,
    spelling: NumberSpelling,
    now: SystemTime,
) -> Map<String, Value> {
    [
        ("app_auth_token", tokens.app_auth_token.as_str().into()),
        (
            "app_refresh_token",
            tokens.app_refresh_token.as_str().into(),
        ),
        ("auth_app_id", tokens.auth_app_id.as_str().into()),
        ("user_id", owner(&tokens.auth_app_id).into()),
        ("expires_in", seconds(tokens.token_expires, spelling, now)),
        (
            "re_expires_in",
            seconds(tokens.refresh_expires, spelling, now),
        ),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}
