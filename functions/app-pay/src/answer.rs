//! What the calls answer.

use std::collections::BTreeMap;

use alipay_gateway::Reply;
use function_kit::Failure;
use function_payments::{Amount, Order};
use serde::Serialize;
use serde_json::value::RawValue;

/// What the seven calls answer. An order string has the order paid, and Alipay's answers name the buyer, so there is no `Debug`.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Fields {
    /// `app.getOrderStr`.
    OrderString {
        /// What the app hands to its Alipay plugin.
        value: String,
        /// The order's number.
        out_trade_no: String,
        /// Until when it can be paid: `yyyy-MM-dd HH:mm:ss` in UTC+8, as Alipay reads it.
        time_expire: String,
    },
    /// `trade.create`.
    Created {
        /// What the mini-program pays by.
        trade_no: String,
        /// The order's number.
        out_trade_no: String,
    },
    /// `app.checkResult`.
    Checked {
        /// Whether the order is paid; `null` where that is not known yet.
        paid: Option<bool>,
        /// Alipay's number, where there is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        trade_no: Option<String>,
        /// The order's number.
        out_trade_no: String,
    },
    /// The other four.
    Told(Told),
}

/// The record of an order, and what Alipay has said about it.
#[derive(Serialize)]
pub struct Told {
    #[serde(flatten)]
    recorded: Recorded,
    /// As they came (numbers keep every digit), without those of a name that stands above or in the envelope.
    #[serde(flatten)]
    alipays: BTreeMap<String, Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
}

/// What the record of the order says.
#[derive(Serialize)]
struct Recorded {
    out_trade_no: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    trade_no: Option<String>,
    total_amount: Amount,
    /// `created`, `closed`, `paid` or `finished`.
    state: &'static str,
    /// By all refunds.
    refunded_amount: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    out_request_no: Option<String>,
    /// By this refund.
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_amount: Option<Amount>,
    /// Whether this refund was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    refunded: Option<bool>,
}

/// The names of [`Recorded`] and of the envelope.
const OURS: [&str; 11] = [
    "code",
    "msg",
    "out_request_no",
    "out_trade_no",
    "refund_amount",
    "refunded",
    "refunded_amount",
    "state",
    "total_amount",
    "trace_id",
    "trade_no",
];

impl Told {
    /// Of `order`, with Alipay's answer where there was one.
    pub(crate) fn new(order: &Order, reply: Option<&Reply>) -> Result<Self, Failure> {
        let mut alipays: BTreeMap<String, Box<RawValue>> = match reply {
            Some(reply) => serde_json::from_str(reply.node())
                .map_err(|_| Failure::internal("a verified node is no object"))?,
            None => BTreeMap::new(),
        };
        alipays.retain(|name, _| !OURS.contains(&name.as_str()));
        Ok(Self {
            recorded: Recorded {
                out_trade_no: order.out_trade_no.as_str().to_owned(),
                trade_no: order.trade_no.clone(),
                total_amount: order.amount,
                state: order.state.as_str(),
                refunded_amount: Amount::yuan(order.refunded_fen()),
                out_request_no: None,
                refund_amount: None,
                refunded: None,
            },
            alipays,
            trace_id: reply.and_then(|reply| reply.trace_id().map(str::to_owned)),
        })
    }

    /// About a refund of it.
    pub(crate) fn about_refund(
        mut self,
        out_request_no: &str,
        amount: Option<Amount>,
        is_done: bool,
    ) -> Self {
        self.recorded.out_request_no = Some(out_request_no.to_owned());
        self.recorded.refund_amount = amount;
        self.recorded.refunded = Some(is_done);
        self
    }
}
