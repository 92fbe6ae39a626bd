//! Placing orders and finding them.

use std::time::Duration;

use embedded_dynamodb::Fault;
use payments::{Buyer, OrderRequest, OrderState, Orders, PaymentError, Product};

use crate::bench::{
    APP, Bench, START, TRADE, after, buyer, closed, finished, paid, pending, request, text,
};

#[tokio::test]
async fn an_order_is_read_as_it_was_placed() {
    let bench = Bench::new().await;
    let asked = OrderRequest {
        expected_buyer: buyer("2088000000000001"),
        ..request("order_1")
    };
    let placed = bench.orders().place(&asked, START).await.unwrap();
    assert_eq!(bench.order("order_1").await, placed);
    assert_eq!(placed.state, OrderState::Created);
    assert_eq!(placed.amount.to_string(), "100.00");
    assert_eq!(placed.time_expire, after(900));
    assert_eq!(placed.version, 1);
    let row = bench.row("order_1").await;
    assert_eq!(
        text(&row, "pk"),
        format!("ORDER#{APP}#order_1"),
        "roles are confined by this"
    );
    assert_eq!(text(&row, "amount"), "10000");
    assert!(!row.contains_key("ttl"), "orders stay");
    bench.assert_all_published().await;
}

#[tokio::test]
async fn an_order_is_read_as_it_was_recorded() {
    let bench = Bench::new().await;
    let order = bench.placed("order_1").await;
    let recorded = bench
        .orders()
        .record(&order, &paid(), Some("notice-1"), after(1))
        .await
        .unwrap();
    assert_eq!(bench.order("order_1").await, recorded.order);
    assert_eq!(recorded.order.trade_no.as_deref(), Some(TRADE));
    assert_eq!(recorded.order.payer, buyer("2088000000000001"));
    assert!(recorded.order.notices.contains("notice-1"));
    let event = "order.paid/2021000000000001/order_1";
    assert_eq!(pending(&bench.row("order_1").await), [event]);
}

#[tokio::test]
async fn a_number_again_is_the_same_order_and_may_leave_out_what_is_known() {
    let bench = Bench::new().await;
    let first = bench.placed("order_1").await;
    let again = OrderRequest {
        amount: None,
        subject: None,
        life: Duration::from_secs(60),
        seller_id: "2088000000000200".to_owned(),
        ..request("order_1")
    };
    let second = bench.orders().place(&again, after(899)).await.unwrap();
    assert_eq!(second, first);
    assert_eq!(bench.items().await.len(), 1);
}

/// Y-02.
#[tokio::test]
async fn a_number_that_was_used_for_something_else_is_refused() {
    let bench = Bench::new().await;
    bench.placed("order_1").await;
    let before = bench.items().await;
    let others = [
        (
            "total_amount",
            OrderRequest {
                amount: "100.01".parse().ok(),
                ..request("order_1")
            },
        ),
        (
            "subject",
            OrderRequest {
                subject: Some("coffee".to_owned()),
                ..request("order_1")
            },
        ),
        (
            "buyer",
            OrderRequest {
                expected_buyer: buyer("2088000000000002"),
                ..request("order_1")
            },
        ),
        (
            "out_trade_no",
            OrderRequest {
                product: Product::MiniProgram,
                ..request("order_1")
            },
        ),
    ];
    for (named, other) in others {
        match bench.orders().place(&other, after(1)).await {
            Err(PaymentError::Differs { field }) => assert_eq!(field, named),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(bench.items().await, before);
}

/// Y-04.
#[tokio::test]
async fn another_owners_order_is_not_there() {
    let bench = Bench::new().await;
    let order = bench.placed("order_1").await;
    let stranger = OrderRequest {
        owner: "owner-2".to_owned(),
        amount: "1.00".parse().ok(),
        ..request("order_1")
    };
    let placed = bench.orders().place(&stranger, after(1)).await;
    assert!(matches!(placed, Err(PaymentError::UnknownOrder)));
    let number = &order.out_trade_no;
    let found = bench.orders().find(APP, number, Some("owner-2")).await;
    assert!(matches!(found, Err(PaymentError::UnknownOrder)));
    let other_app = bench.orders().find("2021000000000002", number, None).await;
    assert!(matches!(other_app, Err(PaymentError::UnknownOrder)));
    let own = bench.orders().find(APP, number, Some("owner-1")).await;
    assert_eq!(own.unwrap(), order);
}

#[tokio::test]
async fn an_order_that_can_no_longer_be_paid_is_refused_and_the_answer_says_why() {
    let bench = Bench::new().await;
    for (number, finding, expected) in [
        ("order_1", closed(), "is closed"),
        ("order_2", paid(), "is paid"),
        ("order_3", finished(), "is paid"),
    ] {
        let order = bench.placed(number).await;
        bench.record(&order, &finding, after(1)).await;
        match bench.orders().place(&request(number), after(2)).await {
            Err(PaymentError::NotNow { state }) => assert_eq!(state, expected),
            other => panic!("{other:?}"),
        }
    }
    bench.placed("order_4").await;
    let in_time = bench.orders().place(&request("order_4"), after(899)).await;
    assert!(in_time.is_ok());
    match bench.orders().place(&request("order_4"), after(900)).await {
        Err(PaymentError::NotNow { state }) => assert_eq!(state, "has expired"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_new_order_needs_an_amount_and_a_subject() {
    let bench = Bench::new().await;
    let without_amount = OrderRequest {
        amount: None,
        ..request("order_1")
    };
    let without_subject = OrderRequest {
        subject: None,
        ..request("order_1")
    };
    for (missing, request) in [
        ("total_amount", without_amount),
        ("subject", without_subject),
    ] {
        match bench.orders().place(&request, START).await {
            Err(PaymentError::Incomplete { field }) => assert_eq!(field, missing),
            other => panic!("{other:?}"),
        }
    }
    assert!(bench.items().await.is_empty());
}

#[tokio::test]
async fn what_does_not_fit_into_a_row_is_refused() {
    let bench = Bench::new().await;
    let long = "x".repeat(257);
    let requests = [
        (
            "owner",
            OrderRequest {
                owner: long.clone(),
                ..request("order_1")
            },
        ),
        (
            "subject",
            OrderRequest {
                subject: Some(long.clone()),
                ..request("order_1")
            },
        ),
        (
            "appid",
            OrderRequest {
                app_id: long.clone(),
                ..request("order_1")
            },
        ),
        (
            "seller_id",
            OrderRequest {
                seller_id: long.clone(),
                ..request("order_1")
            },
        ),
        (
            "buyer",
            OrderRequest {
                expected_buyer: Buyer {
                    user_id: None,
                    open_id: Some(long.clone()),
                },
                ..request("order_1")
            },
        ),
    ];
    for (too_long, request) in requests {
        match bench.orders().place(&request, START).await {
            Err(PaymentError::TooLarge { field, .. }) => assert_eq!(field, too_long),
            other => panic!("{other:?}"),
        }
    }
    assert!(bench.items().await.is_empty());
    let longest = OrderRequest {
        subject: Some("茶".repeat(256)),
        ..request("order_1")
    };
    bench.orders().place(&longest, START).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_at_once_place_one_order() {
    let bench = Bench::new().await;
    let placing: Vec<_> = (0..50)
        .map(|number| {
            let orders = Orders::new(bench.table_of_another_process());
            tokio::spawn(async move { orders.place(&request("order_1"), after(number)).await })
        })
        .collect();
    let mut placed = Vec::new();
    for placing in placing {
        placed.push(placing.await.unwrap().unwrap());
    }
    assert!(placed.iter().all(|order| *order == placed[0]));
    assert_eq!(bench.items().await.len(), 1);
}

#[tokio::test]
async fn of_two_amounts_at_once_one_is_the_orders() {
    let bench = Bench::new().await;
    let proxy = bench.proxy().await;
    proxy.arm("PutItem", Fault::HoldRequest, 1);
    let slow = Orders::new(bench.table_through(proxy.address));
    let overtaken = tokio::spawn(async move { slow.place(&request("order_1"), START).await });
    proxy.wait_for_suffering().await;
    let other = OrderRequest {
        amount: "1.00".parse().ok(),
        ..request("order_1")
    };
    bench.orders().place(&other, START).await.unwrap();
    proxy.let_go();
    let overtaken = overtaken.await.unwrap();
    assert!(matches!(
        overtaken,
        Err(PaymentError::Differs {
            field: "total_amount"
        })
    ));
}

#[tokio::test]
async fn an_order_whose_making_was_answered_late_is_the_callers() {
    let bench = Bench::new().await;
    let proxy = bench.proxy().await;
    let orders = Orders::new(bench.table_through(proxy.address));
    proxy.arm("PutItem", Fault::LoseReply, 1);
    let placed = orders.place(&request("order_1"), START).await.unwrap();
    assert_eq!(proxy.suffered(), 1);
    assert_eq!(bench.order("order_1").await, placed);

    proxy.arm("PutItem", Fault::LoseReply, 3);
    let failed = orders.place(&request("order_2"), START).await.unwrap_err();
    assert!(failed.is_transient());
    let placed = orders.place(&request("order_2"), after(5)).await.unwrap();
    assert_eq!(placed.time_expire, after(900));
}
