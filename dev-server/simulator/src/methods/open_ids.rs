//! `alipay.open.app.openid.uidtoopenid.batchquery`, and `alipay.open.app.openid.batchquery` for the users of a conversion order (工单) that
//! Alipay approved: the `open_id`s of users of a `user_id`.
//!
//! Its members are those of Alipay's SDKs. Choices of the simulator, because no document says them: all sub_codes, the limit, that the
//! first leaves out whom it does not know, and that an app without open ids may ask neither.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Answer, Call, text};
use crate::refusal::{Refusal, success};
use crate::users::{is_user_id, open_id, union_id};
use crate::world::World;

/// Users in one question.
const USER_LIMIT: usize = 100;

/// An approved order to convert these users' ids.
pub(crate) struct ConversionOrder {
    pub(crate) app_id: String,
    pub(crate) user_ids: BTreeSet<String>,
}

/// Without an order: whom it knows, it names.
pub(super) fn of_users(world: &mut World, call: &Call<'_>) -> Answer {
    let biz_content = biz_content(world, call)?;
    let user_ids = user_ids(&biz_content)?;
    if !user_ids.iter().all(|user_id| is_user_id(user_id)) {
        return Err(invalid("user_id_list"));
    }
    let known = user_ids
        .into_iter()
        .filter(|user_id| world.users.contains_key(*user_id));
    let named = known.map(|user_id| named(call.app_id, user_id)).collect();
    Ok(success([("open_id_list", Value::Array(named))]))
}

/// With one: whom the order does not have is illegal.
pub(super) fn of_order(world: &mut World, call: &Call<'_>) -> Answer {
    let biz_content = biz_content(world, call)?;
    let user_ids = user_ids(&biz_content)?;
    let order = text(&biz_content, "order_id")
        .and_then(|order_id| world.conversion_orders.get(order_id))
        .filter(|order| order.app_id == call.app_id)
        .ok_or_else(|| invalid("order_id"))?;
    let (legal, illegal): (Vec<_>, Vec<_>) = user_ids.into_iter().partition(|user_id| {
        world.users.contains_key(*user_id) && order.user_ids.contains(*user_id)
    });
    let named = legal.into_iter().map(|user_id| named(call.app_id, user_id));
    let mut node = success([("open_id_list", named.collect())]);
    // Alipay leaves out what is empty.
    if !illegal.is_empty() {
        node.insert("illegal_user_id_list".to_owned(), illegal.into());
    }
    Ok(node)
}

fn named(app_id: &str, user_id: &str) -> Value {
    json!({
        "user_id": user_id,
        "open_id": open_id(app_id, user_id),
        "union_id": union_id(user_id),
    })
}

fn biz_content(world: &World, call: &Call<'_>) -> Result<Map<String, Value>, Refusal> {
    let app = world.apps.get(call.app_id);
    if !app.is_some_and(|app| app.options.identifiers.has_open_id()) {
        return Err(Refusal::business(
            "OPENID_NOT_SUPPORTED",
            "应用未升级openid",
        ));
    }
    call.biz_content().map_err(|_| invalid("biz_content"))
}

fn user_ids(biz_content: &Map<String, Value>) -> Result<Vec<&str>, Refusal> {
    biz_content
        .get("user_id_list")
        .and_then(Value::as_array)
        .filter(|list| (1..=USER_LIMIT).contains(&list.len()))
        .and_then(|list| list.iter().map(Value::as_str).collect())
        .ok_or_else(|| invalid("user_id_list"))
}

fn invalid(name: &str) -> Refusal {
    Refusal::business("INVALID_PARAMETER", &format!("参数有误：{name}"))
}
