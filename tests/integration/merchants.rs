//! ISV apps: `isv.getAuthLink`, `isv.getAuthToken`, `isv.queryAuth`, and `request` for a merchant.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{CodeOptions, Fault, FaultKind, Scope, Trade};
use tests::Stack;

use crate::everything_logged::{in_a_process_of_its_own, log_of_everything};

const TOKEN: &str = "alipay.open.auth.token.app";
const TRADE_QUERY: &str = "alipay.trade.query";
const MERCHANT: &str = "2021000000000101";
/// Longer than a merchant's token counts as refreshed just now (60 s), and than the quarantine of a refused refresh token (120 s).
const A_WHILE: Duration = Duration::from_secs(121);

/// The callback's data for a merchant who has just authorised the stack's app.
fn callback(stack: &Stack) -> Value {
    let app_id = &stack.app().app_id;
    json!({
        "app_auth_code": stack.simulator().authorize_merchant(app_id, MERCHANT),
        "app_id": app_id,
        "source": "alipay_app_auth",
        "state": "QUJD",
    })
}

/// Authorises and gives the token in the clear.
async fn authorize(stack: &Stack) -> String {
    let mut arguments = callback(stack);
    arguments["needKey"] = true.into();
    let answer = stack.invoke("isv-auth-token", &arguments).await;
    assert_eq!(answer["code"], 0, "{answer}");
    answer["authorizations"][0]["appAuthToken"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn trade_for_the_merchant(stack: &Stack) -> Value {
    let arguments = json!({
        "method": TRADE_QUERY,
        "authAppId": MERCHANT,
        "data": {"biz_content": {"out_trade_no": "T1"}},
    });
    stack.invoke("generic-request", &arguments).await
}

/// A trade of the merchant's app.
fn add_trade(stack: &Stack) {
    stack.simulator().add_trade(Trade {
        app_id: MERCHANT.to_owned(),
        out_trade_no: "T1".to_owned(),
        total_amount: "0.10".to_owned(),
        ..Trade::default()
    });
}

#[tokio::test]
async fn the_link_leads_to_alipays_page_with_every_argument_encoded() {
    let stack = Stack::start().await;
    let app_id = &stack.app().app_id;
    let arguments = json!({
        "redirectUri": "https://isv.example.com/callback?tenant=1&x=2",
        "state": "QUJD+/8=",
        "applicationTypes": ["TINYAPP", "WEBAPP"],
        "batch": true,
    });
    let answer = stack.invoke("isv-auth-link", &arguments).await;
    assert_eq!(
        answer["url"],
        format!(
            "https://openauth.alipay.com/oauth2/appToAppBatchAuth.htm?app_id={app_id}\
             &redirect_uri=https%3A%2F%2Fisv.example.com%2Fcallback%3Ftenant%3D1%26x%3D2\
             &state=QUJD%2B%2F8%3D&application_type=TINYAPP%2CWEBAPP"
        ),
        "{answer}"
    );
    // The simulator is none of Alipay's environments.
    assert_eq!(answer["environment"], "production");
    assert!(answer["note"].as_str().unwrap().contains("production"));
    let plain = json!({"redirectUri": "https://isv.example.com/callback"});
    let answer = stack.invoke("isv-auth-link", &plain).await;
    let url = answer["url"].as_str().unwrap();
    assert!(url.contains("/oauth2/appToAppAuth.htm?") && !url.contains("state"));
    assert_eq!(stack.simulator().received().len(), 0);
}

#[tokio::test]
async fn a_link_back_to_anything_but_https_is_refused() {
    let stack = Stack::start().await;
    for (arguments, named) in [
        (json!({}), "redirectUri: "),
        (
            json!({"redirectUri": "http://isv.example.com/"}),
            "redirectUri: ",
        ),
        (
            json!({"redirectUri": "javascript:alert(1)"}),
            "redirectUri: ",
        ),
        (
            json!({"redirectUri": "https://isv.example.com/", "state": "a b"}),
            "state: ",
        ),
        (
            json!({"redirectUri": "https://isv.example.com/", "applicationTypes": ["x"]}),
            "applicationTypes[0]: ",
        ),
    ] {
        let answer = stack.invoke("isv-auth-link", &arguments).await;
        assert_eq!(answer["error"], "invalid_argument", "{answer}");
        assert!(
            answer["msg"].as_str().unwrap().starts_with(named),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_code_becomes_a_stored_token_that_the_answer_does_not_show() {
    let stack = Stack::start().await;
    let answer = stack.invoke("isv-auth-token", &callback(&stack)).await;
    assert_eq!(
        (&answer["code"], &answer["replayed"]),
        (&json!(0), &json!(false)),
        "{answer}"
    );
    let granted = &answer["authorizations"][0];
    assert_eq!(granted["authAppId"], MERCHANT);
    assert!(granted["userId"].as_str().unwrap().starts_with("2088"));
    assert!(granted["expiresIn"].is_u64() && granted["reExpiresIn"].is_u64());
    assert!(granted.get("appAuthToken").is_none() && granted.get("appRefreshToken").is_none());
    assert_eq!(stack.rows("APP#").await, 1);
}

#[tokio::test]
async fn one_code_may_stand_for_several_apps() {
    let stack = Stack::start().await;
    let merchants = [MERCHANT, "2021000000000102", "2021000000000103"];
    let code = stack
        .simulator()
        .authorize_merchants(&stack.app().app_id, &merchants);
    let answer = stack
        .invoke("isv-auth-token", &json!({"app_auth_code": code}))
        .await;
    let granted: Vec<_> = answer["authorizations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|granted| granted["authAppId"].as_str().unwrap())
        .collect();
    assert_eq!(granted, merchants);
    assert_eq!(stack.rows("APP#").await, 3);
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_and_two_at_once_make_one_exchange() {
    let stack = Stack::start().await;
    let arguments = callback(&stack);
    let (first, second) = tokio::join!(
        stack.invoke("isv-auth-token", &arguments),
        stack.invoke("isv-auth-token", &arguments)
    );
    assert_eq!((&first["code"], &second["code"]), (&json!(0), &json!(0)));
    assert_ne!(first["replayed"], second["replayed"]);
    assert_eq!(first["authorizations"], second["authorizations"]);
    assert_eq!(stack.simulator().received_count(TOKEN), 1);
}

#[tokio::test]
async fn a_code_is_exchanged_once_even_when_the_reply_is_lost() {
    let stack = Stack::start().await;
    stack
        .simulator()
        .inject(Fault::once(FaultKind::HalfBody).for_method(TOKEN));
    let arguments = callback(&stack);
    for _ in 0..2 {
        let answer = stack.invoke("isv-auth-token", &arguments).await;
        assert_eq!(
            (&answer["error"], &answer["retryable"]),
            (&json!("gateway_unreachable"), &json!(false)),
            "{answer}"
        );
    }
    assert_eq!(stack.simulator().received_count(TOKEN), 1);
    assert_eq!(stack.rows("APP#").await, 0);
}

#[tokio::test]
async fn an_unverified_reply_is_no_authorisation() {
    let stack = Stack::start().await;
    stack
        .simulator()
        .inject(Fault::once(FaultKind::ForeignKey).for_method(TOKEN));
    let answer = stack.invoke("isv-auth-token", &callback(&stack)).await;
    assert_eq!(answer["error"], "gateway_unverified", "{answer}");
    assert_eq!(stack.rows("APP#").await, 0);
}

#[tokio::test]
async fn a_callback_for_another_app_and_a_wrong_code_are_refused() {
    let stack = Stack::start().await;
    let mut foreign = callback(&stack);
    foreign["app_id"] = "2021000000000009".into();
    let answer = stack.invoke("isv-auth-token", &foreign).await;
    assert!(
        answer["msg"].as_str().unwrap().starts_with("app_id: "),
        "{answer}"
    );
    for arguments in [
        json!({}),
        json!({"app_auth_code": "a b"}),
        json!({"authAppId": MERCHANT, "refresh": true, "app_auth_code": "c"}),
    ] {
        let answer = stack.invoke("isv-auth-token", &arguments).await;
        assert_eq!(answer["error"], "invalid_argument", "{answer}");
    }
    assert_eq!(stack.simulator().received().len(), 0);

    authorize(&stack).await;
    let unknown = json!({"app_auth_code": "nobodyscode"});
    let answer = stack.invoke("isv-auth-token", &unknown).await;
    assert_eq!(answer["code"], "AUTH_CODE_NOT_EXIST", "{answer}");
    assert!(answer["hint"].is_string());
}

#[tokio::test]
async fn an_authorisation_can_be_asked_about() {
    let stack = Stack::start().await;
    let question = json!({"authAppId": MERCHANT});
    let before = stack.invoke("isv-auth-query", &question).await;
    assert_eq!(before["error"], "reauthorize", "{before}");
    assert!(before["hint"].as_str().unwrap().contains("merchant"));

    let token = authorize(&stack).await;
    let answer = stack.invoke("isv-auth-query", &question).await;
    assert_eq!(
        (&answer["code"], &answer["status"], &answer["auth_app_id"]),
        (&json!(0), &json!("valid"), &json!(MERCHANT)),
        "{answer}"
    );
    assert!(answer["auth_start"].is_string() && answer["auth_end"].is_string());
    assert!(!answer["auth_methods"].as_array().unwrap().is_empty());
    assert!(!answer.to_string().contains(&token));

    let app_id = &stack.app().app_id;
    stack.simulator().cancel_merchant(app_id, MERCHANT);
    let answer = stack.invoke("isv-auth-query", &question).await;
    assert_eq!(answer["status"], "invalid", "{answer}");
}

#[tokio::test]
async fn the_stored_token_of_a_merchant_goes_with_the_call_by_itself() {
    let stack = Stack::start().await;
    add_trade(&stack);
    let before = trade_for_the_merchant(&stack).await;
    assert_eq!(before["error"], "reauthorize", "{before}");
    assert_eq!(stack.simulator().received().len(), 0);

    let token = authorize(&stack).await;
    let answer = trade_for_the_merchant(&stack).await;
    assert_eq!(
        (&answer["code"], &answer["total_amount"]),
        (&json!(0), &json!("0.10")),
        "{answer}"
    );
    let received = stack.simulator().received();
    let parameters = &received.last().unwrap().parameters;
    assert_eq!(parameters["app_auth_token"], token);
    assert_eq!(parameters["app_id"], stack.app().app_id);
    assert!(!answer.to_string().contains(&token));
}

#[tokio::test]
async fn a_caller_names_the_merchant_or_gives_a_token_never_both() {
    let stack = Stack::start().await;
    authorize(&stack).await;
    let arguments =
        json!({"method": TRADE_QUERY, "authAppId": MERCHANT, "data": {"app_auth_token": "t"}});
    let answer = stack.invoke("generic-request", &arguments).await;
    assert!(
        answer["msg"].as_str().unwrap().starts_with("authAppId: "),
        "{answer}"
    );
    assert_eq!(stack.simulator().received_count(TRADE_QUERY), 0);
}

#[tokio::test]
async fn a_stored_token_that_alipay_refuses_is_refreshed_and_the_call_made_again() {
    let stack = Stack::start().await;
    add_trade(&stack);
    let old = authorize(&stack).await;
    stack.age_rows(A_WHILE).await;
    let fault = FaultKind::Refusal {
        code: "20001".into(),
        sub_code: "aop.app-auth-token-time-out".into(),
        sub_msg: "应用授权令牌已过期".into(),
        signed: true,
        error_response: false,
    };
    stack
        .simulator()
        .inject(Fault::once(fault).for_method(TRADE_QUERY));
    let answer = trade_for_the_merchant(&stack).await;
    assert_eq!(answer["code"], 0, "{answer}");
    let received = stack.simulator().received();
    let parameters = &received.last().unwrap().parameters;
    assert_ne!(parameters["app_auth_token"], old);
    // The code, the refresh.
    assert_eq!(stack.simulator().received_count(TOKEN), 2);
}

#[tokio::test]
async fn a_token_that_is_refused_right_after_its_refresh_is_not_refreshed_again() {
    let stack = Stack::start().await;
    authorize(&stack).await;
    let fault = FaultKind::Refusal {
        code: "20001".into(),
        sub_code: "aop.invalid-app-auth-token".into(),
        sub_msg: "无效的应用授权令牌".into(),
        signed: true,
        error_response: false,
    };
    stack
        .simulator()
        .inject(Fault::always(fault).for_method(TRADE_QUERY));
    for _ in 0..3 {
        let answer = trade_for_the_merchant(&stack).await;
        assert_eq!(answer["error"], "reauthorize", "{answer}");
    }
    assert_eq!(stack.simulator().received_count(TOKEN), 1, "the code alone");
}

#[tokio::test]
async fn after_the_merchant_cancelled_a_call_asks_for_a_new_authorisation() {
    let stack = Stack::start().await;
    authorize(&stack).await;
    stack.age_rows(A_WHILE).await;
    let app_id = &stack.app().app_id;
    stack.simulator().cancel_merchant(app_id, MERCHANT);
    for _ in 0..2 {
        let answer = trade_for_the_merchant(&stack).await;
        assert_eq!(answer["error"], "reauthorize", "{answer}");
        assert!(answer["hint"].as_str().unwrap().contains("merchant"));
    }
    // The code, and one refresh that was refused; the second waits until the quarantine is over.
    assert_eq!(stack.simulator().received_count(TOKEN), 2);
    stack.age_rows(A_WHILE).await;
    trade_for_the_merchant(&stack).await;
    assert_eq!(stack.simulator().received_count(TOKEN), 3);
    trade_for_the_merchant(&stack).await;
    assert_eq!(stack.simulator().received_count(TOKEN), 3);
    // A new authorisation makes it good again.
    add_trade(&stack);
    authorize(&stack).await;
    assert_eq!(trade_for_the_merchant(&stack).await["code"], 0);
}

#[tokio::test]
async fn a_token_can_be_refreshed_by_hand() {
    let stack = Stack::start().await;
    let old = authorize(&stack).await;
    let arguments = json!({"authAppId": MERCHANT, "refresh": true, "needKey": true});
    let answer = stack.invoke("isv-auth-token", &arguments).await;
    let new = &answer["authorizations"][0]["appAuthToken"];
    assert!(new.is_string() && *new != old, "{answer}");
    let quiet = json!({"authAppId": MERCHANT, "refresh": true});
    let answer = stack.invoke("isv-auth-token", &quiet).await;
    assert_eq!(
        answer["authorizations"],
        json!([{"authAppId": MERCHANT}]),
        "{answer}"
    );
    let nobody = json!({"authAppId": "2021000000000199", "refresh": true});
    let answer = stack.invoke("isv-auth-token", &nobody).await;
    assert_eq!(answer["error"], "reauthorize", "{answer}");
}

#[tokio::test]
async fn the_table_holds_no_merchants_token_in_the_clear() {
    let stack = Stack::start().await;
    let token = authorize(&stack).await;
    let rows = stack.all_rows().await;
    assert!(!rows.is_empty());
    for contents in rows.iter().flat_map(tests::TokenRow::contents) {
        assert!(
            !contents
                .windows(token.len())
                .any(|window| window == token.as_bytes())
        );
    }
}

#[tokio::test]
async fn with_a_merchant_the_named_user_is_one_of_the_merchants_app() {
    let stack = Stack::start().await;
    authorize(&stack).await;
    // The user is known to the ISV's own app only.
    let code = stack.code();
    assert_eq!(stack.log_in(&code).await.1["code"], 0);
    let arguments = json!({
        "method": "alipay.user.info.share",
        "openid": "2088000000000001",
        "authAppId": MERCHANT,
    });
    let answer = stack.invoke("generic-request", &arguments).await;
    assert_eq!(answer["error"], "reauthorize", "{answer}");
    assert!(answer["hint"].as_str().unwrap().contains("user log in"));

    // Logged in to the merchant's app through the ISV.
    let options = CodeOptions {
        scope: Scope::AuthUser,
        ..CodeOptions::default()
    };
    let code = stack.simulator().issue_code(MERCHANT, options);
    let login = json!({"code": code, "authAppId": MERCHANT});
    let login = stack.invoke("code2session", &login).await;
    assert_eq!(
        (&login["code"], &login["appid"]),
        (&json!(0), &json!(MERCHANT)),
        "{login}"
    );
    let isv_and_merchant = format!("APP#{}@{MERCHANT}#USER#", stack.app().app_id);
    assert_eq!(stack.rows(&isv_and_merchant).await, 1);
    let answer = stack.invoke("generic-request", &arguments).await;
    assert_eq!(
        (&answer["code"], &answer["nick_name"]),
        (&json!(0), &json!("小明")),
        "{answer}"
    );
}

#[test]
fn no_merchants_code_or_token_is_in_any_line_of_the_log_however_much_is_logged() {
    in_a_process_of_its_own(
        "merchants::no_merchants_code_or_token_is_in_any_line_of_the_log_however_much_is_logged",
        log_everything_of_a_merchant(),
    );
}

async fn log_everything_of_a_merchant() {
    let log = log_of_everything();
    let stack = Stack::start().await;
    add_trade(&stack);
    let callback = callback(&stack);
    let code = callback["app_auth_code"].as_str().unwrap().to_owned();
    assert_eq!(stack.invoke("isv-auth-token", &callback).await["code"], 0);
    let mut secrets = vec![code, authorize(&stack).await];
    stack.age_rows(A_WHILE).await;
    let refused = FaultKind::Refusal {
        code: "20001".into(),
        sub_code: "aop.invalid-app-auth-token".into(),
        sub_msg: "无效的应用授权令牌".into(),
        signed: true,
        error_response: false,
    };
    stack
        .simulator()
        .inject(Fault::once(refused).for_method(TRADE_QUERY));
    assert_eq!(trade_for_the_merchant(&stack).await["code"], 0);
    stack
        .invoke("isv-auth-query", &json!({"authAppId": MERCHANT}))
        .await;
    let received = stack.simulator().received();
    let last_token =
        |call: &simulator::ReceivedCall| call.parameters.get("app_auth_token").cloned();
    secrets.extend(received.iter().filter_map(last_token));
    assert_eq!(secrets.len(), 4, "code, token, both tokens of the call");

    assert!(log.text().contains("isv-auth-token") && log.text().contains("answered"));
    log.assert_without(&secrets);
}
