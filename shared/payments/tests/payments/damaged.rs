//! Rows that somebody has written to by hand.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use payments::{Orders, PaymentError};

use crate::bench::{Bench, Bus, after, paid, request, tell};

fn field<T>(result: Result<T, PaymentError>) -> &'static str {
    match result {
        Err(PaymentError::Corrupt { field }) => field,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("a damaged row was taken for a whole one"),
    }
}

#[tokio::test]
async fn an_order_with_a_damaged_attribute_is_refused_by_the_attributes_name() {
    let bench = Bench::new().await;
    let order = bench.placed("order_1").await;
    bench
        .orders()
        .record(&order, &paid(), Some("notice-1"), after(0))
        .await
        .unwrap();
    let whole = bench.row("order_1").await;
    let odd_refund = HashMap::from([(
        "r1".to_owned(),
        AttributeValue::M(HashMap::from([(
            "amount".to_owned(),
            AttributeValue::N("0".to_owned()),
        )])),
    )]);
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let number = |digits: &str| AttributeValue::N(digits.to_owned());
    for (name, value) in [
        ("amount", number("0")),
        ("amount", number("-1")),
        ("amount", number("12.5")),
        ("amount", text("100.00")),
        ("state", text("refunded")),
        ("product", text("")),
        ("out_trade_no", text("a b")),
        ("owner", number("1")),
        ("trade_no", number("1")),
        ("notices", text("notice-1")),
        ("refunds", text("r1")),
        ("refunds", AttributeValue::M(odd_refund)),
        ("time_expire", text("now")),
        ("version", text("2")),
        ("pending", text("none")),
    ] {
        let mut damaged = whole.clone();
        damaged.insert(name.to_owned(), value);
        bench.overwrite(damaged).await;
        let orders = bench.orders();
        let found = orders.find(&order.app_id, &order.out_trade_no, None).await;
        let named = field(found);
        assert!(named == name || name == "refunds", "{name}: {named}");
        let placed = bench.orders().place(&request("order_1"), after(1)).await;
        field(placed);
    }
    let mut without = whole.clone();
    without.remove("pending");
    bench.overwrite(without).await;
    // Also with an order that was read before the damage.
    let recorded = bench.orders().record(&order, &paid(), None, after(1)).await;
    assert_eq!(field(recorded), "pending");
}

#[tokio::test]
async fn an_event_that_cannot_be_read_stands_in_nobodys_way() {
    let bench = Bench::new().await;
    let (outbox, bus) = (bench.outbox(), Bus::default());
    for number in ["order_1", "order_2"] {
        let order = bench.placed(number).await;
        bench.record(&order, &paid(), after(0)).await;
    }
    for (id, detail) in [
        ("order.paid/odd", AttributeValue::N("1".to_owned())),
        ("order.lost/1/1", AttributeValue::S("{}".to_owned())),
    ] {
        let mut damaged = bench.row("order_1").await;
        let pending = HashMap::from([(id.to_owned(), detail)]);
        damaged.insert("pending".to_owned(), AttributeValue::M(pending));
        bench.overwrite(damaged).await;
        let mut now = after(30);
        for _ in 0..2 {
            let due = outbox.due(now, 1).await.unwrap();
            assert!(!due.is_empty(), "it comes back every minute");
            for row in &due {
                match outbox.claim(row, now).await {
                    Ok(None) => panic!("nobody else claims here"),
                    Ok(Some(claimed)) => {
                        bus.publish(&claimed);
                        outbox.published(&claimed).await.unwrap();
                    }
                    Err(error) => {
                        assert!(matches!(error, PaymentError::Corrupt { field: "pending" }));
                        assert!(!error.is_transient());
                    }
                }
            }
            assert!(outbox.due(now, 1).await.unwrap().is_empty());
            now = now.plus(std::time::Duration::from_secs(60));
        }
        // Somebody puts it back in its place.
        let mut again = bench.row("order_1").await;
        again.insert(
            "publish_at".to_owned(),
            AttributeValue::N(after(30).as_millis().to_string()),
        );
        bench.overwrite(again).await;
    }
    let second = "order.paid/2021000000000001/order_2".to_owned();
    assert_eq!(bus.counts(), [(second, 1)].into());
}

#[tokio::test]
async fn a_place_in_the_index_that_cannot_be_read_hides_no_other_row() {
    let bench = Bench::new().await;
    for number in ["order_1", "order_2"] {
        let order = bench.placed(number).await;
        bench.record(&order, &paid(), after(0)).await;
    }
    let mut damaged = bench.row("order_1").await;
    damaged.insert(
        "publish_at".to_owned(),
        AttributeValue::N("-12.5".to_owned()),
    );
    bench.overwrite(damaged).await;
    let due = bench.outbox().due(after(30), 25).await.unwrap();
    assert_eq!(due.len(), 1);
    let claimed = bench.outbox().claim(&due[0], after(30)).await.unwrap();
    assert_eq!(
        claimed.unwrap().events[0].id,
        "order.paid/2021000000000001/order_2"
    );
}

#[tokio::test]
async fn a_change_does_not_touch_an_event_that_cannot_be_read() {
    let bench = Bench::new().await;
    let bus = Bus::default();
    let order = bench.placed("order_1").await;
    let mut damaged = bench.row("order_1").await;
    let odd = HashMap::from([("order.lost/1".to_owned(), AttributeValue::Bool(true))]);
    damaged.insert("pending".to_owned(), AttributeValue::M(odd));
    bench.overwrite(damaged).await;
    tell(&bench.table(), &bus, &order, &paid(), after(0))
        .await
        .unwrap();
    assert_eq!(bus.counts().len(), 1);
    assert_eq!(
        crate::bench::pending(&bench.row("order_1").await),
        ["order.lost/1"]
    );
    let orders = Orders::new(bench.table());
    let found = orders.find(&order.app_id, &order.out_trade_no, None).await;
    assert!(found.unwrap().state.is_paid());
}
