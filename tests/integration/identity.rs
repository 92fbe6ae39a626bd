//! `auth.code2Session`: a code becomes an identity, once.

use dev_server::IDENTITY_TABLE;
use futures_util::future::join_all;
use serde_json::{Value, json};
use simulator::{AppOptions, CodeOptions, Identifiers, SimulatedUser};
use tests::Stack;

use crate::everything_logged::{in_a_process_of_its_own, log_of_everything};

const EXCHANGE: &str = "alipay.system.oauth.token";

#[tokio::test]
async fn a_code_becomes_the_identity_and_its_tokens_stay_on_the_server() {
    let stack = Stack::start().await;
    let (status, answer) = stack.log_in(&stack.code()).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["code"], 0);
    assert_eq!(answer["openid"], "2088000000000001");
    assert_eq!(answer["openidType"], "userId");
    assert_eq!(answer["platform"], "mp-alipay");
    assert_eq!(answer["expiresIn"], 1_296_000);
    assert_eq!(answer["replayed"], false);
    for hidden in ["accessToken", "refreshToken", "sessionKey"] {
        assert!(answer.get(hidden).is_none(), "{answer}");
    }
    assert_eq!(stack.rows("APP#").await, 1);
}

#[tokio::test]
async fn tokens_are_given_only_to_a_caller_that_asks_for_them() {
    let stack = Stack::start().await;
    let answer = stack
        .invoke(
            "code2session",
            &json!({"code": stack.code(), "needKey": true}),
        )
        .await;
    assert_eq!(answer["code"], 0, "{answer}");
    assert!(
        answer["accessToken"].is_string() && answer["refreshToken"].is_string(),
        "{answer}"
    );
}

#[tokio::test]
async fn an_app_with_open_ids_only_gets_the_open_id_as_openid() {
    let stack = Stack::start().await;
    let app = stack.simulator().add_app(AppOptions {
        identifiers: Identifiers::OpenIdOnly,
        ..AppOptions::default()
    });
    let document = dev_server::apps_document(stack.simulator(), &app);
    let other = Stack::with_document(&document).await;
    let code = stack
        .simulator()
        .issue_code(&app.app_id, CodeOptions::default());
    let (_, answer) = other.log_in(&code).await;
    assert_eq!(answer["code"], 0, "{answer}");
    assert_eq!(answer["openidType"], "openId");
    assert_eq!(answer["openid"], answer["openId"]);
    assert!(answer.get("userId").is_none());
}

#[tokio::test]
async fn the_same_request_again_gets_the_first_answer_without_another_exchange() {
    let stack = Stack::start().await;
    let code = stack.code();
    let (_, first) = stack.log_in(&code).await;
    let (_, second) = stack.log_in(&code).await;
    assert_eq!(second["replayed"], true);
    let without_mark = |mut answer: Value| {
        answer["replayed"] = Value::Null;
        answer
    };
    assert_eq!(without_mark(first), without_mark(second));
    assert_eq!(stack.simulator().received_count(EXCHANGE), 1);
}

#[tokio::test]
async fn twenty_equal_requests_at_once_make_one_exchange() {
    let stack = Stack::start().await;
    let code = stack.code();
    let arguments = json!({"code": code});
    let calls: Vec<_> = (0..20)
        .map(|_| stack.invoke("code2session", &arguments))
        .collect();
    let mut fresh = 0;
    for answer in join_all(calls).await {
        assert_eq!(answer["code"], 0, "{answer}");
        fresh += usize::from(answer["replayed"] == false);
    }
    assert_eq!(fresh, 1);
    assert_eq!(stack.simulator().received_count(EXCHANGE), 1);
}

#[tokio::test]
async fn another_caller_with_the_same_code_gets_nothing_of_the_first_answer() {
    let stack = Stack::start().await;
    let code = stack.code();
    let (_, first) = stack.log_in(&code).await;
    assert_eq!(first["code"], 0);
    // The direct door is another caller than the HTTP one.
    let other = stack.invoke("code2session", &json!({"code": code})).await;
    assert_eq!(
        (&other["code"], &other["error"]),
        (&json!(-1), &json!("conflict")),
        "{other}"
    );
    // And so are other arguments: a replay must not reveal tokens that were not asked for at first.
    let (status, asking) = stack
        .post(
            "/openapi/alipay/auth/code2Session",
            json!({"code": code, "needKey": true}).to_string(),
        )
        .await;
    assert_eq!((status, &asking["error"]), (409, &json!("conflict")));
    assert_eq!(stack.simulator().received_count(EXCHANGE), 1);
}

#[tokio::test]
async fn a_used_code_says_so_and_is_never_code_zero() {
    let stack = Stack::start().await;
    let code = stack.code();
    // Used up by another deployment of the same app, which shares no table with this one.
    let other =
        Stack::with_document(&dev_server::apps_document(stack.simulator(), stack.app())).await;
    assert_eq!(other.log_in(&code).await.1["code"], 0);
    let (status, answer) = stack.log_in(&code).await;
    assert_eq!(status, 400);
    assert_eq!(answer["code"], "isv.code-invalid");
    assert_eq!(answer["gateway_code"], "40002");
    assert!(
        answer["hint"]
            .as_str()
            .unwrap()
            .contains("the code was used"),
        "{answer}"
    );
    assert_eq!(answer["retryable"], false);
    assert_eq!(stack.rows("APP#").await, 0, "nothing of it is stored");
    // The repeat hears the same and asks nobody.
    let before = stack.simulator().received_count(EXCHANGE);
    assert_eq!(stack.log_in(&code).await.1["code"], "isv.code-invalid");
    assert_eq!(stack.simulator().received_count(EXCHANGE), before);
}

/// Logs a user in to the stack's app.
async fn user(stack: &Stack, user: &str) -> Value {
    let options = CodeOptions {
        user: user.to_owned(),
        ..CodeOptions::default()
    };
    let code = stack.simulator().issue_code(&stack.app().app_id, options);
    let (status, answer) = stack.log_in(&code).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

#[tokio::test]
async fn a_person_has_one_account_through_alipays_move_to_open_ids() {
    let stack = Stack::start().await;
    let (first, second) = (SimulatedUser::DEFAULT_USER_ID, "2088000000000002");
    let mut accounts = Vec::new();
    for identifiers in [
        Identifiers::UserIdOnly,
        Identifiers::Both,
        Identifiers::OpenIdOnly,
    ] {
        stack
            .simulator()
            .change_identifiers(&stack.app().app_id, identifiers);
        accounts.push(user(&stack, first).await["uid"].clone());
    }
    assert!(accounts[0].is_string());
    assert!(
        accounts.iter().all(|uid| *uid == accounts[0]),
        "{accounts:?}"
    );
    assert_ne!(user(&stack, second).await["uid"], accounts[0]);
}

#[tokio::test]
async fn a_login_without_an_account_is_none_and_a_repeat_hears_the_same() {
    let stack = Stack::start().await;
    let client = stack.server.table().client();
    let gone = client.delete_table().table_name(IDENTITY_TABLE);
    gone.send().await.unwrap();
    let code = stack.code();
    for _ in 0..2 {
        let (status, answer) = stack.log_in(&code).await;
        assert_eq!(
            (status, &answer["error"], &answer["retryable"]),
            (500, &json!("internal"), &json!(false)),
            "{answer}"
        );
        for member in ["uid", "token", "openid"] {
            assert!(answer.get(member).is_none(), "{answer}");
        }
    }
    assert_eq!(stack.simulator().received_count(EXCHANGE), 1);
    assert_eq!(stack.rows("APP#").await, 0);
}

#[test]
fn without_need_key_alipays_tokens_are_in_no_answer_and_no_log() {
    in_a_process_of_its_own(
        "identity::without_need_key_alipays_tokens_are_in_no_answer_and_no_log",
        log_in_without_need_key(),
    );
}

async fn log_in_without_need_key() {
    let log = log_of_everything();
    let stack = Stack::start().await;
    let (_, answer) = stack.log_in(&stack.code()).await;
    let profile = stack
        .invoke("user-info", &json!({"openid": answer["openid"]}))
        .await;
    assert_eq!(profile["code"], 0, "{profile}");
    // The id_token is in the answer and nowhere else.
    let mut secrets = vec![answer["token"].as_str().unwrap().to_owned()];
    let (app_id, user) = (&stack.app().app_id, SimulatedUser::DEFAULT_USER_ID);
    let alipays = stack.simulator().live_refresh_tokens(app_id, user);
    let used = stack.simulator().received();
    let used = used
        .iter()
        .filter_map(|call| call.parameters.get("auth_token"));
    let alipays: Vec<String> = alipays.into_iter().chain(used.cloned()).collect();
    assert_eq!(alipays.len(), 2);
    for token in &alipays {
        assert!(!answer.to_string().contains(token), "{answer}");
    }
    secrets.extend(alipays);
    assert!(log.text().contains("code2session"));
    log.assert_without(&secrets);
}
