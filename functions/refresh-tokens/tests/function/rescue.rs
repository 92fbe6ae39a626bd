//! Pairs that the table does not take (T-20).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use embedded_dynamodb::Proxy;
use refresh_tokens::Settings;
use serde_json::{Value, json};

use crate::bench::{Bench, THROTTLED, due, given_back, records, user_id};
use crate::sqs::{REFRESH_QUEUE, RESCUE_QUEUE, Sqs};

/// Logins so long ago are due, whatever their jitter.
const DUE: Duration = Duration::from_secs(54 * 60);

/// A text as it would stand in a message, in the plain or hidden by an encoding alone.
fn spellings(secret: &str) -> Vec<String> {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    vec![
        secret.to_owned(),
        STANDARD_NO_PAD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
        hex.to_uppercase(),
        hex,
    ]
}

#[tokio::test]
async fn a_pair_that_the_table_does_not_take_comes_into_it_by_the_rescue_queue_and_stays_sealed() {
    let bench = Bench::new().await;
    let sqs = Sqs::start().await;
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let function = bench.with_queues_through(&sqs, proxy.address);
    bench.log_in_ago(1, DUE).await;
    // The lease passes.
    proxy.arm_after(1, "UpdateItem", THROTTLED, usize::MAX);
    let batch = records(&[due(&bench.row(1))]);
    let answer = bench.invoke(&function, &batch).await;
    assert_eq!(given_back(&answer), [""; 0], "it is in the other queue");
    assert_eq!(bench.generation(&bench.row(1)).await, 1);

    let messages = sqs.messages(RESCUE_QUEUE);
    assert_eq!(messages.len(), 1);
    let live = bench
        .simulator
        .live_refresh_tokens(&bench.app.app_id, &user_id(1));
    assert_eq!(live.len(), 1);
    let sealed: Value = serde_json::from_str(&messages[0]).unwrap();
    let inner = sealed["rescue"]["pair"]["refresh_token"]["bytes"].as_str();
    let bytes = STANDARD.decode(inner.unwrap()).unwrap();
    assert!(
        !bytes
            .windows(live[0].len())
            .any(|window| window == live[0].as_bytes())
    );
    for spelling in spellings(&live[0]) {
        assert!(!messages[0].contains(&spelling), "{spelling}");
    }

    // While the table still refuses, the message comes again.
    let rescue = records(&messages);
    let answer = bench.invoke(&function, &rescue).await;
    assert_eq!(given_back(&answer), ["m0"]);
    proxy.disarm();
    for _ in 0..2 {
        let answer = bench.invoke(&function, &rescue).await;
        assert_eq!(given_back(&answer), [""; 0], "also of a second delivery");
        assert_eq!(bench.generation(&bench.row(1)).await, 2);
    }
    assert_eq!(bench.refreshes(), 1);
    // The pair is the live one, and is not due.
    assert_eq!(bench.sweep(&bench.alone()).await["due"], 0);
    let event = json!({"refresh": {"appid": bench.app.app_id, "subject": user_id(1)}});
    let answer = bench.invoke(&function, &event).await;
    assert_eq!(answer["outcome"], "refreshed");
    assert_eq!(bench.simulator.refreshes_with(&live[0]).done, 1);
}

#[tokio::test]
async fn a_rescued_pair_that_a_login_overtook_changes_nothing() {
    let bench = Bench::new().await;
    let sqs = Sqs::start().await;
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let function = bench.with_queues_through(&sqs, proxy.address);
    bench.log_in_ago(1, DUE).await;
    proxy.arm_after(1, "UpdateItem", THROTTLED, usize::MAX);
    let batch = records(&[due(&bench.row(1))]);
    bench.invoke(&function, &batch).await;
    proxy.disarm();
    bench.log_in_ago(1, Duration::ZERO).await;
    let login = bench.stored(&bench.row(1)).await;
    let rescue = records(&sqs.take(RESCUE_QUEUE));
    let answer = bench.invoke(&function, &rescue).await;
    assert_eq!(given_back(&answer), [""; 0]);
    assert_eq!(bench.stored(&bench.row(1)).await, login);
}

#[tokio::test]
async fn without_a_rescue_queue_the_message_is_given_back() {
    let bench = Bench::new().await;
    let sqs = Sqs::start().await;
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let refresh = Some(REFRESH_QUEUE.to_owned());
    let settings = Settings::default().with_queues(&sqs.client(), refresh, None);
    let function = bench.function(bench.tokens_through(proxy.address), settings);
    bench.log_in_ago(1, DUE).await;
    proxy.arm_after(1, "UpdateItem", THROTTLED, usize::MAX);
    let batch = records(&[due(&bench.row(1))]);
    let answer = bench.invoke(&function, &batch).await;
    assert_eq!(given_back(&answer), ["m0"]);
}
