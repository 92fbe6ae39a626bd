//! What can become of a trade.

use std::time::SystemTime;

use super::{
    Number, Refund, TRADE_CLOSED, TRADE_FINISHED, TRADE_SUCCESS, Trade, WAIT_BUYER_PAY, fen,
    has_closed, invalid_parameter, milliseconds, moment, not_exist, status_error, yuan,
};
use crate::notices::NoticeOccasion;
use crate::refusal::Refusal;
use crate::world::World;

impl World {
    /// The newest trade of this app with either number. What is due to close is closed first.
    pub(crate) fn trade_of(&mut self, app_id: &str, number: &Number<'_>) -> Option<&mut Trade> {
        self.close_expired_trades();
        let trades = self.trades.iter_mut().rev();
        trades
            .filter(|trade| trade.app_id == app_id)
            .find(|trade| number.is_of(trade))
    }

    /// The newest trade of Alipay's number, whoever's app it is.
    pub(crate) fn trade_with_no(&mut self, trade_no: &str) -> Option<&mut Trade> {
        self.close_expired_trades();
        let mut trades = self.trades.iter_mut().rev();
        trades.find(|trade| trade.trade_no == trade_no)
    }

    /// Closes what was not paid in time.
    pub(crate) fn close_expired_trades(&mut self) {
        let now = milliseconds(self.clock.now());
        let due = |trade: &&mut Trade| trade.is_due_to_close(now);
        let closed: Vec<Trade> = (self.trades.iter_mut().filter(due))
            .map(|trade| {
                close(trade, now);
                trade.clone()
            })
            .collect();
        for trade in &closed {
            self.notify(trade, NoticeOccasion::Status);
        }
    }

    /// When the next trade closes that is not paid by then.
    pub(crate) fn next_closing(&self) -> Option<SystemTime> {
        let waiting = |trade: &&Trade| trade.trade_status == WAIT_BUYER_PAY;
        let ends = self.trades.iter().filter(waiting);
        ends.filter_map(|trade| trade.expires_at).min().map(moment)
    }

    /// The user pays. A trade that is paid already stays as it is.
    pub(crate) fn pay_trade(&mut self, trade_no: &str, user_id: &str) -> Result<Trade, Refusal> {
        let now = milliseconds(self.clock.now());
        let trade = self.trade_with_no(trade_no).ok_or_else(not_exist)?;
        if trade.is_paid() {
            return Ok(trade.clone());
        }
        if trade.trade_status != WAIT_BUYER_PAY {
            return Err(has_closed());
        }
        if !trade.buyer.is_empty() && trade.buyer != user_id {
            return Err(Refusal::business(
                "ACQ.TRADE_BUYER_NOT_MATCH",
                "交易买家不匹配",
            ));
        }
        trade.buyer = user_id.to_owned();
        trade.trade_status = TRADE_SUCCESS.to_owned();
        trade.paid_at = Some(now);
        let trade = trade.clone();
        self.notify(&trade, NoticeOccasion::Status);
        Ok(trade)
    }

    /// Closes a trade that nobody has paid.
    pub(crate) fn close_trade(
        &mut self,
        app_id: &str,
        number: &Number<'_>,
    ) -> Result<Trade, Refusal> {
        let now = milliseconds(self.clock.now());
        let trade = self.trade_of(app_id, number).ok_or_else(not_exist)?;
        if trade.trade_status != WAIT_BUYER_PAY {
            return Err(status_error());
        }
        close(trade, now);
        let trade = trade.clone();
        self.notify(&trade, NoticeOccasion::Status);
        Ok(trade)
    }

    /// No refunds from now on.
    pub(crate) fn finish_trade(
        &mut self,
        app_id: &str,
        number: &Number<'_>,
    ) -> Result<Trade, Refusal> {
        let trade = self.trade_of(app_id, number).ok_or_else(not_exist)?;
        if trade.trade_status != TRADE_SUCCESS {
            return Err(status_error());
        }
        trade.trade_status = TRADE_FINISHED.to_owned();
        let trade = trade.clone();
        self.notify(&trade, NoticeOccasion::Status);
        Ok(trade)
    }

    /// Gives money back. The same number with the same amount moves nothing the second time: `false`.
    pub(crate) fn refund_trade(
        &mut self,
        app_id: &str,
        number: &Number<'_>,
        amount: u64,
        out_request_no: Option<&str>,
    ) -> Result<(Trade, bool), Refusal> {
        let now = milliseconds(self.clock.now());
        let trade = self.trade_of(app_id, number).ok_or_else(not_exist)?;
        // Alipay's document: a partial refund has to have a number; one of everything has that of the order.
        let out_request_no = match out_request_no {
            Some(given) => given.to_owned(),
            None if amount == trade.total() => trade.out_trade_no.clone(),
            None => return Err(invalid_parameter()),
        };
        let mut known = trade.refunds.iter();
        if let Some(known) = known.find(|refund| refund.out_request_no == out_request_no) {
            return if fen(&known.amount) == Some(amount) {
                Ok((trade.clone(), false))
            } else {
                Err(Refusal::business(
                    "ACQ.DISCORDANT_REPEAT_REQUEST",
                    "同一笔退款单号退款金额不一致",
                ))
            };
        }
        match trade.trade_status.as_str() {
            TRADE_SUCCESS => {}
            TRADE_FINISHED => {
                return Err(Refusal::business("ACQ.TRADE_HAS_FINISHED", "交易已完结"));
            }
            TRADE_CLOSED => return Err(has_closed()),
            _ => return Err(status_error()),
        }
        if amount > trade.total().saturating_sub(trade.refunded()) {
            return Err(Refusal::business(
                "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL",
                "退款金额超限",
            ));
        }
        trade.refunds.push(Refund {
            out_request_no: out_request_no.clone(),
            amount: yuan(amount),
            refunded_at: now,
        });
        if trade.refunded() == trade.total() {
            close(trade, now);
        }
        let trade = trade.clone();
        self.notify(&trade, NoticeOccasion::Refund { out_request_no });
        Ok((trade, true))
    }
}

fn close(trade: &mut Trade, now: u64) {
    trade.trade_status = TRADE_CLOSED.to_owned();
    trade.closed_at = Some(now);
}
