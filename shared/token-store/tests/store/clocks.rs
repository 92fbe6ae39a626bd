//! Workers whose clocks differ.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use token_store::{
    Because, Clock, NoRescueQueue, RefreshOutcome, RefreshWith, Renewal, StoreError, TokenKey,
    WallTime,
};

use crate::gateway::{Gate, Gateway, Held, NoGateway};
use crate::harness::{Bench, START, grant, text, user};
use crate::logs::Logs;
use crate::refresh::with_expired_token;

const SECOND: Duration = Duration::from_secs(1);
const TEN_MINUTES: Duration = Duration::from_secs(600);

/// What a worker makes of the row of `u` whose clock differs from the bench's.
async fn refresh_by(
    bench: &Bench,
    gateway: &Gateway,
    differs: fn(WallTime) -> WallTime,
) -> Result<RefreshOutcome, StoreError> {
    let clock = {
        let clock = bench.clock.clone();
        move || differs(clock.now())
    };
    let with = RefreshWith {
        clock: &clock,
        deadline: clock.now().plus(25 * SECOND),
        gateway,
        rescue: &NoRescueQueue,
    };
    bench
        .store()
        .refresh(&user("u"), Because::Asked, &with)
        .await
}

/// A worker with the right time has its pair and stands still for `pause`; then the other one works; then the first goes on.
async fn beside_a_paused_worker(
    pause: Duration,
    differs: fn(WallTime) -> WallTime,
) -> (Bench, Arc<Gateway>, RefreshOutcome) {
    let bench = with_expired_token().await;
    let gateway = Arc::new(Gateway::with_live("a", &bench.clock));
    let held = Held {
        inner: Arc::clone(&gateway),
        gate: Arc::new(Gate::default()),
    };
    let store = bench.store();
    let (first, second) = tokio::join!(bench.refresh(&store, Because::Asked, &held), async {
        held.gate.reached.notified().await;
        bench.clock.advance(pause);
        let outcome = refresh_by(&bench, &gateway, differs).await;
        held.gate.open.notify_one();
        outcome.unwrap()
    });
    assert_eq!(first.unwrap(), RefreshOutcome::Refreshed);
    (bench, gateway, second)
}

/// The row holds the pair that is good at the gateway, and nothing is left of any doubt.
async fn assert_the_good_pair_is_stored(bench: &Bench, gateway: &Gateway) {
    let row = bench.item().await;
    assert_eq!(
        (text(&row, "generation"), text(&row, "state")),
        ("2", "active")
    );
    assert!(!row.contains_key("refused_since") && !row.contains_key("not_before"));
    bench
        .refresh(&bench.store(), Because::Asked, gateway)
        .await
        .unwrap();
    assert_eq!(gateway.used().last().unwrap(), "refresh-refreshed-1");
}

#[tokio::test]
async fn clocks_five_seconds_apart_overwrite_nothing_and_cost_one_call_at_most() {
    let ahead: fn(WallTime) -> WallTime = |now| now.plus(5 * SECOND);
    let behind: fn(WallTime) -> WallTime = |now| now.minus(5 * SECOND);
    for (differs, pause, calls) in [
        (ahead, 16 * SECOND, 1),
        (ahead, 18 * SECOND, 2),
        (behind, 26 * SECOND, 1),
        (behind, 28 * SECOND, 2),
    ] {
        let (bench, gateway, outcome) = beside_a_paused_worker(pause, differs).await;
        assert_eq!(gateway.calls(), calls);
        assert_eq!(outcome == RefreshOutcome::Busy, calls == 1, "{outcome:?}");
        assert_the_good_pair_is_stored(&bench, &gateway).await;
    }
}

#[tokio::test]
async fn a_worker_ten_minutes_ahead_takes_over_too_early_and_does_no_harm() {
    let (bench, gateway, outcome) =
        beside_a_paused_worker(SECOND, |now| now.plus(TEN_MINUTES)).await;
    assert!(
        matches!(outcome, RefreshOutcome::Suspect { .. }),
        "{outcome:?}"
    );
    assert_eq!(gateway.calls(), 2);
    assert_the_good_pair_is_stored(&bench, &gateway).await;
}

#[tokio::test]
async fn a_worker_ten_minutes_behind_waits_and_says_that_the_clocks_differ() {
    let logs = Logs::kept();
    let (bench, gateway, outcome) =
        beside_a_paused_worker(SECOND, |now| now.minus(TEN_MINUTES)).await;
    assert_eq!(outcome, RefreshOutcome::Busy);
    assert!(logs.has(&["ERROR", "clock_skew", "ahead_ms=599000"]));
    assert_the_good_pair_is_stored(&bench, &gateway).await;
}

#[tokio::test]
async fn a_quarantine_cut_short_by_a_fast_clock_still_lets_the_late_pair_land() {
    let bench = with_expired_token().await;
    let gateway = Arc::new(Gateway::with_live("a", &bench.clock));
    let held = Held {
        inner: Arc::clone(&gateway),
        gate: Arc::new(Gate::default()),
    };
    let store = bench.store();
    let (first, ()) = tokio::join!(bench.refresh(&store, Because::Asked, &held), async {
        held.gate.reached.notified().await;
        bench.clock.advance(23 * SECOND);
        let outcome = refresh_by(&bench, &gateway, |now| now).await;
        assert!(
            matches!(outcome, Ok(RefreshOutcome::Suspect { .. })),
            "{outcome:?}"
        );
        let outcome = refresh_by(&bench, &gateway, |now| now.plus(TEN_MINUTES)).await;
        assert_eq!(outcome.unwrap(), RefreshOutcome::Reauthorize);
        held.gate.open.notify_one();
    });
    assert_eq!(first.unwrap(), RefreshOutcome::Refreshed);
    assert_the_good_pair_is_stored(&bench, &gateway).await;
}

/// Counts who asks.
struct Counted<N> {
    renewal: N,
    asked: AtomicUsize,
}

impl<N: Renewal> Renewal for Counted<N> {
    async fn renew(
        &self,
        key: &TokenKey,
        because: Because,
        deadline: WallTime,
    ) -> Result<RefreshOutcome, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.renewal.renew(key, because, deadline).await
    }
}

#[tokio::test]
async fn a_reader_whose_clock_is_far_ahead_does_not_ask_for_a_refresh_again_and_again() {
    let bench = Bench::new().await;
    bench.log_in(&grant("a", START)).await;
    let store = bench.store();
    let renewal = Counted {
        renewal: bench.renewal(&store, &NoGateway),
        asked: AtomicUsize::new(0),
    };
    let ahead = || bench.clock.now().plus(TEN_MINUTES);
    let deadline = ahead().plus(25 * SECOND);
    let outcome = bench
        .reader()
        .access_token(&user("u"), &ahead, deadline, &renewal)
        .await;
    assert!(
        matches!(outcome, Err(StoreError::Busy { .. })),
        "{outcome:?}"
    );
    assert_eq!(renewal.asked.into_inner(), 1);
}
