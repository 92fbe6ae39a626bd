//! `alipay.trade.query`.

use serde_json::{Value, json};

use super::super::{Answer, Call};
use super::{buyer_members, members, number};
use crate::clock::beijing_text;
use crate::refusal::success;
use crate::trades::{moment, not_exist};
use crate::users;
use crate::world::World;

pub(crate) fn run(world: &mut World, call: &Call<'_>) -> Answer {
    let biz_content = members(call)?;
    let trade = world.trade_of(call.app_id, &number(&biz_content)?);
    let trade = trade.ok_or_else(not_exist)?.clone();
    let mut members = buyer_members(world, &trade);
    for (name, value) in [
        ("out_trade_no", &trade.out_trade_no),
        ("total_amount", &trade.total_amount),
        ("trade_no", &trade.trade_no),
        ("trade_status", &trade.trade_status),
    ] {
        members.push((name, Value::from(value.as_str())));
    }
    // A trade that a test has put there as paid was paid at no known time.
    if let Some(paid_at) = trade.paid_at {
        let amount = Value::from(trade.total_amount.as_str());
        let bills = json!([{ "amount": amount, "fund_channel": "ALIPAYACCOUNT" }]);
        members.extend([
            (
                "buyer_logon_id",
                Value::from(users::logon_id(&world.users, &trade.buyer)),
            ),
            ("buyer_pay_amount", amount.clone()),
            ("fund_bill_list", bills),
            ("invoice_amount", amount.clone()),
            ("point_amount", Value::from("0.00")),
            ("receipt_amount", amount),
            ("send_pay_date", Value::from(beijing_text(moment(paid_at)))),
        ]);
    }
    Ok(success(members))
}
