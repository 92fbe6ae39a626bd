//! An order, and the rules by which it changes. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use table_rows::WallTime;
use uuid::Uuid;

use crate::event::More;
use crate::{Amount, Event, EventKind, PaymentError};

/// Longest number of an order or a refund: Alipay's limit of `out_trade_no` and `out_request_no`.
const LONGEST_NUMBER: usize = 64;

/// Longest id of a trade, a buyer or a notice that is recorded. Alipay's are 64 bytes at most.
const LONGEST_ID: usize = 128;

/// Most refunds of one order, so that its row stays under DynamoDB's 400 KiB even while no event of any of them gets out.
const MOST_REFUNDS: usize = 200;

/// Most of them that were asked for and not answered, so that refunds which Alipay tells of always find room.
const MOST_UNANSWERED: usize = 50;

/// The merchant's number of an order (`out_trade_no`): 1 to 64 letters, digits, `_` and `-`. Alipay's documents leave `-` out, and notices that it
/// has sent have it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderNumber(String);

/// The merchant's number of a refund (`out_request_no`): 1 to 64 visible ASCII characters. A refund without one has its order's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefundNumber(String);

/// The text is no number of an order, or of a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be {0}")]
pub struct NotANumber(&'static str);

impl OrderNumber {
    /// A new one: 32 hexadecimal characters.
    pub fn random() -> Self {
        Self(Uuid::new_v4().simple().to_string())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for OrderNumber {
    type Error = NotANumber;

    fn try_from(text: String) -> Result<Self, NotANumber> {
        let fits = (1..=LONGEST_NUMBER).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        if fits {
            Ok(Self(text))
        } else {
            Err(NotANumber("1 to 64 letters, digits, _ and -"))
        }
    }
}

impl RefundNumber {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RefundNumber {
    type Error = NotANumber;

    fn try_from(text: String) -> Result<Self, NotANumber> {
        let fits = (1..=LONGEST_NUMBER).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        if fits {
            Ok(Self(text))
        } else {
            Err(NotANumber("1 to 64 visible ASCII characters"))
        }
    }
}

/// The order's product at Alipay, which decides how it can be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Product {
    /// By an order string, in an app with Alipay's plugin.
    App,
    /// By a trade that was created first, in a mini-program.
    MiniProgram,
}

impl Product {
    /// As it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::MiniProgram => "mini_program",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::App, Self::MiniProgram]
            .into_iter()
            .find(|product| product.as_str() == text)
    }
}

/// How far an order has come. It only rises, in this order: whatever comes late or twice changes nothing, and money that came is never
/// hidden again. A full refund is a refund and no state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OrderState {
    /// It waits for its payment.
    Created,
    /// It can no longer be paid, and was not.
    Closed,
    /// It is paid.
    Paid,
    /// It is paid, and can no longer be refunded.
    Finished,
}

impl OrderState {
    /// As it is stored and told.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Closed => "closed",
            Self::Paid => "paid",
            Self::Finished => "finished",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Created, Self::Closed, Self::Paid, Self::Finished]
            .into_iter()
            .find(|state| state.as_str() == text)
    }

    /// Whether money came.
    pub fn is_paid(self) -> bool {
        self >= Self::Paid
    }
}

/// A buyer by Alipay's ids, which depend on the app: one of them, or both, or neither.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Buyer {
    /// 16 digits that begin with 2088.
    pub user_id: Option<String>,
    /// The id for one app.
    pub open_id: Option<String>,
}

/// Ids of persons are not logged.
impl fmt::Debug for Buyer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Buyer")
    }
}

impl Buyer {
    /// Whether nobody is named.
    pub fn is_nobody(&self) -> bool {
        self.user_id.is_none() && self.open_id.is_none()
    }

    /// Whether `other` is the same person by every kind of id that both have; `None` where there is none.
    pub(crate) fn is(&self, other: &Self) -> Option<bool> {
        let same = |one: &Option<String>, other: &Option<String>| {
            one.as_ref()
                .zip(other.as_ref())
                .map(|(one, other)| one == other)
        };
        let (by_user_id, by_open_id) = (
            same(&self.user_id, &other.user_id),
            same(&self.open_id, &other.open_id),
        );
        match (by_user_id, by_open_id) {
            (Some(one), Some(other)) => Some(one && other),
            (one, other) => one.or(other),
        }
    }

    pub(crate) fn check(&self) -> Result<(), PaymentError> {
        check_id("buyer", self.user_id.as_deref())?;
        check_id("buyer", self.open_id.as_deref())
    }
}

/// A refund of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refund {
    /// How much.
    pub amount: Amount,
    /// Whether Alipay has said that it was paid back; until then it was only asked for.
    pub is_done: bool,
}

/// An order as it is recorded.
#[derive(Clone, PartialEq, Eq)]
pub struct Order {
    /// The app that it is for.
    pub app_id: String,
    /// The merchant's number.
    pub out_trade_no: OrderNumber,
    /// What is to be paid. It never changes.
    pub amount: Amount,
    /// Whose order it is: the owner's own name for a user.
    pub owner: String,
    /// How it can be paid.
    pub product: Product,
    /// What the buyer reads.
    pub subject: String,
    /// Who gets the money: the merchant's partner id.
    pub seller_id: String,
    /// Until when it can be paid.
    pub time_expire: WallTime,
    /// Who is expected to pay.
    pub expected_buyer: Buyer,
    /// How far it has come.
    pub state: OrderState,
    /// Alipay's number, once it is known.
    pub trade_no: Option<String>,
    /// Who paid.
    pub payer: Buyer,
    /// By number.
    pub refunds: BTreeMap<String, Refund>,
    /// The ids of the notices that changed something.
    pub notices: BTreeSet<String>,
    /// Counts the changes, so that events can be put in order.
    pub version: u64,
}

/// The subject and the ids of persons stay out of logs.
impl fmt::Debug for Order {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Order")
            .field("app_id", &self.app_id)
            .field("out_trade_no", &self.out_trade_no)
            .field("state", &self.state)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// What Alipay has answered about an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The trade is there and not paid yet.
    Open {
        /// Alipay's number.
        trade_no: String,
    },
    /// It is paid.
    Paid {
        /// Alipay's number.
        trade_no: String,
        /// Whether it can no longer be refunded.
        is_finished: bool,
        /// Who paid.
        payer: Buyer,
    },
    /// It was closed and not paid, or can no longer come about.
    Closed {
        /// Alipay's number; absent where there never was a trade.
        trade_no: Option<String>,
    },
    /// Some of it was paid back.
    Refunded {
        /// The merchant's number of the refund.
        number: RefundNumber,
        /// How much by this refund.
        amount: Amount,
    },
}

impl Finding {
    fn trade_no(&self) -> Option<&str> {
        match self {
            Self::Open { trade_no } | Self::Paid { trade_no, .. } => Some(trade_no),
            Self::Closed { trade_no } => trade_no.as_deref(),
            Self::Refunded { .. } => None,
        }
    }

    fn check(&self) -> Result<(), PaymentError> {
        check_id("trade_no", self.trade_no())?;
        match self {
            Self::Paid { payer, .. } => payer.check(),
            _ => Ok(()),
        }
    }
}

/// What a row holds of others has a limit.
fn check_id(field: &'static str, id: Option<&str>) -> Result<(), PaymentError> {
    match id {
        Some(id) if id.len() > LONGEST_ID => Err(PaymentError::TooLarge {
            field,
            limit: LONGEST_ID,
        }),
        _ => Ok(()),
    }
}

/// An order after a change, and what there is to tell of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub order: Order,
    pub events: Vec<Event>,
}

impl Change {
    /// One that there is nothing to tell of.
    pub(crate) fn untold(order: Order) -> Self {
        Self {
            order,
            events: Vec::new(),
        }
    }
}

impl Order {
    /// What was paid back so far, in fen.
    pub fn refunded_fen(&self) -> u64 {
        let done = self.refunds.values().filter(|refund| refund.is_done);
        done.map(|refund| refund.amount.fen()).sum()
    }

    /// The order after `finding`, which the notice of this id may have led to; `None` where that is nothing new.
    pub(crate) fn after(
        &self,
        finding: &Finding,
        notice_id: Option<&str>,
        now: WallTime,
    ) -> Result<Option<Change>, PaymentError> {
        finding.check()?;
        let mut order = self.clone();
        if let Some(found) = finding.trade_no() {
            match &self.trade_no {
                Some(known) if known != found => return Err(PaymentError::OtherTrade),
                _ => order.trade_no = Some(found.to_owned()),
            }
        }
        let told = match finding {
            Finding::Open { .. } => None,
            Finding::Paid {
                is_finished, payer, ..
            } => order.rise_to_paid(*is_finished, payer),
            Finding::Closed { .. } => order.rise_to_closed(),
            Finding::Refunded { number, amount } => order.refund_is_done(number, *amount)?,
        };
        if order == *self {
            return Ok(None);
        }
        order.version += 1;
        // A notice that is not remembered leads to a question that brings nothing new.
        let notice_id = notice_id.filter(|id| (1..=LONGEST_ID).contains(&id.len()));
        order.notices.extend(notice_id.map(str::to_owned));
        let events = told
            .map(|Told { kind, part, more }| {
                Event::of_order(kind, &order, part.as_deref(), more, now)
            })
            .transpose()?;
        Ok(Some(Change {
            order,
            events: events.into_iter().collect(),
        }))
    }

    fn rise_to_paid(&mut self, is_finished: bool, payer: &Buyer) -> Option<Told> {
        let was_paid = self.state.is_paid();
        let found = if is_finished {
            OrderState::Finished
        } else {
            OrderState::Paid
        };
        self.state = self.state.max(found);
        if was_paid {
            return None;
        }
        self.payer = payer.clone();
        let is_expected = self.expected_buyer.is(payer);
        Some(Told {
            kind: EventKind::OrderPaid,
            part: None,
            more: More::Paid {
                buyer_id: payer.user_id.clone(),
                buyer_open_id: payer.open_id.clone(),
                buyer_is_expected: is_expected,
            },
        })
    }

    fn rise_to_closed(&mut self) -> Option<Told> {
        if self.state >= OrderState::Closed {
            return None;
        }
        self.state = OrderState::Closed;
        Some(Told {
            kind: EventKind::OrderClosed,
            part: None,
            more: More::Nothing {},
        })
    }

    fn refund_is_done(
        &mut self,
        number: &RefundNumber,
        amount: Amount,
    ) -> Result<Option<Told>, PaymentError> {
        let done = Refund {
            amount,
            is_done: true,
        };
        let is_new = self.put_refund(number, done)?;
        Ok(is_new.then(|| Told {
            kind: EventKind::OrderRefunded,
            part: Some(number.as_str().to_owned()),
            more: More::Refunded {
                out_request_no: number.as_str().to_owned(),
                refund_amount: amount,
            },
        }))
    }

    /// The order with a refund that is being asked for; `None` where it has been asked for already. Only what was paid back counts against
    /// the amount, since what was asked for may be refused: Alipay is the judge of several that are asked for at once.
    pub(crate) fn with_refund_asked(
        &self,
        number: &RefundNumber,
        amount: Amount,
    ) -> Result<Option<Self>, PaymentError> {
        let differs = PaymentError::Differs {
            field: "refund_amount",
        };
        match self.refunds.get(number.as_str()) {
            Some(known) if known.amount != amount => return Err(differs),
            Some(_) => return Ok(None),
            None => {}
        }
        if !self.state.is_paid() {
            return Err(PaymentError::NotNow {
                state: "is not paid",
            });
        }
        if self.refunded_fen() + amount.fen() > self.amount.fen() {
            return Err(PaymentError::NotNow {
                state: "was not paid as much as would be refunded in all",
            });
        }
        let unanswered = self.refunds.values().filter(|refund| !refund.is_done);
        if unanswered.count() >= MOST_UNANSWERED {
            return Err(PaymentError::TooLarge {
                field: "refunds",
                limit: MOST_UNANSWERED,
            });
        }
        let mut order = self.clone();
        let asked = Refund {
            amount,
            is_done: false,
        };
        order.put_refund(number, asked)?;
        order.version += 1;
        Ok(Some(order))
    }

    /// The order without a refund that Alipay has refused; `None` where there is nothing to take away.
    pub(crate) fn without_refund(&self, number: &RefundNumber) -> Option<Self> {
        let asked = self.refunds.get(number.as_str())?;
        if asked.is_done {
            return None;
        }
        let mut order = self.clone();
        order.refunds.remove(number.as_str());
        order.version += 1;
        Some(order)
    }

    /// Whether it was put there: what was asked for gives way to what Alipay says was done, and what was done once is not done again.
    fn put_refund(&mut self, number: &RefundNumber, refund: Refund) -> Result<bool, PaymentError> {
        let known = self.refunds.get(number.as_str());
        if known.is_some_and(|known| known.is_done) {
            return Ok(false);
        }
        if known.is_none() && self.refunds.len() >= MOST_REFUNDS {
            return Err(PaymentError::TooLarge {
                field: "refunds",
                limit: MOST_REFUNDS,
            });
        }
        self.refunds.insert(number.as_str().to_owned(), refund);
        Ok(true)
    }
}

/// What there is to tell of a change.
struct Told {
    kind: EventKind,
    /// The last part of the event's id, where an order can have several events of the kind.
    part: Option<String>,
    more: More,
}

#[cfg(test)]
mod tests;
