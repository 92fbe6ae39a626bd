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
            .filter(|line| line.contains("\"outcome\"") && line.contains(function))
            .count();
        assert_eq!(
            answered,
            events.len(),
            "one log line for every answer:\n{log}"
        );
    }
}

#[tokio::test]
async fn a_binary_without_its_settings_says_which_one_is_missing() {
    let Some((_, binaries)) = emulator_settings() else {
        return;
    };
    let stack = Stack::start().await;
    let (apps, _) = stack.documents();
    let apps = ("ALIPAY_CONFIG_FILE", apps.path().to_str().unwrap());
    let nowhere = ("ALIPAY_CONFIG_FILE", "/nowhere/apps.json");
    for (function, settings, named) in [
        ("get-mini-code", vec![], "ALIPAY_CONFIG_FILE: is not set"),
        (
            "get-mini-code",
            vec![nowhere],
            "ALIPAY_CONFIG_FILE: the file cannot be read",
        ),
        ("code2session", vec![apps], "TOKEN_TABLE: is not set"),
        (
            "code2session",
            vec![apps, ("TOKEN_TABLE", "tokens")],
            "AWS_REGION: is not set",
        ),
    ] {
        let output = std::process::Command::new(function_binary(&binaries, function))
            .env_clear()
            .envs(settings)
            .output()
            .unwrap();
        assert!(!output.status.success());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said.matches(named).count(), 1, "{function}: {said}");
    }
}
