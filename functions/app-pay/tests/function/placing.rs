//! `app.getOrderStr` and `trade.create`.

use std::collections::BTreeMap;
use std::time::Duration;

use embedded_dynamodb::Fault as TableFault;
use futures_util::future::join_all;
use serde_json::{Value, json};
use simulator::FaultKind;
use url::form_urlencoded;

use crate::bench::{BUYER, Bench, NOTIFY_URL, OWNER, error, order, trade, with};

const CREATE: &str = "alipay.trade.create";

fn parameters(value: &str) -> BTreeMap<String, String> {
    form_urlencoded::parse(value.as_bytes())
        .into_owned()
        .collect()
}

#[tokio::test]
async fn an_order_string_opens_the_cashier_for_the_order() {
    let bench = Bench::new().await;
    let contents = json!({"body": "茶", "passback_params": "a%3D1", "goods_detail": [{"goods_id": "1", "quantity": 2}]});
    let answer = bench
        .succeed(
            "app.getOrderStr",
            with(order("T1"), json!({"biz_content": contents})),
        )
        .await;
    assert_eq!(answer["out_trade_no"], "T1");
    let parameters = parameters(answer["value"].as_str().unwrap());
    assert_eq!(
        parameters["notify_url"],
        format!("{NOTIFY_URL}/notify/{}", bench.app.app_id)
    );
    let said: Value = serde_json::from_str(&parameters["biz_content"]).unwrap();
    assert_eq!(
        said,
        with(
            contents,
            json!({
                "out_trade_no": "T1", "total_amount": "12.50", "subject": "龙井茶 250 克", "product_code": "QUICK_MSECURITY_PAY",
                "seller_id": bench.app.pid, "time_expire": answer["time_expire"],
            })
        )
    );
    let opened = bench
        .simulator
        .open_cashier(answer["value"].as_str().unwrap())
        .unwrap();
    assert_eq!(
        (&*opened.out_trade_no, &*opened.total_amount),
        ("T1", "12.50")
    );
    assert_eq!(bench.simulator.notices().len(), 0);
}

#[tokio::test]
async fn an_order_without_a_number_gets_one() {
    let bench = Bench::new().await;
    let mut numbers = Vec::new();
    for _ in 0..2 {
        let answer = bench
            .succeed("app.getOrderStr", with(order(""), json!({})))
            .await;
        let number = answer["out_trade_no"].as_str().unwrap().to_owned();
        assert!(number.len() == 32 && number.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_eq!(bench.order(&number).await.owner, OWNER);
        numbers.push(number);
    }
    assert_ne!(numbers[0], numbers[1]);
}

#[tokio::test]
async fn a_repeat_is_the_same_order() {
    let bench = Bench::new().await;
    let first = bench.succeed("app.getOrderStr", order("T1")).await;
    bench.move_on(Duration::from_secs(60));
    // With all of it again, or with nothing but the number.
    for again in [order("T1"), json!({"out_trade_no": "T1", "owner": OWNER})] {
        let again = bench.succeed("app.getOrderStr", again).await;
        assert_eq!(again["time_expire"], first["time_expire"]);
        let contents =
            |answer: &Value| parameters(answer["value"].as_str().unwrap())["biz_content"].clone();
        assert_eq!(contents(&again), contents(&first));
    }
}

#[tokio::test]
async fn the_amount_is_the_orders_whoever_says_another() {
    let bench = Bench::new().await;
    bench.paid("T1").await;
    // Nobody who asks about an order can say what it costs.
    for (call, arguments) in [
        ("trade.query", json!({"out_trade_no": "T1"})),
        (
            "trade.refund",
            json!({"out_trade_no": "T1", "refund_amount": "1.00", "out_request_no": "R1"}),
        ),
        (
            "refund.query",
            json!({"out_trade_no": "T1", "out_request_no": "R1"}),
        ),
    ] {
        let answer = bench
            .succeed(call, with(arguments, json!({"total_amount": "0.01"})))
            .await;
        assert_eq!(answer["total_amount"], "12.50", "{call}");
    }
}

#[tokio::test]
async fn a_number_means_one_order() {
    let bench = Bench::new().await;
    for (call, first) in [
        ("app.getOrderStr", order("A1")),
        ("trade.create", trade("M1")),
    ] {
        bench.succeed(call, first.clone()).await;
        for (other, said) in [
            (json!({"total_amount": "12.51"}), "another total_amount"),
            (json!({"subject": "另一种茶"}), "another subject"),
            (json!({"buyer_id": "2088000000000002"}), "another buyer"),
        ] {
            let answer = bench.invoke(call, with(first.clone(), other)).await;
            let (slug, message) = error(&answer);
            assert_eq!(slug, "conflict", "{answer}");
            assert!(message.contains(said), "{message}");
        }
    }
    // 12.5 is the same amount.
    bench
        .succeed(
            "app.getOrderStr",
            with(order("A1"), json!({"total_amount": "12.5"})),
        )
        .await;
    // The two ways to pay do not share numbers.
    for (call, arguments) in [
        ("app.getOrderStr", order("M1")),
        ("trade.create", trade("A1")),
    ] {
        let answer = bench.invoke(call, arguments).await;
        assert_eq!(error(&answer).0, "conflict", "{answer}");
    }
    assert_eq!(bench.asked(CREATE), 1);
}

#[tokio::test]
async fn an_order_that_is_over_is_not_handed_out_again() {
    let bench = Bench::new().await;
    bench.paid("PAID").await;
    bench.trade("CLOSED").await;
    bench
        .succeed("trade.close", json!({"out_trade_no": "CLOSED"}))
        .await;
    bench
        .succeed(
            "app.getOrderStr",
            with(order("OLD"), json!({"expires_in": 60})),
        )
        .await;
    bench.move_on(Duration::from_secs(61));
    for (call, arguments, said) in [
        ("app.getOrderStr", order("PAID"), "is paid"),
        ("trade.create", trade("CLOSED"), "is closed"),
        ("app.getOrderStr", order("OLD"), "has expired"),
    ] {
        let answer = bench.invoke(call, arguments).await;
        let (slug, message) = error(&answer);
        assert_eq!(slug, "conflict", "{answer}");
        assert!(message.contains(said), "{message}");
    }
}

#[tokio::test]
async fn an_order_string_ends_with_its_order() {
    let bench = Bench::new().await;
    let answer = bench
        .succeed(
            "app.getOrderStr",
            with(order("T1"), json!({"expires_in": 60})),
        )
        .await;
    bench.move_on(Duration::from_secs(61));
    assert!(
        bench
            .simulator
            .pay(answer["value"].as_str().unwrap())
            .is_err()
    );
}

#[tokio::test]
async fn a_trade_is_created_for_its_buyer() {
    let bench = Bench::new().await;
    let trade_no = bench.trade("T1").await;
    let made = bench.simulator.trade(&bench.app.app_id, "T1").unwrap();
    assert_eq!(
        (
            made.trade_no,
            made.buyer.as_str(),
            made.product_code.as_str()
        ),
        (trade_no.clone(), BUYER, "JSAPI_PAY")
    );
    let record = bench.order("T1").await;
    assert_eq!(record.trade_no, Some(trade_no.clone()));
    // What is known already is not asked for again.
    assert_eq!(bench.trade("T1").await, trade_no);
    let short = json!({"out_trade_no": "T1", "owner": OWNER, "buyer_id": BUYER});
    assert_eq!(
        bench.succeed("trade.create", short).await["trade_no"],
        trade_no
    );
    assert_eq!(bench.asked(CREATE), 1);
}

#[tokio::test]
async fn many_at_once_create_one_trade() {
    let bench = Bench::new().await;
    let answers = join_all((0..20).map(|_| bench.trade("T1"))).await;
    assert!(answers.iter().all(|trade_no| *trade_no == answers[0]));
    assert_eq!(bench.simulator.trades().len(), 1);
}

#[tokio::test]
async fn a_trade_whose_answer_was_lost_is_created_once() {
    let bench = Bench::new().await;
    bench.inject(FaultKind::NeverAnswer, CREATE);
    let lost = bench.invoke("trade.create", trade("T1")).await;
    assert_eq!(error(&lost).0, "gateway_timeout");
    assert_eq!(lost["retryable"], true);
    bench.move_on(Duration::from_secs(30));
    let trade_no = bench.trade("T1").await;
    assert_eq!(bench.simulator.trades().len(), 1);
    assert_eq!(bench.simulator.trades()[0].trade_no, trade_no);

    // The same where the record is lost after Alipay has answered.
    bench.proxy.arm(
        "UpdateItem",
        TableFault::Answer {
            status: 400,
            code: "AccessDeniedException",
        },
        1,
    );
    let unrecorded = bench.invoke("trade.create", trade("T2")).await;
    assert_ne!(unrecorded["code"], 0, "{unrecorded}");
    bench.proxy.disarm();
    bench.trade("T2").await;
    assert_eq!(bench.simulator.trades().len(), 2);
}

#[tokio::test]
async fn a_trade_without_a_number_of_the_callers_is_not_to_be_repeated_blindly() {
    let bench = Bench::new().await;
    bench.inject(FaultKind::NeverAnswer, CREATE);
    let lost = bench.invoke("trade.create", trade("")).await;
    assert_eq!(error(&lost).0, "gateway_timeout");
    assert_eq!(lost["retryable"], false);
}

#[tokio::test]
async fn a_refusal_of_alipays_is_told_with_its_code() {
    let bench = Bench::new().await;
    let nobody = with(trade("T1"), json!({"buyer_id": "2088999999999999"}));
    let answer = bench.invoke("trade.create", nobody).await;
    assert_eq!(error(&answer).0, "gateway_refused");
    assert_eq!(answer["code"], "ACQ.BUYER_NOT_EXIST");
    assert!(answer["hint"].is_string());
}

#[tokio::test]
async fn an_app_without_a_pid_takes_no_orders() {
    let bench = Bench::new().await;
    for (call, arguments) in [
        ("app.getOrderStr", order("T1")),
        ("trade.create", trade("T1")),
    ] {
        let arguments = with(arguments, json!({"appid": bench.poor_app.app_id}));
        let answer = bench.invoke(call, arguments).await;
        let (slug, message) = error(&answer);
        assert_eq!(slug, "invalid_argument");
        assert!(message.starts_with("appid: ") && message.contains("pid"));
    }
}

#[tokio::test]
async fn nothing_is_handed_out_that_is_not_written_down() {
    let bench = Bench::new().await;
    let denied = TableFault::Answer {
        status: 400,
        code: "AccessDeniedException",
    };
    bench.proxy.arm("PutItem", denied, usize::MAX);
    for (call, arguments) in [
        ("app.getOrderStr", order("T1")),
        ("trade.create", trade("T2")),
    ] {
        let answer = bench.invoke(call, arguments).await;
        assert_eq!(error(&answer).0, "internal", "{answer}");
        assert_eq!(answer.get("value"), None);
    }
    assert_eq!(bench.asked(CREATE), 0);
}
