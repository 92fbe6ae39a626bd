//! Working off the queue.

use std::time::Duration;

use embedded_dynamodb::Proxy;
use serde_json::json;

use crate::bench::{Bench, LIFE, THROTTLED, UNKNOWN_APP, due, given_back, nobody, records, row_of};
use crate::sqs::{RESCUE_QUEUE, Sqs};

/// Logins so long ago are due, whatever their jitter.
const DUE: Duration = Duration::from_secs(54 * 60);

#[tokio::test]
async fn one_bad_message_does_not_touch_the_others_and_only_what_a_repeat_may_mend_is_given_back() {
    let bench = Bench::new().await;
    let sqs = Sqs::start().await;
    let function = bench.with_queues(&sqs);
    bench.log_in_ago(1, DUE).await;
    bench.put_made_up(&bench.row(2), DUE).await;
    bench.spoil(&bench.row(2)).await;
    bench.put_made_up(&row_of(UNKNOWN_APP, 3), DUE).await;
    bench.put_made_up(&bench.row(4), DUE).await;
    let bodies = [
        "not of this function".to_owned(),
        due(&bench.row(2)),
        due(&bench.row(1)),
        due(&row_of(UNKNOWN_APP, 3)),
        due(&bench.row(4)),
        due(&bench.row(9)),
        json!({"rescue": {"pk": "x"}}).to_string(),
    ];
    let answer = bench.invoke(&function, &records(&bodies)).await;
    // The unreadable ones and the damaged row go to the dead letters in the end. What Alipay or the configuration is at fault for
    // stands in the table, and a row that is gone needs nothing.
    assert_eq!(given_back(&answer), ["m0", "m1", "m6"]);
    assert_eq!(bench.generation(&bench.row(1)).await, 2);
    assert_eq!(bench.generation(&bench.row(2)).await, 1);
    assert_eq!(
        bench.refreshes(),
        2,
        "the fine row and the one with a wrong token"
    );
}

#[tokio::test]
async fn a_hundred_copies_of_a_message_are_one_call_and_all_are_done() {
    let bench = Bench::new().await;
    let sqs = Sqs::start().await;
    let function = bench.with_queues(&sqs);
    let other = bench.with_queues(&sqs);
    bench.log_in_ago(1, DUE).await;
    let batch = records(&vec![due(&bench.row(1)); 10]);
    for _ in 0..5 {
        // Two environments at once.
        let (one, two) = tokio::join!(
            bench.invoke(&function, &batch),
            bench.invoke(&other, &batch)
        );
        assert_eq!(given_back(&one), [""; 0]);
        assert_eq!(given_back(&two), [""; 0]);
    }
    assert_eq!(bench.refreshes(), 1);
    assert_eq!(bench.generation(&bench.row(1)).await, 2);
}

#[tokio::test]
async fn with_too_little_time_left_a_message_is_given_back_and_no_call_made() {
    let bench = Bench::new().await;
    let sqs = Sqs::start().await;
    let function = bench.with_queues(&sqs);
    bench.log_in_ago(1, DUE).await;
    bench.log_in_ago(2, Duration::ZERO).await;
    let batch = records(&[due(&bench.row(1)), due(&bench.row(2))]);
    let answer = bench
        .invoke_within(&function, &batch, Duration::from_secs(7))
        .await;
    // What needs no call is done in no time.
    assert_eq!(given_back(&answer), ["m0"]);
    assert_eq!(bench.refreshes(), 0);
    assert!(
        !bench
            .stored(&bench.row(1))
            .await
            .contains_key("lease_owner")
    );
    let answer = bench.invoke(&function, &batch).await;
    assert_eq!(given_back(&answer), [""; 0]);
    assert_eq!(bench.refreshes(), 1);
}

#[tokio::test]
async fn with_the_table_down_every_message_is_given_back() {
    let bench = Bench::new().await;
    let sqs = Sqs::start().await;
    let (address, _held) = nobody();
    let function = bench.with_queues_through(&sqs, address);
    let bodies: Vec<String> = (0..3).map(|user| due(&bench.row(user))).collect();
    let answer = bench.invoke(&function, &records(&bodies)).await;
    assert_eq!(given_back(&answer), ["m0", "m1", "m2"]);
    assert_eq!(bench.refreshes(), 0);
}

#[tokio::test]
async fn a_pair_whose_due_time_was_not_noted_is_put_right_by_the_next_sweep_without_a_call() {
    let bench = Bench::new().await;
    let sqs = Sqs::start().await;
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let function = bench.with_queues_through(&sqs, proxy.address);
    bench.log_in_ago(1, DUE).await;
    // The lease and the commit pass.
    proxy.arm_after(2, "UpdateItem", THROTTLED, usize::MAX);
    let message = [due(&bench.row(1))];
    let answer = bench.invoke(&function, &records(&message)).await;
    assert_eq!(given_back(&answer), [""; 0]);
    assert_eq!(bench.generation(&bench.row(1)).await, 2);
    proxy.disarm();
    let swept = bench.sweep(&bench.alone()).await;
    assert_eq!(swept["refreshed"], json!({"fresh": 1}), "{swept}");
    assert_eq!(bench.sweep(&bench.alone()).await["due"], 0);
    assert_eq!(bench.refreshes(), 1);
    assert!(sqs.messages(RESCUE_QUEUE).is_empty());
    assert!(LIFE > DUE);
}
