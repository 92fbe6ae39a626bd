//! `subscribeMessage.batchSend` and `subscribeMessage.query`.

use serde_json::{Value, json};
use simulator::{Fault, FaultKind, Subscription};
use tests::Stack;

const SEND: &str = "alipay.open.app.mini.templatemessage.batchsend";
const QUERY: &str = "alipay.open.app.messagetemplate.subscribe.query";
const TEMPLATE: &str = "da4ce1b528614c7fae371bcad1914ebe";
const USER: &str = "2088000000000001";

fn message() -> Value {
    json!({
        "template_id": TEMPLATE,
        "page": "pages/index/index",
        "data": {"keyword1": {"value": "11"}, "keyword2": {"value": "22"}},
    })
}

fn with(changes: &Value) -> Value {
    let mut arguments = message();
    for (name, value) in changes.as_object().unwrap() {
        arguments[name] = value.clone();
    }
    arguments
}

fn subscribe(stack: &Stack, user: &str) {
    let app_id = &stack.app().app_id;
    stack
        .simulator()
        .subscribe(app_id, user, TEMPLATE, Subscription::default());
}

#[tokio::test]
async fn a_batch_goes_to_the_subscribers_or_to_those_of_them_in_a_crowd() {
    let stack = Stack::start().await;
    for user in [USER, "2088000000000002"] {
        subscribe(&stack, user);
    }
    stack.simulator().add_crowd("crowd-1", &[USER]);
    let narrowed = with(&json!({"crowd_code": "crowd-1"}));
    let answer = stack
        .invoke("subscribe-message-batch-send", &narrowed)
        .await;
    assert_eq!(
        (&answer["code"], &answer["msg"]),
        (&json!(0), &json!("发送成功")),
        "{answer}"
    );
    let batches = stack.simulator().batches();
    assert_eq!(batches.len(), 1);
    assert_eq!(batches[0].receivers, [USER]);
    assert_eq!(answer["batch_msg_id"], batches[0].batch_msg_id);
}

#[tokio::test]
async fn a_batch_may_be_sent_later() {
    let stack = Stack::start().await;
    let later = with(&json!({"schedule_send_time": "2099-11-21 10:00:00"}));
    let answer = stack.invoke("subscribe-message-batch-send", &later).await;
    assert_eq!(answer["code"], 0, "{answer}");
    assert_eq!(
        stack.simulator().batches()[0].schedule_send_time.as_deref(),
        Some("2099-11-21 10:00:00")
    );
}

#[tokio::test]
async fn a_repeat_with_the_same_key_sends_no_second_batch() {
    let stack = Stack::start().await;
    let keyed = with(&json!({"idempotencyKey": "campaign-1"}));
    let first = stack.invoke("subscribe-message-batch-send", &keyed).await;
    let second = stack.invoke("subscribe-message-batch-send", &keyed).await;
    assert_eq!(first["code"], 0, "{first}");
    assert_eq!(first, second);
    assert_eq!(stack.simulator().batches().len(), 1);
    // The same key of the single message is another one.
    let single = with(&json!({"idempotencyKey": "campaign-1", "touser": USER}));
    let answer = stack.invoke("subscribe-message-send", &single).await;
    assert_eq!(answer["code"], 0, "{answer}");
    // For another crowd it is another message.
    stack.simulator().add_crowd("crowd-1", &[USER]);
    let other = with(&json!({"idempotencyKey": "campaign-1", "crowd_code": "crowd-1"}));
    let answer = stack.invoke("subscribe-message-batch-send", &other).await;
    assert_eq!(answer["error"], "conflict", "{answer}");
}

#[tokio::test]
async fn a_batch_of_unknown_fate_is_never_sent_again() {
    let stack = Stack::start().await;
    stack
        .simulator()
        .inject(Fault::always(FaultKind::HalfBody).for_method(SEND));
    let keyed = with(&json!({"idempotencyKey": "campaign-1"}));
    for arguments in [&keyed, &keyed, &message()] {
        let answer = stack
            .invoke("subscribe-message-batch-send", arguments)
            .await;
        assert_eq!(
            (&answer["error"], &answer["retryable"]),
            (&json!("gateway_unreachable"), &json!(false)),
            "{answer}"
        );
    }
    assert_eq!(stack.simulator().received_count(SEND), 2);
}

#[tokio::test]
async fn a_bad_batch_is_named_and_never_reaches_the_gateway() {
    let stack = Stack::start().await;
    for (changes, named) in [
        (json!({"template_id": ""}), "template_id: "),
        (json!({"data": {}}), "data: "),
        (json!({"data": "x"}), "data: "),
        (json!({"page": "x".repeat(129)}), "page: "),
        (
            json!({"schedule_send_time": "tomorrow"}),
            "schedule_send_time: ",
        ),
    ] {
        let answer = stack
            .invoke("subscribe-message-batch-send", &with(&changes))
            .await;
        assert_eq!(answer["error"], "invalid_argument", "{answer}");
        assert!(
            answer["msg"].as_str().unwrap().starts_with(named),
            "{answer}"
        );
    }
    assert_eq!(stack.simulator().received().len(), 0);
}

#[tokio::test]
async fn the_state_of_a_users_subscriptions_comes_in_alipays_names() {
    let stack = Stack::start().await;
    let arguments = json!({"touser": USER, "template_id_list": [TEMPLATE, "another"]});
    subscribe(&stack, USER);
    let answer = stack.invoke("subscribe-message-query", &arguments).await;
    assert_eq!(answer["code"], 0, "{answer}");
    let relations = answer["subscribe_relations"].as_array().unwrap();
    assert_eq!(relations.len(), 2);
    assert_eq!(relations[0]["template_id"], TEMPLATE);
    assert_ne!(
        relations[0]["subscribe_state"],
        relations[1]["subscribe_state"]
    );
    assert!(answer["show_component"].is_boolean() && relations[0]["show"].is_boolean());
}

#[tokio::test]
async fn a_user_who_subscribed_to_nothing_has_an_empty_list() {
    let stack = Stack::start().await;
    let node = FaultKind::Node {
        json: r#"{"code":"10000","msg":"Success","show_component":true}"#.to_owned(),
    };
    stack
        .simulator()
        .inject(Fault::once(node).for_method(QUERY));
    let arguments = json!({"openid": USER, "template_id": TEMPLATE});
    let answer = stack.invoke("subscribe-message-query", &arguments).await;
    assert_eq!(
        (&answer["code"], &answer["subscribe_relations"]),
        (&json!(0), &json!([])),
        "{answer}"
    );
}

#[tokio::test]
async fn a_question_is_repeated_after_a_failure_that_may_pass_and_too_many_templates_are_refused_here()
 {
    let stack = Stack::start().await;
    stack
        .simulator()
        .inject(Fault::once(FaultKind::HalfBody).for_method(QUERY));
    let arguments = json!({"touser": USER, "template_id": TEMPLATE});
    let answer = stack.invoke("subscribe-message-query", &arguments).await;
    assert_eq!(answer["code"], 0, "{answer}");
    assert_eq!(stack.simulator().received_count(QUERY), 2);

    for (arguments, named) in [
        (json!({"template_id": "t"}), "touser: "),
        (json!({"touser": USER}), "template_id_list: "),
        (
            json!({"touser": USER, "template_id_list": ["a", "b", "c", "d"]}),
            "template_id_list: ",
        ),
    ] {
        let answer = stack.invoke("subscribe-message-query", &arguments).await;
        assert_eq!(answer["error"], "invalid_argument", "{answer}");
        assert!(
            answer["msg"].as_str().unwrap().starts_with(named),
            "{answer}"
        );
    }
    assert_eq!(stack.simulator().received_count(QUERY), 2);
    assert_eq!(stack.rows("").await, 0);
}
