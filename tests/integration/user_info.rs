//! `user.getUserInfo`.

use serde_json::{Value, json};
use simulator::{CodeOptions, Fault, FaultKind, SimulatedUser};
use tests::Stack;

const USER: &str = SimulatedUser::DEFAULT_USER_ID;

async fn profile(stack: &Stack) -> Value {
    stack.invoke("user-info", &json!({ "openid": USER })).await
}

#[tokio::test]
async fn the_profile_comes_under_vks_names_and_what_alipay_has_not_is_left_out() {
    let stack = Stack::start().await;
    stack.log_in(&stack.code()).await;
    assert_eq!(
        profile(&stack).await,
        json!({
            "code": 0, "msg": "ok", "openid": USER, "nickName": "小明", "gender": "M", "province": "浙江省", "city": "杭州市",
        })
    );
}

#[tokio::test]
async fn a_user_who_never_logged_in_has_to() {
    let stack = Stack::start().await;
    let answer = profile(&stack).await;
    assert_eq!(answer["error"], "reauthorize", "{answer}");
    assert_eq!(stack.simulator().received().len(), 0);
    let answer = stack.invoke("user-info", &json!({})).await;
    assert_eq!(answer["msg"], "openid: is required");
}

#[tokio::test]
async fn a_silent_login_has_to_be_made_again_and_the_hint_names_the_scope() {
    let stack = Stack::start().await;
    let silent = CodeOptions::default();
    let code = stack.simulator().issue_code(&stack.app().app_id, silent);
    stack.log_in(&code).await;
    let answer = profile(&stack).await;
    // Alipay refuses it in the same words as a token of somebody who withdrew.
    assert_eq!(answer["error"], "reauthorize", "{answer}");
    assert!(answer["hint"].as_str().unwrap().contains("auth_user"));
}

#[tokio::test]
async fn reading_is_tried_again_when_alipay_is_unavailable_for_a_moment() {
    let stack = Stack::start().await;
    stack.log_in(&stack.code()).await;
    stack.simulator().clear_received();
    stack.simulator().inject(Fault::once(FaultKind::Refusal {
        code: "20000".to_owned(),
        sub_code: "isp.unknow-error".to_owned(),
        sub_msg: "系统繁忙".to_owned(),
        signed: true,
        error_response: false,
    }));
    let answer = profile(&stack).await;
    assert_eq!(answer["code"], 0, "{answer}");
    assert_eq!(stack.simulator().received().len(), 2);
}
