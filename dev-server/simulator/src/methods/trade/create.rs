//! `alipay.trade.create`, for mini-programs.

use serde_json::{Map, Value};

use super::super::{Answer, Call, text};
use super::{members, order};
use crate::refusal::{Refusal, success};
use crate::trades::{MINI_PROGRAM_PAYMENT, Number, invalid_parameter};
use crate::users::{is_user_id, open_id};
use crate::world::World;

pub(crate) fn run(world: &mut World, call: &Call<'_>) -> Answer {
    let biz_content = members(call)?;
    match text(&biz_content, "product_code") {
        Some(MINI_PROGRAM_PAYMENT) => {}
        Some(_) => {
            return Err(Refusal::business("ACQ.ACCESS_FORBIDDEN", "无权限使用接口"));
        }
        None => return Err(invalid_parameter()),
    }
    let op_app_id = text(&biz_content, "op_app_id").ok_or_else(invalid_parameter)?;
    if !world.apps.contains_key(op_app_id) {
        return Err(invalid_parameter());
    }
    let mut order = order::read(world, call, &biz_content, MINI_PROGRAM_PAYMENT)?;
    order.buyer = buyer(world, call.app_id, op_app_id, &biz_content)?;
    // Paid or closed goes before any difference of the data.
    let number = Number::Merchants(&order.out_trade_no);
    if let Some(known) = world.trade_of(call.app_id, &number) {
        order::still_waits(known)?;
    }
    let trade = order::trade_of(world, order)?;
    Ok(success([
        ("out_trade_no", Value::from(trade.out_trade_no)),
        ("trade_no", Value::from(trade.trade_no)),
    ]))
}

/// The `user_id` of the one buyer: `buyer_id` or `buyer_open_id`, of a kind that the app works with.
fn buyer(
    world: &World,
    app_id: &str,
    op_app_id: &str,
    biz_content: &Map<String, Value>,
) -> Result<String, Refusal> {
    let unknown = || Refusal::business("ACQ.BUYER_NOT_EXIST", "买家不存在");
    let app = world.apps.get(app_id).ok_or_else(invalid_parameter)?;
    let identifiers = app.options.identifiers;
    let user_id = match (
        text(biz_content, "buyer_id"),
        text(biz_content, "buyer_open_id"),
    ) {
        (None, None) | (Some(_), Some(_)) => return Err(invalid_parameter()),
        (Some(id), None) if identifiers.has_user_id() && is_user_id(id) => {
            let users = &world.users;
            users.contains_key(id).then(|| id.to_owned())
        }
        (None, Some(id)) if identifiers.has_open_id() => {
            let mut users = world.users.keys();
            users
                .find(|user_id| open_id(op_app_id, user_id) == id)
                .cloned()
        }
        _ => None,
    };
    let user_id = user_id.ok_or_else(unknown)?;
    if user_id == app.options.pid {
        return Err(Refusal::business(
            "ACQ.BUYER_SELLER_EQUAL",
            "买卖家不能相同",
        ));
    }
    Ok(user_id)
}
