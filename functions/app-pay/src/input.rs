mod values;

use std::fmt;
use std::time::Duration;

use function_kit::checked::{Text, optional};
use function_kit::{Failure, parse_arguments};
use function_payments::{Amount, Buyer, OrderNumber, RefundNumber};
use serde::Deserialize;
use serde_json::value::RawValue;

use values::{
    BuyerId, BuyerOpenId, OutRequestNo, OutTradeNo, Owner, ResultCode, Subject, amount, present,
    result_code,
};

pub(crate) use values::Contents;

/// The shortest time in which an order can be paid, in seconds.
const SHORTEST_LIFE: u64 = 60;
/// The longest of an order string, and what it is if nothing is said: whoever has the string can have the order paid, so it is
/// short.
const LONGEST_ORDER_STRING: u64 = 15 * 60;
/// The longest of a trade that was created for one buyer.
const LONGEST_TRADE: u64 = 24 * 60 * 60;

/// The arguments as they were written; which call they are for, the route may tell.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct Input(Box<RawValue>);

/// Ids of persons and signed texts are not logged.
impl fmt::Debug for Input {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Input")
    }
}

/// One of the seven calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    OrderString,
    CheckResult,
    Create,
    Query,
    Close,
    Refund,
    RefundQuery,
}

/// The calls, how they are named in a direct invoke, and how the paths of their routes end.
const CALLS: [(Call, &str, &str); 7] = [
    (Call::OrderString, "app.getOrderStr", "/app/getOrderStr"),
    (Call::CheckResult, "app.checkResult", "/app/checkResult"),
    (Call::Create, "trade.create", "/trade/create"),
    (Call::Query, "trade.query", "/trade/query"),
    (Call::Close, "trade.close", "/trade/close"),
    (Call::Refund, "trade.refund", "/trade/refund"),
    (Call::RefundQuery, "refund.query", "/refund/query"),
];

/// What a call asks for.
pub(crate) enum Wanted {
    /// `app.getOrderStr`.
    OrderString(NewOrder),
    /// `app.checkResult`.
    CheckResult(ClientReport),
    /// `trade.create`.
    Create(NewOrder),
    /// `trade.query`.
    Query(KnownOrder),
    /// `trade.close`.
    Close(KnownOrder),
    /// `trade.refund`.
    Refund(NewRefund),
    /// `refund.query`.
    RefundQuery(KnownRefund),
}

/// An order that is to be there; with the number of one that is, that one.
pub(crate) struct NewOrder {
    pub out_trade_no: Option<OrderNumber>,
    pub amount: Option<Amount>,
    pub subject: Option<String>,
    pub owner: String,
    pub life: Duration,
    pub buyer: Buyer,
    pub contents: Option<Contents>,
}

/// What a front end says that came of a payment.
pub(crate) struct ClientReport {
    pub owner: String,
    pub code: String,
    /// Signed by Alipay; for native apps only.
    pub result: Option<String>,
    pub out_trade_no: Option<OrderNumber>,
}

/// An order that is there.
pub(crate) struct KnownOrder {
    pub out_trade_no: OrderNumber,
    pub owner: Option<String>,
}

/// A refund that is to be made.
pub(crate) struct NewRefund {
    pub refund: KnownRefund,
    pub amount: Amount,
    pub reason: Option<String>,
}

/// A refund that was asked for.
pub(crate) struct KnownRefund {
    pub order: KnownOrder,
    pub number: RefundNumber,
}

#[derive(Deserialize)]
struct WrittenCall {
    #[serde(default)]
    call: Option<String>,
}

#[derive(Deserialize)]
struct WrittenOrder {
    #[serde(default, deserialize_with = "optional")]
    out_trade_no: Option<OutTradeNo>,
    #[serde(default, deserialize_with = "amount")]
    total_amount: Option<Amount>,
    #[serde(default, deserialize_with = "optional")]
    subject: Option<Subject>,
    owner: Owner,
    #[serde(default)]
    expires_in: Option<u64>,
    #[serde(default, deserialize_with = "optional")]
    buyer_id: Option<BuyerId>,
    #[serde(default, deserialize_with = "optional")]
    buyer_open_id: Option<BuyerOpenId>,
    #[serde(default)]
    biz_content: Option<Contents>,
}

#[derive(Deserialize)]
struct WrittenReport {
    owner: Owner,
    #[serde(default, rename = "resultStatus", deserialize_with = "result_code")]
    result_status: Option<ResultCode>,
    #[serde(default, rename = "resultCode", deserialize_with = "result_code")]
    result_code: Option<ResultCode>,
    #[serde(default)]
    result: Option<String>,
    #[serde(default, deserialize_with = "optional")]
    out_trade_no: Option<OutTradeNo>,
}

/// What names an order that is there.
#[derive(Deserialize)]
struct WrittenKnown {
    out_trade_no: OutTradeNo,
    #[serde(default, deserialize_with = "present")]
    owner: Option<Owner>,
}

/// What names a refund of it.
#[derive(Deserialize)]
struct WrittenNumber {
    out_request_no: OutRequestNo,
}

/// What a new refund is.
#[derive(Deserialize)]
struct WrittenRefund {
    #[serde(default, deserialize_with = "amount")]
    refund_amount: Option<Amount>,
    #[serde(default, deserialize_with = "optional")]
    refund_reason: Option<Text<256>>,
}

impl Input {
    /// What is asked for by a call at `path`. The route tells; where that is none of the seven, `call` does.
    pub(crate) fn wanted(&self, path: Option<&str>) -> Result<Wanted, Failure> {
        let text = self.0.get();
        match call_of(text, path.unwrap_or_default())? {
            Call::OrderString => order(text, LONGEST_ORDER_STRING).map(Wanted::OrderString),
            Call::CheckResult => report(text).map(Wanted::CheckResult),
            Call::Create => {
                let order = order(text, LONGEST_TRADE)?;
                if order.buyer.is_nobody() {
                    return Err(Failure::invalid(
                        "buyer_id",
                        "is required, or buyer_open_id: a mini-program's order is paid by one user",
                    ));
                }
                Ok(Wanted::Create(order))
            }
            Call::Query => known(text).map(Wanted::Query),
            Call::Close => known(text).map(Wanted::Close),
            Call::Refund => refund(text).map(Wanted::Refund),
            Call::RefundQuery => known_refund(text).map(Wanted::RefundQuery),
        }
    }
}

fn call_of(text: &str, path: &str) -> Result<Call, Failure> {
    let written: WrittenCall = parse_arguments(text)?;
    let name = written.call.filter(|name| !name.is_empty());
    let routed = CALLS.iter().find(|(_, _, end)| path.ends_with(end));
    let named = CALLS
        .iter()
        .find(|(_, known, _)| name.as_deref() == Some(known));
    match (routed, named) {
        (Some(routed), None) if name.is_none() => Ok(routed.0),
        // Two calls in one: whoever may use the route need not be allowed what `call` says.
        (Some(routed), named) if named != Some(routed) => Err(Failure::invalid(
            "call",
            "is not the call of this route; leave call out",
        )),
        (_, Some(named)) => Ok(named.0),
        (_, None) => {
            let names: Vec<_> = CALLS.iter().map(|(_, name, _)| *name).collect();
            Err(Failure::invalid(
                "call",
                format!("must be one of {}", names.join(", ")),
            ))
        }
    }
}

fn order(text: &str, longest_life: u64) -> Result<NewOrder, Failure> {
    let written: WrittenOrder = parse_arguments(text)?;
    let seconds = written.expires_in.unwrap_or(LONGEST_ORDER_STRING);
    if !(SHORTEST_LIFE..=longest_life).contains(&seconds) {
        return Err(Failure::invalid(
            "expires_in",
            format!("must be {SHORTEST_LIFE} to {longest_life} seconds"),
        ));
    }
    if written.buyer_id.is_some() && written.buyer_open_id.is_some() {
        return Err(Failure::invalid(
            "buyer_open_id",
            "cannot be given together with buyer_id; give one of them",
        ));
    }
    Ok(NewOrder {
        out_trade_no: written.out_trade_no.map(|number| number.0),
        amount: written.total_amount,
        subject: written.subject.map(|subject| subject.0),
        owner: written.owner.0,
        life: Duration::from_secs(seconds),
        buyer: Buyer {
            user_id: written.buyer_id.map(|id| id.0),
            open_id: written.buyer_open_id.map(|id| id.0),
        },
        contents: written.biz_content,
    })
}

fn report(text: &str) -> Result<ClientReport, Failure> {
    let written: WrittenReport = parse_arguments(text)?;
    let code = match (written.result_status, written.result_code) {
        (Some(status), Some(code)) if status != code => {
            return Err(Failure::invalid(
                "resultCode",
                "is another one than resultStatus; give the one that the client gave",
            ));
        }
        (Some(code), _) | (None, Some(code)) => code.0,
        (None, None) => {
            return Err(Failure::invalid(
                "resultStatus",
                "is required, or resultCode: what the client gave",
            ));
        }
    };
    let result = written.result.filter(|result| !result.is_empty());
    if result.is_none() && written.out_trade_no.is_none() {
        return Err(Failure::invalid(
            "out_trade_no",
            "is required where there is no result",
        ));
    }
    Ok(ClientReport {
        owner: written.owner.0,
        code,
        result,
        out_trade_no: written.out_trade_no.map(|number| number.0),
    })
}

fn known(text: &str) -> Result<KnownOrder, Failure> {
    let written: WrittenKnown = parse_arguments(text)?;
    Ok(KnownOrder {
        out_trade_no: written.out_trade_no.0,
        owner: written.owner.map(|owner| owner.0),
    })
}

fn known_refund(text: &str) -> Result<KnownRefund, Failure> {
    let order = known(text)?;
    let written: WrittenNumber = parse_arguments(text)?;
    Ok(KnownRefund {
        order,
        number: written.out_request_no.0,
    })
}

fn refund(text: &str) -> Result<NewRefund, Failure> {
    let refund = known_refund(text)?;
    let written: WrittenRefund = parse_arguments(text)?;
    let amount = written
        .refund_amount
        .ok_or_else(|| Failure::invalid("refund_amount", "is required"))?;
    Ok(NewRefund {
        refund,
        amount,
        reason: written.refund_reason.map(|reason| (*reason).to_owned()),
    })
}
