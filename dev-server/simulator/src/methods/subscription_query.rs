//! `alipay.open.app.messagetemplate.subscribe.query`: whether a user subscribed to up to three templates.
//!
//! Its sub_codes are those of Alipay's SDK. No document says what `subscribe_state` and `keep_state` may be but for a
//! sample's `0`; here 1 is yes and 0 is no.

use serde_json::{Map, Value, json};

use super::{Answer, Call, text};
use crate::apps::AppRecord;
use crate::refusal::{Refusal, success};
use crate::users::{is_user_id, open_id};
use crate::world::World;

/// Templates in one question: Alipay's document of `template_id_list`.
const TEMPLATE_LIMIT: usize = 3;

pub(super) fn run(world: &mut World, call: &Call<'_>) -> Answer {
    if call.parameter("biz_content").is_none() {
        return Err(Refusal::business("BIZ_CONTENT_IS_NULL", "biz_content为空"));
    }
    let biz_content = call.biz_content().map_err(|_| illegal("biz_content"))?;
    let Some(app) = world.apps.get(call.app_id) else {
        return Err(illegal("app_id"));
    };
    let user_id = user(world, app, call.app_id, &biz_content)?;
    let templates = templates(app, &biz_content)?;
    let blocked = world
        .unsubscribed
        .contains(&(call.app_id.to_owned(), user_id.clone()));
    let mut shown = false;
    let relations: Vec<Value> = templates
        .into_iter()
        .map(|template_id| {
            let subscription = world
                .subscriptions
                .get(call.app_id, &user_id, template_id)
                .filter(|_| !blocked);
            let kept = subscription.is_some_and(|subscription| subscription.kept);
            shown |= !kept;
            json!({
                "template_id": template_id,
                "subscribe_state": state(subscription.is_some()),
                "subscribe_type": world.subscriptions.kind(call.app_id, template_id).name(),
                "keep_state": state(kept),
                "show": !kept,
            })
        })
        .collect();
    Ok(success([
        ("show_component", shown.into()),
        ("subscribe_relations", relations.into()),
    ]))
}

fn state(yes: bool) -> &'static str {
    if yes { "1" } else { "0" }
}

/// The `user_id` of the one user: `user_id` or `open_id`, of a kind that the app works with.
fn user(
    world: &World,
    app: &AppRecord,
    app_id: &str,
    biz_content: &Map<String, Value>,
) -> Result<String, Refusal> {
    let identifiers = app.options.identifiers;
    match (text(biz_content, "user_id"), text(biz_content, "open_id")) {
        (Some(id), None)
            if identifiers.has_user_id() && is_user_id(id) && world.users.contains_key(id) =>
        {
            Ok(id.to_owned())
        }
        (None, Some(id)) => world
            .users
            .keys()
            .find(|user_id| identifiers.has_open_id() && open_id(app_id, user_id) == id)
            .cloned()
            .ok_or_else(|| Refusal::business("OPENID_INVALID", "open_id不合法")),
        _ => Err(illegal("user_id, open_id")),
    }
}

fn templates<'a>(
    app: &AppRecord,
    biz_content: &'a Map<String, Value>,
) -> Result<Vec<&'a str>, Refusal> {
    let invalid = || Refusal::business("MSG_TEMPLATE_INVALID", "消息模板不合法");
    let list = biz_content
        .get("template_id_list")
        .and_then(Value::as_array)
        .filter(|list| !list.is_empty())
        .ok_or_else(|| illegal("template_id_list"))?;
    if list.len() > TEMPLATE_LIMIT {
        return Err(Refusal::business(
            "SUBSCRIBE_TEMPLATE_OVER_LIMIT",
            "模板数量超过限制",
        ));
    }
    let ids: Option<Vec<&str>> = list
        .iter()
        .map(|id| id.as_str().filter(|id| !id.is_empty()))
        .collect();
    let ids = ids.ok_or_else(invalid)?;
    if let Some(owned) = &app.options.templates
        && !ids
            .iter()
            .all(|id| owned.iter().any(|template| template.id == *id))
    {
        return Err(Refusal::business(
            "MSG_TEMPLATE_NOT_EXIST",
            "消息模板不存在",
        ));
    }
    Ok(ids)
}

fn illegal(name: &str) -> Refusal {
    Refusal::business("ILLEGAL_ARGUMENT_PARAMS", &format!("参数不合法：{name}"))
}
