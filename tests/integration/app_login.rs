//! `app.getAuthInfo` and `app.login`: an app with the Alipay plugin logs its user in.

use std::collections::HashSet;
use std::time::{Duration, Instant, SystemTime};

use alipay_gateway::Deadline;
use aws_sdk_dynamodb::types::AttributeValue;
use dev_server::IDENTITY_TABLE;
use function_kit::Invocation;
use futures_util::future::join_all;
use serde_json::{Value, json};
use simulator::{AppOptions, CodeOptions, Fault, FaultKind, SimulatedUser};
use tests::Stack;

use crate::everything_logged::{in_a_process_of_its_own, log_of_everything};

const AUTH_INFO: &str = "/openapi/alipay/app/getAuthInfo";
const LOGIN: &str = "/openapi/alipay/app/login";
const LINK: &str = "/openapi/alipay/urlscheme/generate";
const EXCHANGE: &str = "alipay.system.oauth.token";
const PROFILE: &str = "alipay.user.info.share";
const USER: &str = SimulatedUser::DEFAULT_USER_ID;
/// The fields of the plugin's `LoginResult`.
const SIX: [&str; 6] = ["uid", "openid", "name", "gender", "province", "city"];

/// A fresh `target_id`.
async fn target(stack: &Stack) -> String {
    let (status, answer) = stack.post(AUTH_INFO, "{}").await;
    assert_eq!(status, 200, "{answer}");
    answer["target_id"].as_str().unwrap().to_owned()
}

/// What the plugin hands over, over HTTP.
async fn log_in_for(stack: &Stack, target: &str, code: &str) -> (u16, Value) {
    let arguments = json!({"auth_code": code, "target_id": target});
    stack.post(LOGIN, arguments.to_string()).await
}

async fn log_in(stack: &Stack, code: &str) -> (u16, Value) {
    log_in_for(stack, &target(stack).await, code).await
}

/// A code for an app of the stack's simulator, of a user who agreed to nothing but the login.
fn silent_code(stack: &Stack, app_id: &str) -> String {
    let options = CodeOptions::default();
    stack.simulator().issue_code(app_id, options)
}

fn six(answer: &Value) -> [&str; 6] {
    SIX.map(|name| {
        let text = answer[name].as_str();
        text.unwrap_or_else(|| panic!("{name} is no text: {answer}"))
    })
}

#[tokio::test]
async fn a_login_string_is_for_one_login_and_never_made_twice() {
    let stack = Stack::start().await;
    let mut seen = HashSet::new();
    for _ in 0..20 {
        let (status, answer) = stack.post(AUTH_INFO, "{}").await;
        assert_eq!((status, &answer["code"]), (200, &json!(0)), "{answer}");
        let target = answer["target_id"].as_str().unwrap();
        // 128 random bits, in the most characters that Alipay takes.
        assert!(
            target.len() == 32 && target.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{target}"
        );
        let value = answer["value"].as_str().unwrap();
        let (signed, sign) = value.split_once("&sign=").unwrap();
        for part in [
            "apiname=com.alipay.account.auth",
            &format!("app_id={}", stack.app().app_id),
            &format!("target_id={target}"),
            "sign_type=RSA2",
        ] {
            assert!(
                signed.split('&').any(|pair| pair == part),
                "{part}: {value}"
            );
        }
        assert!(
            !sign.is_empty() && !sign.contains(['+', '/', '=']),
            "{sign}"
        );
        assert!(seen.insert(target.to_owned()), "{target} came twice");
    }
    assert!(stack.simulator().received().is_empty());
}

#[tokio::test]
async fn a_login_answers_who_it_is_in_six_texts_and_with_a_token_for_the_routes_of_users() {
    let stack = Stack::start().await;
    let (status, answer) = log_in(&stack, &stack.code()).await;
    assert_eq!((status, &answer["code"]), (200, &json!(0)), "{answer}");
    let expected = [USER, USER, "小明", "男", "浙江省", "杭州市"];
    assert_eq!(six(&answer), expected);
    let token = answer["token"].as_str().unwrap();
    let (status, link) = stack.post_as(token, LINK, &json!({})).await;
    assert_eq!(status, 200, "{link}");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let left = u128::from(answer["tokenExpired"].as_u64().unwrap()) - now.unwrap().as_millis();
    assert!((7_100_000..=7_200_000).contains(&left), "{left} ms");
    assert_eq!(stack.rows("APP#").await, 1);
}

#[tokio::test]
async fn what_alipay_does_not_tell_is_an_empty_text() {
    let stack = Stack::start().await;
    // Who did not grant the profile, and who has nothing in it.
    let (status, answer) = log_in(&stack, &silent_code(&stack, &stack.app().app_id)).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(six(&answer), [USER, USER, "", "", "", ""]);
    stack.simulator().add_user(SimulatedUser {
        nick_name: None,
        gender: None,
        province: None,
        city: None,
        ..SimulatedUser::default()
    });
    let (status, answer) = log_in(&stack, &stack.code()).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(six(&answer), [USER, USER, "", "", "", ""]);
}

#[tokio::test]
async fn both_logins_lead_to_one_account() {
    let stack = Stack::start().await;
    let (_, app) = log_in(&stack, &stack.code()).await;
    let (_, mini_program) = stack.log_in(&stack.code()).await;
    assert!(app["account"].is_string(), "{app}");
    assert_eq!(app["account"], mini_program["uid"]);
    assert_eq!(app["openid"], mini_program["openid"]);
}

#[tokio::test]
async fn the_route_tells_what_is_asked_for_and_a_direct_invoke_does_by_its_arguments() {
    let stack = Stack::start().await;
    let (status, answer) = stack.post(LOGIN, "{}").await;
    assert_eq!(
        (status, &answer["msg"]),
        (400, &json!("auth_code: is required")),
        "{answer}"
    );
    let stray = json!({"auth_code": "stray"}).to_string();
    let (status, answer) = stack.post(AUTH_INFO, stray).await;
    assert!(status == 200 && answer["value"].is_string(), "{answer}");

    let answer = stack.invoke("app-auth", &json!({})).await;
    let target = answer["target_id"].as_str().unwrap();
    let arguments = json!({"code": stack.code(), "target_id": target});
    let answer = stack.invoke("app-auth", &arguments).await;
    assert_eq!(answer["uid"], USER, "{answer}");
}

#[tokio::test]
async fn a_target_works_once_for_its_app_and_in_its_time() {
    let stack = Stack::start().await;
    let other_app = stack.simulator().add_app(AppOptions::default());
    let mut document: Value = serde_json::from_str(&stack.apps_document()).unwrap();
    let second = dev_server::apps_document(stack.simulator(), &other_app);
    let second: Value = serde_json::from_str(&second).unwrap();
    document["apps"]
        .as_array_mut()
        .unwrap()
        .push(second["apps"][0].clone());
    let both = Stack::with_document(&document.to_string()).await;

    let spent = target(&both).await;
    let (status, _) = log_in_for(&both, &spent, &stack.code()).await;
    assert_eq!(status, 200);
    let late = target(&both).await;
    end_the_time_of_targets(&both).await;
    let foreign = target(&both).await;
    let exchanges = stack.simulator().received_count(EXCHANGE);
    let of_the_other = json!({
        "auth_code": silent_code(&stack, &other_app.app_id),
        "target_id": foreign,
        "appid": other_app.app_id,
    });
    let mut answers = vec![both.post(LOGIN, of_the_other.to_string()).await];
    for wrong in [&spent, &late, &foreign, &"0".repeat(32), "short"] {
        answers.push(log_in_for(&both, wrong, &stack.code()).await);
    }
    for (status, answer) in answers {
        assert_eq!(status, 400, "{answer}");
        let expected = "target_id: is not that of a login of this app, was used before, or is older than 15 minutes; call app.getAuthInfo again";
        assert_eq!(answer["msg"], expected);
    }
    assert_eq!(stack.simulator().received_count(EXCHANGE), exchanges);
}

/// All targets that there are end now.
async fn end_the_time_of_targets(stack: &Stack) {
    let client = stack.server.table().client();
    let scan = client.scan().table_name(IDENTITY_TABLE);
    let rows = scan.send().await.unwrap().items.unwrap();
    let mut ended = 0;
    for row in rows {
        if !row["pk"].as_s().unwrap().starts_with("ONCE#LOGIN-TARGET#") {
            continue;
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        client
            .update_item()
            .table_name(IDENTITY_TABLE)
            .key("pk", row["pk"].clone())
            .update_expression("SET expires_at = :now")
            .expression_attribute_values(
                ":now",
                AttributeValue::N(now.unwrap().as_millis().to_string()),
            )
            .send()
            .await
            .unwrap();
        ended += 1;
    }
    assert!(ended > 0, "there are no targets");
}

#[tokio::test]
async fn what_cannot_be_a_code_asks_nobody_and_leaves_the_target_as_it_is() {
    let stack = Stack::start().await;
    let target = target(&stack).await;
    for code in [
        "",
        "two words",
        "line\nline",
        "nul\0",
        "🙂",
        &"c".repeat(41),
        &"c".repeat(10_000),
    ] {
        for (route, named) in [
            (LOGIN, "auth_code"),
            ("/openapi/alipay/auth/code2Session", "code"),
        ] {
            let arguments = json!({named: code, "target_id": target});
            let (status, answer) = stack.post(route, arguments.to_string()).await;
            assert_eq!(
                (status, &answer["error"]),
                (400, &json!("invalid_argument")),
                "{route} {code:.50}: {answer}"
            );
            let msg = answer["msg"].as_str().unwrap();
            assert!(msg.starts_with(&format!("{named}: ")), "{msg}");
        }
    }
    assert!(stack.simulator().received().is_empty());
    let (status, answer) = log_in_for(&stack, &target, &stack.code()).await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test]
async fn one_code_is_one_login_however_many_send_it_at_once() {
    let stack = Stack::start().await;
    let code = stack.code();
    let calls: Vec<_> = (0..5).map(|_| log_in(&stack, &code)).collect();
    let mut answers = join_all(calls).await;
    answers.push(log_in(&stack, &code).await);
    let logins = answers.iter().filter(|(status, _)| *status == 200);
    assert_eq!(logins.count(), 1, "{answers:?}");
    for (_, answer) in answers.iter().filter(|(status, _)| *status != 200) {
        assert_eq!(answer["error"], "conflict", "{answer}");
        assert_eq!(answer["retryable"], false);
    }
    assert_eq!(stack.simulator().received_count(EXCHANGE), 1);
}

#[tokio::test]
async fn a_silent_gateway_is_asked_once_and_the_user_has_to_log_in_again() {
    let stack = Stack::start().await;
    stack
        .simulator()
        .inject(Fault::once(FaultKind::NeverAnswer).for_method(EXCHANGE));
    let (status, answer) = log_in(&stack, &stack.code()).await;
    assert_eq!(
        (status, &answer["error"], &answer["retryable"]),
        (504, &json!("gateway_timeout"), &json!(false)),
        "{answer}"
    );
    assert_eq!(stack.simulator().received_count(EXCHANGE), 1);
    assert_eq!(stack.rows("APP#").await, 0);
    let (status, answer) = log_in(&stack, &stack.code()).await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test]
async fn a_login_does_not_wait_long_for_a_profile_and_not_beyond_its_deadline() {
    let stack = Stack::start().await;
    let never = Fault::always(FaultKind::NeverAnswer).for_method(PROFILE);
    stack.simulator().inject(never);
    for (time, at_most) in [(15_000, 3_000), (2_500, 2_000)] {
        let event = json!({"auth_code": stack.code(), "target_id": target(&stack).await});
        let started = Instant::now();
        let answer = answer_within(Duration::from_millis(time), &stack, &event).await;
        assert_eq!(answer["code"], 0, "{answer}");
        assert_eq!(six(&answer), [USER, USER, "", "", "", ""]);
        let taken = started.elapsed();
        assert!(taken < Duration::from_millis(at_most), "{taken:?}");
    }
}

/// The answer of an invocation that has `time`.
async fn answer_within(time: Duration, stack: &Stack, event: &Value) -> Value {
    let invocation = Invocation {
        request_id: format!("r-{}", time.as_millis()),
        deadline: Deadline::after(SystemTime::now(), time),
    };
    let app_auth = stack.server.functions().get("app-auth").unwrap();
    let answer = app_auth.handle(&event.to_string(), invocation).await;
    serde_json::from_str(answer.get()).unwrap()
}

#[tokio::test]
async fn a_login_with_too_little_time_is_not_to_be_repeated_for_its_target_is_spent() {
    let stack = Stack::start().await;
    let (target, code) = (target(&stack).await, stack.code());
    let event = json!({"auth_code": code, "target_id": target});
    // The gateway's client begins no call in the last second.
    let answer = answer_within(Duration::from_secs(1), &stack, &event).await;
    assert_eq!(
        (&answer["error"], &answer["retryable"]),
        (&json!("temporarily_unavailable"), &json!(false)),
        "{answer}"
    );
    assert!(stack.simulator().received().is_empty());
    let (status, answer) = log_in_for(&stack, &target, &code).await;
    assert_eq!(status, 400, "{answer}");
    // Nothing was sent, so that the code is as good as before.
    let (status, answer) = log_in(&stack, &code).await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test]
async fn a_profile_that_cannot_be_verified_is_none() {
    let stack = Stack::start().await;
    stack
        .simulator()
        .inject(Fault::once(FaultKind::BadSignature).for_method(PROFILE));
    let (status, answer) = log_in(&stack, &stack.code()).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(six(&answer), [USER, USER, "", "", "", ""]);
}

#[tokio::test]
async fn an_app_without_a_pid_hears_what_to_configure() {
    let stack = Stack::start().await;
    let mut document: Value = serde_json::from_str(&stack.apps_document()).unwrap();
    document["apps"][0].as_object_mut().unwrap().remove("pid");
    let without = Stack::with_document(&document.to_string()).await;
    let (status, answer) = without.post(AUTH_INFO, "{}").await;
    assert_eq!(status, 400, "{answer}");
    assert!(answer["msg"].as_str().unwrap().contains("set its pid"));
    assert!(answer.get("value").is_none());
}

#[test]
fn a_code_of_another_app_is_logged_and_no_code_target_or_token_is() {
    in_a_process_of_its_own(
        "app_login::a_code_of_another_app_is_logged_and_no_code_target_or_token_is",
        log_in_well_and_badly(),
    );
}

async fn log_in_well_and_badly() {
    let log = log_of_everything();
    let stack = Stack::start().await;
    let other_app = stack.simulator().add_app(AppOptions::default());
    let foreign = silent_code(&stack, &other_app.app_id);
    let code = stack.code();
    let targets = [target(&stack).await, target(&stack).await];
    let (status, good) = log_in_for(&stack, &targets[0], &code).await;
    assert_eq!(status, 200, "{good}");

    let (status, refused) = log_in_for(&stack, &targets[1], &foreign).await;
    assert_eq!(
        (status, &refused["code"]),
        (400, &json!("isv.code-invalid")),
        "{refused}"
    );
    let text = log.text();
    let refusal = text
        .lines()
        .find(|line| line.contains("refused") && line.contains("isv.code-invalid"));
    assert!(refusal.is_some_and(|line| line.contains("app-auth")));

    let mut secrets: Vec<String> = vec![
        code,
        foreign,
        good["token"].as_str().unwrap().to_owned(),
        good["name"].as_str().unwrap().to_owned(),
    ];
    secrets.extend(targets);
    for call in stack.simulator().received() {
        secrets.extend(call.parameters.get("auth_token").cloned());
    }
    assert_eq!(
        secrets.len(),
        7,
        "two codes, two targets, two tokens, a name"
    );
    log.assert_without(&secrets);
    let answers = format!("{good} {refused}");
    assert!(!answers.contains(secrets.last().unwrap()), "{answers}");
}
