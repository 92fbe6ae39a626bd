//! A sweep that puts the due rows into the queue.

use std::collections::BTreeSet;
use std::time::Duration;

use refresh_tokens::{RefreshTokens, Settings};
use serde_json::{Value, json};

use crate::bench::{Bench, LIFE, UNKNOWN_APP, given_back, records, row_of};
use crate::sqs::{REFRESH_QUEUE, Sqs};

/// Logins so long ago are due, whatever their jitter.
const DUE: Duration = Duration::from_secs(54 * 60);

/// One refresh a second and app: 60 in each sweep.
fn slow(bench: &Bench, sqs: &Sqs) -> RefreshTokens {
    let settings = Settings::default().with_rate(1);
    let refresh = Some(REFRESH_QUEUE.to_owned());
    bench.function(
        bench.tokens(),
        settings.with_queues(&sqs.client(), refresh, None),
    )
}

async fn made_up(bench: &Bench, users: std::ops::Range<usize>) {
    for user in users {
        bench.put_made_up(&bench.row(user), DUE).await;
    }
}

#[tokio::test]
async fn a_sweep_sends_each_due_row_once_and_calls_no_gateway() {
    let bench = Bench::new().await;
    let sqs = Sqs::start().await;
    let function = bench.with_queues(&sqs);
    made_up(&bench, 0..137).await;
    let swept = bench.sweep(&function).await;
    assert_eq!(
        (&swept["due"], &swept["queued"]),
        (&json!(137), &json!(137)),
        "{swept}"
    );
    assert_eq!(
        (&swept["left"], &swept["refreshed"]),
        (&json!(0), &json!({}))
    );
    let messages = sqs.messages(REFRESH_QUEUE);
    let distinct: BTreeSet<_> = messages.iter().collect();
    assert_eq!((messages.len(), distinct.len()), (137, 137));
    let first: Value = serde_json::from_str(&messages[0]).unwrap();
    assert_eq!(first["refresh"]["appid"], bench.app.app_id);
    assert_eq!(first["refresh"]["because"], "due");
    // As few requests as SQS allows, and one that asks how many wait.
    assert_eq!(sqs.requests(), 14 + 1);
    assert_eq!(bench.refreshes(), 0);
}

#[tokio::test]
async fn what_the_queue_was_sent_is_worked_off_and_the_next_sweep_finds_nothing() {
    let bench = Bench::new().await;
    let sqs = Sqs::start().await;
    let function = bench.with_queues(&sqs);
    for user in 0..25 {
        bench.log_in_ago(user, DUE).await;
    }
    bench.sweep(&function).await;
    for batch in sqs.take(REFRESH_QUEUE).chunks(10) {
        let answer = bench.invoke(&function, &records(batch)).await;
        assert_eq!(given_back(&answer), [""; 0]);
    }
    assert_eq!(bench.refreshes(), 25);
    let swept = bench.sweep(&function).await;
    assert_eq!(
        (&swept["due"], &swept["queued"]),
        (&json!(0), &json!(0)),
        "{swept}"
    );
}

#[tokio::test]
async fn no_app_gets_more_messages_than_it_may_and_the_oldest_go_first() {
    let bench = Bench::new().await;
    let sqs = Sqs::start().await;
    made_up(&bench, 0..50).await;
    for user in 50..100 {
        bench.put_made_up(&bench.row(user), DUE + LIFE).await;
    }
    for user in 0..3 {
        bench.put_made_up(&row_of(UNKNOWN_APP, user), DUE).await;
    }
    let swept = bench.sweep(&slow(&bench, &sqs)).await;
    assert_eq!(
        (&swept["queued"], &swept["left"]),
        (&json!(63), &json!(40)),
        "{swept}"
    );
    let messages = sqs.messages(REFRESH_QUEUE).join("\n");
    for user in 50..100 {
        assert!(messages.contains(&crate::bench::user_id(user)), "{user}");
    }
    assert_eq!(messages.matches(UNKNOWN_APP).count(), 3);
}

#[tokio::test]
async fn messages_that_still_wait_are_counted_against_what_is_sent() {
    let bench = Bench::new().await;
    let sqs = Sqs::start().await;
    made_up(&bench, 0..100).await;
    let function = slow(&bench, &sqs);
    for (waiting, queued) in [
        (Some(60), 0),
        (Some(1000), 0),
        (Some(45), 15),
        (Some(0), 60),
        (None, 60),
    ] {
        sqs.say_waiting(waiting);
        let swept = bench.sweep(&function).await;
        assert_eq!(swept["queued"], queued, "{waiting:?}: {swept}");
        assert_eq!(sqs.take(REFRESH_QUEUE).len(), queued, "{waiting:?}");
        // How late the oldest row is, is said also when nothing may be sent: an alarm reads it.
        assert_eq!(swept["left"], 100 - queued, "{swept}");
        assert_ne!(swept["oldest_lateness_seconds"], 0, "{swept}");
    }
}

#[tokio::test]
async fn what_the_queue_does_not_take_is_left_for_the_next_sweep() {
    let bench = Bench::new().await;
    let sqs = Sqs::start().await;
    let function = bench.with_queues(&sqs);
    made_up(&bench, 0..20).await;
    sqs.refuse_odd_entries(true);
    let swept = bench.sweep(&function).await;
    assert_eq!(
        (&swept["queued"], &swept["left"]),
        (&json!(10), &json!(10)),
        "{swept}"
    );
    assert_eq!(sqs.take(REFRESH_QUEUE).len(), 10);
    sqs.be_down(true);
    let swept = bench.sweep(&function).await;
    assert_eq!(
        (&swept["queued"], &swept["left"]),
        (&json!(0), &json!(20)),
        "{swept}"
    );
    sqs.be_down(false);
    sqs.refuse_odd_entries(false);
    let swept = bench.sweep(&function).await;
    assert_eq!(
        (&swept["queued"], &swept["left"]),
        (&json!(20), &json!(0)),
        "{swept}"
    );
}
