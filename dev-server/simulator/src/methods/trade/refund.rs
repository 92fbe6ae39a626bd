//! `alipay.trade.refund`, and `alipay.trade.fastpay.refund.query` of what it did.

use serde_json::Value;

use super::super::{Answer, Call, text};
use super::{buyer_members, decimal, members, number};
use crate::clock::beijing_text;
use crate::refusal::success;
use crate::trades::{fen, invalid_parameter, moment, not_exist, yuan};
use crate::users;
use crate::world::World;

pub(crate) fn run(world: &mut World, call: &Call<'_>) -> Answer {
    let biz_content = members(call)?;
    let amount = decimal(&biz_content, "refund_amount").and_then(|text| fen(&text));
    let amount = amount
        .filter(|fen| *fen > 0)
        .ok_or_else(invalid_parameter)?;
    let out_request_no = text(&biz_content, "out_request_no");
    if out_request_no.is_some_and(|number| number.len() > 64) {
        return Err(invalid_parameter());
    }
    let number = number(&biz_content)?;
    let (trade, moved) = world.refund_trade(call.app_id, &number, amount, out_request_no)?;
    let mut refunds = trade.refunds.iter().rev();
    let refund =
        refunds.find(|refund| out_request_no.is_none_or(|number| refund.out_request_no == number));
    let refunded_at = refund.map(|refund| refund.refunded_at);
    let mut members = buyer_members(world, &trade);
    members.extend([
        (
            "buyer_logon_id",
            Value::from(users::logon_id(&world.users, &trade.buyer)),
        ),
        ("fund_change", Value::from(if moved { "Y" } else { "N" })),
        (
            "gmt_refund_pay",
            Value::from(beijing_text(moment(refunded_at.unwrap_or_default()))),
        ),
        ("out_trade_no", Value::from(trade.out_trade_no.as_str())),
        // What has gone back altogether, as Alipay's document has it.
        ("refund_fee", Value::from(yuan(trade.refunded()))),
        ("send_back_fee", Value::from(yuan(amount))),
        ("trade_no", Value::from(trade.trade_no.as_str())),
    ]);
    Ok(success(members))
}

/// A refund that is not there is answered with success and no members, as Alipay's document has it.
pub(crate) fn query(world: &mut World, call: &Call<'_>) -> Answer {
    let biz_content = members(call)?;
    let out_request_no = text(&biz_content, "out_request_no").ok_or_else(invalid_parameter)?;
    let trade = world.trade_of(call.app_id, &number(&biz_content)?);
    let trade = trade.ok_or_else(not_exist)?;
    let mut refunds = trade.refunds.iter();
    let Some(refund) = refunds.find(|refund| refund.out_request_no == out_request_no) else {
        return Ok(success([]));
    };
    let mut members = vec![
        ("out_request_no", Value::from(out_request_no)),
        ("out_trade_no", Value::from(trade.out_trade_no.as_str())),
        ("refund_amount", Value::from(refund.amount.as_str())),
        ("refund_status", Value::from("REFUND_SUCCESS")),
        ("total_amount", Value::from(trade.total_amount.as_str())),
        ("trade_no", Value::from(trade.trade_no.as_str())),
    ];
    let options = biz_content.get("query_options").and_then(Value::as_array);
    if options.is_some_and(|options| options.iter().any(|option| option == "gmt_refund_pay")) {
        let at = beijing_text(moment(refund.refunded_at));
        members.push(("gmt_refund_pay", Value::from(at)));
    }
    Ok(success(members))
}
