//! Payments: six methods about one order, named by the number that the caller gave it (`out_trade_no`).
//!
//! Amounts are texts in yuan, as Alipay writes them: plain decimals of two digits at most, such as `12.50`. What they are worth is
//! the caller's to say; here they are passed on.

use std::fmt;
use std::time::SystemTime;

use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::reply::text_or_number;
use crate::{Call, GatewayError, timestamp};

/// `alipay.trade.app.pay`: an order that is paid in a native app. For [`order_string`](crate::order_string): there is no reply.
#[derive(Clone, PartialEq)]
pub struct TradeAppPay<'a> {
    /// What is ordered.
    pub order: NewTrade<'a>,
}

/// `alipay.trade.create` (product `JSAPI_PAY`): an order that one user pays in a mini-program.
#[derive(Clone, PartialEq)]
pub struct TradeCreate<'a> {
    /// What is ordered.
    pub order: NewTrade<'a>,
    /// The mini-program's app id.
    pub op_app_id: &'a str,
    /// Who pays.
    pub buyer: Buyer<'a>,
}

/// What every new order says.
#[derive(Clone, PartialEq)]
pub struct NewTrade<'a> {
    /// The caller's number of the order: 1 to 64 of `A`–`Z`, `a`–`z`, `0`–`9`, `_`, once in the merchant's account.
    pub out_trade_no: &'a str,
    /// What it costs, in yuan.
    pub total_amount: &'a str,
    /// What the user reads: at most 256 characters, without `/`, `=`, `&` and their like.
    pub subject: &'a str,
    /// Until when it can be paid, to the second; `None` leaves it to Alipay, which takes 15 days.
    pub time_expire: Option<SystemTime>,
    /// Where Alipay sends its notices.
    pub notify_url: Option<&'a str>,
    /// Further members of the contents. One of a name that is ours is not sent.
    pub further: Option<&'a Map<String, Value>>,
}

/// How an app knows the user who pays.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Buyer<'a> {
    /// By user id: 16 digits beginning 2088.
    UserId(&'a str),
    /// By open id.
    OpenId(&'a str),
}

/// Alipay's answer to [`TradeCreate`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CreatedTrade {
    /// Alipay's number of the trade, which the mini-program pays by.
    #[serde(deserialize_with = "text")]
    pub trade_no: String,
    /// The order's number.
    #[serde(deserialize_with = "text")]
    pub out_trade_no: String,
}

/// `alipay.trade.query`: how an order stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TradeQuery<'a> {
    /// The order's number.
    pub out_trade_no: &'a str,
}

/// Alipay's answer to [`TradeQuery`].
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Trade {
    /// Alipay's number of the trade.
    #[serde(deserialize_with = "text")]
    pub trade_no: String,
    /// The order's number.
    #[serde(deserialize_with = "text")]
    pub out_trade_no: String,
    /// `WAIT_BUYER_PAY`, `TRADE_CLOSED` (also after a full refund), `TRADE_SUCCESS` or `TRADE_FINISHED`.
    #[serde(deserialize_with = "text")]
    pub trade_status: String,
    /// What it costs, in yuan.
    #[serde(deserialize_with = "text")]
    pub total_amount: String,
    /// What the merchant receives, in yuan.
    #[serde(default, deserialize_with = "optional_text")]
    pub receipt_amount: Option<String>,
    /// What the buyer paid, in yuan.
    #[serde(default, deserialize_with = "optional_text")]
    pub buyer_pay_amount: Option<String>,
    /// Who paid, for apps that know their users by user id.
    #[serde(default, deserialize_with = "optional_text")]
    pub buyer_user_id: Option<String>,
    /// Who paid, for apps that know their users by open id.
    #[serde(default, deserialize_with = "optional_text")]
    pub buyer_open_id: Option<String>,
    /// When it was paid, `yyyy-MM-dd HH:mm:ss` in UTC+8.
    #[serde(default, deserialize_with = "optional_text")]
    pub send_pay_date: Option<String>,
}

/// `alipay.trade.close`: closes an order that was not paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TradeClose<'a> {
    /// The order's number.
    pub out_trade_no: &'a str,
}

/// Alipay's answer to [`TradeClose`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ClosedTrade {
    /// Alipay's number of the trade.
    #[serde(default, deserialize_with = "optional_text")]
    pub trade_no: Option<String>,
    /// The order's number.
    #[serde(default, deserialize_with = "optional_text")]
    pub out_trade_no: Option<String>,
}

/// `alipay.trade.refund`: pays back an order, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TradeRefund<'a> {
    /// The order's number.
    pub out_trade_no: &'a str,
    /// What is paid back, in yuan.
    pub refund_amount: &'a str,
    /// The caller's number of the refund. The same number with the same amount is the same refund, however often it is asked for.
    pub out_request_no: &'a str,
    /// What the user reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund_reason: Option<&'a str>,
}

/// Alipay's answer to [`TradeRefund`].
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct RefundedTrade {
    /// Alipay's number of the trade.
    #[serde(default, deserialize_with = "optional_text")]
    pub trade_no: Option<String>,
    /// The order's number.
    #[serde(default, deserialize_with = "optional_text")]
    pub out_trade_no: Option<String>,
    /// Whether this call moved money: `Y`, or `N`, which is also the answer to a repeat. `N` says nothing about whether the refund
    /// was made; [`RefundQuery`] does.
    #[serde(default, deserialize_with = "optional_text")]
    pub fund_change: Option<String>,
    /// What was paid back so far by all refunds of the order, in yuan.
    #[serde(default, deserialize_with = "optional_text")]
    pub refund_fee: Option<String>,
    /// Who paid, for apps that know their users by user id.
    #[serde(default, deserialize_with = "optional_text")]
    pub buyer_user_id: Option<String>,
    /// Who paid, for apps that know their users by open id.
    #[serde(default, deserialize_with = "optional_text")]
    pub buyer_open_id: Option<String>,
}

/// `alipay.trade.fastpay.refund.query`: how a refund stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefundQuery<'a> {
    /// The order's number.
    pub out_trade_no: &'a str,
    /// The refund's number; that of the order where the refund was made without one.
    pub out_request_no: &'a str,
}

/// Alipay's answer to [`RefundQuery`]. Of a refund that is not known it is a success too, and holds nothing of one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FoundRefund {
    /// Alipay's number of the trade.
    #[serde(default, deserialize_with = "optional_text")]
    pub trade_no: Option<String>,
    /// The order's number.
    #[serde(default, deserialize_with = "optional_text")]
    pub out_trade_no: Option<String>,
    /// The refund's number.
    #[serde(default, deserialize_with = "optional_text")]
    pub out_request_no: Option<String>,
    /// `REFUND_SUCCESS`, or absent: not refunded, or not yet.
    #[serde(default, deserialize_with = "optional_text")]
    pub refund_status: Option<String>,
    /// What this refund pays back, in yuan.
    #[serde(default, deserialize_with = "optional_text")]
    pub refund_amount: Option<String>,
    /// What the order cost, in yuan.
    #[serde(default, deserialize_with = "optional_text")]
    pub total_amount: Option<String>,
}

impl TradeAppPay<'_> {
    /// As a call for [`order_string`](crate::order_string). Repeatable, though it is never sent: an order's number names one order,
    /// however often its text is handed out.
    ///
    /// # Errors
    /// Never for these fields; the signature is that of every typed call.
    pub fn call(&self) -> Result<Call, GatewayError> {
        let ours = [("product_code", "QUICK_MSECURITY_PAY")];
        self.order.call("alipay.trade.app.pay", &ours)
    }
}

impl TradeCreate<'_> {
    /// As a call. Repeatable: the same number with the same contents is the same trade, and other contents are refused
    /// (`ACQ.CONTEXT_INCONSISTENT`).
    ///
    /// # Errors
    /// Never for these fields; the signature is that of every typed call.
    pub fn call(&self) -> Result<Call, GatewayError> {
        let buyer = match self.buyer {
            Buyer::UserId(id) => ("buyer_id", id),
            Buyer::OpenId(id) => ("buyer_open_id", id),
        };
        let ours = [
            ("product_code", "JSAPI_PAY"),
            ("op_app_id", self.op_app_id),
            buyer,
        ];
        self.order.call("alipay.trade.create", &ours)
    }
}

impl NewTrade<'_> {
    fn call(&self, method: &str, ours: &[(&str, &str)]) -> Result<Call, GatewayError> {
        let mut contents = self.further.cloned().unwrap_or_default();
        // The other name of the same thing: two of them would leave it to Alipay which one counts.
        for name in [
            "buyer_id",
            "buyer_open_id",
            "time_expire",
            "timeout_express",
        ] {
            contents.remove(name);
        }
        let time_expire = self.time_expire.map(timestamp);
        let order = [
            ("out_trade_no", self.out_trade_no),
            ("total_amount", self.total_amount),
            ("subject", self.subject),
        ];
        let time_expire = time_expire.iter().map(|time| ("time_expire", &**time));
        for (name, value) in order.iter().chain(ours).copied().chain(time_expire) {
            contents.insert(name.to_owned(), value.into());
        }
        let call = Call::new(method)
            .with_biz_content(super::biz_content(&contents)?)
            .repeatable();
        Ok(match self.notify_url {
            Some(address) => call.with_field("notify_url", address),
            None => call,
        })
    }
}

impl TradeQuery<'_> {
    /// As a call. It only reads, so it is repeatable.
    ///
    /// # Errors
    /// Never for these fields; the signature is that of every typed call.
    pub fn call(&self) -> Result<Call, GatewayError> {
        repeatable("alipay.trade.query", self)
    }
}

impl TradeClose<'_> {
    /// As a call. Repeatable: a closed order stays closed. A repeat may be refused (`ACQ.TRADE_STATUS_ERROR`) because the first call
    /// got through; how the order stands, [`TradeQuery`] says.
    ///
    /// # Errors
    /// Never for these fields; the signature is that of every typed call.
    pub fn call(&self) -> Result<Call, GatewayError> {
        repeatable("alipay.trade.close", self)
    }
}

impl TradeRefund<'_> {
    /// As a call. Repeatable: money moves once for one `out_request_no`.
    ///
    /// # Errors
    /// Never for these fields; the signature is that of every typed call.
    pub fn call(&self) -> Result<Call, GatewayError> {
        repeatable("alipay.trade.refund", self)
    }
}

impl RefundQuery<'_> {
    /// As a call. It only reads, so it is repeatable.
    ///
    /// # Errors
    /// Never for these fields; the signature is that of every typed call.
    pub fn call(&self) -> Result<Call, GatewayError> {
        repeatable("alipay.trade.fastpay.refund.query", self)
    }
}

impl FoundRefund {
    /// Whether Alipay says that the money went back.
    pub fn is_done(&self) -> bool {
        self.refund_status.as_deref() == Some("REFUND_SUCCESS")
    }
}

fn repeatable(method: &str, arguments: &impl Serialize) -> Result<Call, GatewayError> {
    Ok(Call::new(method)
        .with_biz_content(super::biz_content(arguments)?)
        .repeatable())
}

/// A text that is not empty. A number is taken as it is written: amounts and ids are texts by Alipay's documents, and have been seen
/// as numbers.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    optional_text(deserializer)?
        .ok_or_else(|| D::Error::custom("a member is empty, or neither a text nor a number"))
}

/// What Alipay has not, it leaves out, or sends as an empty text or `null`.
fn optional_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    if raw.get() == "null" {
        return Ok(None);
    }
    let text = text_or_number(raw.get())
        .ok_or_else(|| D::Error::custom("a member is neither a text nor a number"))?;
    Ok(Some(text.into_owned()).filter(|text| !text.is_empty()))
}

/// Without the buyer and what is bought.
impl fmt::Debug for NewTrade<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("NewTrade")
            .field("out_trade_no", &self.out_trade_no)
            .field("total_amount", &self.total_amount)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for TradeAppPay<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TradeAppPay")
            .field("order", &self.order)
            .finish()
    }
}

/// Ids are personal data.
impl fmt::Debug for TradeCreate<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TradeCreate")
            .field("order", &self.order)
            .finish_non_exhaustive()
    }
}

/// Ids are personal data.
impl fmt::Debug for Buyer<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::UserId(_) => "UserId",
            Self::OpenId(_) => "OpenId",
        })
    }
}

/// Without the buyer.
impl fmt::Debug for Trade {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Trade")
            .field("trade_no", &self.trade_no)
            .field("out_trade_no", &self.out_trade_no)
            .field("trade_status", &self.trade_status)
            .field("total_amount", &self.total_amount)
            .finish_non_exhaustive()
    }
}

/// Without the buyer.
impl fmt::Debug for RefundedTrade {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RefundedTrade")
            .field("trade_no", &self.trade_no)
            .field("out_trade_no", &self.out_trade_no)
            .field("fund_change", &self.fund_change)
            .field("refund_fee", &self.refund_fee)
            .finish_non_exhaustive()
    }
}
