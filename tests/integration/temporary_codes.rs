//! `acode.getTempMiniCode`.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Fault, FaultKind};
use tests::{Stack, http_client};

const CREATE: &str = "alipay.open.app.qrcode.temporary.create";

/// What the gateway received as `biz_content` of the last call.
fn last_biz_content(stack: &Stack) -> Value {
    let received = stack.simulator().received();
    serde_json::from_str(&received.last().unwrap().parameters["biz_content"]).unwrap()
}

async fn image(answer: &Value) -> reqwest::Response {
    let address = answer["qr_code_url"].as_str().unwrap();
    http_client().get(address).send().await.unwrap()
}

#[tokio::test]
async fn the_code_serves_a_png_image_until_its_time_is_over() {
    let stack = Stack::start().await;
    let arguments = json!({"page": "pages/index/index", "scene": "a=1&b=2", "timeout": 60, "line_color": "#1677ff"});
    let answer = stack.invoke("get-temp-mini-code", &arguments).await;
    assert_eq!(
        (&answer["code"], &answer["msg"], &answer["timeout"]),
        (&json!(0), &json!("生成成功"), &json!(60)),
        "{answer}"
    );
    assert!(answer["qr_code"].is_string());
    assert_eq!(
        last_biz_content(&stack),
        json!({"url_param": "pages/index/index", "query_param": "a=1&b=2", "timeout": 60, "color": "0x1677FF"})
    );
    let bytes = image(&answer).await.bytes().await.unwrap();
    assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n"));
    stack.simulator().advance_clock(Duration::from_secs(61));
    assert_eq!(image(&answer).await.status(), 404);
}

#[tokio::test]
async fn what_is_left_out_is_the_apps_home_page_and_a_day() {
    let stack = Stack::start().await;
    let arguments =
        json!({"page": "", "timeout": null, "describe": "ignored", "access_token": "ignored"});
    let answer = stack.invoke("get-temp-mini-code", &arguments).await;
    assert_eq!(answer["code"], 0, "{answer}");
    assert_eq!(
        last_biz_content(&stack),
        json!({"url_param": "pages/index/index", "query_param": "miniCode=1", "timeout": 86400})
    );
}

#[tokio::test]
async fn bad_input_is_named_and_never_reaches_the_gateway() {
    let stack = Stack::start().await;
    for (arguments, named) in [
        (json!({"page": "/pages/index/index"}), "page: "),
        (json!({"page": "pages/index/index?a=1"}), "page: "),
        (json!({"scene": "x".repeat(257)}), "scene: "),
        (json!({"line_color": "blue"}), "line_color: "),
        (json!({"timeout": 0}), "timeout: "),
        (json!({"timeout": 86401}), "timeout: "),
        (json!({"timeout": "60"}), "timeout: "),
    ] {
        let answer = stack.invoke("get-temp-mini-code", &arguments).await;
        assert_eq!(answer["error"], "invalid_argument", "{answer}");
        assert!(
            answer["msg"].as_str().unwrap().starts_with(named),
            "{answer}"
        );
    }
    assert_eq!(stack.simulator().received().len(), 0);
}

#[tokio::test]
async fn making_a_code_is_tried_again_after_a_failure_that_may_pass() {
    let stack = Stack::start().await;
    stack
        .simulator()
        .inject(Fault::once(FaultKind::HalfBody).for_method(CREATE));
    let answer = stack.invoke("get-temp-mini-code", &json!({})).await;
    assert_eq!(answer["code"], 0, "{answer}");
    assert_eq!(stack.simulator().received_count(CREATE), 2);
    assert_eq!(stack.rows("").await, 0);
}
