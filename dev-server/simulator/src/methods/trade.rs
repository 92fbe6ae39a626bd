//! `alipay.trade.query`, of trades that a test has put there.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Answer, Call, text};
use crate::refusal::{Refusal, success};
use crate::users::{self, SimulatedUser};
use crate::world::World;

/// A trade that can be queried.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Trade {
    /// The app that it belongs to.
    pub app_id: String,
    /// The merchant's order number.
    pub out_trade_no: String,
    /// Alipay's number, 28 digits.
    pub trade_no: String,
    /// `WAIT_BUYER_PAY`, `TRADE_CLOSED`, `TRADE_SUCCESS` or `TRADE_FINISHED`.
    pub trade_status: String,
    /// Yuan with two decimals.
    pub total_amount: String,
    /// The `user_id` of the buyer.
    pub buyer: String,
}

impl Default for Trade {
    fn default() -> Self {
        Self {
            app_id: String::new(),
            out_trade_no: String::new(),
            trade_no: String::new(),
            trade_status: "TRADE_SUCCESS".to_owned(),
            total_amount: "0.01".to_owned(),
            buyer: SimulatedUser::DEFAULT_USER_ID.to_owned(),
        }
    }
}

pub(super) fn query(world: &mut World, call: &Call<'_>) -> Answer {
    let invalid = || Refusal::business("ACQ.INVALID_PARAMETER", "参数无效");
    let biz_content = call.biz_content().map_err(|_| invalid())?;
    let (out_trade_no, trade_no) = (
        text(&biz_content, "out_trade_no"),
        text(&biz_content, "trade_no"),
    );
    if out_trade_no.is_none() && trade_no.is_none() {
        return Err(invalid());
    }
    // Alipay's document: where both are given, trade_no goes first.
    let trade = world
        .trades
        .iter()
        .rev()
        .filter(|trade| trade.app_id == call.app_id)
        .find(|trade| match trade_no {
            Some(number) => trade.trade_no == number,
            None => Some(trade.out_trade_no.as_str()) == out_trade_no,
        })
        .ok_or_else(|| Refusal::business("ACQ.TRADE_NOT_EXIST", "交易不存在"))?;
    let identifiers = world
        .apps
        .get(call.app_id)
        .map(|app| app.options.identifiers)
        .unwrap_or_default();
    let members = [
        (
            "buyer_user_id",
            identifiers.has_user_id().then(|| trade.buyer.clone()),
        ),
        (
            "buyer_open_id",
            identifiers
                .has_open_id()
                .then(|| users::open_id(call.app_id, &trade.buyer)),
        ),
        ("out_trade_no", Some(trade.out_trade_no.clone())),
        ("total_amount", Some(trade.total_amount.clone())),
        ("trade_no", Some(trade.trade_no.clone())),
        ("trade_status", Some(trade.trade_status.clone())),
    ];
    Ok(success(members.into_iter().filter_map(|(name, value)| {
        Some((name, Value::from(value?)))
    })))
}
