//! Notices of refunds.

use function_payments::OrderState;
use simulator::{NoticeOptions, Refund, Trade};

use crate::bench::{Bench, ORDER, QUERY, REFUND_QUERY, REFUSED, SUCCESS, is};
use crate::logs::kept_log;

fn refund(bench: &Bench, amount: &str, out_request_no: &str) {
    bench
        .simulator
        .refund_trade(&bench.app.app_id, ORDER, amount, out_request_no);
}

#[tokio::test]
async fn a_refund_is_recorded_and_pays_nothing() {
    let bench = Bench::with_paid_order("1.00").await;
    refund(&bench, "0.30", "RF1");
    let notice = bench.notice();
    assert!(notice.contains("trade_status=TRADE_SUCCESS") && notice.contains("out_biz_no=RF1"));
    assert_eq!(bench.post(&notice).await, is(SUCCESS));
    assert_eq!(bench.told(), (0, 1, 0));
    assert_eq!(bench.simulator.received_count(QUERY), 0);
    let order = bench.recorded().await;
    assert_eq!(
        (order.state, order.refunded_fen()),
        (OrderState::Created, 30)
    );
    let told = &bench.events_of("order.refunded")[0].detail;
    assert_eq!(
        told["event_id"],
        format!("order.refunded/{}/{ORDER}/RF1", bench.app.app_id)
    );
    assert_eq!(told["refund_amount"], "0.30");
    assert_eq!(told["refunded_amount"], "0.30");
}

#[tokio::test]
async fn each_refund_is_told_once_and_a_full_one_leaves_the_order_paid() {
    let log = kept_log();
    let bench = Bench::with_paid_order("1.00").await;
    assert_eq!(bench.post(&bench.notice()).await, is(SUCCESS));
    refund(&bench, "0.30", "RF1");
    let first = bench.notice();
    refund(&bench, "0.70", "RF2");
    let second = bench.notice();
    assert!(second.contains("trade_status=TRADE_CLOSED"));
    for notice in [&second, &first, &first, &second, &bench.notice()] {
        assert_eq!(bench.post(notice).await, is(SUCCESS));
    }
    assert_eq!(bench.told(), (1, 2, 0));
    assert_eq!(bench.simulator.received_count(REFUND_QUERY), 2);
    // The same without a word of the refund.
    let closed = bench.notice_with(&NoticeOptions {
        without: ["refund_fee", "gmt_refund", "out_biz_no"]
            .map(str::to_owned)
            .to_vec(),
        ..NoticeOptions::default()
    });
    assert_eq!(bench.post(&closed).await, is(SUCCESS));
    let order = bench.recorded().await;
    assert_eq!((order.state, order.refunded_fen()), (OrderState::Paid, 100));
    assert_eq!(bench.told(), (1, 2, 0));
    assert!(log.text().contains(r#"notice="refunded""#));
}

#[tokio::test]
async fn a_refund_without_a_number_has_its_orders() {
    let bench = Bench::with_paid_order("1.00").await;
    refund(&bench, "0.30", ORDER);
    let notice = bench.notice_with(&NoticeOptions {
        without: vec!["out_biz_no".to_owned()],
        ..NoticeOptions::default()
    });
    assert_eq!(bench.post(&notice).await, is(SUCCESS));
    assert_eq!(bench.told(), (0, 1, 0));
    // A later notice of the trade says what was refunded so far, and has nothing new.
    let finished = bench.notice_with(&NoticeOptions {
        without: vec!["out_biz_no".to_owned()],
        ..NoticeOptions::default()
    });
    assert_eq!(bench.post(&finished).await, is(SUCCESS));
    assert_eq!(bench.simulator.received_count(REFUND_QUERY), 1);
}

#[tokio::test]
async fn a_refund_that_alipay_does_not_know_is_not_recorded() {
    let log = kept_log();
    let bench = Bench::with_paid_order("1.00").await;
    for fields in [
        &[("out_biz_no", "RF9"), ("refund_fee", "1.00")][..],
        &[("refund_fee", "1.00")],
        &[("gmt_refund", "2026-01-02 00:00:00")],
    ] {
        let notice = bench.notice_saying(fields);
        assert_eq!(bench.post(&notice).await, is(REFUSED), "{fields:?}");
        assert!(log.take().contains(r#"field="refund_status""#));
    }
    assert_eq!(bench.told(), (0, 0, 0));
    // That a refund succeeded, of which nothing else is said, is none.
    let notice = bench.notice_saying(&[("refund_status", "REFUND_SUCCESS")]);
    assert_eq!(bench.post(&notice).await, is(SUCCESS));
    assert_eq!(bench.told(), (1, 0, 0));
}

#[tokio::test]
async fn what_was_paid_and_refunded_in_full_before_anybody_knew_is_not_told_as_paid() {
    let bench = Bench::new().await;
    bench.order("1.00").await;
    bench.trade_of("1.00", "TRADE_SUCCESS");
    let paid = bench.notice();
    bench.simulator.add_trade(Trade {
        trade_status: "TRADE_CLOSED".to_owned(),
        refunds: vec![Refund {
            out_request_no: "RF1".to_owned(),
            amount: "1.00".to_owned(),
            refunded_at: 1_700_000_001_000,
        }],
        ..bench.trade("1.00", "TRADE_SUCCESS")
    });
    assert_eq!(bench.post(&paid).await, is(SUCCESS));
    assert_eq!(bench.told(), (0, 0, 1));
    assert_eq!(bench.post(&bench.notice()).await, is(SUCCESS));
    assert_eq!(bench.told(), (0, 1, 1));
}
