//! Notices of trades.

use alipay_gateway::{Deadline, TradeNotice};
use function_kit::SelectedApp;
use function_payments::{Amount, Asked, Order, OrderNumber, OrderState, RefundNumber, Standing};

use crate::{NotTaken, PayNotify, Taken};

/// What a notice says that the order's record does not have yet. Each is asked about.
#[derive(Debug, PartialEq, Eq)]
enum News {
    Paid,
    Closed,
    Refunded(RefundNumber),
}

impl PayNotify {
    pub(crate) async fn take_trade(
        &self,
        notice: &TradeNotice,
        app: &SelectedApp,
        deadline: Deadline,
    ) -> Result<Taken, NotTaken> {
        let out_trade_no = OrderNumber::try_from(notice.out_trade_no().to_owned())
            .map_err(|_| NotTaken::mismatch("out_trade_no"))?;
        let orders = self.payments.orders();
        let order = orders.find(app.id(), &out_trade_no, None).await?;
        check(notice, &order)?;
        if order.notices.contains(notice.notify_id()) {
            return Ok(Taken::Known);
        }
        match news_in(notice, &order)? {
            Err(taken) => Ok(taken),
            Ok(News::Refunded(number)) => {
                self.ask_about_refund(notice, app, &order, &number, deadline)
                    .await
            }
            Ok(news) => {
                let asked = self
                    .payments
                    .ask_about_trade(
                        &self.alipay,
                        app,
                        &order,
                        Some(notice.notify_id()),
                        deadline,
                    )
                    .await?;
                confirmed(&news, &order, &asked)
            }
        }
    }

    async fn ask_about_refund(
        &self,
        notice: &TradeNotice,
        app: &SelectedApp,
        order: &Order,
        number: &RefundNumber,
        deadline: Deadline,
    ) -> Result<Taken, NotTaken> {
        let asked = self
            .payments
            .ask_about_refund(
                &self.alipay,
                app,
                order,
                number,
                Some(notice.notify_id()),
                deadline,
            )
            .await?;
        if asked.is_done {
            Ok(Taken::Refunded)
        } else {
            Err(NotTaken::mismatch("refund_status"))
        }
    }
}

/// Holds what the notice says against the order.
fn check(notice: &TradeNotice, order: &Order) -> Result<(), NotTaken> {
    if notice.seller_id() != order.seller_id {
        return Err(NotTaken::mismatch("seller_id"));
    }
    if notice.total_amount().parse() != Ok(order.amount) {
        return Err(NotTaken::mismatch("total_amount"));
    }
    match &order.trade_no {
        Some(known) if known != notice.trade_no() => Err(NotTaken::mismatch("trade_no")),
        _ => Ok(()),
    }
}

/// What is new in the notice; otherwise what becomes of it.
fn news_in(notice: &TradeNotice, order: &Order) -> Result<Result<News, Taken>, NotTaken> {
    // It may have the status of a paid trade, and is no payment.
    if notice.mentions_refund() {
        let number = RefundNumber::try_from(notice.out_request_no().to_owned())
            .map_err(|_| NotTaken::mismatch("out_biz_no"))?;
        let is_known = is_refund_known(notice, order, &number);
        return Ok(if is_known {
            Err(Taken::Known)
        } else {
            Ok(News::Refunded(number))
        });
    }
    let (news, is_known) = match notice.trade_status() {
        "TRADE_SUCCESS" => (News::Paid, order.state.is_paid()),
        "TRADE_FINISHED" => (News::Paid, order.state >= OrderState::Finished),
        "TRADE_CLOSED" => (News::Closed, order.state >= OrderState::Closed),
        _ => return Ok(Err(Taken::Ignored)),
    };
    Ok(if is_known {
        Err(Taken::Known)
    } else {
        Ok(news)
    })
}

fn is_refund_known(notice: &TradeNotice, order: &Order, number: &RefundNumber) -> bool {
    let is_recorded = order
        .refunds
        .get(number.as_str())
        .is_some_and(|refund| refund.is_done);
    // A notice that names no refund says how much was paid back in all; later ones of a trade may say so too.
    let all_is_recorded = || {
        let in_all = notice.refund_fee().map(str::parse::<Amount>);
        notice.field("out_biz_no").is_none()
            && in_all.is_some_and(|in_all| {
                in_all.is_ok_and(|in_all| in_all.fen() == order.refunded_fen())
            })
    };
    is_recorded || all_is_recorded()
}

/// What became of the order, where Alipay says the same as the notice. What Alipay says is recorded in any case.
fn confirmed(news: &News, before: &Order, asked: &Asked) -> Result<Taken, NotTaken> {
    let fits = match news {
        News::Paid => asked.was_paid,
        _ => asked.standing == Standing::Closed,
    };
    if !fits {
        return Err(NotTaken::mismatch("trade_status"));
    }
    let (before, now) = (before.state, asked.order.state);
    Ok(match now {
        _ if now == before => Taken::Known,
        OrderState::Created => Taken::Known,
        OrderState::Closed => Taken::Closed,
        OrderState::Paid | OrderState::Finished if before.is_paid() => Taken::Known,
        OrderState::Paid | OrderState::Finished => Taken::Credited,
    })
}
