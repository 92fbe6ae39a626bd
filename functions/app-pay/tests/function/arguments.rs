//! What the calls do not take, and how that is said.

use serde_json::{Value, json};

use crate::bench::{BUYER, Bench, OWNER, error, order, trade, with};

const CALLS: [&str; 7] = [
    "app.getOrderStr",
    "app.checkResult",
    "trade.create",
    "trade.query",
    "trade.close",
    "trade.refund",
    "refund.query",
];

fn long(length: usize) -> String {
    "x".repeat(length)
}

#[tokio::test]
async fn what_is_wrong_is_said_with_its_field_and_rule() {
    let bench = Bench::new().await;
    let refund = json!({"out_trade_no": "T1", "refund_amount": "1.00", "out_request_no": "R1"});
    let report = json!({"owner": OWNER, "out_trade_no": "T1", "resultStatus": "9000"});
    let good = |call: &str| match call {
        "app.getOrderStr" => order("T1"),
        "trade.create" => trade("T1"),
        "app.checkResult" => report.clone(),
        _ => refund.clone(),
    };
    let placing = ["app.getOrderStr", "trade.create"];
    let known = ["trade.query", "trade.close", "trade.refund", "refund.query"];
    let plain = "plain decimal text";
    let mut cases: Vec<(&str, Value, &str, &str)> = Vec::new();
    for call in placing {
        for amount in [
            "0",
            "0.00",
            "-1",
            "+1",
            "100000000.01",
            "0.001",
            "1e2",
            "1,50",
            "１.00",
            "01.00",
            ".5",
            "1.",
            " 1",
            "1.00 ",
            "0x1",
            "NaN",
        ] {
            cases.push((call, json!({"total_amount": amount}), "total_amount", plain));
        }
        for amount in [
            json!(12.5),
            json!(12),
            json!(0),
            json!(true),
            json!(["1.00"]),
        ] {
            cases.push((
                call,
                json!({"total_amount": amount}),
                "total_amount",
                "not a number",
            ));
        }
        for subject in ["a&b", "a=b", "a/b", "a\nb", "a\u{0}b", "a\u{7f}"] {
            cases.push((call, json!({"subject": subject}), "subject", "/, =, &"));
        }
        cases.push((
            call,
            json!({"subject": "茶".repeat(257)}),
            "subject",
            "256 characters",
        ));
        for owner in [
            String::new(),
            "a b".to_owned(),
            "用户".to_owned(),
            long(129),
        ] {
            cases.push((
                call,
                json!({"owner": owner}),
                "owner",
                "1 to 128 visible ASCII",
            ));
        }
        for number in ["a.b", "a b", "订单", "a#b", "../x", &long(65)] {
            cases.push((
                call,
                json!({"out_trade_no": number}),
                "out_trade_no",
                "1 to 64 letters",
            ));
        }
        for expires_in in [json!(59), json!(0)] {
            cases.push((
                call,
                json!({"expires_in": expires_in}),
                "expires_in",
                "60 to ",
            ));
        }
        for expires_in in [json!(-1), json!("900"), json!(60.5)] {
            cases.push((
                call,
                json!({"expires_in": expires_in}),
                "expires_in",
                "whole number",
            ));
        }
        for id in [
            "2088",
            "20880000000000011",
            "2089000000000001",
            "0PpRRZIR6c2A",
            "2088 00000000001",
        ] {
            cases.push((call, json!({"buyer_id": id}), "buyer_id", "16 digits"));
        }
        for id in [BUYER, "a b", &long(129)] {
            let other = json!({"buyer_open_id": id, "buyer_id": ""});
            cases.push((call, other, "buyer_open_id", "must be an openId"));
        }
        let both = json!({"buyer_id": BUYER, "buyer_open_id": "0PpRRZIR6c2A"});
        cases.push((call, both, "buyer_open_id", "give one of them"));
        for name in [
            "out_trade_no",
            "total_amount",
            "subject",
            "product_code",
            "time_expire",
            "timeout_express",
            "seller_id",
            "buyer_id",
            "buyer_open_id",
            "buyer_logon_id",
            "op_app_id",
            "notify_url",
            "trade_no",
            "trans_currency",
            "settle_currency",
            "Total_Amount",
        ] {
            let contents = json!({"biz_content": {name: "x"}});
            cases.push((call, contents, "biz_content", "set by the order"));
        }
        for contents in [json!([]), json!("{}"), json!(1)] {
            cases.push((
                call,
                json!({"biz_content": contents}),
                "biz_content",
                "must be",
            ));
        }
        let large = json!({"biz_content": {"body": long(17_000)}});
        cases.push((call, large, "biz_content", "16 KiB"));
    }
    cases.push((
        "app.getOrderStr",
        json!({"expires_in": 901}),
        "expires_in",
        "60 to 900 ",
    ));
    cases.push((
        "trade.create",
        json!({"expires_in": 86_401}),
        "expires_in",
        "60 to 86400 ",
    ));
    cases.push((
        "trade.create",
        json!({"buyer_id": ""}),
        "buyer_id",
        "is required",
    ));
    for call in known {
        cases.push((
            call,
            json!({"out_trade_no": ""}),
            "out_trade_no",
            "1 to 64 letters",
        ));
        cases.push((
            call,
            json!({"out_trade_no": null}),
            "out_trade_no",
            "must be a string",
        ));
        cases.push((
            call,
            json!({"out_trade_no": 1}),
            "out_trade_no",
            "must be a string",
        ));
        cases.push((call, json!({"owner": "a b"}), "owner", "visible ASCII"));
        // A caller whose session names nobody must not get everybody's order.
        cases.push((call, json!({"owner": ""}), "owner", "visible ASCII"));
        cases.push((call, json!({"owner": null}), "owner", "must be a string"));
    }
    for call in ["trade.refund", "refund.query"] {
        for number in [String::new(), long(65), "a b".to_owned(), "退".to_owned()] {
            cases.push((
                call,
                json!({"out_request_no": number}),
                "out_request_no",
                "1 to 64 visible",
            ));
        }
    }
    for amount in ["0", "0.001", "-1", "1e1"] {
        cases.push((
            "trade.refund",
            json!({"refund_amount": amount}),
            "refund_amount",
            plain,
        ));
    }
    cases.push((
        "trade.refund",
        json!({"refund_amount": 1.5}),
        "refund_amount",
        "not a number",
    ));
    cases.push((
        "trade.refund",
        json!({"refund_amount": ""}),
        "refund_amount",
        "is required",
    ));
    cases.push((
        "trade.refund",
        json!({"refund_reason": long(257)}),
        "refund_reason",
        "256 characters",
    ));
    for code in [json!("9000x"), json!("123456789"), json!(-1), json!(true)] {
        cases.push((
            "app.checkResult",
            json!({"resultStatus": code}),
            "resultStatus",
            "must be a code",
        ));
    }
    cases.push((
        "app.checkResult",
        json!({"resultStatus": ""}),
        "resultStatus",
        "is required",
    ));
    cases.push((
        "app.checkResult",
        json!({"resultCode": "6001"}),
        "resultCode",
        "another one",
    ));
    cases.push((
        "app.checkResult",
        json!({"out_trade_no": ""}),
        "out_trade_no",
        "is required",
    ));
    cases.push((
        "app.checkResult",
        json!({"result": 1}),
        "result",
        "must be a string",
    ));
    cases.push((
        "app.checkResult",
        json!({"owner": ""}),
        "owner",
        "visible ASCII",
    ));

    for (call, change, field, rule) in cases {
        let answer = bench.invoke(call, with(good(call), change.clone())).await;
        let (slug, message) = error(&answer);
        assert_eq!(slug, "invalid_argument", "{call} {change} {answer}");
        assert!(
            message.starts_with(&format!("{field}: ")) && message.contains(rule),
            "{call} {change}: {message}"
        );
    }
    assert_eq!(bench.proxy.requests().len(), 0);
    assert_eq!(bench.simulator.received().len(), 0);
}

#[tokio::test]
async fn a_new_order_needs_its_amount_and_subject() {
    let bench = Bench::new().await;
    for (call, base) in [
        ("app.getOrderStr", order("T1")),
        ("trade.create", trade("T1")),
    ] {
        for field in ["total_amount", "subject"] {
            let answer = bench
                .invoke(call, with(base.clone(), json!({field: ""})))
                .await;
            let (slug, message) = error(&answer);
            assert_eq!(slug, "invalid_argument");
            assert!(
                message.starts_with(&format!("{field}: is required")),
                "{message}"
            );
        }
    }
}

#[tokio::test]
async fn the_limits_themselves_are_taken() {
    let bench = Bench::new().await;
    for (number, change) in [
        (
            "a",
            json!({"total_amount": "0.01", "subject": "茶".repeat(256), "expires_in": 60}),
        ),
        (
            "b",
            json!({"total_amount": "100000000", "owner": long(128), "expires_in": 900}),
        ),
        (
            &*long(64),
            json!({"buyer_open_id": "0PpRRZIR6c2AwXxMWTpELpogSUh4sKoC_4qMpu8VwCE8", "biz_content": null}),
        ),
    ] {
        bench
            .succeed("app.getOrderStr", with(order(number), change))
            .await;
    }
    bench
        .succeed(
            "trade.create",
            with(trade("c"), json!({"expires_in": 86_400})),
        )
        .await;
}

#[tokio::test]
async fn a_direct_invoke_names_its_call() {
    let bench = Bench::new().await;
    for event in [
        order("T1"),
        with(order("T1"), json!({"call": ""})),
        with(order("T1"), json!({"call": "trade.pay"})),
        with(order("T1"), json!({"call": "app.getorderstr"})),
    ] {
        let answer = bench.handle(&event).await;
        let (slug, message) = error(&answer);
        assert_eq!(slug, "invalid_argument");
        assert!(message.starts_with("call: must be one of "), "{message}");
        assert!(CALLS.iter().all(|call| message.contains(call)), "{message}");
    }
    let wrong = bench.handle(&with(order("T1"), json!({"call": 1}))).await;
    assert_eq!(error(&wrong).1, "call: must be a string");
}
