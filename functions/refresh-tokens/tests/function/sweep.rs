//! A sweep that refreshes in its own process.

use std::collections::BTreeSet;
use std::time::Duration;

use refresh_tokens::Settings;
use serde_json::json;

use crate::bench::{Bench, LIFE, UNKNOWN_APP, row_of, user_id};

const MINUTE: Duration = Duration::from_secs(60);
/// Logins so long ago are due, whatever their jitter.
const DUE: Duration = Duration::from_secs(54 * 60);

/// The refresh tokens that the gateway was sent, in the order of their coming.
fn sent(bench: &Bench) -> Vec<String> {
    let received = bench.simulator.received();
    let tokens = received
        .iter()
        .filter_map(|call| call.parameters.get("refresh_token").cloned());
    tokens.collect()
}

#[tokio::test]
async fn due_rows_are_refreshed_and_a_second_sweep_finds_none() {
    let bench = Bench::new().await;
    let function = bench.alone();
    for user in 0..20 {
        bench.log_in_ago(user, DUE).await;
    }
    for user in 20..25 {
        bench.log_in_ago(user, Duration::from_secs(47 * 60)).await;
    }
    let swept = bench.sweep(&function).await;
    assert_eq!(swept["shards"], 16);
    assert_eq!((&swept["due"], &swept["left"]), (&json!(20), &json!(0)));
    assert_eq!(swept["refreshed"], json!({"refreshed": 20}));
    assert_eq!(
        (&swept["queued"], &swept["more"]),
        (&json!(0), &json!(false))
    );
    let lateness = swept["oldest_lateness_seconds"].as_u64().unwrap();
    assert!((1..=6 * 60 + 5).contains(&lateness), "{swept}");
    let swept = bench.sweep(&function).await;
    assert_eq!(
        (&swept["due"], &swept["oldest_lateness_seconds"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(bench.refreshes(), 20);
    for user in 0..25 {
        let generation = bench.generation(&bench.row(user)).await;
        assert_eq!(generation, if user < 20 { 2 } else { 1 });
    }
}

#[tokio::test]
async fn a_backlog_of_hours_is_drained_oldest_first_and_no_faster_than_the_app_may() {
    let bench = Bench::new().await;
    // 60 in each sweep of a minute.
    let function = bench.function(bench.tokens(), Settings::default().with_rate(1));
    let mut expected = Vec::new();
    // More than six hours in steps that are longer than the jitter. The oldest one has the highest number.
    for user in 0..140 {
        let ago = DUE + Duration::from_secs(420) * u32::try_from(user).unwrap() / 2;
        let granted = bench.log_in_ago(user, ago).await;
        expected.insert(0, granted.refresh_token.unwrap());
    }
    let expected: Vec<String> = expected
        .iter()
        .map(|token| secrecy::ExposeSecret::expose_secret(token).to_owned())
        .collect();
    bench.simulator.clear_received();
    let mut done = 0;
    for (refreshed, left) in [(60, 80), (60, 20), (20, 0)] {
        let swept = bench.sweep(&function).await;
        assert_eq!(
            swept["refreshed"],
            json!({"refreshed": refreshed}),
            "{swept}"
        );
        assert_eq!(
            (&swept["due"], &swept["left"]),
            (&json!(refreshed + left), &json!(left))
        );
        done += refreshed;
        // Two neighbours may be due in the other order.
        let oldest: BTreeSet<_> = expected[..done + usize::from(left > 0)].iter().collect();
        assert!(sent(&bench).iter().all(|token| oldest.contains(token)));
        assert_eq!(sent(&bench).len(), done);
    }
    assert_eq!(bench.sweep(&function).await["due"], 0);
    assert_eq!(bench.refreshes(), 140, "none twice");
}

#[tokio::test]
async fn the_backlog_of_one_app_does_not_hold_up_another() {
    let bench = Bench::new().await;
    let function = bench.function(bench.tokens(), Settings::default().with_rate(1));
    for user in 0..100 {
        bench
            .put_made_up(&row_of(UNKNOWN_APP, user), DUE + 3 * LIFE)
            .await;
    }
    for user in 0..5 {
        bench.log_in_ago(user, DUE).await;
    }
    let swept = bench.sweep(&function).await;
    assert_eq!(
        swept["refreshed"],
        json!({"misconfigured": 60, "refreshed": 5}),
        "{swept}"
    );
    assert_eq!((&swept["due"], &swept["left"]), (&json!(105), &json!(40)));
    // A row of an app that is not configured stands back for a moment and is kept.
    let swept = bench.sweep(&function).await;
    assert!(swept["due"].as_u64().unwrap() < 105, "{swept}");
    assert_eq!(bench.generation(&row_of(UNKNOWN_APP, 1)).await, 1);
}

#[tokio::test]
async fn rows_of_a_merchants_users_count_for_the_app_that_refreshes_them() {
    let bench = Bench::new().await;
    let function = bench.function(bench.tokens(), Settings::default().with_rate(1));
    for user in 0..70 {
        let app = format!("{}@20210000000001{:02}", bench.app.app_id, user % 7);
        bench.put_made_up(&row_of(&app, user), DUE).await;
    }
    let swept = bench.sweep(&function).await;
    assert_eq!(
        (&swept["due"], &swept["left"]),
        (&json!(70), &json!(10)),
        "{swept}"
    );
}

#[tokio::test]
async fn parts_of_the_partitions_are_all_of_them_together_and_keep_the_rate_together() {
    let bench = Bench::new().await;
    let function = bench.function(bench.tokens(), Settings::default().with_rate(1));
    for user in 0..150 {
        bench.put_made_up(&bench.row(user), DUE).await;
    }
    let (mut shards, mut due, mut refreshed) = (0, 0, 0);
    for part in 0..4 {
        let event = json!({"sweep": {"part": part, "of": 4}});
        let answer = bench.invoke(&function, &event).await;
        let swept = &answer["sweep"];
        shards += swept["shards"].as_u64().unwrap();
        due += swept["due"].as_u64().unwrap();
        refreshed += swept["due"].as_u64().unwrap() - swept["left"].as_u64().unwrap();
    }
    assert_eq!((shards, due), (16, 150));
    assert!(refreshed <= 60, "{refreshed}");
    assert_eq!(bench.refreshes(), refreshed);
}

#[tokio::test]
async fn while_the_number_of_partitions_changes_no_row_is_forgotten_and_none_refreshed_twice() {
    let bench = Bench::new().await;
    for user in 0..30 {
        bench.log_in_to("16", user, DUE).await;
    }
    for user in 30..60 {
        bench.log_in_to("64", user, DUE).await;
    }
    let function = bench.function(bench.tokens_in("64,16"), Settings::default());
    let swept = bench.sweep(&function).await;
    assert_eq!(
        (&swept["shards"], &swept["due"]),
        (&json!(80), &json!(60)),
        "{swept}"
    );
    assert_eq!(swept["refreshed"], json!({"refreshed": 60}));
    assert_eq!(bench.refreshes(), 60);
    for user in 0..60 {
        let row = bench.stored(&bench.row(user)).await;
        let shard = row["due_shard"].as_s().unwrap();
        assert!(shard.starts_with("64#"), "{shard}");
    }
}

#[tokio::test]
async fn a_sweep_begins_nothing_that_it_cannot_end_before_its_deadline() {
    let bench = Bench::new().await;
    let function = bench.alone();
    bench.log_in_ago(1, DUE).await;
    let event = json!({});
    let answer = bench
        .invoke_within(&function, &event, Duration::from_secs(11))
        .await;
    assert_eq!(answer["sweep"]["left"], 1, "{answer}");
    assert_eq!(bench.refreshes(), 0);
    let answer = bench
        .invoke_within(&function, &event, Duration::from_secs(13))
        .await;
    assert_eq!(
        answer["sweep"]["refreshed"],
        json!({"refreshed": 1}),
        "{answer}"
    );
}

#[tokio::test]
async fn logins_of_one_moment_are_refreshed_under_the_rate_long_before_they_end() {
    let bench = Bench::new().await;
    let function = bench.function(bench.tokens(), Settings::default().with_rate(1));
    // They are due in the next six minutes, and end in twelve.
    for user in 0..400 {
        bench.log_in_ago(user, Duration::from_secs(48 * 60)).await;
    }
    let (mut refreshed, mut latest, mut sweeps) = (0, 0, 0);
    while refreshed < 400 {
        bench.move_on(MINUTE);
        sweeps += 1;
        assert!(sweeps <= 9, "{refreshed}");
        let swept = bench.sweep(&function).await;
        let done = swept["refreshed"]["refreshed"].as_u64().unwrap_or(0);
        assert!(done <= 60, "{swept}");
        refreshed += done;
        latest = latest.max(swept["oldest_lateness_seconds"].as_u64().unwrap());
    }
    assert!(latest < 6 * 60, "{latest} s");
    assert_eq!(bench.refreshes(), 400, "none twice");
    assert_eq!(bench.sweep(&function).await["due"], 0);
}

#[tokio::test]
async fn a_gateway_that_is_down_ends_no_grant_and_is_not_asked_at_every_sweep() {
    let bench = Bench::new().await;
    let function = bench.alone();
    for user in 0..4 {
        bench.log_in_ago(user, DUE).await;
    }
    let down = simulator::FaultKind::Html { status: 502 };
    bench.simulator.inject(simulator::Fault::always(down));
    let swept = bench.sweep(&function).await;
    assert_eq!(swept["refreshed"], json!({"backed_off": 4}), "{swept}");
    bench.simulator.clear_faults();
    bench.move_on(Duration::from_secs(2));
    let swept = bench.sweep(&function).await;
    assert_eq!(swept["refreshed"], json!({"refreshed": 4}), "{swept}");
}

#[tokio::test]
async fn a_user_who_withdrew_consent_leaves_the_schedule() {
    let bench = Bench::new().await;
    let function = bench.alone();
    bench.log_in_ago(1, DUE).await;
    bench.simulator.revoke(&bench.app.app_id, &user_id(1));
    let swept = bench.sweep(&function).await;
    assert_eq!(swept["refreshed"], json!({"suspect": 1}), "{swept}");
    assert_eq!(bench.sweep(&function).await["due"], 0, "in quarantine");
    bench.move_on(2 * MINUTE);
    let swept = bench.sweep(&function).await;
    assert_eq!(swept["refreshed"], json!({"reauthorize": 1}), "{swept}");
    assert!(!bench.stored(&bench.row(1)).await.contains_key("due_at"));
    assert_eq!(bench.refreshes(), 2);
}
