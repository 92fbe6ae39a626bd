//! `trade.refund` and `refund.query`.

use futures_util::future::join_all;
use serde_json::{Value, json};
use simulator::{Fault, FaultKind};

use crate::bench::{Bench, error, with};

const REFUND: &str = "alipay.trade.refund";
const REFUND_QUERY: &str = "alipay.trade.fastpay.refund.query";

fn refund(out_request_no: &str, amount: &str) -> Value {
    json!({"out_trade_no": "T1", "refund_amount": amount, "out_request_no": out_request_no, "refund_reason": "退货"})
}

fn query(out_request_no: &str) -> Value {
    json!({"out_trade_no": "T1", "out_request_no": out_request_no})
}

/// What went back at Alipay.
fn at_alipay(bench: &Bench) -> Vec<(String, String)> {
    let trade = bench.simulator.trade(&bench.app.app_id, "T1").unwrap();
    trade
        .refunds
        .into_iter()
        .map(|refund| (refund.out_request_no, refund.amount))
        .collect()
}

fn event(bench: &Bench, out_request_no: &str) -> String {
    format!("order.refunded/{}/T1/{out_request_no}", bench.app.app_id)
}

#[tokio::test]
async fn an_order_is_refunded_in_parts() {
    let bench = Bench::new().await;
    bench.paid("T1").await;
    let first = bench.succeed("trade.refund", refund("R1", "2.5")).await;
    assert_eq!(first["refund_amount"], "2.50");
    assert_eq!(first["refunded"], true);
    assert_eq!(first["refunded_amount"], "2.50");
    assert_eq!(first["fund_change"], "Y");
    assert_eq!(first["state"], "paid");
    let second = bench.succeed("trade.refund", refund("R2", "10.00")).await;
    assert_eq!(second["refunded_amount"], "12.50");
    assert_eq!(at_alipay(&bench).len(), 2);
    let told = bench.succeed("refund.query", query("R1")).await;
    assert_eq!(
        (&told["refunded"], &told["refund_amount"]),
        (&json!(true), &json!("2.50"))
    );
    // Money that came is not hidden by its way back.
    let told = bench.succeed("trade.query", query("")).await;
    assert_eq!(
        (&told["state"], &told["trade_status"]),
        (&json!("paid"), &json!("TRADE_CLOSED"))
    );
    assert_eq!(
        bench.events()[1..],
        [event(&bench, "R1"), event(&bench, "R2")]
    );
}

#[tokio::test]
async fn a_refund_is_made_once_however_often_it_is_asked_for() {
    let bench = Bench::new().await;
    bench.paid("T1").await;
    let answers =
        join_all((0..10).map(|_| bench.succeed("trade.refund", refund("R1", "2.50")))).await;
    assert!(answers.iter().all(|answer| answer["refunded"] == true));
    let asked = bench.asked(REFUND);
    let again = bench.succeed("trade.refund", refund("R1", "2.50")).await;
    assert_eq!(
        (&again["refunded"], &again["refunded_amount"]),
        (&json!(true), &json!("2.50"))
    );
    assert_eq!(bench.asked(REFUND), asked);
    assert_eq!(at_alipay(&bench), [("R1".to_owned(), "2.50".to_owned())]);
    assert_eq!(bench.events()[1..], [event(&bench, "R1")]);
}

#[tokio::test]
async fn a_refunds_number_means_one_amount() {
    let bench = Bench::new().await;
    bench.paid("T1").await;
    bench.inject(FaultKind::NeverAnswer, REFUND);
    let lost = bench.invoke("trade.refund", refund("R1", "2.50")).await;
    assert_eq!(
        (error(&lost).0, &lost["retryable"]),
        ("gateway_timeout", &json!(true))
    );
    let asked = bench.asked(REFUND);
    for _ in 0..2 {
        let other = bench.invoke("trade.refund", refund("R1", "3.00")).await;
        assert_eq!(error(&other).0, "conflict", "{other}");
        assert!(error(&other).1.starts_with("out_request_no: "));
    }
    assert_eq!(bench.asked(REFUND), asked);
    assert_eq!(at_alipay(&bench), [("R1".to_owned(), "2.50".to_owned())]);
}

#[tokio::test]
async fn a_refund_whose_answer_was_lost_is_recorded_by_a_repeat() {
    let bench = Bench::new().await;
    bench.paid("T1").await;
    bench.inject(FaultKind::NeverAnswer, REFUND);
    let lost = bench.invoke("trade.refund", refund("R1", "12.50")).await;
    assert_eq!(error(&lost).0, "gateway_timeout");
    assert_eq!(bench.order("T1").await.refunded_fen(), 0);
    // Alipay answers that nothing moved in this call; whether it did in an earlier one, the query says.
    let again = bench.succeed("trade.refund", refund("R1", "12.50")).await;
    assert_eq!(
        (&again["fund_change"], &again["refunded"]),
        (&json!("N"), &json!(true))
    );
    assert_eq!(bench.order("T1").await.refunded_fen(), 1250);
    assert_eq!(bench.events()[1..], [event(&bench, "R1")]);
}

#[tokio::test]
async fn a_query_records_a_refund_whose_answer_was_lost() {
    let bench = Bench::new().await;
    bench.paid("T1").await;
    let unknown = bench.succeed("refund.query", query("R1")).await;
    assert_eq!(
        (&unknown["refunded"], unknown.get("refund_amount")),
        (&json!(false), None)
    );
    bench.inject(FaultKind::NeverAnswer, REFUND);
    bench.invoke("trade.refund", refund("R1", "2.50")).await;
    let told = bench.succeed("refund.query", query("R1")).await;
    assert_eq!(
        (&told["refunded"], &told["refunded_amount"]),
        (&json!(true), &json!("2.50"))
    );
    assert_eq!(bench.events()[1..], [event(&bench, "R1")]);
}

#[tokio::test]
async fn no_more_is_refunded_than_was_paid() {
    let bench = Bench::new().await;
    bench.paid("T1").await;
    for too_much in ["12.51", "100000000.00"] {
        let answer = bench.invoke("trade.refund", refund("R0", too_much)).await;
        assert_eq!(error(&answer).0, "conflict", "{answer}");
    }
    bench.succeed("trade.refund", refund("R1", "10.00")).await;
    let answer = bench.invoke("trade.refund", refund("R2", "2.51")).await;
    assert_eq!(error(&answer).0, "conflict", "{answer}");
    assert_eq!(bench.asked(REFUND), 1);
    // A number that was refused is free.
    bench.succeed("trade.refund", refund("R2", "2.50")).await;
}

#[tokio::test]
async fn an_order_that_is_not_paid_is_not_refunded() {
    let bench = Bench::new().await;
    let value = bench.order_string("T1").await;
    bench.simulator.open_cashier(&value).unwrap();
    let answer = bench.invoke("trade.refund", refund("R1", "1.00")).await;
    assert_eq!(error(&answer), ("conflict", "the order is not paid"));
    assert_eq!(bench.asked(REFUND), 0);
    // One that is paid and not known to be is asked about first.
    bench.simulator.pay(&value).unwrap();
    bench.succeed("trade.refund", refund("R1", "1.00")).await;
    assert_eq!(bench.order("T1").await.state.as_str(), "paid");
}

#[tokio::test]
async fn a_refund_that_alipay_refuses_gives_its_number_back() {
    let bench = Bench::new().await;
    bench.paid("T1").await;
    bench.inject(
        FaultKind::refusal("40004", "ACQ.SELLER_BALANCE_NOT_ENOUGH"),
        REFUND,
    );
    let answer = bench.invoke("trade.refund", refund("R1", "2.50")).await;
    assert_eq!(answer["code"], "ACQ.SELLER_BALANCE_NOT_ENOUGH");
    assert_eq!(answer["retryable"], false);
    assert!(bench.order("T1").await.refunds.is_empty());
    bench.succeed("trade.refund", refund("R1", "3.00")).await;
}

#[tokio::test]
async fn a_refusal_of_a_refund_that_was_made_does_not_hide_it() {
    let bench = Bench::new().await;
    bench.paid("T1").await;
    bench.inject(FaultKind::NeverAnswer, REFUND);
    bench.invoke("trade.refund", refund("R1", "12.50")).await;
    // The trade is closed by then, which Alipay may say instead of repeating its answer.
    bench.inject(
        FaultKind::refusal("40004", "ACQ.TRADE_STATUS_ERROR"),
        REFUND,
    );
    let again = bench.succeed("trade.refund", refund("R1", "12.50")).await;
    assert_eq!(again["refunded"], true);
    assert_eq!(bench.order("T1").await.refunded_fen(), 1250);
}

#[tokio::test]
async fn a_refund_of_another_amount_under_the_number_is_not_told_as_this_one() {
    let bench = Bench::new().await;
    bench.paid("T1").await;
    // In Alipay's console; its notice is on the way still.
    bench
        .simulator
        .refund_trade(&bench.app.app_id, "T1", "2.50", "R1");
    let answer = bench.invoke("trade.refund", refund("R1", "8.00")).await;
    assert_eq!(error(&answer).0, "conflict", "{answer}");
    assert!(error(&answer).1.starts_with("out_request_no: "));
    assert_eq!(bench.order("T1").await.refunded_fen(), 250);
    assert_eq!(at_alipay(&bench), [("R1".to_owned(), "2.50".to_owned())]);
}

#[tokio::test]
async fn where_it_is_not_known_whether_a_refund_was_made_its_number_is_kept() {
    let bench = Bench::new().await;
    bench.paid("T1").await;
    // Refused, and then Alipay cannot be asked.
    bench.inject(
        FaultKind::refusal("40004", "ACQ.SELLER_BALANCE_NOT_ENOUGH"),
        REFUND,
    );
    bench.inject(FaultKind::BadSignature, REFUND_QUERY);
    let refused = bench.invoke("trade.refund", refund("R1", "2.50")).await;
    assert_eq!(refused["code"], "ACQ.SELLER_BALANCE_NOT_ENOUGH");
    let other = bench.invoke("trade.refund", refund("R1", "3.00")).await;
    assert_eq!(error(&other).0, "conflict");
    // Refused, and what is said then is no answer about a refund, nor signed.
    bench.inject(
        FaultKind::refusal("40004", "ACQ.SELLER_BALANCE_NOT_ENOUGH"),
        REFUND,
    );
    bench.inject(
        FaultKind::refusal("40004", "ACQ.TRADE_NOT_EXIST"),
        REFUND_QUERY,
    );
    let refused = bench.invoke("trade.refund", refund("R1", "2.50")).await;
    assert_eq!(refused["code"], "ACQ.SELLER_BALANCE_NOT_ENOUGH");
    let other = bench.invoke("trade.refund", refund("R1", "3.00")).await;
    assert_eq!(error(&other).0, "conflict");
    // A transient refusal, three times as the client tries.
    let transient = FaultKind::refusal("20000", "ACQ.SYSTEM_ERROR");
    bench
        .simulator
        .inject(Fault::times(transient, 3).for_method(REFUND));
    let failed = bench.invoke("trade.refund", refund("R2", "2.50")).await;
    assert_eq!(
        (&failed["code"], &failed["retryable"]),
        (&json!("ACQ.SYSTEM_ERROR"), &json!(true))
    );
    assert_eq!(bench.order("T1").await.refunds.len(), 2);
    for number in ["R1", "R2"] {
        bench.succeed("trade.refund", refund(number, "2.50")).await;
    }
}

#[tokio::test]
async fn a_refund_that_takes_its_time_is_no_success() {
    let bench = Bench::new().await;
    bench.paid("T1").await;
    let node = json!({"code": "10000", "msg": "Success", "fund_change": "N", "out_trade_no": "T1"});
    bench.inject(
        FaultKind::Node {
            json: node.to_string(),
        },
        REFUND,
    );
    let nothing = json!({"code": "10000", "msg": "Success"});
    bench.inject(
        FaultKind::Node {
            json: nothing.to_string(),
        },
        REFUND_QUERY,
    );
    let answer = bench.invoke("trade.refund", refund("R1", "2.50")).await;
    assert_eq!(
        (error(&answer).0, &answer["retryable"]),
        ("temporarily_unavailable", &json!(true))
    );
    assert_eq!(bench.order("T1").await.refunded_fen(), 0);
    assert_eq!(bench.events().len(), 1);
    let again = bench.succeed("trade.refund", refund("R1", "2.50")).await;
    assert_eq!(again["refunded"], true);
}

#[tokio::test]
async fn an_answer_about_another_trade_is_not_taken() {
    let bench = Bench::new().await;
    bench.paid("T1").await;
    for (other, slug) in [
        (
            json!({"trade_no": "2026112222001400000000000009"}),
            "conflict",
        ),
        // This the gateway's client finds.
        (json!({"out_trade_no": "T2"}), "gateway_unverified"),
    ] {
        let node = json!({"code": "10000", "msg": "Success", "fund_change": "Y"});
        let json = with(node, other).to_string();
        bench.inject(FaultKind::Node { json }, REFUND);
        let answer = bench.invoke("trade.refund", refund("R1", "2.50")).await;
        assert_eq!(error(&answer).0, slug, "{answer}");
        assert_eq!(bench.order("T1").await.refunded_fen(), 0);
    }
}

#[tokio::test]
async fn refunds_of_many_numbers_at_once_are_all_made() {
    let bench = Bench::new().await;
    bench.paid("T1").await;
    let numbers: Vec<String> = (0..10).map(|number| format!("R{number}")).collect();
    let refunds = numbers
        .iter()
        .map(|number| bench.succeed("trade.refund", with(refund(number, "1.25"), json!({}))));
    join_all(refunds).await;
    assert_eq!(bench.order("T1").await.refunded_fen(), 1250);
    assert_eq!(at_alipay(&bench).len(), 10);
    assert_eq!(bench.events().len(), 11);
}
