//! Refunds: announced, done, given up.

use payments::{Orders, PaymentError};

use crate::bench::{self, Bench, Bus, after, paid, refunded, tell};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_different_refunds_at_once_are_all_recorded_and_told_once() {
    let bench = Bench::new().await;
    let bus = Bus::default();
    let order = bench.placed("order_1").await;
    tell(&bench.table(), &bus, &order, &paid(), after(0))
        .await
        .unwrap();
    let telling: Vec<_> = (0..50)
        .map(|number| {
            let (table, bus) = (bench.table_of_another_process(), bus.clone());
            let order = order.clone();
            let finding = refunded(&format!("r{number}"), "2.00");
            tokio::spawn(async move {
                // As a caller who is told that others were quicker, or Alipay with its next notice.
                while let Err(error) = tell(&table, &bus, &order, &finding, after(1)).await {
                    assert!(error.is_transient(), "{error:?}");
                }
            })
        })
        .collect();
    for telling in telling {
        telling.await.unwrap();
    }
    let order = bench.order("order_1").await;
    assert_eq!(order.refunded_fen(), 10_000);
    assert_eq!(order.version, 52);
    bench.sweep(&bus, after(100)).await;
    assert_eq!(bus.counts().len(), 51);
    assert!(bus.counts().values().all(|count| *count == 1));
}

#[tokio::test]
async fn a_refund_is_announced_then_done_and_told_when_it_is_done() {
    let refund = bench::refund("r1");
    let bench = Bench::new().await;
    let orders = bench.orders();
    let order = bench.placed("order_1").await;
    let order = bench.record(&order, &paid(), after(0)).await.order;
    let amount = "60.00".parse().unwrap();
    let begun = orders
        .begin_refund(&order, &refund, amount, after(1))
        .await
        .unwrap();
    assert!(!begun.was_done);
    assert_eq!(begun.order.refunded_fen(), 0);
    assert_eq!(bench.order("order_1").await, begun.order);
    let again = orders.begin_refund(&order, &refund, amount, after(2));
    assert_eq!(again.await.unwrap().order, begun.order);

    let done = orders
        .record(&begun.order, &refunded("r1", "60.00"), None, after(3))
        .await
        .unwrap();
    let events = done.unpublished.unwrap().events;
    assert_eq!(events[0].id, "order.refunded/2021000000000001/order_1/r1");
    assert_eq!(done.order.refunded_fen(), 6_000);
    let later = orders
        .begin_refund(&done.order, &refund, amount, after(4))
        .await
        .unwrap();
    assert!(later.was_done);
    let twice = orders
        .record(&begun.order, &refunded("r1", "60.00"), None, after(5))
        .await;
    assert!(twice.unwrap().unpublished.is_none());
}

/// I-02.
#[tokio::test]
async fn a_number_means_one_amount_until_the_refund_is_given_up() {
    let refund = bench::refund("r1");
    let bench = Bench::new().await;
    let orders = bench.orders();
    let order = bench.placed("order_1").await;
    let order = bench.record(&order, &paid(), after(0)).await.order;
    let (sixty, fifty) = ("60.00".parse().unwrap(), "50.00".parse().unwrap());
    let begun = orders.begin_refund(&order, &refund, sixty, after(1));
    let order = begun.await.unwrap().order;
    let differs = orders.begin_refund(&order, &refund, fifty, after(2));
    assert!(matches!(
        differs.await,
        Err(PaymentError::Differs {
            field: "refund_amount"
        })
    ));
    let order = orders
        .give_up_refund(&order, &refund, after(3))
        .await
        .unwrap();
    assert!(order.refunds.is_empty());
    let begun = orders.begin_refund(&order, &refund, fifty, after(4));
    assert_eq!(begun.await.unwrap().order.refunds["r1"].amount, fifty);
}

#[tokio::test]
async fn a_refund_that_was_done_meanwhile_is_not_given_up() {
    let refund = bench::refund("r1");
    let bench = Bench::new().await;
    let orders = bench.orders();
    let order = bench.placed("order_1").await;
    let order = bench.record(&order, &paid(), after(0)).await.order;
    let amount = "60.00".parse().unwrap();
    let begun = orders.begin_refund(&order, &refund, amount, after(1));
    let begun = begun.await.unwrap().order;
    orders
        .record(&begun, &refunded("r1", "60.00"), None, after(2))
        .await
        .unwrap();
    // With the order as it was before.
    let kept = orders.give_up_refund(&begun, &refund, after(3)).await;
    assert!(kept.unwrap().refunds["r1"].is_done);
    assert_eq!(bench.order("order_1").await.refunded_fen(), 6_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_amounts_for_one_number_at_once_one_counts() {
    let bench = Bench::new().await;
    let order = bench.placed("order_1").await;
    let order = bench.record(&order, &paid(), after(0)).await.order;
    let asking: Vec<_> = (0..16)
        .map(|number| {
            let orders = Orders::new(bench.table_of_another_process());
            let order = order.clone();
            let amount = ["60.00", "50.00"][number % 2].parse().unwrap();
            tokio::spawn(async move {
                let refund = bench::refund("r1");
                let begun = orders.begin_refund(&order, &refund, amount, after(1));
                (amount, begun.await)
            })
        })
        .collect();
    let mut answers = Vec::new();
    for asking in asking {
        answers.push(asking.await.unwrap());
    }
    let stored = bench.order("order_1").await.refunds["r1"].amount;
    for (amount, answer) in answers {
        match answer {
            Ok(_) => assert_eq!(amount, stored),
            Err(PaymentError::Differs { .. }) => assert_ne!(amount, stored),
            Err(other) => panic!("{other:?}"),
        }
    }
}
