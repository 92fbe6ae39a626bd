//! `request`.

use std::time::Duration;

use serde_json::json;
use simulator::Trade;
use tests::Stack;

#[tokio::test]
async fn the_response_node_comes_back_as_it_came() {
    let stack = Stack::start().await;
    let answer = stack
        .invoke(
            "generic-request",
            &json!({
                "method": "alipay.open.app.qrcode.create",
                "data": {"biz_content": {"url_param": "pages/index/index", "query_param": "a=1&b=2", "describe": "推广"}},
                "successText": "好",
            }),
        )
        .await;
    assert_eq!(
        (&answer["code"], &answer["msg"]),
        (&json!(0), &json!("好")),
        "{answer}"
    );
    assert!(answer["qr_code_url"].is_string() && answer["trace_id"].is_string());
}

#[tokio::test]
async fn the_stored_token_of_a_user_goes_with_the_call_by_itself() {
    let stack = Stack::start().await;
    let arguments = json!({"method": "alipay.user.info.share", "openid": "2088000000000001"});
    let before = stack.invoke("generic-request", &arguments).await;
    assert_eq!(before["error"], "reauthorize", "{before}");
    assert_eq!(stack.simulator().received().len(), 0);

    stack.log_in(&stack.code()).await;
    let answer = stack.invoke("generic-request", &arguments).await;
    assert_eq!(
        (&answer["code"], &answer["nick_name"]),
        (&json!(0), &json!("小明")),
        "{answer}"
    );
}

#[tokio::test]
async fn a_caller_cannot_have_two_tokens_with_one_call() {
    let stack = Stack::start().await;
    let both = json!({"method": "alipay.user.info.share", "openid": "2088000000000001", "data": {"auth_token": "t"}});
    assert!(
        stack.invoke("generic-request", &both).await["msg"]
            .as_str()
            .unwrap()
            .starts_with("openid: ")
    );
    assert_eq!(stack.simulator().received().len(), 0);
}

#[tokio::test]
async fn a_method_that_is_not_on_the_list_never_leaves_the_function() {
    let stack = Stack::start().await;
    for method in [
        "alipay.fund.trans.uni.transfer",
        "alipay.trade.refund",
        "alipay.system.oauth.token",
        "alipay.trade.queryx",
    ] {
        let answer = stack
            .invoke("generic-request", &json!({"method": method}))
            .await;
        assert_eq!(answer["error"], "forbidden", "{answer}");
    }
    assert_eq!(stack.simulator().received().len(), 0);
}

#[tokio::test]
async fn the_app_of_the_input_signs_the_call() {
    let stack = Stack::start().await;
    let second = stack.simulator().add_app(simulator::AppOptions::default());
    let mut document: serde_json::Value =
        serde_json::from_str(&dev_server::apps_document(stack.simulator(), stack.app())).unwrap();
    let other: serde_json::Value =
        serde_json::from_str(&dev_server::apps_document(stack.simulator(), &second)).unwrap();
    document["apps"]
        .as_array_mut()
        .unwrap()
        .push(other["apps"][0].clone());
    let both = Stack::with_document(&document.to_string()).await;

    for (appid, signs) in [
        (None, &stack.app().app_id),
        (Some(&second.app_id), &second.app_id),
    ] {
        let answer = both.invoke("get-mini-code", &json!({"appid": appid})).await;
        assert_eq!(answer["code"], 0, "{answer}");
        assert_eq!(
            stack.simulator().received().last().unwrap().parameters["app_id"],
            *signs
        );
    }
}

#[tokio::test]
async fn amounts_keep_every_digit() {
    let stack = Stack::start().await;
    stack.simulator().add_trade(Trade {
        app_id: stack.app().app_id.clone(),
        out_trade_no: "T1".to_owned(),
        total_amount: "0.10".to_owned(),
        ..Trade::default()
    });
    let arguments =
        json!({"method": "alipay.trade.query", "data": {"biz_content": {"out_trade_no": "T1"}}});
    let answer = stack.invoke("generic-request", &arguments).await;
    assert_eq!(
        (&answer["code"], &answer["total_amount"]),
        (&json!(0), &json!("0.10")),
        "{answer}"
    );
}

#[tokio::test]
async fn an_expired_access_token_is_refreshed_on_use() {
    let stack = Stack::start().await;
    assert_eq!(stack.log_in(&stack.code()).await.1["code"], 0);
    stack.let_pass(Duration::from_secs(15 * 24 * 3600)).await;
    let arguments = json!({"method": "alipay.user.info.share", "openid": "2088000000000001"});
    let answer = stack.invoke("generic-request", &arguments).await;
    assert_eq!(
        (&answer["code"], &answer["nick_name"]),
        (&json!(0), &json!("小明")),
        "{answer}"
    );
    // The code, the refresh.
    let exchanges = stack
        .simulator()
        .received_count("alipay.system.oauth.token");
    assert_eq!(exchanges, 2);
}

#[tokio::test]
async fn a_caller_may_have_any_call_encrypted() {
    let stack = Stack::start().await;
    for (wish, expected) in [(json!(true), Some("AES")), (json!(null), None)] {
        let arguments = json!({
            "method": "alipay.open.app.qrcode.create",
            "data": {"biz_content": {"url_param": "pages/index/index", "query_param": "a=1", "describe": "推广"}},
            "needEncrypt": wish,
        });
        let answer = stack.invoke("generic-request", &arguments).await;
        assert_eq!(answer["code"], 0, "{answer}");
        let received = stack.simulator().received();
        let encrypt_type = received.last().unwrap().parameters.get("encrypt_type");
        assert_eq!(encrypt_type.map(String::as_str), expected);
    }
}
