//! Who publishes what is recorded, and when.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use embedded_dynamodb::Fault;
use payments::{Orders, Outbox};

use crate::bench::{Bench, Bus, after, closed, paid, pending, refunded, request, tell, text};

const PAID: &str = "order.paid/2021000000000001/order_1";

/// An order that was paid at [`after`]`(0)`, whose event nobody has published.
async fn unpublished() -> (Bench, payments::Unpublished) {
    let bench = Bench::new().await;
    let order = bench.placed("order_1").await;
    let recorded = bench.orders().record(&order, &paid(), None, after(0)).await;
    let unpublished = recorded.unwrap().unpublished.unwrap();
    (bench, unpublished)
}

#[tokio::test]
async fn the_usual_report_is_one_write_after_which_nothing_is_due() {
    let (bench, unpublished) = unpublished().await;
    let proxy = bench.proxy().await;
    let outbox = Outbox::new(bench.table_through(proxy.address));
    outbox.published(&unpublished).await.unwrap();
    assert_eq!(proxy.take_operations(), ["UpdateItem"]);
    bench.assert_all_published().await;
    assert!(outbox.due(after(3600), 25).await.unwrap().is_empty());
    // Whoever says it once more does no harm.
    let before = bench.row("order_1").await;
    outbox.published(&unpublished).await.unwrap();
    assert_eq!(bench.row("order_1").await, before);
}

#[tokio::test]
async fn nothing_is_due_before_its_writer_has_had_thirty_seconds() {
    let (bench, _) = unpublished().await;
    let outbox = bench.outbox();
    let early = after(30).minus(Duration::from_millis(1));
    assert!(outbox.due(early, 25).await.unwrap().is_empty());
    let due = outbox.due(after(30), 25).await.unwrap();
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].since, after(30));
}

#[tokio::test]
async fn of_two_who_claim_one_gets_the_events_for_a_minute() {
    let (bench, recorded) = unpublished().await;
    let (one, other) = (
        bench.outbox(),
        Outbox::new(bench.table_of_another_process()),
    );
    let due = one.due(after(40), 25).await.unwrap();
    let seen_by_other = other.due(after(40), 25).await.unwrap();
    assert_eq!(due, seen_by_other);
    let claimed = one.claim(&due[0], after(40)).await.unwrap().unwrap();
    assert_eq!(claimed.events, recorded.events);
    assert_eq!(claimed.since, after(0), "the age is that of the events");
    assert!(other.claim(&due[0], after(40)).await.unwrap().is_none());
    assert!(other.due(after(99), 25).await.unwrap().is_empty());
    let due = other.due(after(100), 25).await.unwrap();
    let claimed = other.claim(&due[0], after(100)).await.unwrap().unwrap();
    assert_eq!(claimed.since, after(0));
    assert_eq!(claimed.events, recorded.events);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_thirty_who_claim_at_once_one_gets_the_events() {
    let (bench, _) = unpublished().await;
    let due = bench.outbox().due(after(40), 25).await.unwrap();
    let claiming: Vec<_> = (0..30)
        .map(|_| {
            let outbox = Outbox::new(bench.table_of_another_process());
            let due = due[0].clone();
            tokio::spawn(async move { outbox.claim(&due, after(40)).await })
        })
        .collect();
    let mut got = 0;
    for claiming in claiming {
        got += usize::from(claiming.await.unwrap().unwrap().is_some());
    }
    assert_eq!(got, 1);
}

#[tokio::test]
async fn what_was_published_meanwhile_is_not_claimed() {
    let (bench, recorded) = unpublished().await;
    let outbox = bench.outbox();
    let due = outbox.due(after(40), 25).await.unwrap();
    outbox.published(&recorded).await.unwrap();
    let claimed = outbox.claim(&due[0], after(40)).await.unwrap();
    assert!(claimed.is_none());
    bench.assert_all_published().await;
}

/// I-07.
#[tokio::test]
async fn a_holder_that_was_overtaken_takes_out_nothing_but_its_own_events() {
    let (bench, recorded) = unpublished().await;
    let (outbox, bus) = (bench.outbox(), Bus::default());
    let due = outbox.due(after(40), 25).await.unwrap();
    let claimed = outbox.claim(&due[0], after(40)).await.unwrap().unwrap();
    let order = bench.order("order_1").await;
    let finding = refunded("r1", "1.00");
    let second = bench
        .orders()
        .record(&order, &finding, None, after(41))
        .await;
    let second = second.unwrap().unpublished.unwrap();
    // The writer of the first comes back after it was overtaken, and then the one who overtook it.
    for late in [recorded, claimed] {
        bus.publish(&late);
        outbox.published(&late).await.unwrap();
        let row = bench.row("order_1").await;
        assert_eq!(pending(&row), [second.events[0].id.clone()]);
        assert!(!text(&row, "publish_at").is_empty());
    }
    bench.sweep(&bus, after(200)).await;
    assert_eq!(bus.counts()[PAID], 2);
    assert_eq!(bus.counts()[&second.events[0].id], 1);
}

/// The end of somebody's claim never comes earlier because of another change, and an event never waits for the next one.
#[tokio::test]
async fn another_change_does_not_move_what_waits() {
    let (bench, _) = unpublished().await;
    let (orders, outbox) = (bench.orders(), bench.outbox());
    let order = bench.order("order_1").await;
    let refund = refunded("r1", "1.00");
    orders
        .record(&order, &refund, None, after(20))
        .await
        .unwrap();
    let due = outbox.due(after(30), 25).await.unwrap();
    assert_eq!(due.len(), 1, "the first event is due when it was");
    let claimed = outbox.claim(&due[0], after(30)).await.unwrap().unwrap();
    assert_eq!(claimed.events.len(), 2);
    let refund = refunded("r2", "1.00");
    orders
        .record(&order, &refund, None, after(31))
        .await
        .unwrap();
    assert!(outbox.due(after(89), 25).await.unwrap().is_empty());
    let due = outbox.due(after(90), 25).await.unwrap();
    let claimed = outbox.claim(&due[0], after(90)).await.unwrap().unwrap();
    assert_eq!(claimed.events.len(), 3);
}

#[tokio::test]
async fn a_part_of_the_events_can_be_reported() {
    let (bench, _) = unpublished().await;
    let (orders, outbox) = (bench.orders(), bench.outbox());
    let order = bench.order("order_1").await;
    let refund = refunded("r1", "1.00");
    orders
        .record(&order, &refund, None, after(1))
        .await
        .unwrap();
    let due = outbox.due(after(40), 25).await.unwrap();
    let mut claimed = outbox.claim(&due[0], after(40)).await.unwrap().unwrap();
    let kept = claimed.events.remove(0);
    outbox.published(&claimed).await.unwrap();
    assert_eq!(pending(&bench.row("order_1").await), [kept.id]);
    claimed.events.clear();
    outbox.published(&claimed).await.unwrap();
    assert_eq!(outbox.due(after(100), 25).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_report_between_whose_steps_another_event_comes_leaves_that_one_due() {
    let (bench, first) = unpublished().await;
    let bus = Bus::default();
    let order = bench.order("order_1").await;
    // Two events, so that the report of the first takes more than one step.
    let second = bench
        .orders()
        .record(&order, &refunded("r1", "1.00"), None, after(1))
        .await;
    let second = second.unwrap().unpublished.unwrap();
    let proxy = bench.proxy().await;
    let slow = Outbox::new(bench.table_through(proxy.address));
    let mut both = first.clone();
    both.events.extend(second.events.clone());
    bench.outbox().published(&first).await.unwrap();
    bus.publish(&both);
    // All at once (refused), the events, and then the place in the index: held.
    proxy.arm_after(2, "UpdateItem", Fault::HoldRequest, 1);
    let report = tokio::spawn(async move { slow.published(&both).await });
    proxy.wait_for_suffering().await;
    assert!(pending(&bench.row("order_1").await).is_empty());
    let third = bench
        .orders()
        .record(&order, &refunded("r2", "1.00"), None, after(2))
        .await;
    let third = third.unwrap().unpublished.unwrap().events;
    proxy.let_go();
    report.await.unwrap().unwrap();
    assert_eq!(pending(&bench.row("order_1").await), [third[0].id.clone()]);
    bench.sweep(&bus, after(40)).await;
    assert_eq!(bus.counts()[&third[0].id], 1);
}

#[tokio::test]
async fn a_report_that_arrives_late_takes_out_nothing_of_others() {
    let (bench, first) = unpublished().await;
    let proxy = bench.proxy().await;
    let slow = Outbox::new(bench.table_through(proxy.address));
    proxy.arm("UpdateItem", Fault::DelayRequest, 1);
    slow.published(&first).await.unwrap();
    let order = bench.order("order_1").await;
    bench
        .orders()
        .record(&order, &refunded("r1", "1.00"), None, after(1))
        .await
        .unwrap();
    let before = bench.row("order_1").await;
    proxy.let_arrive().await;
    assert_eq!(bench.row("order_1").await, before);
}

#[tokio::test]
async fn the_longest_due_come_first_and_the_rest_with_the_next_call() {
    let bench = Bench::new().await;
    let (orders, outbox, bus) = (bench.orders(), bench.outbox(), Bus::default());
    for number in 0..40_u64 {
        let name = format!("order_{number}");
        let order = orders.place(&request(&name), after(0)).await.unwrap();
        // The first placed is paid last.
        let now = after(100 - number);
        orders.record(&order, &closed(), None, now).await.unwrap();
    }
    let mut rounds = 0;
    let now = after(1000);
    loop {
        let due = outbox.due(now, 3).await.unwrap();
        if due.is_empty() {
            break;
        }
        rounds += 1;
        assert!(due.len() <= 12, "three of each partition");
        assert!(due.is_sorted_by_key(|row| row.since));
        if rounds == 1 {
            assert_eq!(due[0].since, after(91));
        }
        for row in &due {
            let claimed = outbox.claim(row, now).await.unwrap().unwrap();
            bus.publish(&claimed);
            outbox.published(&claimed).await.unwrap();
        }
    }
    assert_eq!(bus.counts().len(), 40);
    assert!(rounds > 3);
}

#[tokio::test]
async fn as_many_events_as_an_order_can_have_are_claimed_and_reported_together() {
    let bench = Bench::new().await;
    let (orders, outbox, bus) = (bench.orders(), bench.outbox(), Bus::default());
    let long = |number: usize| format!("{number:\"<64}");
    let owner = "\"".repeat(128);
    let request = payments::OrderRequest {
        owner,
        ..request(&"x".repeat(64))
    };
    let mut order = orders.place(&request, after(0)).await.unwrap();
    let first = [closed(), paid()];
    let refunds = (0..200).map(|number| refunded(&long(number), "0.01"));
    for (number, finding) in first.into_iter().chain(refunds).enumerate() {
        let notice = format!("{number:n<128}");
        let recorded = orders.record(&order, &finding, Some(&notice), after(1));
        order = recorded.await.unwrap().order;
    }
    let due = outbox.due(after(31), 25).await.unwrap();
    let claimed = outbox.claim(&due[0], after(31)).await.unwrap().unwrap();
    assert_eq!(claimed.events.len(), 202);
    let row = &bench.items().await[0];
    assert!(size(row) < 400 * 1024, "{}", size(row));
    bus.publish(&claimed);
    outbox.published(&claimed).await.unwrap();
    bench.assert_all_published().await;
}

/// As DynamoDB counts it, at least.
fn size(row: &crate::bench::Item) -> usize {
    row.iter()
        .map(|(name, value)| name.len() + size_of(value))
        .sum()
}

fn size_of(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => text.len(),
        AttributeValue::Ss(texts) => texts.iter().map(String::len).sum(),
        AttributeValue::M(map) => {
            3 + map
                .iter()
                .map(|(name, value)| 1 + name.len() + size_of(value))
                .sum::<usize>()
        }
        _ => 1,
    }
}

#[tokio::test]
async fn a_writer_that_is_refused_leaves_no_event_behind() {
    let bench = Bench::new().await;
    let bus = Bus::default();
    let order = bench.placed("order_1").await;
    let proxy = bench.proxy().await;
    let throttled = Fault::Answer {
        status: 400,
        code: "ThrottlingException",
    };
    proxy.arm("UpdateItem", throttled, 3);
    let table = bench.table_through(proxy.address);
    let failed = tell(&table, &bus, &order, &paid(), after(1)).await;
    assert!(failed.unwrap_err().is_transient());
    assert_eq!(bench.order("order_1").await, order);
    bench.assert_all_published().await;
    let denied = Fault::Answer {
        status: 400,
        code: "AccessDeniedException",
    };
    proxy.arm("UpdateItem", denied, 1);
    let orders = Orders::new(table);
    let failed = orders.record(&order, &paid(), None, after(1)).await;
    assert!(!failed.unwrap_err().is_transient());
}
