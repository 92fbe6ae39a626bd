//! What Alipay says about an order: asked, held against the record, recorded.

use std::fmt;
use std::time::Duration;

use alipay_gateway::methods::{FoundRefund, RefundQuery, Trade, TradeQuery};
use alipay_gateway::{Call, Deadline, GatewayError, Reply};
use function_kit::{Alipay, Failure, Outcome, SelectedApp};
use payments::{Amount, Buyer, Finding, Order, PaymentError, RefundNumber};
use table_rows::WallTime;

use crate::{Payments, payment_failure};

/// After its time an order can still be paid for this long, whatever the clocks say.
const EXPIRY_MARGIN: Duration = Duration::from_secs(300);

/// How a trade stands at Alipay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// There is none: the buyer has not opened the cashier.
    NotThere,
    /// It waits for the buyer.
    Open,
    /// It is paid, and may have been refunded since.
    Paid,
    /// It is over, and none of its money is with the merchant: nobody paid, or all of it went back before the payment was recorded.
    Closed,
}

/// What came of asking about a trade.
#[derive(Clone)]
pub struct Asked {
    /// How it stands at Alipay.
    pub standing: Standing,
    /// Whether the buyer has ever paid it, be it that all of it went back.
    pub was_paid: bool,
    /// The order, with what is new recorded.
    pub order: Order,
    /// Alipay's answer; `None` where there is no trade.
    pub reply: Option<Reply>,
}

/// Alipay's answer names the buyer.
impl fmt::Debug for Asked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Asked")
            .field("standing", &self.standing)
            .field("was_paid", &self.was_paid)
            .field("order", &self.order)
            .finish_non_exhaustive()
    }
}

/// What came of asking about a refund.
#[derive(Clone)]
pub struct AskedRefund {
    /// Whether Alipay says that the money went back. `false` may change; the same question again tells.
    pub is_done: bool,
    /// The order, with what is new recorded.
    pub order: Order,
    /// Alipay's answer; `None` where there is no trade.
    pub reply: Option<Reply>,
}

/// Alipay's answer may name the buyer.
impl fmt::Debug for AskedRefund {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AskedRefund")
            .field("is_done", &self.is_done)
            .field("order", &self.order)
            .finish_non_exhaustive()
    }
}

/// Why nothing was recorded.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Alipay did not answer, or refused to.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// The record did not take it.
    #[error(transparent)]
    Record(#[from] PaymentError),
    /// Alipay's answer does not fit the order: its number was used elsewhere, or somebody meddles.
    #[error("Alipay's trade is not that of the order: {field} differs")]
    Contradiction {
        /// What differs.
        field: &'static str,
    },
}

impl AskError {
    /// Whether the same question may be answered later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Gateway(error) => error.is_transient(),
            Self::Record(error) => error.is_transient(),
            Self::Contradiction { .. } => false,
        }
    }
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        match error {
            // All that is asked here only reads.
            AskError::Gateway(error) => Failure::from(error).with_repeatable(true),
            AskError::Record(error) => payment_failure(error),
            AskError::Contradiction { field } => Failure::caused_by(
                Outcome::Conflict {
                    reason: format!(
                        "Alipay's trade of this out_trade_no has another {field} than the order; the number was used outside of this deployment"
                    ),
                },
                error,
            ),
        }
    }
}

impl Payments {
    /// Asks Alipay how the trade of `order` stands, and records what is new. `notice_id` is that of the notice that led here.
    ///
    /// # Errors
    /// [`AskError`]; nothing is recorded then, or it was and the answer to that was lost.
    pub async fn ask_about_trade(
        &self,
        alipay: &Alipay,
        app: &SelectedApp,
        order: &Order,
        notice_id: Option<&str>,
        deadline: Deadline,
    ) -> Result<Asked, AskError> {
        let call = TradeQuery {
            out_trade_no: order.out_trade_no.as_str(),
        }
        .call()?;
        let reply = match answered(alipay, app, &call, deadline).await? {
            Answer::Trade(reply) => reply,
            // An error that nobody signed says no, and is no reason to end an order.
            Answer::NoTrade { is_signed: false } => return Ok(not_there(order)),
            Answer::NoTrade { is_signed: true } => {
                return self.no_trade(alipay, order, notice_id, deadline).await;
            }
        };
        let Found {
            standing,
            was_paid,
            finding,
        } = found(&reply.parse()?, order)?;
        let order = self
            .record(order, &finding, notice_id, alipay.now(), deadline)
            .await?;
        Ok(Asked {
            standing,
            was_paid,
            order,
            reply: Some(reply),
        })
    }

    /// There is no trade, and once its time is over there will be none.
    async fn no_trade(
        &self,
        alipay: &Alipay,
        order: &Order,
        notice_id: Option<&str>,
        deadline: Deadline,
    ) -> Result<Asked, AskError> {
        let now = alipay.now();
        let can_come =
            order.trade_no.is_some() || WallTime::from(now) < order.time_expire.plus(EXPIRY_MARGIN);
        if can_come {
            return Ok(not_there(order));
        }
        let closed = Finding::Closed { trade_no: None };
        let order = self
            .record(order, &closed, notice_id, now, deadline)
            .await?;
        Ok(Asked {
            standing: Standing::Closed,
            was_paid: false,
            order,
            reply: None,
        })
    }

    /// Asks Alipay whether a refund of `order` was made, and records it if so. `notice_id` is that of the notice that led here.
    ///
    /// # Errors
    /// As [`ask_about_trade`](Self::ask_about_trade).
    pub async fn ask_about_refund(
        &self,
        alipay: &Alipay,
        app: &SelectedApp,
        order: &Order,
        refund: &RefundNumber,
        notice_id: Option<&str>,
        deadline: Deadline,
    ) -> Result<AskedRefund, AskError> {
        let call = RefundQuery {
            out_trade_no: order.out_trade_no.as_str(),
            out_request_no: refund.as_str(),
        }
        .call()?;
        let reply = match answered(alipay, app, &call, deadline).await? {
            Answer::Trade(reply) => Some(reply),
            Answer::NoTrade { .. } => None,
        };
        let finding = match &reply {
            Some(reply) => found_refund(&reply.parse()?, order, refund)?,
            None => None,
        };
        let is_done = finding.is_some();
        let order = match finding {
            Some(finding) => {
                self.record(order, &finding, notice_id, alipay.now(), deadline)
                    .await?
            }
            None => order.clone(),
        };
        Ok(AskedRefund {
            is_done,
            order,
            reply,
        })
    }
}

fn not_there(order: &Order) -> Asked {
    Asked {
        standing: Standing::NotThere,
        was_paid: false,
        order: order.clone(),
        reply: None,
    }
}

/// What Alipay answers to a question about a trade.
enum Answer {
    Trade(Reply),
    /// There is none. Errors may come unsigned.
    NoTrade {
        is_signed: bool,
    },
}

async fn answered(
    alipay: &Alipay,
    app: &SelectedApp,
    call: &Call,
    deadline: Deadline,
) -> Result<Answer, GatewayError> {
    match alipay.call(app, call, deadline).await {
        Ok(reply) => Ok(Answer::Trade(reply)),
        Err(GatewayError::Refused(refusal))
            if refusal.sub_code.as_deref() == Some("ACQ.TRADE_NOT_EXIST") =>
        {
            Ok(Answer::NoTrade {
                is_signed: refusal.verified,
            })
        }
        Err(error) => Err(error),
    }
}

/// What Alipay's answer about a trade comes to.
struct Found {
    standing: Standing,
    was_paid: bool,
    finding: Finding,
}

/// What `trade` says, held against the order that it must be the trade of.
fn found(trade: &Trade, order: &Order) -> Result<Found, AskError> {
    if trade.out_trade_no != order.out_trade_no.as_str() {
        return Err(contradiction("out_trade_no"));
    }
    if trade.total_amount.parse() != Ok(order.amount) {
        return Err(contradiction("total_amount"));
    }
    let trade_no = trade.trade_no.clone();
    let paid = |trade_no, is_finished| Found {
        standing: Standing::Paid,
        was_paid: true,
        finding: Finding::Paid {
            trade_no,
            is_finished,
            payer: Buyer {
                user_id: trade.buyer_user_id.clone(),
                open_id: trade.buyer_open_id.clone(),
            },
        },
    };
    Ok(match trade.trade_status.as_str() {
        "WAIT_BUYER_PAY" => Found {
            standing: Standing::Open,
            was_paid: false,
            finding: Finding::Open { trade_no },
        },
        "TRADE_SUCCESS" => paid(trade_no, false),
        "TRADE_FINISHED" => paid(trade_no, true),
        // Closed after a payment is what a trade is that was refunded in full. Where nobody was told of the payment, nobody is to be
        // now: they would deliver what is not paid any more.
        "TRADE_CLOSED" => {
            let was_paid = trade.send_pay_date.is_some();
            if was_paid && order.state.is_paid() {
                paid(trade_no, false)
            } else {
                Found {
                    standing: Standing::Closed,
                    was_paid,
                    finding: Finding::Closed {
                        trade_no: Some(trade_no),
                    },
                }
            }
        }
        _ => return Err(contradiction("trade_status")),
    })
}

/// What the answer says, held against what was asked; `None` where the refund was not made.
fn found_refund(
    found: &FoundRefund,
    order: &Order,
    asked: &RefundNumber,
) -> Result<Option<Finding>, AskError> {
    let differs =
        |said: &Option<String>, known: &str| said.as_deref().is_some_and(|said| said != known);
    if differs(&found.out_trade_no, order.out_trade_no.as_str()) {
        return Err(contradiction("out_trade_no"));
    }
    if differs(&found.out_request_no, asked.as_str()) {
        return Err(contradiction("out_request_no"));
    }
    if order
        .trade_no
        .as_deref()
        .is_some_and(|known| differs(&found.trade_no, known))
    {
        return Err(contradiction("trade_no"));
    }
    if !found.is_done() {
        return Ok(None);
    }
    // A genuine answer to another question must not pass for this one's.
    if found.out_trade_no.is_none() || found.out_request_no.is_none() {
        return Err(contradiction("out_request_no"));
    }
    let amount = found
        .refund_amount
        .as_deref()
        .and_then(|text| text.parse::<Amount>().ok())
        .filter(|amount| *amount <= order.amount)
        .ok_or(contradiction("refund_amount"))?;
    Ok(Some(Finding::Refunded {
        number: asked.clone(),
        amount,
    }))
}

fn contradiction(field: &'static str) -> AskError {
    AskError::Contradiction { field }
}

#[cfg(test)]
mod tests {
    use payments::{OrderNumber, OrderState, Product};

    use super::*;

    fn order() -> Order {
        Order {
            app_id: "2021".to_owned(),
            out_trade_no: OrderNumber::try_from("T1".to_owned()).unwrap(),
            amount: "12.50".parse().unwrap(),
            owner: "user-1".to_owned(),
            product: Product::App,
            subject: "tea".to_owned(),
            seller_id: "2088000000000999".to_owned(),
            time_expire: WallTime::from_secs(1),
            expected_buyer: Buyer::default(),
            state: OrderState::Paid,
            trade_no: Some("2026".to_owned()),
            payer: Buyer::default(),
            refunds: Default::default(),
            notices: Default::default(),
            version: 2,
        }
    }

    fn answer(members: &str) -> FoundRefund {
        serde_json::from_str(members).unwrap()
    }

    #[test]
    fn a_refund_counts_only_by_an_answer_that_names_it() {
        let asked = RefundNumber::try_from("R1".to_owned()).unwrap();
        for (members, differs) in [
            (r#""out_trade_no":"T1","out_request_no":"R1","#, None),
            (r#""out_trade_no":"T1","#, Some("out_request_no")),
            (r#""out_request_no":"R1","#, Some("out_request_no")),
            (
                r#""out_trade_no":"T2","out_request_no":"R1","#,
                Some("out_trade_no"),
            ),
            (
                r#""out_trade_no":"T1","out_request_no":"R2","#,
                Some("out_request_no"),
            ),
            (
                r#""trade_no":"2027","out_trade_no":"T1","out_request_no":"R1","#,
                Some("trade_no"),
            ),
        ] {
            let said =
                format!(r#"{{{members}"refund_status":"REFUND_SUCCESS","refund_amount":"2.50"}}"#);
            match (found_refund(&answer(&said), &order(), &asked), differs) {
                (Ok(Some(Finding::Refunded { amount, .. })), None) => {
                    assert_eq!(amount.fen(), 250);
                }
                (Err(AskError::Contradiction { field }), Some(expected)) => {
                    assert_eq!(field, expected, "{members}");
                }
                (other, _) => panic!("{members} {other:?}"),
            }
        }
        // Of a refund that is not known Alipay says nothing.
        assert!(
            found_refund(&answer("{}"), &order(), &asked)
                .unwrap()
                .is_none()
        );
    }
}
