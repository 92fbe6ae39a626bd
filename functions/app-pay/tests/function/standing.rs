//! `trade.query` and `trade.close`.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::FaultKind;

use crate::bench::{BUYER, Bench, OWNER, error, order, with};

const QUERY: &str = "alipay.trade.query";
const CLOSE: &str = "alipay.trade.close";

fn number(out_trade_no: &str) -> Value {
    json!({"out_trade_no": out_trade_no})
}

#[tokio::test]
async fn a_query_tells_the_record_and_what_alipay_says() {
    let bench = Bench::new().await;
    let value = bench.order_string("T1").await;
    let told = bench.succeed("trade.query", number("T1")).await;
    assert_eq!(told["state"], "created");
    assert_eq!(told["total_amount"], "12.50");
    assert_eq!(
        (told.get("trade_status"), told.get("trade_no")),
        (None, None)
    );

    let paid = bench.simulator.pay(&value).unwrap();
    let told = bench.succeed("trade.query", number("T1")).await;
    assert_eq!(told["state"], "paid");
    assert_eq!(told["trade_status"], "TRADE_SUCCESS");
    assert_eq!(told["trade_no"], paid.trade_no);
    assert_eq!(told["buyer_user_id"], BUYER);
    assert_eq!(told["refunded_amount"], "0.00");
    assert_eq!((&told["code"], &told["msg"]), (&json!(0), &json!("ok")));
    assert!(told["trace_id"].is_string());
    assert_eq!(
        bench.events(),
        [format!("order.paid/{}/T1", bench.app.app_id)]
    );
}

#[tokio::test]
async fn where_a_name_is_in_both_the_record_counts() {
    let bench = Bench::new().await;
    bench.paid("T1").await;
    let trade_no = bench.order("T1").await.trade_no;
    let node = json!({
        "code": "10000", "msg": "Success", "out_trade_no": "T1", "trade_no": trade_no, "trade_status": "TRADE_SUCCESS",
        "total_amount": "12.5", "state": "theirs", "refunded_amount": "9", "trace_id": "theirs", "receipt_amount": "12.50",
    });
    let json = node.to_string();
    bench.inject(FaultKind::Node { json }, QUERY);
    let told = bench.succeed("trade.query", number("T1")).await;
    assert_eq!(told["total_amount"], "12.50");
    assert_eq!(told["state"], "paid");
    assert_eq!(told["refunded_amount"], "0.00");
    assert_ne!(told["trace_id"], "theirs");
    assert_eq!(told["receipt_amount"], "12.50");
}

#[tokio::test]
async fn an_order_of_another_owner_or_app_does_not_exist() {
    let bench = Bench::new().await;
    bench.paid("T1").await;
    let before = (bench.asked(QUERY), bench.asked(CLOSE));
    let strangers = [
        json!({"owner": "somebody-else"}),
        json!({"appid": bench.other_app.app_id, "owner": OWNER}),
        json!({"out_trade_no": "T2", "owner": OWNER}),
    ];
    for stranger in strangers {
        for (call, arguments) in [
            ("trade.query", number("T1")),
            ("trade.close", number("T1")),
            (
                "trade.refund",
                json!({"out_trade_no": "T1", "refund_amount": "1.00", "out_request_no": "R1"}),
            ),
            (
                "refund.query",
                json!({"out_trade_no": "T1", "out_request_no": "R1"}),
            ),
            (
                "app.checkResult",
                json!({"out_trade_no": "T1", "resultStatus": "9000"}),
            ),
        ] {
            let answer = bench.invoke(call, with(arguments, stranger.clone())).await;
            assert_eq!(
                error(&answer),
                ("not_found", "an order of this out_trade_no does not exist"),
                "{call}"
            );
        }
    }
    // Who takes another's number learns no more.
    let taken = with(order("T1"), json!({"owner": "somebody-else"}));
    for call in ["app.getOrderStr", "trade.create"] {
        let answer = bench
            .invoke(call, with(taken.clone(), json!({"buyer_id": BUYER})))
            .await;
        assert_eq!(error(&answer).0, "not_found", "{answer}");
    }
    assert_eq!((bench.asked(QUERY), bench.asked(CLOSE)), before);
}

#[tokio::test]
async fn a_trade_of_another_amount_is_not_that_of_the_order() {
    let bench = Bench::new().await;
    bench.order_string("T1").await;
    bench.simulator.add_trade(simulator::Trade {
        app_id: bench.app.app_id.clone(),
        out_trade_no: "T1".to_owned(),
        trade_no: "2026112222001400000000000001".to_owned(),
        trade_status: "TRADE_SUCCESS".to_owned(),
        total_amount: "0.01".to_owned(),
        ..Default::default()
    });
    for (call, arguments) in [
        ("trade.query", number("T1")),
        (
            "app.checkResult",
            json!({"out_trade_no": "T1", "resultStatus": "9000", "owner": OWNER}),
        ),
    ] {
        let answer = bench.invoke(call, arguments).await;
        assert_eq!(error(&answer).0, "conflict", "{answer}");
        assert!(error(&answer).1.contains("total_amount"));
    }
    assert_eq!(bench.order("T1").await.state.as_str(), "created");
    assert_eq!(bench.events(), [] as [&str; 0]);
}

#[tokio::test]
async fn an_open_trade_is_closed_once() {
    let bench = Bench::new().await;
    let trade_no = bench.trade("T1").await;
    let told = bench.succeed("trade.close", number("T1")).await;
    assert_eq!(
        (&told["state"], &told["trade_no"]),
        (&json!("closed"), &json!(trade_no))
    );
    let again = bench.succeed("trade.close", number("T1")).await;
    assert_eq!(again["state"], "closed");
    assert_eq!(bench.asked(CLOSE), 1);
    assert_eq!(
        bench.events(),
        [format!("order.closed/{}/T1", bench.app.app_id)]
    );
}

#[tokio::test]
async fn a_closing_whose_answer_was_lost_is_found_by_a_repeat() {
    let bench = Bench::new().await;
    bench.trade("T1").await;
    bench.inject(FaultKind::NeverAnswer, CLOSE);
    let lost = bench.invoke("trade.close", number("T1")).await;
    assert_eq!(error(&lost).0, "gateway_timeout");
    assert_eq!(lost["retryable"], true);
    let told = bench.succeed("trade.close", number("T1")).await;
    assert_eq!(told["state"], "closed");
    assert_eq!(
        bench.events(),
        [format!("order.closed/{}/T1", bench.app.app_id)]
    );
}

#[tokio::test]
async fn before_the_cashier_was_opened_there_is_nothing_to_close() {
    let bench = Bench::new().await;
    let answer = bench
        .succeed(
            "app.getOrderStr",
            with(order("T1"), json!({"expires_in": 60})),
        )
        .await;
    let refused = bench.invoke("trade.close", number("T1")).await;
    let (slug, message) = error(&refused);
    assert_eq!(slug, "conflict");
    assert!(
        message.contains(answer["time_expire"].as_str().unwrap()),
        "{message}"
    );
    assert_eq!(bench.order("T1").await.state.as_str(), "created");
    // It could have been paid still. Some minutes after its time it cannot.
    bench.move_on(Duration::from_secs(60 + 301));
    let told = bench.succeed("trade.close", number("T1")).await;
    assert_eq!(told["state"], "closed");
}

#[tokio::test]
async fn a_paid_order_is_not_closed() {
    let bench = Bench::new().await;
    bench.paid("KNOWN").await;
    let trade_no = bench.trade("NEW").await;
    bench.simulator.pay(&trade_no).unwrap();
    for out_trade_no in ["KNOWN", "NEW"] {
        let answer = bench.invoke("trade.close", number(out_trade_no)).await;
        let (slug, message) = error(&answer);
        assert_eq!(slug, "conflict");
        assert!(message.contains("is paid"), "{message}");
        assert_eq!(bench.order(out_trade_no).await.state.as_str(), "paid");
    }
    // What is known to be paid is not sent.
    assert_eq!(bench.asked(CLOSE), 1);
}

#[tokio::test]
async fn other_refusals_of_a_closing_are_told() {
    let bench = Bench::new().await;
    bench.trade("T1").await;
    bench.inject(
        FaultKind::refusal("40004", "ACQ.REASON_ILLEGAL_STATUS"),
        CLOSE,
    );
    let answer = bench.invoke("trade.close", number("T1")).await;
    assert_eq!(answer["code"], "ACQ.REASON_ILLEGAL_STATUS");
    assert_eq!(bench.order("T1").await.state.as_str(), "created");
    // Alipay says that the state does not allow it, and that the trade is open: its word is passed on.
    bench.inject(FaultKind::refusal("40004", "ACQ.TRADE_STATUS_ERROR"), CLOSE);
    let answer = bench.invoke("trade.close", number("T1")).await;
    assert_eq!(answer["code"], "ACQ.TRADE_STATUS_ERROR");
}

#[tokio::test]
async fn the_routes_tell_the_calls() {
    let bench = Bench::new().await;
    let post = async |path: &str, arguments: Value| {
        bench
            .post(&format!("/openapi/alipay/{path}"), &arguments)
            .await
    };
    let (status, answer) = post("app/getOrderStr", order("T1")).await;
    assert_eq!(status, 200);
    let paid = bench
        .simulator
        .pay(answer["value"].as_str().unwrap())
        .unwrap();
    let report: Value = serde_json::from_str(&paid.client_result).unwrap();
    let (_, answer) = post("app/checkResult", with(report, json!({"owner": OWNER}))).await;
    assert_eq!(answer["paid"], true);
    let (_, answer) = post("trade/query", number("T1")).await;
    assert_eq!(answer["trade_status"], "TRADE_SUCCESS");
    let refund = json!({"out_trade_no": "T1", "refund_amount": "2.50", "out_request_no": "R1"});
    let (_, answer) = post("trade/refund", refund.clone()).await;
    assert_eq!(answer["refunded"], true);
    let (_, answer) = post("refund/query", refund.clone()).await;
    assert_eq!(answer["refund_status"], "REFUND_SUCCESS");
    let (status, _) = post("trade/close", number("T1")).await;
    assert_eq!(status, 409);
    let (_, answer) = post(
        "trade/create",
        with(order("T2"), json!({"buyer_id": BUYER})),
    )
    .await;
    assert!(answer["trade_no"].is_string());
    // Who may query may not refund by it.
    let (status, answer) = post("trade/query", with(refund, json!({"call": "trade.refund"}))).await;
    assert_eq!(
        (status, error(&answer).1),
        (400, "call: is not the call of this route; leave call out")
    );
}
