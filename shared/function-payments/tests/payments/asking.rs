use std::time::Duration;

use function_kit::{Failure, Outcome};
use function_payments::{AskError, Asked, Order, OrderState, Standing};
use simulator::{Fault, FaultKind, Trade};

use crate::bench::{Bench, ORDER, TRADE_NO, refund_number, soon};

async fn ask(bench: &Bench, order: &Order) -> Result<Asked, AskError> {
    let Bench {
        payments,
        alipay,
        app,
        ..
    } = bench;
    payments
        .ask_about_trade(alipay, app, order, Some("n1"), soon())
        .await
}

fn field(result: Result<impl std::fmt::Debug, AskError>) -> &'static str {
    match result {
        Err(AskError::Contradiction { field }) => field,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_status_is_one_standing_and_is_recorded() {
    for (status, standing, state, told) in [
        ("WAIT_BUYER_PAY", Standing::Open, OrderState::Created, None),
        (
            "TRADE_SUCCESS",
            Standing::Paid,
            OrderState::Paid,
            Some("order.paid"),
        ),
        (
            "TRADE_FINISHED",
            Standing::Paid,
            OrderState::Finished,
            Some("order.paid"),
        ),
        (
            "TRADE_CLOSED",
            Standing::Closed,
            OrderState::Closed,
            Some("order.closed"),
        ),
    ] {
        let bench = Bench::new().await;
        let order = bench.order().await;
        bench.simulator.add_trade(bench.trade(status));
        for _ in 0..2 {
            let asked = ask(&bench, &order).await.unwrap();
            assert_eq!(
                (asked.standing, asked.order.state),
                (standing, state),
                "{status}"
            );
            assert_eq!(asked.was_paid, standing == Standing::Paid);
            assert_eq!(asked.order.trade_no.as_deref(), Some(TRADE_NO));
            assert!(asked.reply.is_some());
        }
        assert_eq!(bench.told(), Vec::from_iter(told));
    }
}

#[tokio::test]
async fn an_order_without_a_trade_is_open_until_nobody_can_pay_it_any_more() {
    let bench = Bench::new().await;
    let order = bench.order().await;
    for (minutes, standing) in [
        (0, Standing::NotThere),
        (19, Standing::NotThere),
        (2, Standing::Closed),
    ] {
        bench.advance(Duration::from_secs(60 * minutes));
        let asked = ask(&bench, &order).await.unwrap();
        assert_eq!((asked.standing, asked.reply.is_none()), (standing, true));
    }
    assert_eq!(bench.told(), ["order.closed"]);
    // What Alipay did not sign changes nothing.
    let bench = Bench::new().await;
    let order = bench.order().await;
    bench.advance(Duration::from_secs(3600));
    let unsigned = FaultKind::refusal("40004", "ACQ.TRADE_NOT_EXIST");
    bench.simulator.inject(Fault::once(unsigned));
    for standing in [Standing::NotThere, Standing::Closed] {
        assert!(bench.told().is_empty());
        assert_eq!(ask(&bench, &order).await.unwrap().standing, standing);
    }
    assert_eq!(bench.told(), ["order.closed"]);
    // It is gone from Alipay's books, and was there: that says nothing.
    let bench = Bench::new().await;
    let order = bench.order().await;
    bench.simulator.add_trade(bench.trade("WAIT_BUYER_PAY"));
    let mut known = ask(&bench, &order).await.unwrap().order;
    known.out_trade_no = "T2".to_owned().try_into().unwrap();
    bench.advance(Duration::from_secs(3600));
    assert_eq!(
        ask(&bench, &known).await.unwrap().standing,
        Standing::NotThere
    );
    assert!(bench.told().is_empty());
}

#[tokio::test]
async fn a_trade_that_is_not_the_orders_is_not_recorded() {
    let bench = Bench::new().await;
    let order = bench.order().await;
    let other_amount = Trade {
        total_amount: "1.01".to_owned(),
        ..bench.trade("TRADE_SUCCESS")
    };
    bench.simulator.add_trade(other_amount);
    assert_eq!(field(ask(&bench, &order).await), "total_amount");
    bench.simulator.add_trade(bench.trade("TRADE_PENDING"));
    assert_eq!(field(ask(&bench, &order).await), "trade_status");
    bench.simulator.add_trade(bench.trade("TRADE_SUCCESS"));
    ask(&bench, &order).await.unwrap();
    bench.simulator.add_trade(Trade {
        trade_no: "2026112222001400000000000002".to_owned(),
        ..bench.trade("TRADE_FINISHED")
    });
    let error = ask(&bench, &order).await.unwrap_err();
    assert!(!error.is_transient());
    let failure = Failure::from(error);
    assert!(
        matches!(failure.outcome(), Outcome::Conflict { reason } if reason.contains("another trade"))
    );
    assert_eq!(bench.told(), ["order.paid"]);
}

#[tokio::test]
async fn a_gateway_that_does_not_answer_may_be_asked_again() {
    let bench = Bench::new().await;
    let order = bench.order().await;
    bench.simulator.add_trade(bench.trade("TRADE_SUCCESS"));
    bench
        .simulator
        .inject(Fault::always(FaultKind::Html { status: 502 }));
    let error = ask(&bench, &order).await.unwrap_err();
    assert!(error.is_transient());
    assert!(Failure::from(error).is_repeatable());
    assert!(bench.told().is_empty());
    // A refusal is no answer about a trade.
    bench.simulator.clear_faults();
    bench
        .simulator
        .inject(Fault::once(FaultKind::Html { status: 200 }));
    ask(&bench, &order).await.unwrap();
    assert_eq!(bench.told(), ["order.paid"]);
}

#[tokio::test]
async fn a_refund_is_recorded_when_alipay_says_that_it_was_made() {
    let bench = Bench::new().await;
    let order = bench.order().await;
    bench.simulator.add_trade(bench.trade("TRADE_SUCCESS"));
    let paid = ask(&bench, &order).await.unwrap().order;
    let ask_refund = async |number: &str| {
        bench
            .payments
            .ask_about_refund(
                &bench.alipay,
                &bench.app,
                &paid,
                &refund_number(number),
                None,
                soon(),
            )
            .await
            .unwrap()
    };
    let asked = ask_refund("RF1").await;
    assert_eq!((asked.is_done, asked.order.refunded_fen()), (false, 0));
    bench.refund("0.40", "RF1");
    for _ in 0..2 {
        let asked = ask_refund("RF1").await;
        assert_eq!((asked.is_done, asked.order.refunded_fen()), (true, 40));
    }
    // In full: it stays paid.
    bench.refund("0.60", "RF2");
    assert!(ask_refund("RF2").await.is_done);
    let asked = ask(&bench, &paid).await.unwrap();
    assert_eq!(
        (asked.standing, asked.order.state),
        (Standing::Paid, OrderState::Paid)
    );
    assert_eq!(
        bench.told(),
        ["order.paid", "order.refunded", "order.refunded"]
    );
}

#[tokio::test]
async fn a_payment_that_went_back_before_anybody_knew_of_it_is_not_told_as_one() {
    let bench = Bench::new().await;
    let order = bench.order().await;
    bench.simulator.add_trade(bench.trade("TRADE_SUCCESS"));
    bench.refund("1.00", "RF1");
    let asked = ask(&bench, &order).await.unwrap();
    assert_eq!((asked.standing, asked.was_paid), (Standing::Closed, true));
    assert_eq!(bench.told(), ["order.closed"]);
    assert_eq!(asked.order.out_trade_no.as_str(), ORDER);
    assert!(!format!("{asked:?}").contains("2088"));
}
