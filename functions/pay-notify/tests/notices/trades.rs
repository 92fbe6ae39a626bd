//! Genuine notices of trades.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use function_payments::{Buyer, OrderState};
use futures_util::future::join_all;
use serde_json::json;
use simulator::{NoticeOptions, SignedText};

use crate::bench::{Bench, NOTHING, ORDER, QUERY, REFUSED, SUCCESS, TRADE_NO, event, is, number};
use crate::logs::kept_log;

#[tokio::test]
async fn a_payment_is_asked_about_recorded_and_told() {
    let log = kept_log();
    let bench = Bench::with_paid_order("12.50").await;
    assert_eq!(bench.post(&bench.notice()).await, is(SUCCESS));
    assert_eq!(bench.simulator.received_count(QUERY), 1);
    assert!(log.text().contains(r#"notice="credited""#));
    let order = bench.recorded().await;
    assert_eq!(
        (order.state, order.trade_no.as_deref(), order.notices.len()),
        (OrderState::Paid, Some(TRADE_NO), 1)
    );
    let events = bench.bus.events();
    let [event] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(
        (
            event.source.as_str(),
            event.detail_type.as_str(),
            event.bus.as_str()
        ),
        ("alipay-functions", "order.paid", crate::bench::BUS)
    );
    let detail = &event.detail;
    assert_eq!(
        detail["event_id"],
        format!("order.paid/{}/{ORDER}", bench.app.app_id)
    );
    assert_eq!(
        (
            &detail["total_amount"],
            &detail["state"],
            &detail["owner"],
            &detail["trade_no"]
        ),
        (
            &json!("12.50"),
            &json!("paid"),
            &json!("owner-1"),
            &json!(TRADE_NO)
        )
    );
    assert_eq!(detail["buyer_is_expected"], json!(null));
    // Nothing is left for the schedule.
    bench.sweep_later().await;
    assert_eq!(bench.told(), (1, 0, 0));
}

#[tokio::test]
async fn however_often_a_notice_comes_an_order_is_paid_once() {
    let bench = Bench::with_paid_order("0.01").await;
    let notice = bench.notice();
    for _ in 0..8 {
        assert_eq!(bench.post(&notice).await, is(SUCCESS));
    }
    // The later ones were known by their id.
    assert_eq!(bench.simulator.received_count(QUERY), 1);
    assert_eq!(bench.told(), (1, 0, 0));

    let bench = Bench::with_paid_order("0.01").await;
    let notice = bench.notice();
    let answers = join_all((0..50).map(|_| bench.post(&notice))).await;
    assert!(
        answers.iter().all(|answer| *answer == is(SUCCESS)),
        "{answers:?}"
    );
    bench.sweep_later().await;
    assert_eq!(bench.told(), (1, 0, 0));
    assert_eq!(bench.recorded().await.version, 2);
}

#[tokio::test]
async fn two_notices_of_one_payment_are_one_payment() {
    let bench = Bench::with_paid_order("0.01").await;
    let (first, second) = (bench.notice(), bench.notice());
    assert_ne!(first, second);
    assert_eq!(bench.post(&first).await, is(SUCCESS));
    assert_eq!(bench.post(&second).await, is(SUCCESS));
    assert_eq!(bench.simulator.received_count(QUERY), 1);
    assert_eq!(bench.told(), (1, 0, 0));
}

#[tokio::test]
async fn a_late_notice_takes_nothing_back() {
    let bench = Bench::with_paid_order("0.01").await;
    let success = bench.notice();
    bench.simulator.finish_trade(&bench.app.app_id, ORDER);
    assert_eq!(bench.post(&bench.notice()).await, is(SUCCESS));
    assert_eq!(bench.state().await, OrderState::Finished);
    assert_eq!(bench.post(&success).await, is(SUCCESS));
    let closed = bench.notice_saying(&[("trade_status", "TRADE_CLOSED")]);
    assert_eq!(bench.post(&closed).await, is(SUCCESS));
    assert_eq!(bench.state().await, OrderState::Finished);
    assert_eq!(bench.told(), (1, 0, 0));
}

#[tokio::test]
async fn an_order_that_was_closed_is_told_once_and_paid_if_money_comes_after_all() {
    let bench = Bench::new().await;
    bench.order("0.01").await;
    bench.trade_of("0.01", "TRADE_CLOSED");
    for notice in [bench.notice(), bench.notice()] {
        assert_eq!(bench.post(&notice).await, is(SUCCESS));
    }
    assert_eq!(bench.told(), (0, 0, 1));
    assert_eq!(bench.state().await, OrderState::Closed);
    bench.trade_of("0.01", "TRADE_SUCCESS");
    assert_eq!(bench.post(&bench.notice()).await, is(SUCCESS));
    assert_eq!(bench.told(), (1, 0, 1));
    assert_eq!(bench.state().await, OrderState::Paid);
}

#[tokio::test]
async fn a_status_that_is_no_payment_changes_nothing() {
    let log = kept_log();
    let bench = Bench::with_paid_order("0.01").await;
    bench.table.take_operations();
    for (status, subject) in [
        ("WAIT_BUYER_PAY", "x"),
        ("trade_success", "x"),
        ("", "x"),
        ("TRADE_SUCCESS ", "x"),
        ("WAIT_BUYER_PAY", "x&trade_status=TRADE_SUCCESS"),
    ] {
        let notice = bench.notice_saying(&[("trade_status", status), ("subject", subject)]);
        assert_eq!(bench.post(&notice).await, is(SUCCESS), "{status}");
        assert!(log.take().contains(r#"notice="ignored""#));
    }
    assert_eq!((bench.questions(), bench.told()), (0, NOTHING));
    assert!(
        bench
            .table
            .take_operations()
            .iter()
            .all(|operation| operation == "GetItem")
    );
}

#[tokio::test]
async fn what_a_notice_says_is_only_a_reason_to_ask() {
    let log = kept_log();
    for (status_at_alipay, says) in [
        ("WAIT_BUYER_PAY", "TRADE_SUCCESS"),
        ("WAIT_BUYER_PAY", "TRADE_FINISHED"),
        ("WAIT_BUYER_PAY", "TRADE_CLOSED"),
        ("TRADE_CLOSED", "TRADE_SUCCESS"),
    ] {
        let bench = Bench::new().await;
        bench.order("0.01").await;
        bench.trade_of("0.01", status_at_alipay);
        let notice = bench.notice_saying(&[("trade_status", says)]);
        assert_eq!(
            bench.post(&notice).await,
            is(REFUSED),
            "{status_at_alipay} {says}"
        );
        let text = log.take();
        assert!(text.contains(r#"outcome="notice_mismatch""#), "{text}");
        assert!(text.contains(r#"field="trade_status""#), "{text}");
        assert!(!bench.state().await.is_paid());
        assert_eq!(bench.told().0, 0);
    }
    // Money that Alipay confirms is recorded, though the notice said something else.
    let bench = Bench::with_paid_order("0.01").await;
    let notice = bench.notice_saying(&[("trade_status", "TRADE_CLOSED")]);
    assert_eq!(bench.post(&notice).await, is(REFUSED));
    assert_eq!(bench.told(), (1, 0, 0));
    assert_eq!(bench.post(&notice).await, is(SUCCESS));
    // A trade of which Alipay knows nothing.
    let bench = Bench::with_paid_order("0.01").await;
    let notice = bench.notice();
    bench.simulator.add_trade(simulator::Trade {
        out_trade_no: ORDER.to_owned(),
        total_amount: "0.02".to_owned(),
        ..bench.trade("0.02", "TRADE_SUCCESS")
    });
    assert_eq!(bench.post(&notice).await, is(REFUSED));
    assert!(log.take().contains(r#"field="total_amount""#));
    assert_eq!(bench.told(), NOTHING);
}

#[tokio::test]
async fn a_genuine_notice_that_does_not_fit_is_an_alarm() {
    let log = kept_log();
    let bench = Bench::with_paid_order("0.01").await;
    let other = &bench.other_app.app_id;
    for (field, says) in [
        ("seller_id", ("seller_id", "2088000000000998")),
        ("total_amount", ("total_amount", "98765.43")),
        ("out_trade_no", ("out_trade_no", "ANOTHER-ORDER")),
        ("out_trade_no", ("out_trade_no", "20190815155618536-564-57")),
        ("app_id", ("app_id", other.as_str())),
        ("app_id", ("auth_app_id", other.as_str())),
    ] {
        let notice = bench.notice_saying(&[says]);
        assert_eq!(bench.post(&notice).await, is(REFUSED), "{says:?}");
        let text = log.take();
        let line = text.lines().find(|line| line.contains("notice_mismatch"));
        let line = line.unwrap_or_else(|| panic!("{text}"));
        assert!(
            line.contains("ERROR") && line.contains(&format!("field=\"{field}\"")),
            "{line}"
        );
        assert!(!text.contains(says.1) || says.1 == other, "{text}");
    }
    // To the address of another app, which has the same key of Alipay's.
    let answer = bench.post_to(other, &bench.notice()).await;
    assert_eq!(answer, is(REFUSED));
    assert!(log.take().contains(r#"field="app_id""#));
    assert_eq!((bench.questions(), bench.told()), (0, NOTHING));
    // Once the trade is known, another one under the same number.
    assert_eq!(bench.post(&bench.notice()).await, is(SUCCESS));
    let again = bench.notice_saying(&[("trade_no", "2026112222001400000000000002")]);
    assert_eq!(bench.post(&again).await, is(REFUSED));
    assert!(log.take().contains(r#"field="trade_no""#));
}

#[tokio::test]
async fn only_the_amount_of_the_order_in_plain_decimals_is_paid() {
    let bench = Bench::with_paid_order("100.00").await;
    for amount in [
        "0.01",
        "1e2",
        "+100.00",
        " 100.00",
        "100.00 ",
        "１００.００",
        "100.001",
        "100.000",
        "NaN",
        "-0.01",
        "-100.00",
        "99999999999999999999",
        "",
        "0100.00",
        "100,00",
        "100.",
        ".1",
        "0x64",
        "100.00&",
    ] {
        let notice = bench.notice_saying(&[("total_amount", amount)]);
        assert_eq!(bench.post(&notice).await, is(REFUSED), "{amount}");
    }
    assert_eq!((bench.questions(), bench.told()), (0, NOTHING));
    for amount in ["100", "100.0", "100.00"] {
        let bench = Bench::with_paid_order("100.00").await;
        let notice = bench.notice_saying(&[("total_amount", amount)]);
        assert_eq!(bench.post(&notice).await, is(SUCCESS), "{amount}");
        assert_eq!(bench.told(), (1, 0, 0));
    }
}

#[tokio::test]
async fn empty_values_may_be_signed_or_not() {
    for empty_values_unsigned in [false, true] {
        let bench = Bench::with_paid_order("0.01").await;
        let notice = bench.notice_with(&NoticeOptions {
            empty_values_unsigned,
            ..NoticeOptions::default()
        });
        assert!(notice.contains("body=&"));
        assert_eq!(bench.post(&notice).await, is(SUCCESS));
        assert_eq!(bench.told(), (1, 0, 0));
    }
    // The rule of messages is not that of trades.
    let bench = Bench::with_paid_order("0.01").await;
    let notice = bench.notice_with(&NoticeOptions {
        signed_text: Some(SignedText::WithSignType),
        ..NoticeOptions::default()
    });
    assert_eq!(bench.post(&notice).await, is(REFUSED));
}

#[tokio::test]
async fn a_body_in_base64_is_decoded_first() {
    let bench = Bench::with_paid_order("0.01").await;
    let notice = bench.notice_with(&NoticeOptions {
        charset: Some("GBK".to_owned()),
        ..NoticeOptions::default()
    });
    let path = format!("/notify/{}", bench.app.app_id);
    let mut encoded = event("POST", &path, &STANDARD.encode(&notice));
    encoded["isBase64Encoded"] = json!(true);
    assert_eq!(bench.handle(&encoded).await, is(SUCCESS));
    assert_eq!(bench.told(), (1, 0, 0));
}

#[tokio::test]
async fn who_paid_is_told_and_whether_it_is_who_was_expected() {
    let buyer = simulator::SimulatedUser::DEFAULT_USER_ID;
    for (expected, is_expected) in [(buyer, true), ("2088000000000998", false)] {
        let bench = Bench::new().await;
        let expected = Buyer {
            user_id: Some(expected.to_owned()),
            open_id: None,
        };
        bench.order_for("0.01", expected).await;
        bench.trade_of("0.01", "TRADE_SUCCESS");
        assert_eq!(bench.post(&bench.notice()).await, is(SUCCESS));
        let paid = bench.events_of("order.paid");
        assert_eq!(
            (
                &paid[0].detail["buyer_id"],
                &paid[0].detail["buyer_is_expected"]
            ),
            (&json!(buyer), &json!(is_expected))
        );
    }
}

#[tokio::test]
async fn an_order_of_another_app_under_the_same_number_is_another_order() {
    let bench = Bench::with_paid_order("0.01").await;
    let mut request = bench.request("0.01");
    request.app_id = bench.other_app.app_id.clone();
    bench.placed(request).await;
    assert_eq!(bench.post(&bench.notice()).await, is(SUCCESS));
    let orders = bench.payments.orders();
    let other = orders
        .find(&bench.other_app.app_id, &number(ORDER), None)
        .await
        .unwrap();
    assert_eq!(other.state, OrderState::Created);
}
