//! What Alipay has answered, recorded.

use embedded_dynamodb::Fault;
use payments::{Finding, OrderState, Orders, PaymentError};

use crate::bench::{
    Bench, Bus, after, buyer, closed, finished, paid, pending, refunded, tell, text,
};

const PAID: &str = "order.paid/2021000000000001/order_1";

/// N-30.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_at_once_with_the_same_finding_make_one_event() {
    let bench = Bench::new().await;
    let bus = Bus::default();
    let order = bench.placed("order_1").await;
    let telling: Vec<_> = (0..50)
        .map(|_| {
            let (table, bus) = (bench.table_of_another_process(), bus.clone());
            let order = order.clone();
            tokio::spawn(async move { tell(&table, &bus, &order, &paid(), after(1)).await })
        })
        .collect();
    for telling in telling {
        telling.await.unwrap().unwrap();
    }
    assert_eq!(bus.counts(), [(PAID.to_owned(), 1)].into());
    let order = bench.order("order_1").await;
    assert_eq!((order.state, order.version), (OrderState::Paid, 2));
    bench.assert_all_published().await;
}

/// N-31.
#[tokio::test]
async fn a_second_notice_of_the_same_payment_changes_nothing() {
    let bench = Bench::new().await;
    let orders = bench.orders();
    let order = bench.placed("order_1").await;
    let first = orders
        .record(&order, &paid(), Some("notice-1"), after(1))
        .await
        .unwrap();
    let before = bench.row("order_1").await;
    // Whoever asks with the order as it was, and as it is.
    for order in [&order, &first.order] {
        let second = orders
            .record(order, &paid(), Some("notice-2"), after(2))
            .await
            .unwrap();
        assert!(second.unpublished.is_none());
        assert_eq!(second.order, first.order);
    }
    assert_eq!(bench.row("order_1").await, before);
}

/// N-32.
#[tokio::test]
async fn what_comes_late_takes_nothing_back() {
    let bench = Bench::new().await;
    let bus = Bus::default();
    let order = bench.placed("order_1").await;
    for (number, finding) in [finished(), paid(), closed()].iter().enumerate() {
        let now = after(number as u64);
        tell(&bench.table(), &bus, &order, finding, now)
            .await
            .unwrap();
    }
    assert_eq!(bench.order("order_1").await.state, OrderState::Finished);
    assert_eq!(bus.counts(), [(PAID.to_owned(), 1)].into());
}

#[tokio::test]
async fn a_finding_that_is_overtaken_by_another_is_recorded_after_it() {
    let bench = Bench::new().await;
    let bus = Bus::default();
    let order = bench.placed("order_1").await;
    let proxy = bench.proxy().await;
    proxy.arm("UpdateItem", Fault::HoldRequest, 1);
    let slow = bench.table_through(proxy.address);
    let closing = {
        let (bus, order) = (bus.clone(), order.clone());
        tokio::spawn(async move { tell(&slow, &bus, &order, &closed(), after(1)).await })
    };
    proxy.wait_for_suffering().await;
    tell(&bench.table(), &bus, &order, &paid(), after(1))
        .await
        .unwrap();
    proxy.let_go();
    closing.await.unwrap().unwrap();
    assert_eq!(bench.order("order_1").await.state, OrderState::Paid);
    assert_eq!(bus.counts(), [(PAID.to_owned(), 1)].into());
}

#[tokio::test]
async fn two_payments_of_different_trades_are_not_one() {
    let bench = Bench::new().await;
    let orders = bench.orders();
    let order = bench.placed("order_1").await;
    orders
        .record(&order, &paid(), None, after(1))
        .await
        .unwrap();
    let before = bench.row("order_1").await;
    let other = Finding::Paid {
        trade_no: "2026112122001400000000000002".to_owned(),
        is_finished: true,
        payer: buyer("2088000000000002"),
    };
    let refused = orders.record(&order, &other, None, after(2)).await;
    assert!(matches!(refused, Err(PaymentError::OtherTrade)));
    assert_eq!(bench.row("order_1").await, before);
}

#[tokio::test]
async fn a_finding_about_an_order_that_is_gone_is_refused() {
    let bench = Bench::new().await;
    let order = bench.placed("order_1").await;
    let pk = text(&bench.row("order_1").await, "pk").to_owned();
    bench.delete(&pk).await;
    let recorded = bench.orders().record(&order, &paid(), None, after(1)).await;
    assert!(matches!(recorded, Err(PaymentError::UnknownOrder)));
    assert!(bench.items().await.is_empty());
}

#[tokio::test]
async fn the_change_and_its_event_are_one_write() {
    let bench = Bench::new().await;
    let proxy = bench.proxy().await;
    let orders = Orders::new(bench.table_through(proxy.address));
    let order = bench.placed("order_1").await;
    proxy.take_operations();
    orders
        .record(&order, &paid(), None, after(1))
        .await
        .unwrap();
    assert_eq!(proxy.take_operations(), ["UpdateItem"]);
    let row = bench.row("order_1").await;
    assert_eq!(pending(&row), [PAID]);
    assert_eq!(
        text(&row, "publish_at"),
        after(31).as_millis().to_string(),
        "who wrote it has thirty seconds"
    );
}

#[tokio::test]
async fn the_versions_of_events_tell_their_order() {
    let bench = Bench::new().await;
    let orders = bench.orders();
    let order = bench.placed("order_1").await;
    let findings = [closed(), paid(), refunded("r1", "1.00")];
    let mut versions = Vec::new();
    for finding in &findings {
        let recorded = orders.record(&order, finding, None, after(1)).await;
        for event in recorded.unwrap().unpublished.unwrap().events {
            let detail: serde_json::Value = serde_json::from_str(&event.detail).unwrap();
            versions.push(detail["version"].as_u64().unwrap());
        }
    }
    assert_eq!(versions, [2, 3, 4]);
}
