//! Payments, from the server side: order strings for native apps, trades for mini-programs, what a front end says came of a
//! payment, and queries, closings and refunds of orders.
//!
//! All seven calls are about orders of this deployment, which are kept in a table: the amount, the buyer and the time of a payment
//! come from there and from no later caller. What became of an order is what Alipay answers when it is asked, and never what a
//! front end says. Over HTTP the route tells which call is meant, in a direct invoke `call` does.
//!
//! Each call can be made again: the numbers of the order and of the refund say what it is about.

mod answer;
mod client_report;
mod input;
mod placing;
mod refunds;
mod standing;

use function_kit::{Access, Alipay, Caller, Failure, Function, Success};
use function_payments::{Asked, Finding, NotifyUrl, Order, OrderNumber, Payments, payment_failure};

pub use answer::Fields;
pub use input::Input;
use input::{KnownOrder, Wanted};

/// The function.
#[derive(Debug, Clone)]
pub struct AppPay {
    alipay: Alipay,
    payments: Payments,
    notify_url: NotifyUrl,
}

impl AppPay {
    /// For the apps of `alipay`; keeps orders in `payments`, and has Alipay send its notices to `notify_url`.
    pub fn new(alipay: Alipay, payments: Payments, notify_url: NotifyUrl) -> Self {
        Self {
            alipay,
            payments,
            notify_url,
        }
    }

    /// The order of this number, of this owner where one is named.
    async fn order(
        &self,
        out_trade_no: &OrderNumber,
        owner: Option<&str>,
        caller: &Caller,
    ) -> Result<Order, Failure> {
        self.payments
            .orders()
            .find(caller.app.id(), out_trade_no, owner)
            .await
            .map_err(payment_failure)
    }

    async fn known(&self, known: &KnownOrder, caller: &Caller) -> Result<Order, Failure> {
        self.order(&known.out_trade_no, known.owner.as_deref(), caller)
            .await
    }

    /// Asks Alipay how the trade of `order` stands, and records what is new.
    async fn ask(&self, order: &Order, caller: &Caller) -> Result<Asked, Failure> {
        self.payments
            .ask_about_trade(&self.alipay, &caller.app, order, None, caller.deadline)
            .await
            .map_err(Failure::from)
    }

    async fn record(
        &self,
        order: &Order,
        finding: &Finding,
        caller: &Caller,
    ) -> Result<Order, Failure> {
        self.payments
            .record(order, finding, None, self.alipay.now(), caller.deadline)
            .await
            .map_err(payment_failure)
    }
}

impl Function for AppPay {
    const NAME: &'static str = "app-pay";
    const ACCESS: Access = Access::ServerSide;
    type Input = Input;
    type Fields = Fields;

    async fn call(&self, input: Input, caller: &Caller) -> Result<Success<Fields>, Failure> {
        let fields = match input.wanted(caller.path.as_deref())? {
            Wanted::OrderString(order) => self.order_string(order, caller).await?,
            Wanted::CheckResult(report) => self.check_result(&report, caller).await?,
            Wanted::Create(order) => self.create(order, caller).await?,
            Wanted::Query(order) => self.query(&order, caller).await?,
            Wanted::Close(order) => self.close(&order, caller).await?,
            Wanted::Refund(refund) => self.refund(&refund, caller).await?,
            Wanted::RefundQuery(refund) => self.query_refund(&refund, caller).await?,
        };
        Ok(Success::new("ok", fields))
    }
}
