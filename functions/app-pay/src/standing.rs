//! `trade.query` and `trade.close`.

use alipay_gateway::methods::{ClosedTrade, TradeClose};
use alipay_gateway::{GatewayError, Refusal, timestamp};
use function_kit::{Caller, Failure, Outcome};
use function_payments::{Finding, Order, OrderState, Standing};

use crate::AppPay;
use crate::answer::{Fields, Told};
use crate::input::KnownOrder;

/// The refusals that say how a trade stands: it is not there yet, or it is paid or closed.
const ABOUT_STANDING: [&str; 4] = [
    "ACQ.TRADE_NOT_EXIST",
    "ACQ.TRADE_STATUS_ERROR",
    "ACQ.TRADE_HAS_CLOSE",
    "ACQ.TRADE_HAS_FINISHED",
];

impl AppPay {
    pub(crate) async fn query(
        &self,
        known: &KnownOrder,
        caller: &Caller,
    ) -> Result<Fields, Failure> {
        let order = self.known(known, caller).await?;
        let asked = self.ask(&order, caller).await?;
        Told::new(&asked.order, asked.reply.as_ref()).map(Fields::Told)
    }

    pub(crate) async fn close(
        &self,
        known: &KnownOrder,
        caller: &Caller,
    ) -> Result<Fields, Failure> {
        let order = self.known(known, caller).await?;
        match order.state {
            OrderState::Paid | OrderState::Finished => return Err(paid()),
            OrderState::Closed => return Told::new(&order, None).map(Fields::Told),
            OrderState::Created => {}
        }
        let call = TradeClose {
            out_trade_no: order.out_trade_no.as_str(),
        }
        .call()?;
        let reply = match self.alipay.call(&caller.app, &call, caller.deadline).await {
            Ok(reply) => reply,
            Err(GatewayError::Refused(refusal)) if is_about_standing(&refusal) => {
                return self.close_refused(&order, refusal, caller).await;
            }
            Err(error) => return Err(Failure::of_call(error, &call)),
        };
        let closed: ClosedTrade = reply.parse()?;
        let found = Finding::Closed {
            trade_no: closed.trade_no,
        };
        let order = self.record(&order, &found, caller).await?;
        Told::new(&order, Some(&reply)).map(Fields::Told)
    }

    /// Alipay did not close the trade. It may have done so before and the answer was lost, so it is asked how the trade stands.
    async fn close_refused(
        &self,
        order: &Order,
        refusal: Refusal,
        caller: &Caller,
    ) -> Result<Fields, Failure> {
        let asked = self.ask(order, caller).await?;
        match asked.standing {
            Standing::Closed => Told::new(&asked.order, asked.reply.as_ref()).map(Fields::Told),
            Standing::Paid => Err(paid()),
            Standing::NotThere => Err(Failure::new(Outcome::Conflict {
                reason: format!(
                    "there is nothing to close at Alipay yet: nobody has opened the cashier for this order; what was handed out for it can be paid until {} (UTC+8)",
                    timestamp(order.time_expire.into())
                ),
            })),
            Standing::Open => Err(Failure::new(Outcome::GatewayRefused(refusal))),
        }
    }
}

fn is_about_standing(refusal: &Refusal) -> bool {
    refusal
        .sub_code
        .as_deref()
        .is_some_and(|sub_code| ABOUT_STANDING.contains(&sub_code))
}

fn paid() -> Failure {
    Failure::new(Outcome::Conflict {
        reason: "the order is paid, and cannot be closed; it can be refunded".to_owned(),
    })
}
