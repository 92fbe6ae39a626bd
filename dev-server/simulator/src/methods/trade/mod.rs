//! Payments: `alipay.trade.create`, `query`, `close`, `refund` and `fastpay.refund.query`, and what a cashier does with
//! the order string of `alipay.trade.app.pay`.

pub(super) mod create;
mod order;
pub(crate) mod order_string;
pub(super) mod query;
pub(super) mod refund;

use serde_json::{Map, Value};

use super::{Answer, Call, text};
use crate::refusal::{Refusal, success};
use crate::trades::{Number, Trade, invalid_parameter};
use crate::users;
use crate::world::World;

/// `alipay.trade.close`
pub(super) fn close(world: &mut World, call: &Call<'_>) -> Answer {
    let biz_content = members(call)?;
    let trade = world.close_trade(call.app_id, &number(&biz_content)?)?;
    Ok(success([
        ("trade_no", Value::from(trade.trade_no)),
        ("out_trade_no", Value::from(trade.out_trade_no)),
    ]))
}

fn members(call: &Call<'_>) -> Result<Map<String, Value>, Refusal> {
    call.biz_content().map_err(|_| invalid_parameter())
}

/// The trade that is meant. Alipay's document: where both numbers are given, `trade_no` goes first.
fn number(biz_content: &Map<String, Value>) -> Result<Number<'_>, Refusal> {
    let alipays = text(biz_content, "trade_no").map(Number::Alipays);
    let merchants = || text(biz_content, "out_trade_no").map(Number::Merchants);
    alipays.or_else(merchants).ok_or_else(invalid_parameter)
}

/// A text, or a number as it is written in JSON.
fn decimal(biz_content: &Map<String, Value>, name: &str) -> Option<String> {
    match biz_content.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The buyer, by the identifiers that the app gets.
fn buyer_members(world: &World, trade: &Trade) -> Vec<(&'static str, Value)> {
    if trade.buyer.is_empty() {
        return Vec::new();
    }
    let app = world.apps.get(&trade.app_id);
    let identifiers = app.map(|app| app.options.identifiers).unwrap_or_default();
    let mut members = Vec::new();
    if identifiers.has_user_id() {
        members.push(("buyer_user_id", Value::from(trade.buyer.as_str())));
    }
    if identifiers.has_open_id() {
        let open_id = users::open_id(&trade.app_id, &trade.buyer);
        members.push(("buyer_open_id", Value::from(open_id)));
    }
    members
}
