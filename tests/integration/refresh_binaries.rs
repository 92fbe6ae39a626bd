//! The release binaries that refresh tokens together, under AWS's emulator.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use simulator::{Fault, FaultKind, SimulatedUser};
use tests::{Emulator, Line, Queues, Stack, emulator_settings};

const USER: &str = SimulatedUser::DEFAULT_USER_ID;
const USERS: &str = "APP#2021000000000001#USER#";
const PAST_ITS_END: Duration = Duration::from_secs(15 * 24 * 3600 + 60);

/// A stack whose user has logged in, and the tokens in the clear.
async fn logged_in() -> (Stack, Vec<String>) {
    let stack = Stack::start().await;
    let arguments = json!({"code": stack.code(), "needKey": true});
    let answer = stack.invoke("code2session", &arguments).await;
    let secrets =
        ["accessToken", "refreshToken"].map(|name| answer[name].as_str().unwrap().to_owned());
    (stack, secrets.to_vec())
}

/// The tokens that the gateway has given for the user since.
fn newer_secrets(stack: &Stack) -> Vec<String> {
    let received = stack.simulator().received();
    let used = received
        .iter()
        .filter_map(|call| call.parameters.get("auth_token").cloned());
    let app_id = &stack.app().app_id;
    let live = stack.simulator().live_refresh_tokens(app_id, USER);
    used.chain(live).collect()
}

/// In the clear, in base64 or in hexadecimal digits.
fn assert_without(text: &str, secrets: &[String]) {
    let lower = text.to_lowercase();
    for secret in secrets {
        let hexadecimal: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        let base64 = [STANDARD.encode(secret), URL_SAFE_NO_PAD.encode(secret)];
        assert!(!text.contains(secret.as_str()), "a token is in {text}");
        assert!(
            !lower.contains(&hexadecimal),
            "a token in hexadecimal is in {text}"
        );
        for form in base64 {
            assert!(
                !text.contains(form.trim_end_matches('=')),
                "a token in base64 is in {text}"
            );
        }
    }
}

/// What Lambda makes of messages.
fn batch(messages: &[String]) -> String {
    let records: Vec<Value> = messages
        .iter()
        .enumerate()
        .map(|(number, body)| {
            json!({"messageId": number.to_string(), "body": body, "eventSource": "aws:sqs"})
        })
        .collect();
    json!({ "Records": records }).to_string()
}

fn refreshes(stack: &Stack) -> u64 {
    stack
        .simulator()
        .refreshes_of_app(&stack.app().app_id)
        .received
}

#[tokio::test]
async fn a_reader_and_the_refresh_function_refresh_an_expired_token_together() {
    let Some((emulator, binaries)) = emulator_settings() else {
        return;
    };
    let (stack, mut secrets) = logged_in().await;
    stack.let_pass(PAST_ITS_END).await;
    let everything = [("RUST_LOG", "trace")];
    let refresher =
        Emulator::start_with(&emulator, &binaries, "refresh-tokens", &stack, &everything).await;
    let lambda = refresher.as_refresh_function();
    let settings = [
        (lambda[0].0, lambda[0].1.as_str()),
        (lambda[1].0, lambda[1].1.as_str()),
        everything[0],
    ];
    let reader = Emulator::start_with(&emulator, &binaries, "user-info", &stack, &settings).await;
    let profile = json!({"openid": USER}).to_string();
    for _ in 0..2 {
        let answer = reader.send(&profile).await;
        assert_eq!(answer["nickName"], "小明", "{answer}\n{}", reader.log());
    }
    assert_eq!(refreshes(&stack), 1);
    assert_eq!(stack.token_row(USERS).await.number("generation"), Some(2));
    secrets.extend(newer_secrets(&stack));
    assert_without(&reader.log(), &secrets);
    assert_without(&refresher.log(), &secrets);

    // Without it: another environment of the reader, which has no copy in memory.
    assert_eq!(stack.log_in(&stack.code()).await.1["code"], 0);
    stack.let_pass(PAST_ITS_END).await;
    let another = Emulator::start_with(&emulator, &binaries, "user-info", &stack, &settings).await;
    drop(refresher);
    let answer = another.send(&profile).await;
    assert_eq!(
        (&answer["error"], &answer["retryable"]),
        (&json!("temporarily_unavailable"), &json!(true)),
        "{answer}\n{}",
        another.log()
    );
}

#[tokio::test]
async fn a_due_row_goes_through_the_queue_and_its_new_pair_through_the_rescue_queue_when_the_table_is_away()
 {
    let Some((emulator, binaries)) = emulator_settings() else {
        return;
    };
    let (stack, mut secrets) = logged_in().await;
    stack.let_pass(Duration::from_secs(14 * 24 * 3600)).await;
    let queues = Queues::start().await;
    let line = Line::to(stack.server.table().endpoint()).await;
    let (refresh_queue, rescue_queue) = (queues.url("refresh"), queues.url("rescue"));
    let settings = [
        ("AWS_ENDPOINT_URL_DYNAMODB", line.endpoint()),
        ("AWS_ENDPOINT_URL_SQS", queues.endpoint()),
        ("REFRESH_QUEUE_URL", &refresh_queue),
        ("RESCUE_QUEUE_URL", &rescue_queue),
        ("RUST_LOG", "trace"),
    ];
    let refresher =
        Emulator::start_with(&emulator, &binaries, "refresh-tokens", &stack, &settings).await;

    let swept = refresher.send("{}").await;
    assert_eq!(
        (&swept["sweep"]["due"], &swept["sweep"]["queued"]),
        (&json!(1), &json!(1)),
        "{swept}\n{}",
        refresher.log()
    );
    assert_eq!(refreshes(&stack), 0, "the queue's workers refresh");
    let due = queues.messages("refresh");
    assert_eq!(due.len(), 1);

    let slow = Fault::once(FaultKind::Delay { milliseconds: 500 }).for_refreshes();
    stack.simulator().inject(slow);
    let outage = async {
        while refreshes(&stack) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await; // polls until the refresh is under way
        }
        line.cut();
    };
    let message = batch(&due);
    let (answer, ()) = tokio::join!(refresher.send(&message), outage);
    assert_eq!(
        answer,
        json!({"batchItemFailures": []}),
        "{}",
        refresher.log()
    );
    let rescued = queues.messages("rescue");
    assert_eq!(rescued.len(), 1, "{}", refresher.log());
    line.mend();
    assert_eq!(stack.token_row(USERS).await.number("generation"), Some(1));

    let answer = refresher.send(&batch(&rescued)).await;
    assert_eq!(
        answer,
        json!({"batchItemFailures": []}),
        "{}",
        refresher.log()
    );
    let row = stack.token_row(USERS).await;
    assert_eq!(
        (row.number("generation"), row.text("state")),
        (Some(2), Some("active"))
    );
    assert!(!row.has("lease_owner"));
    // The message once more changes nothing, and neither does the one about the due row.
    for message in [&rescued, &due] {
        refresher.send(&batch(message)).await;
    }
    assert_eq!(stack.token_row(USERS).await.number("generation"), Some(2));
    assert_eq!(refreshes(&stack), 1);
    let answer = stack.invoke("user-info", &json!({"openid": USER})).await;
    assert_eq!(answer["nickName"], "小明", "{answer}");

    secrets.extend(newer_secrets(&stack));
    assert_eq!(secrets.len(), 4, "both pairs");
    for text in due.iter().chain(&rescued).chain([&refresher.log()]) {
        assert_without(text, &secrets);
    }
}
