//! A process dies, or its table does not answer, at each of its round trips. Whatever then is in the table, the repeated notice and the
//! schedule bring every event out: once, where it died before it had published; twice at most, where after.

use std::time::Duration;

use embedded_dynamodb::{Fault, Proxy};
use payments::{Orders, Outbox, Unpublished};

use crate::bench::{Bench, Bus, after, paid, pending, refunded, tell};

const PAID: &str = "order.paid/2021000000000001/order_1";
const REFUNDED: &str = "order.refunded/2021000000000001/order_1/r1";

const THROTTLED: Fault = Fault::Answer {
    status: 400,
    code: "ThrottlingException",
};

const FAILED: Fault = Fault::Answer {
    status: 500,
    code: "InternalServerError",
};

/// As often as the client tries.
const ALWAYS: usize = 3;

/// How the table does not answer at a round trip.
const SILENCES: [Fault; 4] = [Fault::LoseReply, Fault::LoseRequest, THROTTLED, FAILED];

async fn due(outbox: &Outbox, seconds: u64) -> Vec<payments::Due> {
    outbox.due(after(seconds), 25).await.unwrap()
}

/// Runs `work` until its round trip after `passing` others is under way, then drops it; the request goes on without it.
async fn die_at<F>(proxy: &Proxy, passing: usize, work: F)
where
    F: Future<Output = ()> + Send + 'static,
{
    proxy.arm_after(passing, "UpdateItem", Fault::HoldRequest, 1);
    let work = tokio::spawn(work);
    proxy.wait_for_suffering().await;
    work.abort();
    assert!(work.await.unwrap_err().is_cancelled());
    proxy.let_go();
}

#[tokio::test]
async fn a_writer_whose_table_does_not_answer_loses_no_event() {
    // The change, and the report.
    for round_trip in 0..2 {
        for fault in SILENCES {
            let (bench, bus) = (Bench::new().await, Bus::default());
            let order = bench.placed("order_1").await;
            let proxy = bench.proxy().await;
            let table = bench.table_through(proxy.address);
            proxy.arm_after(round_trip, "UpdateItem", fault, ALWAYS);
            let told = tell(&table, &bus, &order, &paid(), after(0)).await;
            assert!(told.unwrap_err().is_transient());
            assert_eq!(proxy.suffered(), ALWAYS);
            // Alipay's notice comes again.
            tell(&bench.table(), &bus, &order, &paid(), after(240))
                .await
                .unwrap();
            bench.sweep(&bus, after(300)).await;
            let published_before = round_trip == 1;
            let is_reported = published_before && matches!(fault, Fault::LoseReply);
            let times = 1 + usize::from(published_before && !is_reported);
            let counts = [(PAID.to_owned(), times)].into();
            assert_eq!(bus.counts(), counts, "{round_trip} {fault:?}");
        }
    }
}

#[tokio::test]
async fn a_writer_whose_table_answers_at_the_second_attempt_publishes_once() {
    for round_trip in 0..2 {
        for fault in SILENCES {
            let (bench, bus) = (Bench::new().await, Bus::default());
            let order = bench.placed("order_1").await;
            let proxy = bench.proxy().await;
            let table = bench.table_through(proxy.address);
            proxy.arm_after(round_trip, "UpdateItem", fault, 1);
            tell(&table, &bus, &order, &paid(), after(0)).await.unwrap();
            assert_eq!(proxy.suffered(), 1);
            // Where its own change was answered too late, it is the schedule that publishes.
            bench.sweep(&bus, after(31)).await;
            assert_eq!(bus.counts(), [(PAID.to_owned(), 1)].into());
        }
    }
}

#[tokio::test]
async fn a_writer_that_is_killed_at_a_round_trip_loses_no_event() {
    for round_trip in 0..2 {
        let (bench, bus) = (Bench::new().await, Bus::default());
        let order = bench.placed("order_1").await;
        let proxy = bench.proxy().await;
        let table = bench.table_through(proxy.address);
        let killed = (bus.clone(), order.clone());
        die_at(&proxy, round_trip, async move {
            let (bus, order) = killed;
            let told = tell(&table, &bus, &order, &paid(), after(0)).await;
            told.unwrap();
        })
        .await;
        tell(&bench.table(), &bus, &order, &paid(), after(240))
            .await
            .unwrap();
        bench.sweep(&bus, after(300)).await;
        let times = bus.counts()[PAID];
        assert!((1..=1 + round_trip).contains(&times), "{times}");
    }
}

#[tokio::test]
async fn a_writer_that_dies_between_its_change_and_the_bus_loses_no_event() {
    let (bench, bus) = (Bench::new().await, Bus::default());
    let order = bench.placed("order_1").await;
    let recorded = bench.orders().record(&order, &paid(), None, after(0)).await;
    drop(recorded);
    bench.sweep(&bus, after(30)).await;
    assert_eq!(bus.counts(), [(PAID.to_owned(), 1)].into());
}

/// Two events are recorded and not published; their holder is about to claim, publish and report both. The writer of the second lives, and
/// reports it just after the claim: so the report needs all of its three steps.
struct Claiming {
    bench: Bench,
    bus: Bus,
    proxy: Proxy,
    second: Unpublished,
}

impl Claiming {
    async fn ready() -> Self {
        let bench = Bench::new().await;
        let order = bench.placed("order_1").await;
        let orders = bench.orders();
        let first = orders.record(&order, &paid(), None, after(0)).await;
        let refunded = refunded("r1", "1.00");
        let second = orders
            .record(&first.unwrap().order, &refunded, None, after(1))
            .await;
        Self {
            proxy: bench.proxy().await,
            second: second.unwrap().unpublished.unwrap(),
            bench,
            bus: Bus::default(),
        }
    }

    /// The holder's life, through the proxy.
    fn sweeper(&self) -> impl Future<Output = Result<(), payments::PaymentError>> + Send + 'static {
        let outbox = Outbox::new(self.bench.table_through(self.proxy.address));
        let others = self.bench.outbox();
        let (bus, second) = (self.bus.clone(), self.second.clone());
        async move {
            let due = due(&outbox, 31).await;
            let Some(claimed) = outbox.claim(&due[0], after(31)).await? else {
                return Ok(());
            };
            bus.publish(&claimed);
            others.published(&second).await?;
            outbox.published(&claimed).await
        }
    }

    /// Everything is published in the end; the first event as often as `times` says.
    async fn assert_ends(self, round_trip: usize, times: std::ops::RangeInclusive<usize>) {
        // Its claim ends, and others come.
        self.bench.sweep(&self.bus, after(91)).await;
        let counts = self.bus.counts();
        assert!(times.contains(&counts[PAID]), "{round_trip}: {counts:?}");
        assert_eq!(counts[REFUNDED], 1, "{round_trip}: {counts:?}");
    }
}

#[tokio::test]
async fn a_sweeper_whose_table_does_not_answer_loses_no_event() {
    // The claim; then all at once, which is refused; the events; the place in the index.
    for round_trip in 0..4 {
        for fault in SILENCES {
            let claiming = Claiming::ready().await;
            claiming
                .proxy
                .arm_after(round_trip, "UpdateItem", fault, ALWAYS);
            let swept = claiming.sweeper().await;
            assert!(swept.unwrap_err().is_transient());
            assert_eq!(claiming.proxy.suffered(), ALWAYS);
            let is_executed = matches!(fault, Fault::LoseReply);
            let times = match round_trip {
                0 => 1..=1,
                1 => 2..=2,
                2 if !is_executed => 2..=2,
                _ => 1..=1,
            };
            claiming.assert_ends(round_trip, times).await;
        }
    }
}

#[tokio::test]
async fn a_sweeper_that_is_killed_at_a_round_trip_loses_no_event() {
    for round_trip in 0..4 {
        let claiming = Claiming::ready().await;
        let sweeper = claiming.sweeper();
        die_at(&claiming.proxy, round_trip, async move {
            sweeper.await.unwrap();
        })
        .await;
        // Whether its last request still arrives before the others come is open.
        let times = match round_trip {
            0 | 3 => 1..=1,
            _ => 1..=2,
        };
        claiming.assert_ends(round_trip, times).await;
    }
}

#[tokio::test]
async fn a_sweeper_whose_claim_is_answered_late_leaves_it_to_others_for_a_minute() {
    let claiming = Claiming::ready().await;
    claiming.proxy.arm("UpdateItem", Fault::LoseReply, 1);
    claiming.sweeper().await.unwrap();
    assert!(claiming.bus.counts().is_empty());
    assert!(due(&claiming.bench.outbox(), 90).await.is_empty());
    claiming.assert_ends(0, 1..=1).await;
}

#[tokio::test]
async fn a_claim_that_arrives_late_takes_nothing_over() {
    let claiming = Claiming::ready().await;
    let bench = &claiming.bench;
    let outbox = Outbox::new(bench.table_through(claiming.proxy.address));
    let seen = due(&outbox, 31).await;
    claiming.proxy.arm("UpdateItem", Fault::DelayRequest, 1);
    let claimed = outbox.claim(&seen[0], after(31)).await.unwrap().unwrap();
    claiming.bus.publish(&claimed);
    outbox.published(&claimed).await.unwrap();
    let order = bench.order("order_1").await;
    let third = bench
        .orders()
        .record(&order, &refunded("r2", "1.00"), None, after(33))
        .await;
    third.unwrap();
    let before = bench.row("order_1").await;
    claiming.proxy.let_arrive().await;
    assert_eq!(bench.row("order_1").await, before);
}

#[tokio::test]
async fn a_change_that_arrives_late_is_not_made_twice() {
    let (bench, bus) = (Bench::new().await, Bus::default());
    let order = bench.placed("order_1").await;
    let proxy = bench.proxy().await;
    let table = bench.table_through(proxy.address);
    proxy.arm("UpdateItem", Fault::DelayRequest, 1);
    // Its second attempt is quicker than the first.
    tell(&table, &bus, &order, &paid(), after(0)).await.unwrap();
    let before = bench.row("order_1").await;
    proxy.let_arrive().await;
    assert_eq!(bench.row("order_1").await, before);
    assert!(pending(&before).is_empty());
    assert_eq!(bus.counts(), [(PAID.to_owned(), 1)].into());
}

#[tokio::test]
async fn a_sweeper_that_is_slower_than_its_claim_publishes_again_and_spoils_nothing() {
    let claiming = Claiming::ready().await;
    let outbox = claiming.bench.outbox();
    let slow = due(&outbox, 31).await;
    let slow = outbox.claim(&slow[0], after(31)).await.unwrap().unwrap();
    claiming.bench.sweep(&claiming.bus, after(91)).await;
    claiming.bus.publish(&slow);
    outbox.published(&slow).await.unwrap();
    assert_eq!(claiming.bus.counts()[PAID], 2);
    claiming.bench.assert_all_published().await;
}

/// Refunds are announced before Alipay is asked: a lost answer leads to the same refund, not to a second one.
#[tokio::test]
async fn an_announced_refund_whose_answer_is_lost_is_announced_once() {
    for times in [1, ALWAYS] {
        let bench = Bench::new().await;
        let order = bench.placed("order_1").await;
        let paid = bench.orders().record(&order, &paid(), None, after(0)).await;
        let order = paid.unwrap().order;
        let proxy = bench.proxy().await;
        let orders = Orders::new(bench.table_through(proxy.address));
        let refund = crate::bench::refund("r1");
        let amount = "60.00".parse().unwrap();
        proxy.arm("UpdateItem", Fault::LoseReply, times);
        let begun = orders.begin_refund(&order, &refund, amount, after(1)).await;
        assert_eq!(begun.is_ok(), times == 1);
        assert_eq!(proxy.suffered(), times);
        let later = after(1).plus(Duration::from_secs(60));
        let begun = orders.begin_refund(&order, &refund, amount, later).await;
        let order = begun.unwrap().order;
        assert_eq!((order.refunds.len(), order.version), (1, 3));
    }
}
