//! Refreshes that brought no answer about the token.

use std::time::Duration;

use token_store::{Because, Clock, RefreshFailure, RefreshOutcome, RefreshWith, Seen, StoreError};

use crate::gateway::{Gateway, NoGateway};
use crate::harness::{Bench, START, grant, long_grant, text, time, user};
use crate::refresh::with_expired_token;

const LONGEST: Duration = Duration::from_secs(15 * 60);

#[tokio::test]
async fn a_failure_that_may_pass_leaves_generation_and_state_and_frees_the_lease() {
    for failure in [
        RefreshFailure::Transient("gateway timed out"),
        RefreshFailure::Misconfigured("isv.unmatched-app-id"),
    ] {
        let bench = with_expired_token().await;
        let before = bench.item().await;
        let store = bench.store();
        let gateway = Gateway::with_live("a", &bench.clock).failing_once(failure.clone());
        let error = bench.read(&store, &gateway).await.unwrap_err();
        let transient = matches!(failure, RefreshFailure::Transient(_));
        assert_eq!(error.is_transient(), transient, "{error}");
        let mut row = bench.item().await;
        assert_eq!(text(&row, "attempts"), "1");
        for noted in ["attempts", "not_before"] {
            row.remove(noted);
        }
        assert_eq!(
            row, before,
            "nothing else changed, and it is not in the index"
        );
        // Once the pause is over, nothing is in the next reader's way.
        bench.clock.advance(Duration::from_secs(2));
        bench.read(&store, &gateway).await.unwrap();
    }
}

#[tokio::test]
async fn nobody_calls_the_gateway_in_the_pause_that_a_failure_prescribes() {
    let bench = with_expired_token().await;
    let store = bench.store();
    let gateway =
        Gateway::with_live("a", &bench.clock).failing(RefreshFailure::Transient("HTTP 502"));
    let outcome = bench
        .refresh(&store, Because::Asked, &gateway)
        .await
        .unwrap();
    let RefreshOutcome::BackedOff { retry_after } = outcome else {
        panic!("{outcome:?}");
    };
    let not_before = bench.clock.now().plus(retry_after);
    assert_eq!(time(&bench.item().await, "not_before"), Some(not_before));

    // The pause is random: here it is a long one.
    let until = bench.clock.now().plus(Duration::from_secs(60));
    bench.set("not_before", crate::harness::number(until)).await;
    let outcome = bench.read(&bench.reader(), &NoGateway).await;
    assert!(
        matches!(outcome, Err(StoreError::Busy { retry_after }) if retry_after == Duration::from_secs(60)),
        "{outcome:?}"
    );
    let outcome = bench.refresh(&store, Because::Asked, &NoGateway).await;
    assert!(
        matches!(outcome, Ok(RefreshOutcome::BackedOff { .. })),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn pauses_are_random_and_double_with_each_failure_up_to_a_quarter_of_an_hour() {
    const ROWS: usize = 40;
    const FAILURES: u32 = 12;
    let bench = Bench::new().await;
    let store = bench.store();
    let gateway =
        Gateway::with_live("a", &bench.clock).failing(RefreshFailure::Transient("HTTP 502"));
    let users: Vec<_> = (0..ROWS).map(|number| user(&number.to_string())).collect();
    for key in &users {
        let pair = grant("a", START);
        store
            .put_login(key, Seen::NOTHING, &pair, START, None)
            .await
            .unwrap();
    }
    for failure in 0..FAILURES {
        let longest = (Duration::from_secs(2) * 2_u32.pow(failure)).min(LONGEST);
        let mut pauses = Vec::new();
        for key in &users {
            let outcome = bench
                .refresh_key(&store, key, Because::Asked, &gateway)
                .await;
            let Ok(RefreshOutcome::BackedOff { retry_after }) = outcome else {
                panic!("{outcome:?}");
            };
            assert!(retry_after <= longest);
            pauses.push(retry_after);
        }
        // Each is wrong once in 2⁴⁰ runs.
        assert!(
            pauses.iter().any(|pause| *pause > longest / 2),
            "{failure}: {pauses:?}"
        );
        assert!(
            pauses.iter().any(|pause| *pause < longest / 2),
            "{failure}: {pauses:?}"
        );
        bench.clock.advance(LONGEST);
    }
}

#[tokio::test]
async fn a_success_forgets_the_failures_before_it() {
    let bench = with_expired_token().await;
    let store = bench.store();
    let mut gateway = Gateway::with_live("a", &bench.clock);
    for _ in 0..5 {
        gateway = gateway.failing_once(RefreshFailure::Transient("HTTP 502"));
    }
    for failures in 1..=5 {
        bench
            .refresh(&store, Because::Asked, &gateway)
            .await
            .unwrap();
        assert_eq!(text(&bench.item().await, "attempts"), failures.to_string());
        bench.clock.advance(LONGEST);
    }
    let outcome = bench.refresh(&store, Because::Asked, &gateway).await;
    assert_eq!(outcome.unwrap(), RefreshOutcome::Refreshed);
    let row = bench.item().await;
    assert!(!row.contains_key("attempts") && !row.contains_key("not_before"));
}

#[tokio::test]
async fn the_schedule_finds_a_failed_row_again_when_its_pause_is_over_and_not_every_minute() {
    let bench = Bench::new().await;
    bench.log_in(&long_grant("a", START)).await;
    let store = bench.store();
    bench
        .clock
        .set(time(&bench.item().await, "due_at").unwrap());
    assert_eq!(bench.due(&store).await.len(), 1);
    let gateway = Gateway::with_live("a", &bench.clock)
        .giving_long_lives()
        .failing_once(RefreshFailure::Transient("HTTP 502"));
    bench.refresh(&store, Because::Due, &gateway).await.unwrap();
    let row = bench.item().await;
    assert_eq!(time(&row, "due_at"), time(&row, "not_before"));
    bench.clock.set(time(&row, "not_before").unwrap());
    assert_eq!(bench.due(&store).await.len(), 1);
    let outcome = bench.refresh(&store, Because::Due, &gateway).await;
    assert_eq!(outcome.unwrap(), RefreshOutcome::Refreshed);
    assert!(bench.due(&store).await.is_empty());
}

#[tokio::test]
async fn a_gateway_that_never_answers_is_left_while_there_is_time_to_store_a_pair() {
    let bench = with_expired_token().await;
    let store = bench.store();
    let gateway = Gateway::with_live("a", &bench.clock).slow(Duration::from_secs(3600));
    let with = RefreshWith {
        clock: &bench.clock,
        // 6 s for the gateway, 3 s for storing.
        deadline: bench.clock.now().plus(Duration::from_secs(9)),
        gateway: &gateway,
        rescue: &token_store::NoRescueQueue,
    };
    let began = std::time::Instant::now();
    let outcome = store.refresh(&user("u"), Because::Asked, &with).await;
    assert!(
        matches!(outcome, Ok(RefreshOutcome::BackedOff { .. })),
        "{outcome:?}"
    );
    assert!(
        began.elapsed() < Duration::from_secs(9),
        "{:?}",
        began.elapsed()
    );
    let row = bench.item().await;
    assert_eq!(
        (text(&row, "state"), text(&row, "generation")),
        ("active", "1")
    );
}

/// A gateway that gives pairs which are over at once must not be called without end.
#[tokio::test]
async fn a_pair_without_any_life_is_not_refreshed_in_a_circle() {
    let bench = with_expired_token().await;
    let gateway = Gateway::with_live("a", &bench.clock).giving(|name, now| {
        let mut pair = grant(name, now);
        pair.expires_at = now;
        pair
    });
    let store = bench.store();
    let reading = bench.read(&store, &gateway);
    let outcome = tokio::time::timeout(Duration::from_secs(5), reading)
        .await
        .expect("a reader never comes back");
    assert!(
        matches!(outcome, Err(StoreError::Busy { .. })),
        "{outcome:?}"
    );
    assert_eq!(gateway.calls(), 1);
}
