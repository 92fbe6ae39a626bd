//! `app.getOrderStr` and `trade.create`: an order is written down, then it is made payable.

use alipay_gateway::methods::{Buyer, CreatedTrade, NewTrade, TradeAppPay, TradeCreate};
use alipay_gateway::timestamp;
use function_kit::{Caller, Failure};
use function_payments::{Finding, Order, OrderNumber, OrderRequest, Product, payment_failure};
use serde_json::{Map, Value};

use crate::AppPay;
use crate::answer::Fields;
use crate::input::{Contents, NewOrder};

impl AppPay {
    pub(crate) async fn order_string(
        &self,
        wanted: NewOrder,
        caller: &Caller,
    ) -> Result<Fields, Failure> {
        let contents = wanted.contents.clone();
        let order = self.place(wanted, Product::App, caller).await?;
        let trade = Trade::of(&order, contents, self.notify_url.of_app(caller.app.id()));
        let call = TradeAppPay {
            order: trade.as_new(),
        }
        .call()?;
        Ok(Fields::OrderString {
            value: self.alipay.order_string(&caller.app, &call)?,
            out_trade_no: order.out_trade_no.as_str().to_owned(),
            time_expire: timestamp(order.time_expire.into()),
        })
    }

    pub(crate) async fn create(
        &self,
        wanted: NewOrder,
        caller: &Caller,
    ) -> Result<Fields, Failure> {
        // Without the caller's own number a repeat would be another trade.
        let is_named = wanted.out_trade_no.is_some();
        let contents = wanted.contents.clone();
        let order = self.place(wanted, Product::MiniProgram, caller).await?;
        let out_trade_no = order.out_trade_no.as_str().to_owned();
        if let Some(trade_no) = order.trade_no {
            return Ok(Fields::Created {
                trade_no,
                out_trade_no,
            });
        }
        self.create_trade(&order, contents, caller)
            .await
            .map(|trade_no| Fields::Created {
                trade_no,
                out_trade_no,
            })
            .map_err(|failure| {
                let is_repeatable = is_named || failure.is_repeatable();
                failure.with_repeatable(is_repeatable)
            })
    }

    /// Alipay's number of the trade of `order`. The failure says whether Alipay may have made it.
    async fn create_trade(
        &self,
        order: &Order,
        contents: Option<Contents>,
        caller: &Caller,
    ) -> Result<String, Failure> {
        let trade = Trade::of(order, contents, self.notify_url.of_app(caller.app.id()));
        let expected = &order.expected_buyer;
        let buyer = match (&expected.user_id, &expected.open_id) {
            (Some(id), _) => Buyer::UserId(id),
            (None, Some(id)) => Buyer::OpenId(id),
            (None, None) => return Err(Failure::internal("a mini-program's order has no buyer")),
        };
        let call = TradeCreate {
            order: trade.as_new(),
            op_app_id: caller.app.id(),
            buyer,
        }
        .call()?;
        let reply = self
            .alipay
            .call(&caller.app, &call, caller.deadline)
            .await?;
        let created: CreatedTrade = reply.parse()?;
        let found = Finding::Open {
            trade_no: created.trade_no.clone(),
        };
        self.record(order, &found, caller)
            .await
            .map_err(|failure| failure.with_repeatable(false))?;
        Ok(created.trade_no)
    }

    /// The order as it is written down from now on.
    async fn place(
        &self,
        wanted: NewOrder,
        product: Product,
        caller: &Caller,
    ) -> Result<Order, Failure> {
        let seller_id = caller.app.settings().required_pid()?.to_owned();
        let out_trade_no = wanted.out_trade_no.unwrap_or_else(OrderNumber::random);
        let request = OrderRequest {
            app_id: caller.app.id().to_owned(),
            out_trade_no,
            owner: wanted.owner,
            product,
            amount: wanted.amount,
            subject: wanted.subject,
            seller_id,
            life: wanted.life,
            expected_buyer: wanted.buyer,
        };
        self.payments
            .orders()
            .place(&request, self.alipay.now().into())
            .await
            .map_err(payment_failure)
    }
}

/// An order in Alipay's words.
struct Trade<'a> {
    order: &'a Order,
    total_amount: String,
    notify_url: String,
    contents: Map<String, Value>,
}

impl<'a> Trade<'a> {
    fn of(order: &'a Order, contents: Option<Contents>, notify_url: String) -> Self {
        let mut contents = contents.map(|contents| contents.0).unwrap_or_default();
        // Said, so that money and notices cannot be another seller's.
        contents.insert("seller_id".to_owned(), order.seller_id.as_str().into());
        Self {
            order,
            total_amount: order.amount.to_string(),
            notify_url,
            contents,
        }
    }

    fn as_new(&self) -> NewTrade<'_> {
        NewTrade {
            out_trade_no: self.order.out_trade_no.as_str(),
            total_amount: &self.total_amount,
            subject: &self.order.subject,
            time_expire: Some(self.order.time_expire.into()),
            notify_url: Some(&self.notify_url),
            further: Some(&self.contents),
        }
    }
}
