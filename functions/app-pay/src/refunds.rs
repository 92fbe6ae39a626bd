//! `trade.refund` and `refund.query`.

use alipay_gateway::methods::{RefundedTrade, TradeRefund};
use alipay_gateway::{GatewayError, Reply};
use function_kit::{Caller, Failure, Outcome};
use function_payments::{AskedRefund, Finding, Order, PaymentError, RefundNumber, payment_failure};

use crate::AppPay;
use crate::answer::{Fields, Told};
use crate::input::{KnownRefund, NewRefund};

impl AppPay {
    /// The refund is written down before Alipay is asked for it, so that its number means one amount for ever, whatever becomes of
    /// this invocation.
    pub(crate) async fn refund(
        &self,
        wanted: &NewRefund,
        caller: &Caller,
    ) -> Result<Fields, Failure> {
        let number = &wanted.refund.number;
        let mut order = self.known(&wanted.refund.order, caller).await?;
        // Its notice may be on the way still.
        if !order.state.is_paid() {
            order = self.ask(&order, caller).await?.order;
        }
        let begun = self
            .payments
            .orders()
            .begin_refund(&order, number, wanted.amount, self.alipay.now().into())
            .await
            .map_err(payment_failure)?;
        if begun.was_done {
            return refunded(&begun.order, wanted, None);
        }
        match self.send_refund(&begun.order, wanted, caller).await {
            Ok((order, reply)) => refunded(&order, wanted, Some(&reply)),
            Err(NotRefunded::Refused(failure)) => {
                self.refund_refused(&begun.order, wanted, failure, caller)
                    .await
            }
            Err(NotRefunded::Unknown(failure)) => Err(failure),
        }
    }

    async fn send_refund(
        &self,
        order: &Order,
        wanted: &NewRefund,
        caller: &Caller,
    ) -> Result<(Order, Reply), NotRefunded> {
        let amount = wanted.amount.to_string();
        let call = TradeRefund {
            out_trade_no: order.out_trade_no.as_str(),
            refund_amount: &amount,
            out_request_no: wanted.refund.number.as_str(),
            refund_reason: wanted.reason.as_deref(),
        }
        .call()
        .map_err(Failure::from)?;
        let reply = match self.alipay.call(&caller.app, &call, caller.deadline).await {
            Ok(reply) => reply,
            Err(error) => {
                let is_definitive = matches!(
                    &error,
                    GatewayError::Refused(refusal)
                        if !refusal.is_transient() && !refusal.is_call_limit()
                );
                let failure = Failure::of_call(error, &call);
                return Err(if is_definitive {
                    NotRefunded::Refused(failure)
                } else {
                    NotRefunded::Unknown(failure)
                });
            }
        };
        let answered: RefundedTrade = reply.parse().map_err(Failure::from)?;
        let trade_no = answered.trade_no.as_ref().or(order.trade_no.as_ref());
        if trade_no != order.trade_no.as_ref() {
            return Err(NotRefunded::Unknown(payment_failure(
                PaymentError::OtherTrade,
            )));
        }
        if answered.fund_change.as_deref() == Some("Y") {
            let found = Finding::Refunded {
                number: wanted.refund.number.clone(),
                amount: wanted.amount,
            };
            let order = self.record(order, &found, caller).await?;
            return Ok((order, reply));
        }
        // Nothing moved in this call: it was a repeat, or the money takes its time.
        let asked = self
            .find_refund(order, &wanted.refund.number, caller)
            .await?;
        if asked.is_done {
            Ok((asked.order, reply))
        } else {
            Err(NotRefunded::Unknown(not_yet()))
        }
    }

    /// Alipay has refused the refund. That can be the second answer to one that was made, whose first was lost; only where Alipay
    /// knows of none is its number free again.
    async fn refund_refused(
        &self,
        order: &Order,
        wanted: &NewRefund,
        refused: Failure,
        caller: &Caller,
    ) -> Result<Fields, Failure> {
        let number = &wanted.refund.number;
        match self.find_refund(order, number, caller).await {
            Ok(asked) if asked.is_done => refunded(&asked.order, wanted, asked.reply.as_ref()),
            // A signed answer about the trade, without such a refund in it.
            Ok(asked) if asked.reply.is_some() => {
                let now = self.alipay.now().into();
                let orders = self.payments.orders();
                if let Err(error) = orders.give_up_refund(order, number, now).await {
                    tracing::warn!(%error, "a refused refund keeps its number");
                }
                Err(refused)
            }
            Ok(_) => {
                tracing::warn!(
                    "a refused refund keeps its number: Alipay says that there is no trade, though the order is paid"
                );
                Err(refused)
            }
            Err(error) => {
                tracing::warn!(%error, "a refused refund keeps its number: Alipay did not say whether it was made before");
                Err(refused)
            }
        }
    }

    pub(crate) async fn query_refund(
        &self,
        wanted: &KnownRefund,
        caller: &Caller,
    ) -> Result<Fields, Failure> {
        let order = self.known(&wanted.order, caller).await?;
        let asked = self.find_refund(&order, &wanted.number, caller).await?;
        let number = wanted.number.as_str();
        let amount = asked.order.refunds.get(number).map(|refund| refund.amount);
        let told = Told::new(&asked.order, asked.reply.as_ref())?;
        Ok(Fields::Told(told.about_refund(
            number,
            amount,
            asked.is_done,
        )))
    }

    /// Asks Alipay whether the refund was made, and records it if so.
    async fn find_refund(
        &self,
        order: &Order,
        number: &RefundNumber,
        caller: &Caller,
    ) -> Result<AskedRefund, Failure> {
        self.payments
            .ask_about_refund(
                &self.alipay,
                &caller.app,
                order,
                number,
                None,
                caller.deadline,
            )
            .await
            .map_err(Failure::from)
    }
}

/// Why there is no refund.
enum NotRefunded {
    /// Alipay said no.
    Refused(Failure),
    /// It may have been made, or not reached Alipay.
    Unknown(Failure),
}

impl From<Failure> for NotRefunded {
    fn from(failure: Failure) -> Self {
        Self::Unknown(failure)
    }
}

/// What was paid back under the number may be another amount, where that was not done by this call: then it is not this refund.
fn refunded(order: &Order, wanted: &NewRefund, reply: Option<&Reply>) -> Result<Fields, Failure> {
    let number = wanted.refund.number.as_str();
    let recorded = order.refunds.get(number).map(|refund| refund.amount);
    if recorded != Some(wanted.amount) {
        return Err(payment_failure(PaymentError::Differs {
            field: "refund_amount",
        }));
    }
    let told = Told::new(order, reply)?;
    Ok(Fields::Told(told.about_refund(
        number,
        Some(wanted.amount),
        true,
    )))
}

fn not_yet() -> Failure {
    Failure::new(Outcome::TemporarilyUnavailable {
        retry_after_seconds: 5,
        advice: "Alipay has taken the refund and does not say yet that it was made; the same call can be made again without harm, with the same out_request_no".to_owned(),
    })
}
