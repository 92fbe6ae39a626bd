//! A token table that is down.

use serde_json::json;
use simulator::{Fault, FaultKind};
use std::time::Duration;
use tests::Stack;

const EXCHANGE: &str = "alipay.system.oauth.token";

#[tokio::test]
async fn with_the_table_down_no_code_is_spent() {
    let stack = Stack::start().await;
    stack.server.table().stop();
    let (status, answer) = stack.log_in(&stack.code()).await;
    assert_eq!(
        (status, &answer["error"]),
        (503, &json!("temporarily_unavailable")),
        "{answer}"
    );
    assert_eq!(answer["retryable"], true);
    assert_eq!(stack.simulator().received_count(EXCHANGE), 0);
}

#[tokio::test]
async fn an_exchange_whose_tokens_could_not_be_stored_is_not_answered_as_a_login() {
    let stack = Stack::start().await;
    stack
        .simulator()
        .inject(Fault::once(FaultKind::Delay { milliseconds: 1500 }).for_method(EXCHANGE));
    let code = stack.code();
    let login = stack.log_in(&code);
    let outage = async {
        while stack.simulator().received_count(EXCHANGE) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await; // polls until the exchange is under way
        }
        stack.server.table().stop();
    };
    let ((status, answer), ()) = tokio::join!(login, outage);
    assert_eq!(
        (status, &answer["error"]),
        (503, &json!("temporarily_unavailable")),
        "{answer}"
    );
    assert!(
        answer["hint"]
            .as_str()
            .unwrap()
            .contains("the code is spent"),
        "{answer}"
    );
    assert_eq!(
        answer["retryable"], false,
        "the same code cannot be used again"
    );
    assert!(answer.get("openid").is_none());
}

#[tokio::test]
async fn functions_that_keep_nothing_do_not_notice() {
    let stack = Stack::start().await;
    stack.server.table().stop();
    let answer = stack.invoke("get-mini-code", &json!({})).await;
    assert_eq!(answer["code"], 0, "{answer}");
}
