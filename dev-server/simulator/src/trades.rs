//! Trades: what a buyer pays, closes in vain or gets back, by Alipay's rules.
//!
//! A change of a trade that has an address for notices makes one; [`crate::notices`] sends it.

mod amount;
mod changes;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

pub(crate) use self::amount::{MOST, fen, yuan};
use crate::keys::SignType;
use crate::refusal::Refusal;
use crate::users::SimulatedUser;

pub(crate) const WAIT_BUYER_PAY: &str = "WAIT_BUYER_PAY";
pub(crate) const TRADE_CLOSED: &str = "TRADE_CLOSED";
pub(crate) const TRADE_SUCCESS: &str = "TRADE_SUCCESS";
pub(crate) const TRADE_FINISHED: &str = "TRADE_FINISHED";

/// `product_code` of a trade that begins with an order string, and of one that `alipay.trade.create` makes.
pub(crate) const APP_PAYMENT: &str = "QUICK_MSECURITY_PAY";
pub(crate) const MINI_PROGRAM_PAYMENT: &str = "JSAPI_PAY";

/// A trade. A test may put one there as it is ([`Simulator::add_trade`](crate::Simulator::add_trade)); the others are
/// made by `alipay.trade.create` and by the cashier. Times are milliseconds since 1970 by the simulator's clock.
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
    /// The `user_id` of the buyer; empty while nobody is known to be.
    pub buyer: String,
    /// What is paid for.
    pub subject: String,
    /// `QUICK_MSECURITY_PAY` or `JSAPI_PAY`: which kind of result the front end gets from the cashier.
    pub product_code: String,
    /// Where its notices go; absent: there are none.
    pub notify_url: Option<String>,
    /// What its notices bring back to the merchant as it came.
    pub passback_params: Option<String>,
    /// The charset of its notices, as the app's request spelled it.
    pub charset: String,
    /// The sign type of its notices and of the cashier's result: that of the app's request.
    pub sign_type: SignType,
    /// What went back to the buyer, oldest first.
    pub refunds: Vec<Refund>,
    /// When it was made.
    pub created_at: Option<u64>,
    /// When it was paid; absent for a trade that a test has put there as paid.
    pub paid_at: Option<u64>,
    /// When it was closed.
    pub closed_at: Option<u64>,
    /// When it closes if it is not paid by then; absent: never.
    pub expires_at: Option<u64>,
}

/// Money that went back to the buyer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refund {
    /// The merchant's number of it.
    pub out_request_no: String,
    /// Yuan with two decimals.
    pub amount: String,
    /// Milliseconds since 1970 by the simulator's clock.
    pub refunded_at: u64,
}

impl Default for Trade {
    fn default() -> Self {
        Self {
            app_id: String::new(),
            out_trade_no: String::new(),
            trade_no: String::new(),
            trade_status: TRADE_SUCCESS.to_owned(),
            total_amount: "0.01".to_owned(),
            buyer: SimulatedUser::DEFAULT_USER_ID.to_owned(),
            subject: "模拟商品".to_owned(),
            product_code: MINI_PROGRAM_PAYMENT.to_owned(),
            notify_url: None,
            passback_params: None,
            charset: "utf-8".to_owned(),
            sign_type: SignType::Rsa2,
            refunds: Vec::new(),
            created_at: None,
            paid_at: None,
            closed_at: None,
            expires_at: None,
        }
    }
}

impl Trade {
    /// What was paid, in fen; 0 where a test has put a text there that is no amount.
    pub(crate) fn total(&self) -> u64 {
        fen(&self.total_amount).unwrap_or_default()
    }

    /// What has gone back, in fen.
    pub(crate) fn refunded(&self) -> u64 {
        let amounts = self.refunds.iter().filter_map(|refund| fen(&refund.amount));
        amounts.sum()
    }

    pub(crate) fn is_paid(&self) -> bool {
        matches!(self.trade_status.as_str(), TRADE_SUCCESS | TRADE_FINISHED)
    }

    pub(crate) fn is_app_payment(&self) -> bool {
        self.product_code == APP_PAYMENT
    }

    fn is_due_to_close(&self, now: u64) -> bool {
        self.trade_status == WAIT_BUYER_PAY && self.expires_at.is_some_and(|end| end <= now)
    }
}

/// Milliseconds since 1970.
pub(crate) fn milliseconds(at: SystemTime) -> u64 {
    let since_1970 = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}

pub(crate) fn moment(milliseconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(milliseconds)
}

/// 28 digits that begin with the day, as Alipay's.
pub(crate) fn new_trade_no(now: SystemTime) -> String {
    let day = crate::clock::beijing_text(now).replace('-', "");
    let day = day.get(..8).unwrap_or_default();
    format!(
        "{day}22001{:015}",
        rand::random::<u64>() % 1_000_000_000_000_000
    )
}

/// How a trade is named.
pub(crate) enum Number<'a> {
    Alipays(&'a str),
    Merchants(&'a str),
    /// Whichever of the two it is.
    Either(&'a str),
}

impl Number<'_> {
    fn is_of(&self, trade: &Trade) -> bool {
        match self {
            Self::Alipays(number) => trade.trade_no == *number,
            Self::Merchants(number) => trade.out_trade_no == *number,
            Self::Either(number) => trade.trade_no == *number || trade.out_trade_no == *number,
        }
    }
}

pub(crate) fn invalid_parameter() -> Refusal {
    Refusal::business("ACQ.INVALID_PARAMETER", "参数无效")
}

pub(crate) fn not_exist() -> Refusal {
    Refusal::business("ACQ.TRADE_NOT_EXIST", "交易不存在")
}

pub(crate) fn has_closed() -> Refusal {
    Refusal::business("ACQ.TRADE_HAS_CLOSE", "交易已经关闭")
}

pub(crate) fn status_error() -> Refusal {
    Refusal::business("ACQ.TRADE_STATUS_ERROR", "交易状态不合法")
}
