//! Events: what the owner's own programs are told.

use std::fmt;

use serde::Serialize;
use table_rows::WallTime;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::{Amount, Order, PaymentError};

/// Most bytes of an event's detail. EventBridge takes 256 KiB for an entry as a whole.
const MOST_DETAIL_BYTES: usize = 200 * 1024;

/// What happened: the `detail-type` of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// The order is paid. Once for each order.
    OrderPaid,
    /// Some or all of it was paid back. Once for each refund.
    OrderRefunded,
    /// It was closed without a payment. Once.
    OrderClosed,
    /// Alipay has sent a message to the app. Once for each message.
    Message,
}

impl EventKind {
    /// The `detail-type`, which every event's id begins with.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OrderPaid => "order.paid",
            Self::OrderRefunded => "order.refunded",
            Self::OrderClosed => "order.closed",
            Self::Message => "alipay.message",
        }
    }

    /// The kind of the event that has this id.
    pub(crate) fn of_id(id: &str) -> Option<Self> {
        [
            Self::OrderPaid,
            Self::OrderRefunded,
            Self::OrderClosed,
            Self::Message,
        ]
        .into_iter()
        .find(|kind| id.split('/').next() == Some(kind.as_str()))
    }
}

/// An event, as it is stored with the change that it tells of until it is published.
#[derive(Clone, PartialEq, Eq)]
pub struct Event {
    /// The same for every publication of this event: consumers go by it.
    pub id: String,
    /// What happened.
    pub kind: EventKind,
    /// JSON text.
    pub detail: String,
}

/// The detail names persons.
impl fmt::Debug for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Event")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What the events of an order say.
#[derive(Serialize)]
struct OrderDetail<'a> {
    event_id: &'a str,
    app_id: &'a str,
    out_trade_no: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trade_no: Option<&'a str>,
    owner: &'a str,
    total_amount: Amount,
    state: &'static str,
    refunded_amount: String,
    version: u64,
    occurred_at: String,
    #[serde(flatten)]
    more: More,
}

/// What only the events of one kind say.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum More {
    Paid {
        #[serde(skip_serializing_if = "Option::is_none")]
        buyer_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        buyer_open_id: Option<String>,
        /// `null` where the order named nobody, or Alipay another kind of id.
        buyer_is_expected: Option<bool>,
    },
    Refunded {
        out_request_no: String,
        refund_amount: Amount,
    },
    Nothing {},
}

impl Event {
    /// Tells of `order` as it is from now on.
    pub(crate) fn of_order(
        kind: EventKind,
        order: &Order,
        part: Option<&str>,
        more: More,
        now: WallTime,
    ) -> Result<Self, PaymentError> {
        let mut id = format!(
            "{}/{}/{}",
            kind.as_str(),
            order.app_id,
            order.out_trade_no.as_str()
        );
        if let Some(part) = part {
            id.push('/');
            id.push_str(part);
        }
        let detail = OrderDetail {
            event_id: &id,
            app_id: &order.app_id,
            out_trade_no: order.out_trade_no.as_str(),
            trade_no: order.trade_no.as_deref(),
            owner: &order.owner,
            total_amount: order.amount,
            state: order.state.as_str(),
            refunded_amount: Amount::yuan(order.refunded_fen()),
            version: order.version,
            occurred_at: rfc3339(now),
            more,
        };
        let detail = json(&detail)?;
        Ok(Self { id, kind, detail })
    }

    /// Tells of a message of Alipay's.
    pub(crate) fn of_message<T: Serialize>(id: String, detail: &T) -> Result<Self, PaymentError> {
        let detail = json(detail)?;
        let kind = EventKind::Message;
        Ok(Self { id, kind, detail })
    }
}

fn json<T: Serialize>(detail: &T) -> Result<String, PaymentError> {
    let text =
        serde_json::to_string(detail).map_err(|_| PaymentError::Corrupt { field: "detail" })?;
    if text.len() > MOST_DETAIL_BYTES {
        return Err(PaymentError::TooLarge {
            field: "detail",
            limit: MOST_DETAIL_BYTES,
        });
    }
    Ok(text)
}

pub(crate) fn rfc3339(at: WallTime) -> String {
    let nanoseconds = i128::from(at.as_millis()) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanoseconds)
        .ok()
        .and_then(|moment| moment.format(&Rfc3339).ok())
        .unwrap_or_default()
}
