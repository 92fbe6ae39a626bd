//! `app.checkResult`.

use serde_json::{Value, json};
use simulator::{CashierDecision, FaultKind};

use crate::bench::{Bench, OWNER, error, order, with};

const QUERY: &str = "alipay.trade.query";

/// What the plugin gives an app: `resultStatus` and `result`.
fn of_client(text: &str) -> Value {
    with(serde_json::from_str(text).unwrap(), json!({"owner": OWNER}))
}

fn said(code: &str, out_trade_no: &str) -> Value {
    json!({"owner": OWNER, "resultStatus": code, "out_trade_no": out_trade_no})
}

#[tokio::test]
async fn a_payment_in_an_app_is_paid() {
    let bench = Bench::new().await;
    let value = bench.order_string("T1").await;
    let outcome = bench.simulator.pay(&value).unwrap();
    let answer = bench
        .succeed("app.checkResult", of_client(&outcome.client_result))
        .await;
    assert_eq!(answer["paid"], true);
    assert_eq!(answer["out_trade_no"], "T1");
    assert_eq!(answer["trade_no"], outcome.trade_no);
    assert_eq!(
        bench.events(),
        [format!("order.paid/{}/T1", bench.app.app_id)]
    );

    // What is known to be paid is not asked about again, and told once.
    let asked = bench.asked(QUERY);
    for _ in 0..3 {
        let again = bench.succeed("app.checkResult", said("6001", "T1")).await;
        assert_eq!(again["paid"], true);
    }
    assert_eq!(bench.asked(QUERY), asked);
    assert_eq!(bench.events().len(), 1);
}

#[tokio::test]
async fn a_payment_in_a_mini_program_is_paid() {
    let bench = Bench::new().await;
    let trade_no = bench.trade("T1").await;
    let outcome = bench.simulator.pay(&trade_no).unwrap();
    let client = of_client(&outcome.client_result);
    let answer = bench
        .succeed(
            "app.checkResult",
            with(client, json!({"out_trade_no": "T1"})),
        )
        .await;
    assert_eq!(
        (&answer["paid"], &answer["trade_no"]),
        (&json!(true), &json!(trade_no))
    );
}

#[tokio::test]
async fn nothing_that_a_client_says_makes_an_order_paid() {
    let bench = Bench::new().await;
    let value = bench.order_string("T1").await;
    for code in ["9000", "8000", "6002", "6004", "5000", "99"] {
        let answer = bench.succeed("app.checkResult", said(code, "T1")).await;
        assert_eq!(answer["paid"], Value::Null, "{code}");
    }
    bench.simulator.open_cashier(&value).unwrap();
    let answer = bench.succeed("app.checkResult", said("9000", "T1")).await;
    assert_eq!(answer["paid"], Value::Null);
    assert_eq!(bench.events(), [] as [&str; 0]);

    // The genuine result of an order that is paid says nothing of another.
    let paid = bench.order_string("T0").await;
    let genuine = of_client(&bench.simulator.pay(&paid).unwrap().client_result);
    let replayed = bench
        .invoke(
            "app.checkResult",
            with(genuine.clone(), json!({"out_trade_no": "T1"})),
        )
        .await;
    let (slug, message) = error(&replayed);
    assert_eq!(slug, "invalid_argument");
    assert!(message.starts_with("result: "), "{message}");
    let answer = bench.succeed("app.checkResult", genuine).await;
    assert_eq!(
        (&answer["paid"], &answer["out_trade_no"]),
        (&json!(true), &json!("T0"))
    );
    assert_eq!(bench.order("T1").await.state.as_str(), "created");
}

#[tokio::test]
async fn a_forged_result_is_refused_and_nobody_is_asked() {
    let bench = Bench::new().await;
    let paid = bench.order_string("T0").await;
    let genuine = bench.simulator.pay(&paid).unwrap().client_result;
    let genuine: Value = serde_json::from_str(&genuine).unwrap();
    let result = genuine["result"].as_str().unwrap();
    let before = bench.asked(QUERY);
    let mut unsigned: Value = serde_json::from_str(result).unwrap();
    unsigned.as_object_mut().unwrap().remove("sign");
    for forged in [
        result.replace("T0", "T1"),
        result.replace("12.50", "0.01"),
        unsigned.to_string(),
        "{}".to_owned(),
        "9000".to_owned(),
        "x".repeat(100_000),
    ] {
        let report = json!({"owner": OWNER, "resultStatus": "9000", "result": forged});
        let answer = bench.invoke("app.checkResult", report).await;
        let (slug, message) = error(&answer);
        assert_eq!(slug, "invalid_argument");
        assert!(message.starts_with("result: "), "{message}");
    }
    assert_eq!(bench.asked(QUERY), before);
}

#[tokio::test]
async fn a_result_of_another_app_is_refused() {
    let bench = Bench::new().await;
    let there = json!({"appid": bench.other_app.app_id});
    let answer = bench
        .succeed("app.getOrderStr", with(order("T1"), there.clone()))
        .await;
    bench.order_string("T1").await;
    let outcome = bench
        .simulator
        .pay(answer["value"].as_str().unwrap())
        .unwrap();
    let report = of_client(&outcome.client_result);
    let here = bench.invoke("app.checkResult", report.clone()).await;
    assert!(error(&here).1.starts_with("result: "), "{here}");
    let there = bench.succeed("app.checkResult", with(report, there)).await;
    assert_eq!(there["paid"], true);
}

#[tokio::test]
async fn what_the_user_left_is_not_paid() {
    let bench = Bench::new().await;
    let value = bench.order_string("T1").await;
    for code in ["6001", "4000"] {
        let answer = bench.succeed("app.checkResult", said(code, "T1")).await;
        assert_eq!(answer["paid"], false, "{code}");
        assert_eq!(answer.get("trade_no"), None);
    }
    let cancelled = bench
        .simulator
        .at_cashier(&value, CashierDecision::Cancel)
        .unwrap();
    let report = with(
        of_client(&cancelled.client_result),
        json!({"out_trade_no": "T1"}),
    );
    assert_eq!(
        bench.succeed("app.checkResult", report).await["paid"],
        false
    );
    // And can be paid after all.
    bench.simulator.pay(&value).unwrap();
    let answer = bench.succeed("app.checkResult", said("6001", "T1")).await;
    assert_eq!(answer["paid"], true);
}

#[tokio::test]
async fn what_was_closed_is_not_paid() {
    let bench = Bench::new().await;
    bench.trade("T1").await;
    bench
        .succeed("trade.close", json!({"out_trade_no": "T1"}))
        .await;
    let answer = bench.succeed("app.checkResult", said("8000", "T1")).await;
    assert_eq!(answer["paid"], false);
}

#[tokio::test]
async fn an_order_that_cannot_be_asked_about_is_a_failure_that_may_pass() {
    let bench = Bench::new().await;
    bench.order_string("T1").await;
    for kind in [FaultKind::NeverAnswer, FaultKind::BadSignature] {
        let may_pass = kind == FaultKind::NeverAnswer;
        bench.inject(kind, QUERY);
        let answer = bench.invoke("app.checkResult", said("9000", "T1")).await;
        assert_ne!(answer["code"], 0, "{answer}");
        assert_eq!(answer["retryable"], may_pass, "{answer}");
        assert_eq!(answer.get("paid"), None);
    }
}
