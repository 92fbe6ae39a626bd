//! `subscribeMessage.send`.

use serde_json::{Value, json};
use simulator::{Fault, FaultKind};
use tests::Stack;

const SEND: &str = "alipay.open.app.mini.templatemessage.send";

fn message() -> Value {
    json!({
        "touser": "2088000000000001",
        "template_id": "da4ce1b528614c7fae371bcad1914ebe",
        "page": "pages/index/index",
        "data": {"keyword1": {"value": "11"}, "keyword2": {"value": "22"}},
    })
}

fn with_key(key: &str) -> Value {
    let mut arguments = message();
    arguments["idempotencyKey"] = key.into();
    arguments
}

#[tokio::test]
async fn a_message_arrives_with_its_keywords() {
    let stack = Stack::start().await;
    let answer = stack.invoke("subscribe-message-send", &message()).await;
    assert_eq!(
        (&answer["code"], &answer["msg"]),
        (&json!(0), &json!("发送成功")),
        "{answer}"
    );
    assert!(answer["trace_id"].is_string());
    assert_eq!(stack.simulator().messages().len(), 1);
}

#[tokio::test]
async fn a_repeat_with_the_same_key_sends_nothing_and_gets_the_first_answer() {
    let stack = Stack::start().await;
    let first = stack
        .invoke("subscribe-message-send", &with_key("order-1"))
        .await;
    let second = stack
        .invoke("subscribe-message-send", &with_key("order-1"))
        .await;
    assert_eq!(first["code"], 0, "{first}");
    assert_eq!(first, second);
    assert_eq!(stack.simulator().messages().len(), 1);
    // Without a key every request is a message.
    stack.invoke("subscribe-message-send", &message()).await;
    assert_eq!(stack.simulator().messages().len(), 2);
}

#[tokio::test]
async fn the_same_key_for_another_message_is_a_conflict() {
    let stack = Stack::start().await;
    stack
        .invoke("subscribe-message-send", &with_key("order-1"))
        .await;
    let mut other = with_key("order-1");
    other["data"]["keyword1"]["value"] = "99".into();
    let answer = stack.invoke("subscribe-message-send", &other).await;
    assert_eq!(answer["error"], "conflict", "{answer}");
    assert_eq!(stack.simulator().messages().len(), 1);
}

#[tokio::test]
async fn a_refused_message_may_be_repeated_with_the_same_key_after_it_was_mended() {
    let stack = Stack::start().await;
    let fault = FaultKind::Refusal {
        code: "40004".into(),
        sub_code: "MSG_UNSUBSCRIBED".into(),
        sub_msg: "用户未订阅".into(),
        signed: true,
        error_response: false,
    };
    stack
        .simulator()
        .inject(Fault::once(fault).for_method(SEND));
    let refused = stack
        .invoke("subscribe-message-send", &with_key("order-1"))
        .await;
    assert_eq!(refused["code"], "MSG_UNSUBSCRIBED", "{refused}");
    assert!(refused["hint"].as_str().unwrap().contains("not subscribed"));
    let sent = stack
        .invoke("subscribe-message-send", &with_key("order-1"))
        .await;
    assert_eq!(sent["code"], 0, "{sent}");
    assert_eq!(stack.simulator().messages().len(), 1);
}

#[tokio::test]
async fn a_message_of_unknown_fate_is_not_sent_again_under_its_key() {
    let stack = Stack::start().await;
    stack
        .simulator()
        .inject(Fault::once(FaultKind::HalfBody).for_method(SEND));
    let lost = stack
        .invoke("subscribe-message-send", &with_key("order-1"))
        .await;
    assert_eq!(lost["error"], "gateway_unreachable", "{lost}");
    let repeat = stack
        .invoke("subscribe-message-send", &with_key("order-1"))
        .await;
    assert_eq!(repeat["error"], "gateway_unreachable", "{repeat}");
    assert_eq!(stack.simulator().received_count(SEND), 1);
}

#[tokio::test]
async fn a_service_unavailable_leaves_the_key_used_because_nobody_knows_whether_the_message_went_out()
 {
    let stack = Stack::start().await;
    let fault = FaultKind::Refusal {
        code: "20000".into(),
        sub_code: "isp.unknow-error".into(),
        sub_msg: "系统繁忙".into(),
        signed: true,
        error_response: false,
    };
    stack
        .simulator()
        .inject(Fault::once(fault).for_method(SEND));
    let first = stack
        .invoke("subscribe-message-send", &with_key("order-1"))
        .await;
    assert_eq!(
        (&first["code"], &first["retryable"]),
        (&json!("isp.unknow-error"), &json!(false)),
        "{first}"
    );
    let repeat = stack
        .invoke("subscribe-message-send", &with_key("order-1"))
        .await;
    assert_eq!(repeat["code"], "isp.unknow-error", "{repeat}");
    assert_eq!(stack.simulator().received_count(SEND), 1);
}

#[tokio::test]
async fn the_same_key_for_another_kind_of_id_is_a_conflict() {
    let stack = Stack::start().await;
    stack
        .invoke("subscribe-message-send", &with_key("order-1"))
        .await;
    let mut other = with_key("order-1");
    other["touserType"] = "openId".into();
    let answer = stack.invoke("subscribe-message-send", &other).await;
    assert_eq!(answer["error"], "conflict", "{answer}");
}
