//! `alipay.trade.app.pay`: what the cashier does with an order string. The gateway has no such method.

use serde_json::Value;

use super::super::{Answer, Call, Method, text};
use super::{members, order};
use crate::refusal::{Refusal, success};
use crate::trades::APP_PAYMENT;
use crate::world::World;

/// The method that an order string names.
pub(crate) const METHOD: Method = Method {
    name: "alipay.trade.app.pay",
    run,
    fails_under_error_response: false,
};

/// The trade of the order string, made if it is not there; it may have been paid or closed since.
fn run(world: &mut World, call: &Call<'_>) -> Answer {
    let biz_content = members(call)?;
    // Alipay's document: there is one product, and it need not be named.
    let product_code = text(&biz_content, "product_code");
    if product_code.is_some_and(|code| code != APP_PAYMENT) {
        return Err(Refusal::business("ACQ.ACCESS_FORBIDDEN", "无权限使用接口"));
    }
    let order = order::read(world, call, &biz_content, APP_PAYMENT)?;
    let trade = order::trade_of(world, order)?;
    Ok(success([("trade_no", Value::from(trade.trade_no))]))
}
