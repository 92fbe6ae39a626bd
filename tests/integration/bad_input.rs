//! What is wrong with an input is said with the field's name, and nothing is sent to Alipay for it.

use serde_json::{Value, json};
use tests::Stack;

const LOGIN: &str = "/openapi/alipay/auth/code2Session";

fn nested(levels: usize) -> String {
    format!(
        "{{\"code\":{}{}}}",
        "[".repeat(levels - 1),
        "]".repeat(levels - 1)
    )
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_refused_by_name() {
    let stack = Stack::start().await;
    let long = format!("{{\"code\":\"{}\"}}", "c".repeat(1024 * 1024 + 1 - 11));
    assert_eq!(long.len(), 1024 * 1024 + 1);
    for (body, status, error, named) in [
        (String::new(), 400, "invalid_argument", "body:"),
        ("not json".to_owned(), 400, "invalid_argument", "body:"),
        ("[]".to_owned(), 400, "invalid_argument", "body:"),
        (nested(65), 400, "invalid_argument", "body:"),
        (nested(64), 400, "invalid_argument", "code:"),
        (long, 413, "too_large", "1 MiB"),
        ("{}".to_owned(), 400, "invalid_argument", "code:"),
        (
            r#"{"code":null}"#.to_owned(),
            400,
            "invalid_argument",
            "code:",
        ),
        (r#"{"code":1}"#.to_owned(), 400, "invalid_argument", "code:"),
        (
            r#"{"code":"c","needKey":"yes"}"#.to_owned(),
            400,
            "invalid_argument",
            "needKey:",
        ),
        (
            r#"{"code":"c","appid":"2021999999999999"}"#.to_owned(),
            404,
            "unknown_app",
            "appid:",
        ),
        (
            r#"{"code":"c","appid":5}"#.to_owned(),
            400,
            "invalid_argument",
            "appid:",
        ),
        (
            r#"{"code":"c","privateKey":"MIIE"}"#.to_owned(),
            403,
            "forbidden",
            "privateKey:",
        ),
    ] {
        let shown = body.chars().take(60).collect::<String>();
        let (found, answer) = stack.post(LOGIN, body).await;
        assert_eq!(
            (found, &answer["error"]),
            (status, &json!(error)),
            "{shown}: {answer}"
        );
        assert_eq!(answer["code"], -1);
        assert!(
            answer["msg"].as_str().unwrap().contains(named),
            "{shown}: {answer}"
        );
        assert!(answer["request_id"].is_string());
    }
    assert_eq!(stack.simulator().received().len(), 0);
    assert_eq!(stack.rows("").await, 0);
}

#[tokio::test]
async fn rules_of_each_function_name_the_field() {
    let stack = Stack::start().await;
    let message = |more: Value| {
        let mut arguments = json!({"touser": "2088000000000001", "template_id": "t", "data": {"k": {"value": "v"}}});
        arguments
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        arguments
    };
    let request = |data: Value| json!({"method": "alipay.trade.query", "data": data});
    let order = |more: Value| {
        let mut arguments = json!({"call": "app.getOrderStr", "total_amount": "12.50", "subject": "两杯咖啡", "owner": "u1"});
        arguments
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        arguments
    };
    let of_order = |call: &str| json!({"call": call, "out_trade_no": "T1"});
    for (function, arguments, field) in [
        (
            "get-mini-code",
            json!({"page": "/pages/index/index"}),
            "page",
        ),
        (
            "get-mini-code",
            json!({"page": "pages/index/index?a=1"}),
            "page",
        ),
        ("get-mini-code", json!({"scene": "x".repeat(257)}), "scene"),
        (
            "get-mini-code",
            json!({"describe": "推".repeat(33)}),
            "describe",
        ),
        ("get-mini-code", json!({"line_color": "blue"}), "line_color"),
        ("get-mini-code", json!({"size": "xl"}), "size"),
        ("subscribe-message-send", json!({}), "touser"),
        (
            "subscribe-message-send",
            message(json!({"touser": "不是"})),
            "touser",
        ),
        (
            "subscribe-message-send",
            message(json!({"data": {}})),
            "data",
        ),
        (
            "subscribe-message-send",
            message(json!({"data": {"k": "v"}})),
            "data",
        ),
        (
            "subscribe-message-send",
            message(json!({"data": 1})),
            "data",
        ),
        (
            "subscribe-message-send",
            message(json!({"touserType": "phone"})),
            "touserType",
        ),
        (
            "subscribe-message-send",
            message(json!({"page": "p".repeat(129)})),
            "page",
        ),
        ("generic-request", json!({}), "method"),
        (
            "generic-request",
            json!({"method": "ALIPAY.trade.query"}),
            "method",
        ),
        ("generic-request", request(json!({"sign": "x"})), "data"),
        (
            "generic-request",
            request(json!({"biz_content": [], "x": 1})),
            "data",
        ),
        ("generic-request", request(json!("x")), "data"),
        ("app-pay", json!({}), "call"),
        ("app-pay", order(json!({"call": "trade.pay"})), "call"),
        (
            "app-pay",
            order(json!({"total_amount": 12.5})),
            "total_amount",
        ),
        (
            "app-pay",
            order(json!({"total_amount": "-1"})),
            "total_amount",
        ),
        (
            "app-pay",
            order(json!({"total_amount": "1e2"})),
            "total_amount",
        ),
        (
            "app-pay",
            order(json!({"total_amount": "100000000.01"})),
            "total_amount",
        ),
        ("app-pay", order(json!({"subject": "a&b"})), "subject"),
        (
            "app-pay",
            order(json!({"subject": "推".repeat(257)})),
            "subject",
        ),
        ("app-pay", order(json!({"owner": ""})), "owner"),
        (
            "app-pay",
            order(json!({"out_trade_no":"T/1"})),
            "out_trade_no",
        ),
        ("app-pay", order(json!({"expires_in": 59})), "expires_in"),
        (
            "app-pay",
            order(json!({"biz_content": {"total_amount": "0.01"}})),
            "biz_content",
        ),
        (
            "app-pay",
            order(json!({"call": "trade.create"})),
            "buyer_id",
        ),
        (
            "app-pay",
            json!({"call": "app.checkResult", "owner": "u1", "out_trade_no": "T1"}),
            "resultStatus",
        ),
        ("app-pay", json!({"call": "trade.query"}), "out_trade_no"),
        ("app-pay", of_order("trade.refund"), "out_request_no"),
        ("app-pay", of_order("refund.query"), "out_request_no"),
    ] {
        let answer = stack.invoke(function, &arguments).await;
        assert_eq!(
            answer["error"], "invalid_argument",
            "{function} {arguments}: {answer}"
        );
        assert!(
            answer["msg"]
                .as_str()
                .unwrap()
                .starts_with(&format!("{field}: ")),
            "{function} {arguments}: {answer}"
        );
    }
    assert_eq!(stack.simulator().received().len(), 0);
}

#[tokio::test]
async fn a_private_key_in_a_direct_invoke_needs_a_deployment_that_allows_it() {
    let stack = Stack::start().await;
    let answer = stack
        .invoke("get-mini-code", &json!({"privateKey": "MIIE"}))
        .await;
    assert_eq!(answer["error"], "forbidden");
    assert!(
        answer["msg"]
            .as_str()
            .unwrap()
            .contains("ALIPAY_ALLOW_CALLER_KEYS"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_notice_that_cannot_be_taken_is_answered_by_fail_and_reaches_neither_alipay_nor_the_table()
 {
    let stack = Stack::start().await;
    let of_length = |length: usize| format!("a={}", "x".repeat(length - 2));
    let of_fields = |count: usize| {
        let fields: Vec<_> = (0..count).map(|number| format!("f{number}=x")).collect();
        fields.join("&")
    };
    for (form, status) in [
        (String::new(), 400),
        ("a".to_owned(), 400),
        ("=a".to_owned(), 400),
        ("a=1&a=1".to_owned(), 400),
        ("a=%zz".to_owned(), 400),
        (r#"{"trade_status":"TRADE_SUCCESS"}"#.to_owned(), 400),
        ("trade_status=TRADE_SUCCESS".to_owned(), 400),
        (of_fields(201), 400),
        (of_length(64 * 1024), 400),
        (of_length(64 * 1024 + 1), 413),
    ] {
        let shown: String = form.chars().take(60).collect();
        assert_eq!(
            stack.notify(&form).await,
            (status, "fail".to_owned()),
            "{shown}"
        );
    }
    assert!(stack.simulator().received().is_empty());
    assert!(stack.order_rows().await.is_empty());
    assert!(stack.events().events().is_empty());
}
