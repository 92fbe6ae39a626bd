//! Every file of `events/`, in process and under the emulator, with the same golden answers.

use serde_json::{Value, json};
use simulator::{CodeOptions, Scope, SimulatedUser};
use tests::{Emulator, Event, Stack, check_golden, emulator_settings, events_of, function_binary};

/// A merchant of the tests.
const MERCHANT: &str = "2021000000000101";

/// The event as it can be sent: its code is issued, its user is logged in, its merchant has authorised the app, and it holds what
/// Alipay gave to the page.
async fn made_ready(event: &Event, stack: &Stack) -> Event {
    let (simulator, app_id) = (stack.simulator(), &stack.app().app_id);
    if let Some(code) = event.code_to_issue() {
        let options = CodeOptions {
            code: Some(code),
            ..CodeOptions::default()
        };
        let _ = simulator.issue_code(app_id, options);
    }
    if let Some(user) = event.user_to_log_in() {
        let options = CodeOptions {
            user,
            scope: Scope::AuthUser,
            ..CodeOptions::default()
        };
        stack.log_in(&simulator.issue_code(app_id, options)).await;
    }
    if let Some(merchant) = event.merchant_to_authorize() {
        let code = simulator.authorize_merchant(app_id, &merchant);
        let arguments = json!({"app_auth_code": code});
        stack.invoke("isv-auth-token", &arguments).await;
    }
    let event = if event.wants_app_auth_code() {
        event.with_app_auth_code(&simulator.authorize_merchant(app_id, MERCHANT))
    } else {
        event.clone()
    };
    let event = stack.with_logins(event).await;
    let event = stack.with_orders(event).await;
    event.with_phone_number(&simulator.phone_number(app_id, SimulatedUser::DEFAULT_USER_ID))
}

#[tokio::test]
async fn every_event_gets_its_golden_answer_in_process() {
    let stack = Stack::start().await;
    for function in stack.server.functions().names() {
        for event in events_of(function) {
            let event = made_ready(&event, &stack).await;
            let arguments: Value = serde_json::from_str(&event.text).unwrap();
            check_golden(&event, &stack.invoke(function, &arguments).await);
        }
    }
}

#[tokio::test]
async fn every_event_gets_its_golden_answer_from_the_release_binary_under_the_emulator() {
    let Some((emulator, binaries)) = emulator_settings() else {
        return;
    };
    let stack = Stack::start().await;
    for function in stack.server.functions().names() {
        let running = Emulator::start(&emulator, &binaries, function, &stack).await;
        let events = events_of(function);
        for event in &events {
            let event = made_ready(event, &stack).await;
            check_golden(&event, &running.send(&event.text).await);
        }
        let log = running.log();
        let answered = log
            .lines()
            .filter(|line| is_an_answer(line) && line.contains(function))
            .count();
        assert_eq!(
            answered,
            events.len(),
            "one log line for every answer:\n{log}"
        );
    }
}

/// Names and values.
type Variables = Vec<(&'static str, String)>;

/// Whether this line of the log is the one of an answer; others are about what was done on the way.
fn is_an_answer(line: &str) -> bool {
    let line: Value = serde_json::from_str(line).unwrap_or_default();
    match line["message"].as_str() {
        Some("answered" | "refused" | "failed") => line["outcome"].is_string(),
        _ => line["outcome"] == "worked_off",
    }
}

#[tokio::test]
async fn a_binary_without_its_settings_says_which_one_is_missing() {
    let Some((_, binaries)) = emulator_settings() else {
        return;
    };
    let stack = Stack::start().await;
    let settings = stack.settings();
    let set = |name: &'static str| (name, settings.value(name).to_owned());
    let local = |name: &'static str| (name, "local".to_owned());
    let table = || {
        [
            set("ALIPAY_CONFIG_FILE"),
            set("TOKEN_TABLE"),
            set("TOKEN_KEYS_FILE"),
            set("AWS_ENDPOINT_URL_DYNAMODB"),
            local("AWS_REGION"),
            local("AWS_ACCESS_KEY_ID"),
            local("AWS_SECRET_ACCESS_KEY"),
        ]
    };
    let with = |more: Variables| table().into_iter().chain(more).collect();
    let logins = |more: Variables| {
        [set("IDENTITY_TABLE"), set("AWS_ENDPOINT_URL_DYNAMODB")]
            .into_iter()
            .chain(["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map(local))
            .chain(more)
            .collect()
    };
    let orders = |more: Variables| {
        [set("ORDER_TABLE"), set("AWS_ENDPOINT_URL_DYNAMODB")]
            .into_iter()
            .chain(["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map(local))
            .chain(more)
            .collect()
    };
    let cases: [(&str, Variables, &str); 20] = [
        ("get-mini-code", vec![], "ALIPAY_CONFIG_FILE: is not set"),
        (
            "get-mini-code",
            vec![("ALIPAY_CONFIG_FILE", "/nowhere/apps.json".to_owned())],
            "ALIPAY_CONFIG_FILE: the file cannot be read",
        ),
        (
            "code2session",
            vec![set("ALIPAY_CONFIG_FILE")],
            "TOKEN_TABLE: is not set",
        ),
        (
            "code2session",
            vec![set("ALIPAY_CONFIG_FILE"), set("TOKEN_TABLE")],
            "AWS_REGION: is not set",
        ),
        (
            "code2session",
            with(vec![]),
            "REFRESH_TOKEN_KEYS_FILE: is not set",
        ),
        (
            "code2session",
            with(vec![set("REFRESH_TOKEN_KEYS_FILE")]),
            "IDENTITY_TABLE: is not set",
        ),
        (
            "sdk-login",
            with(vec![set("REFRESH_TOKEN_KEYS_FILE"), set("IDENTITY_TABLE")]),
            "LOGIN_ISSUER: is not set",
        ),
        ("session", vec![], "IDENTITY_TABLE: is not set"),
        (
            "session",
            logins(vec![set("LOGIN_ISSUER")]),
            "LOGIN_FILE: is not set",
        ),
        (
            "session",
            logins(vec![
                set("LOGIN_FILE"),
                ("LOGIN_ISSUER", "http://login.example.com".to_owned()),
            ]),
            "LOGIN_ISSUER: must be the address",
        ),
        ("user-info", with(vec![]), "REFRESH_FUNCTION: is not set"),
        (
            "refresh-tokens",
            with(vec![]),
            "REFRESH_TOKEN_KEYS_FILE: is not set",
        ),
        (
            "refresh-tokens",
            with(vec![(
                "REFRESH_TOKEN_KEYS_FILE",
                "/nowhere/keys.json".to_owned(),
            )]),
            "REFRESH_TOKEN_KEYS_FILE: the file cannot be read",
        ),
        (
            "refresh-tokens",
            with(vec![
                set("REFRESH_TOKEN_KEYS_FILE"),
                ("REFRESH_RATE", "many".to_owned()),
            ]),
            "REFRESH_RATE: must be a whole number",
        ),
        (
            "refresh-tokens",
            with(vec![
                set("REFRESH_TOKEN_KEYS_FILE"),
                ("DUE_SHARDS", "0".to_owned()),
            ]),
            "DUE_SHARDS: must be a number from 1 to 1000",
        ),
        (
            "app-pay",
            vec![set("ALIPAY_CONFIG_FILE")],
            "NOTIFY_URL: is not set",
        ),
        (
            "app-pay",
            orders(vec![
                set("ALIPAY_CONFIG_FILE"),
                set("EVENT_BUS"),
                ("NOTIFY_URL", "http://pay.example.com".to_owned()),
            ]),
            "NOTIFY_URL: must begin with https://",
        ),
        (
            "pay-notify",
            vec![set("ALIPAY_CONFIG_FILE")],
            "ORDER_TABLE: is not set",
        ),
        ("publish-events", vec![], "ORDER_TABLE: is not set"),
        ("publish-events", orders(vec![]), "EVENT_BUS: is not set"),
    ];
    for (function, settings, named) in cases {
        let output = std::process::Command::new(function_binary(&binaries, function))
            .env_clear()
            .envs(settings)
            .output()
            .unwrap();
        assert!(!output.status.success());
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said.matches(named).count(), 1, "{function}: {said}");
        assert!(output.stderr.is_empty(), "{function}: {:?}", output.stderr);
    }
}
