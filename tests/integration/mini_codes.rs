//! `acode.getMiniCode`.

use serde_json::{Value, json};
use tests::{Stack, http_client};

/// What the gateway received as `biz_content` of the last call.
fn last_biz_content(stack: &Stack) -> Value {
    let received = stack.simulator().received();
    serde_json::from_str(&received.last().unwrap().parameters["biz_content"]).unwrap()
}

#[tokio::test]
async fn the_addresses_serve_real_png_images() {
    let stack = Stack::start().await;
    let answer = stack
        .invoke(
            "get-mini-code",
            &json!({"page": "pages/index/index", "scene": "a=1&b=2"}),
        )
        .await;
    assert_eq!(
        (&answer["code"], &answer["msg"]),
        (&json!(0), &json!("生成成功")),
        "{answer}"
    );
    for member in [
        "qr_code_url",
        "qr_code_url_circle_white",
        "qr_code_url_circle_blue",
    ] {
        let image = http_client()
            .get(answer[member].as_str().unwrap())
            .send()
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap();
        assert!(image.starts_with(b"\x89PNG\r\n\x1a\n"), "{member}");
    }
    assert_eq!(
        last_biz_content(&stack),
        json!({"url_param": "pages/index/index", "query_param": "a=1&b=2", "describe": "推广"})
    );
}

#[tokio::test]
async fn what_is_left_out_is_the_apps_home_page_and_vks_defaults() {
    let stack = Stack::start().await;
    let arguments = json!({"page": "", "scene": null, "line_color": "#1677ff", "size": "l", "access_token": "ignored"});
    let answer = stack.invoke("get-mini-code", &arguments).await;
    assert_eq!(answer["code"], 0, "{answer}");
    assert_eq!(
        last_biz_content(&stack),
        json!({"url_param": "pages/index/index", "query_param": "miniCode=1", "describe": "推广", "color": "0x1677FF", "size": "l"})
    );
}

#[tokio::test]
async fn it_keeps_nothing() {
    let stack = Stack::start().await;
    stack
        .invoke("get-mini-code", &json!({"page": "pages/index/index"}))
        .await;
    assert_eq!(stack.rows("").await, 0);
}
