//! The Rust API of trades, of the cashier and of notices.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Simulator, known};
use crate::cashier::{self, CashierDecision, CashierFlaw, CashierOutcome};
use crate::notices::{Notice, NoticeAnswer, NoticeOptions, NoticeStanding, delivery};
use crate::trades::{Number, Trade, fen};
use crate::world::World;

/// How long a test waits for notices before it has failed.
const PATIENCE: Duration = Duration::from_secs(60);

impl Simulator {
    /// Puts a trade there as it is; the newest of a number counts.
    pub fn add_trade(&self, trade: Trade) {
        let mut world = self.shared.world();
        world.trades.push(trade);
        world.notices.changed();
    }

    /// All trades, oldest first.
    #[must_use]
    pub fn trades(&self) -> Vec<Trade> {
        let mut world = self.shared.world();
        world.close_expired_trades();
        world.trades.clone()
    }

    /// The newest trade of this app with this number, the merchant's or Alipay's.
    #[must_use]
    pub fn trade(&self, app_id: &str, number: &str) -> Option<Trade> {
        let mut world = self.shared.world();
        world.trade_of(app_id, &Number::Either(number)).cloned()
    }

    /// The address of the cashier in a browser, for an order string or for the `trade_no` of a trade.
    #[must_use]
    pub fn cashier_url(&self, order: &str) -> String {
        cashier::address(&self.shared.base_url, order)
    }

    /// The buyer comes to the cashier with an order string or a `trade_no`, and decides nothing yet. The trade of an order string
    /// is there from now on.
    ///
    /// # Errors
    /// The cashier refuses it.
    pub fn open_cashier(&self, order: &str) -> Result<Trade, CashierFlaw> {
        let mut world = self.shared.world();
        world.open_cashier(order, &self.shared.base_url)
    }

    /// The visitor pays with an order string or a `trade_no`; [`change_visitor`](Self::change_visitor) says who that is. What
    /// is paid already stays as it is.
    ///
    /// # Errors
    /// The cashier refuses it, or the trade is another user's.
    pub fn pay(&self, order: &str) -> Result<CashierOutcome, CashierFlaw> {
        self.at_cashier(order, CashierDecision::Pay)
    }

    /// The visitor comes to the cashier and decides.
    ///
    /// # Errors
    /// As for [`pay`](Self::pay).
    pub fn at_cashier(
        &self,
        order: &str,
        decision: CashierDecision,
    ) -> Result<CashierOutcome, CashierFlaw> {
        let mut world = self.shared.world();
        let visitor = world.visitor.clone();
        world.at_cashier(order, decision, &visitor, &self.shared.base_url)
    }

    /// The time for refunds is over: a paid trade becomes `TRADE_FINISHED`.
    ///
    /// # Panics
    /// There is no such trade, or it is not paid.
    pub fn finish_trade(&self, app_id: &str, number: &str) {
        let finished = (self.shared.world()).finish_trade(app_id, &Number::Either(number));
        known(
            finished
                .map(drop)
                .map_err(|_| "no paid trade of this number"),
        );
    }

    /// The merchant gives money back in Alipay's console: a refund that no call of the app asked for.
    ///
    /// # Panics
    /// `alipay.trade.refund` would refuse it.
    pub fn refund_trade(&self, app_id: &str, number: &str, amount: &str, out_request_no: &str) {
        let fen = known(fen(amount).ok_or("not an amount"));
        let number = Number::Either(number);
        let mut world = self.shared.world();
        let refunded = world.refund_trade(app_id, &number, fen, Some(out_request_no));
        known(
            refunded
                .map(drop)
                .map_err(|_| "the trade takes no such refund"),
        );
    }

    /// The notices, oldest first.
    #[must_use]
    pub fn notices(&self) -> Vec<Notice> {
        self.shared.world().notices.all()
    }

    /// The notices of this order, oldest first.
    #[must_use]
    pub fn notices_of(&self, out_trade_no: &str) -> Vec<Notice> {
        let mut notices = self.notices();
        notices.retain(|notice| notice.out_trade_no.as_deref() == Some(out_trade_no));
        notices
    }

    /// Waits until everything is delivered that is due: each notice was answered, waits for its repeat, is held, or cannot be delivered.
    /// Answers all notices.
    ///
    /// # Panics
    /// A minute has gone by.
    pub async fn notices_settled(&self) -> Vec<Notice> {
        self.when(|world| {
            let now = world.clock.now();
            let is_settled = world.notices.are_settled(now);
            is_settled.then(|| world.notices.all())
        })
        .await
    }

    /// Waits until this notice was answered with `success`.
    ///
    /// # Panics
    /// There is no such notice, or a minute has gone by.
    pub async fn notice_acknowledged(&self, notify_id: &str) -> Notice {
        self.when(|world| {
            let notice = known(world.notices.find(notify_id).ok_or("no such notice"));
            let is_over = notice.standing == NoticeStanding::Acknowledged;
            is_over.then(|| notice.clone())
        })
        .await
    }

    /// From now on no notice goes out of its own accord.
    pub fn hold_notices(&self) {
        self.shared.world().notices.hold(true);
    }

    /// What is due goes out again.
    pub fn resume_notices(&self) {
        self.shared.world().notices.hold(false);
    }

    /// Sends these notices that wait, in this order, each after the answer to the one before; the notices as they are then.
    pub async fn release_notices(&self, notify_ids: &[&str]) -> Vec<Notice> {
        for notify_id in notify_ids {
            delivery::send_now(&self.shared, notify_id).await;
        }
        let mut notices = self.notices();
        notices.retain(|notice| notify_ids.contains(&notice.notify_id.as_str()));
        notices
    }

    /// Sends this notice again, `times` times at once, whatever became of it so far; what came back.
    pub async fn repeat_notice(&self, notify_id: &str, times: usize) -> Vec<NoticeAnswer> {
        delivery::repeat(&self.shared, notify_id, times).await
    }

    /// The form of a notice about this trade as it stands, and about its last refund where there is one. It is not sent.
    ///
    /// # Panics
    /// There is no such trade or charset.
    #[must_use]
    pub fn trade_notice(&self, app_id: &str, number: &str, options: &NoticeOptions) -> String {
        let notice = (self.shared.world()).trade_notice(app_id, number, options);
        known(notice).1.body
    }

    /// Sends such a notice to the trade's own address; its `notify_id`.
    ///
    /// # Panics
    /// There is no such trade or charset, or the trade has no address.
    pub fn send_trade_notice(&self, app_id: &str, number: &str, options: &NoticeOptions) -> String {
        known((self.shared.world()).send_trade_notice(app_id, number, options))
    }

    /// The form of a message to the app gateway with these members beside those that every message has, such as `notify_type` and
    /// `biz_content`. It is not sent.
    ///
    /// # Panics
    /// There is no such app or charset.
    #[must_use]
    pub fn app_message(
        &self,
        app_id: &str,
        fields: &[(&str, &str)],
        options: &NoticeOptions,
    ) -> String {
        let message = (self.shared.world()).app_message(app_id, owned(fields), options);
        known(message).body
    }

    /// Sends such a message to this address; its `notify_id`.
    ///
    /// # Panics
    /// There is no such app or charset.
    pub fn send_app_message(
        &self,
        url: &str,
        app_id: &str,
        fields: &[(&str, &str)],
        options: &NoticeOptions,
    ) -> String {
        let mut world = self.shared.world();
        let form = known(world.app_message(app_id, owned(fields), options));
        world.send_form(form, app_id, None, url.to_owned())
    }

    /// Waits for what the state has to say.
    async fn when<T>(&self, found: impl Fn(&World) -> Option<T>) -> T {
        let mut changes = self.shared.world().notices.changes();
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                let answer = found(&self.shared.world());
                match answer {
                    Some(answer) => return answer,
                    // The sender lives as long as the simulator.
                    None => drop(changes.changed().await),
                }
            }
        });
        known(
            waited
                .await
                .map_err(|_| "nothing came of the notices within a minute"),
        )
    }
}

fn owned(fields: &[(&str, &str)]) -> BTreeMap<String, String> {
    let fields = fields.iter();
    fields
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}
