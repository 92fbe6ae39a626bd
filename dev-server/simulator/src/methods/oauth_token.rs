//! `alipay.system.oauth.token`: exchanges a code, refreshes a grant.
//!
//! Its parameters are top-level ones, not `biz_content`; its success has no `code` member (Alipay's document of the
//! method and its samples). A user's grant has no grace: see [`crate::grants`].

use std::time::SystemTime;

use serde_json::{Map, Value};

use super::{Answer, Call};
use crate::apps::{AppOptions, NumberSpelling};
use crate::clock::beijing_text;
use crate::grants::{Rejected, Tokens};
use crate::refusal::Refusal;
use crate::users;
use crate::world::World;

pub(super) fn run(world: &mut World, call: &Call<'_>) -> Answer {
    let now = world.clock.now();
    let Some(app) = world.apps.get(call.app_id) else {
        return Err(Refusal::invalid("isv.invalid-app-id", "无效的AppID参数"));
    };
    let rules = app.options.tokens;
    let granted = match call.parameter("grant_type") {
        Some("authorization_code") => world.grants.exchange(
            call.app_id,
            call.parameter("code").unwrap_or_default(),
            rules,
            now,
        ),
        Some("refresh_token") => world.grants.refresh(
            call.app_id,
            call.parameter("refresh_token").unwrap_or_default(),
            rules,
            now,
        ),
        _ => {
            return Err(Refusal::invalid(
                "isv.grant-type-invalid",
                "授权类型grant_type无效",
            ));
        }
    };
    let tokens = granted.map_err(|rejected| match rejected {
        Rejected::Code => Refusal::invalid("isv.code-invalid", "授权码code无效"),
        Rejected::RefreshToken => {
            Refusal::invalid("isv.refresh-token-invalid", "刷新令牌refresh_token无效")
        }
        Rejected::RefreshTokenExpired => {
            Refusal::invalid("isv.refresh-token-time-out", "刷新令牌refresh_token已过期")
        }
        Rejected::OtherApp => Refusal::invalid("isv.unmatched-app-id", "令牌不属于该应用"),
    })?;
    Ok(node(&app.options, &tokens, now))
}

fn node(options: &AppOptions, tokens: &Tokens, now: SystemTime) -> Map<String, Value> {
    let seconds = |until: SystemTime| {
        let seconds = until.duration_since(now).unwrap_or_default().as_secs();
        match options.tokens.spelling {
            NumberSpelling::Number => Value::from(seconds),
            NumberSpelling::String => Value::from(seconds.to_string()),
        }
    };
    let mut node = Map::new();
    if options.identifiers.has_user_id() {
        node.insert("user_id".to_owned(), tokens.user_id.as_str().into());
    }
    if options.identifiers.has_open_id() {
        node.insert(
            "open_id".to_owned(),
            users::open_id(&tokens.app_id, &tokens.user_id).into(),
        );
        node.insert(
            "union_id".to_owned(),
            users::union_id(&tokens.user_id).into(),
        );
    }
    node.insert(
        "access_token".to_owned(),
        tokens.access_token.as_str().into(),
    );
    node.insert("expires_in".to_owned(), seconds(tokens.access_expires));
    node.insert(
        "refresh_token".to_owned(),
        tokens.refresh_token.as_str().into(),
    );
    node.insert("re_expires_in".to_owned(), seconds(tokens.refresh_expires));
    node.insert("auth_start".to_owned(), beijing_text(tokens.issued).into());
    node
}
