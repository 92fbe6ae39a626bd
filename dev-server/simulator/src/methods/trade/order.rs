//! What an app asks to be paid for: by `alipay.trade.create`, or by an order string.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::super::{Call, text};
use super::decimal;
use crate::clock;
use crate::keys::SignType;
use crate::refusal::Refusal;
use crate::trades::{
    MOST, Number, Trade, WAIT_BUYER_PAY, fen, has_closed, invalid_parameter, milliseconds,
    new_trade_no, yuan,
};
use crate::world::World;

/// Characters of `out_trade_no` and of `subject`.
const NUMBER_LIMIT: usize = 64;
const SUBJECT_LIMIT: usize = 256;
/// Alipay closes what nobody pays.
const LONGEST: Duration = Duration::from_secs(15 * 86_400);

/// The order of these members. It has neither Alipay's number nor a buyer yet.
pub(super) fn read(
    world: &World,
    call: &Call<'_>,
    biz_content: &Map<String, Value>,
    product_code: &str,
) -> Result<Trade, Refusal> {
    let required = |name| text(biz_content, name).ok_or_else(invalid_parameter);
    let out_trade_no = required("out_trade_no")?;
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if out_trade_no.len() > NUMBER_LIMIT || !out_trade_no.bytes().all(is_allowed) {
        return Err(invalid_parameter());
    }
    let subject = required("subject")?;
    if subject.chars().count() > SUBJECT_LIMIT {
        return Err(invalid_parameter());
    }
    let amount = decimal(biz_content, "total_amount").ok_or_else(invalid_parameter)?;
    let amount = fen(&amount).filter(|fen| *fen > 0);
    let amount = amount.ok_or_else(invalid_parameter)?;
    if amount > MOST {
        return Err(Refusal::business(
            "ACQ.TOTAL_FEE_EXCEED",
            "订单总金额超过限额",
        ));
    }
    let seller_id = text(biz_content, "seller_id");
    let app = world.apps.get(call.app_id);
    let pid = app.map(|app| app.options.pid.as_str());
    if seller_id.is_some() && seller_id != pid {
        return Err(invalid_parameter());
    }
    let now = world.clock.now();
    let expires = expires(biz_content, now)?;
    let sign_type = call.parameter("sign_type").and_then(SignType::parse);
    Ok(Trade {
        app_id: call.app_id.to_owned(),
        out_trade_no: out_trade_no.to_owned(),
        trade_no: String::new(),
        trade_status: WAIT_BUYER_PAY.to_owned(),
        total_amount: yuan(amount),
        buyer: String::new(),
        subject: subject.to_owned(),
        product_code: product_code.to_owned(),
        notify_url: call.parameter("notify_url").map(str::to_owned),
        passback_params: text(biz_content, "passback_params").map(str::to_owned),
        charset: call.parameter("charset").unwrap_or("utf-8").to_owned(),
        sign_type: sign_type.unwrap_or(SignType::Rsa2),
        created_at: Some(milliseconds(now)),
        expires_at: Some(milliseconds(expires)),
        ..Trade::default()
    })
}

/// `time_expire`, else the end of `timeout_express` (`90m`, `2h`, `1d`), else Alipay's own limit.
fn expires(biz_content: &Map<String, Value>, now: SystemTime) -> Result<SystemTime, Refusal> {
    let end = if let Some(end) = text(biz_content, "time_expire") {
        clock::parse_beijing(end).ok_or_else(invalid_parameter)?
    } else if let Some(duration) = text(biz_content, "timeout_express") {
        now + duration_of(duration).ok_or_else(invalid_parameter)?
    } else {
        now + LONGEST
    };
    if end > now + LONGEST {
        return Err(invalid_parameter());
    }
    Ok(end)
}

fn duration_of(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    let number: u32 = number.parse().ok()?;
    Some(Duration::from_secs(u64::from(number) * seconds))
}

/// The trade of this order: a new one, or the one that was made of the same data before. The caller judges its state.
pub(super) fn trade_of(world: &mut World, mut order: Trade) -> Result<Trade, Refusal> {
    let number = Number::Merchants(&order.out_trade_no);
    if let Some(known) = world.trade_of(&order.app_id, &number) {
        return if is_same(known, &order) {
            Ok(known.clone())
        } else {
            Err(Refusal::business(
                "ACQ.CONTEXT_INCONSISTENT",
                "交易信息被篡改",
            ))
        };
    }
    let now = milliseconds(world.clock.now());
    if order.expires_at.is_some_and(|end| end <= now) {
        return Err(invalid_parameter());
    }
    order.trade_no = new_trade_no(world.clock.now());
    world.trades.push(order.clone());
    // Whoever waits for the next closing has to look anew.
    world.notices.changed();
    Ok(order)
}

/// The buyer of an order string is whoever pays.
fn is_same(known: &Trade, order: &Trade) -> bool {
    known.total() == order.total()
        && known.subject == order.subject
        && known.product_code == order.product_code
        && (order.buyer.is_empty() || known.buyer == order.buyer)
}

/// What has been paid or closed is not made again.
pub(super) fn still_waits(trade: &Trade) -> Result<(), Refusal> {
    if trade.is_paid() {
        return Err(Refusal::business("ACQ.TRADE_HAS_SUCCESS", "交易已被支付"));
    }
    match trade.trade_status.as_str() {
        WAIT_BUYER_PAY => Ok(()),
        _ => Err(has_closed()),
    }
}
