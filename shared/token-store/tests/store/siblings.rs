//! A second refresh token beside the row's own.

use std::sync::Arc;
use std::time::Duration;

use embedded_dynamodb::Proxy;
use secrecy::SecretString;
use token_store::{
    Because, Grant, InProcess, NoRescueQueue, RefreshFailure, RefreshOutcome, RefreshWith,
    Refresher, Renewal, Seen, StoreError, TokenKey,
};

use crate::faults::THROTTLED;
use crate::gateway::{Gate, Gateway, Held};
use crate::harness::{Bench, START, grant, merchant, text, user};
use crate::refresh::with_expired_token;
use crate::rescue::{Queue, store_rescued};

/// Two refreshes of `key` that both succeed: one gets its pair and stands still past its lease, the other stores its own.
async fn refreshed_by_two(key: &TokenKey) -> Bench {
    let bench = Bench::new().await;
    let store = bench.store();
    store
        .put_login(key, Seen::NOTHING, &grant("a", START), START, None)
        .await
        .unwrap();
    bench.clock.advance(Duration::from_secs(400));
    let gateway = Arc::new(Gateway::with_live("a", &bench.clock).with_grace());
    let held = Held {
        inner: Arc::clone(&gateway),
        gate: Arc::default(),
    };
    let other = bench.store();
    let (late, ()) = tokio::join!(
        bench.refresh_key(&store, key, Because::Asked, &held),
        async {
            held.gate.reached.notified().await;
            bench.clock.advance(Duration::from_secs(23));
            let outcome = bench
                .refresh_key(&other, key, Because::Asked, &*gateway)
                .await;
            assert_eq!(outcome.unwrap(), RefreshOutcome::Refreshed);
            held.gate.open.notify_one();
        }
    );
    assert_eq!(late.unwrap(), RefreshOutcome::Fresh);
    assert_eq!(
        text(&bench.item().await, "generation"),
        "2",
        "the late pair replaced nothing"
    );
    bench
}

#[tokio::test]
async fn of_a_merchants_two_pairs_the_second_ones_refresh_token_is_kept_beside_the_first() {
    let bench = refreshed_by_two(&merchant("m")).await;
    assert!(bench.item().await.contains_key("sibling_token_sealed"));
    // The pair that was stored came from the second call. Alipay takes only the first one's refresh token now.
    let gateway = Gateway::with_live("refreshed-1", &bench.clock);
    let outcome = bench
        .refresh_key(&bench.store(), &merchant("m"), Because::Asked, &gateway)
        .await;
    assert_eq!(outcome.unwrap(), RefreshOutcome::Refreshed);
    assert_eq!(
        gateway.used(),
        ["refresh-refreshed-2", "refresh-refreshed-1"]
    );
    let row = bench.item().await;
    assert_eq!(text(&row, "generation"), "3");
    assert!(!row.contains_key("sibling_token_sealed") && !row.contains_key("sibling_key_id"));
}

#[tokio::test]
async fn a_sibling_is_not_tried_while_the_rows_own_refresh_token_works() {
    let bench = refreshed_by_two(&merchant("m")).await;
    let gateway = Gateway::with_live("refreshed-2", &bench.clock);
    bench
        .refresh_key(&bench.store(), &merchant("m"), Because::Asked, &gateway)
        .await
        .unwrap();
    assert_eq!(gateway.used(), ["refresh-refreshed-2"]);
}

#[tokio::test]
async fn a_merchant_is_in_doubt_only_when_both_refresh_tokens_are_refused() {
    let bench = refreshed_by_two(&merchant("m")).await;
    let gateway = Gateway::with_live("another", &bench.clock);
    let outcome = bench
        .refresh_key(&bench.store(), &merchant("m"), Because::Asked, &gateway)
        .await;
    assert!(
        matches!(outcome, Ok(RefreshOutcome::Suspect { .. })),
        "{outcome:?}"
    );
    assert_eq!(gateway.calls(), 2);
}

/// Has another refresh overtake the one that called, and the table refuse the write after the refused commit.
struct Overtaken<'a> {
    gateway: &'a Gateway,
    bench: &'a Bench,
    proxy: &'a Proxy,
}

impl Refresher for Overtaken<'_> {
    async fn refresh(&self, refresh_token: &SecretString) -> Result<Grant, RefreshFailure> {
        let answer = self.gateway.refresh(refresh_token).await;
        self.bench.clock.advance(Duration::from_secs(23));
        let other = self.bench.store();
        let outcome = self
            .bench
            .refresh_key(&other, &merchant("m"), Because::Asked, self.gateway)
            .await;
        assert_eq!(outcome.unwrap(), RefreshOutcome::Refreshed);
        let times = usize::MAX;
        self.proxy.arm_after(1, "UpdateItem", THROTTLED, times);
        answer
    }
}

#[tokio::test]
async fn a_refresh_token_that_could_not_be_kept_beside_the_first_pairs_goes_into_the_rescue_queue()
{
    let bench = Bench::new().await;
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let store = bench.store_through(proxy.address);
    let key = merchant("m");
    let login = grant("a", START);
    store
        .put_login(&key, Seen::NOTHING, &login, START, None)
        .await
        .unwrap();
    let gateway = Gateway::with_live("a", &bench.clock).with_grace();
    let queue = Queue::default();
    let with = RefreshWith {
        clock: &bench.clock,
        deadline: bench.deadline().plus(Duration::from_secs(60)),
        gateway: &Overtaken {
            gateway: &gateway,
            bench: &bench,
            proxy: &proxy,
        },
        rescue: &queue,
    };
    let outcome = store.refresh(&key, Because::Asked, &with).await;
    assert_eq!(outcome.unwrap(), RefreshOutcome::Rescued);
    let message = queue.only();

    // Out of the queue as well it is given back until it is kept.
    let outcome = store_rescued(&store, &message).await;
    assert!(
        matches!(outcome, Err(StoreError::Unavailable { .. })),
        "{outcome:?}"
    );
    let outcome = store_rescued(&bench.store(), &message).await;
    assert_eq!(outcome.unwrap(), RefreshOutcome::Fresh);
    assert!(bench.item().await.contains_key("sibling_token_sealed"));
}

/// Should Alipay take a user's refresh token twice, the newer pair may be the only one that works.
#[tokio::test]
async fn of_a_users_two_pairs_the_second_ones_refresh_token_is_kept_too() {
    let bench = refreshed_by_two(&user("u")).await;
    let gateway = Gateway::with_live("refreshed-1", &bench.clock);
    let outcome = bench
        .refresh(&bench.store(), Because::Asked, &gateway)
        .await;
    assert_eq!(outcome.unwrap(), RefreshOutcome::Refreshed);
    assert_eq!(
        gateway.used(),
        ["refresh-refreshed-2", "refresh-refreshed-1"]
    );
}

fn superseded_by(name: &str) -> RefreshFailure {
    RefreshFailure::Superseded(format!("refresh-{name}").into())
}

#[tokio::test]
async fn a_newer_refresh_token_that_alipay_names_is_saved_and_then_used_under_the_same_lease() {
    let bench = with_expired_token().await;
    let gate = Arc::new(Gate::default());
    let gateway = Gateway::with_live("newer", &bench.clock)
        .failing_once(superseded_by("newer"))
        .gated(&gate);
    let store = bench.store();
    let (outcome, owner) = tokio::join!(bench.refresh(&store, Because::Asked, &gateway), async {
        gate.reached.notified().await;
        let row = bench.item().await;
        gate.open.notify_one();
        assert!(row.contains_key("sibling_token_sealed") && row.contains_key("sibling_key_id"));
        assert_eq!(
            text(&row, "generation"),
            "1",
            "an unsigned refusal moves nothing"
        );
        row.contains_key("lease_owner")
    });
    assert_eq!(outcome.unwrap(), RefreshOutcome::Refreshed);
    assert!(owner);
    assert_eq!(gateway.used(), ["refresh-a", "refresh-newer"]);
    let row = bench.item().await;
    assert_eq!(text(&row, "generation"), "2");
    assert!(!row.contains_key("sibling_token_sealed") && !row.contains_key("sibling_key_id"));
}

#[tokio::test]
async fn a_worker_killed_after_a_newer_refresh_token_was_named_leaves_it_to_the_next() {
    let bench = with_expired_token().await;
    let (store, clock, deadline) = (bench.store(), bench.clock.clone(), bench.deadline());
    let gate = Arc::new(Gate::default());
    let gateway = Gateway::with_live("nothing", &bench.clock)
        .failing_once(superseded_by("newer"))
        .gated(&gate);
    let killed = tokio::spawn(async move {
        let renewal = InProcess {
            store: &store,
            clock: &clock,
            gateway: &gateway,
            rescue: &NoRescueQueue,
        };
        renewal.renew(&user("u"), Because::Asked, deadline).await
    });
    gate.reached.notified().await;
    killed.abort();
    assert!(killed.await.unwrap_err().is_cancelled());

    bench.clock.advance(Duration::from_millis(22_001));
    // This time the old token is just refused.
    let gateway = Gateway::with_live("newer", &bench.clock);
    let outcome = bench
        .refresh(&bench.store(), Because::Asked, &gateway)
        .await;
    assert_eq!(outcome.unwrap(), RefreshOutcome::Refreshed);
    assert_eq!(gateway.used(), ["refresh-a", "refresh-newer"]);
}

#[tokio::test]
async fn a_gateway_that_names_newer_tokens_without_end_is_called_twice() {
    for failure in [superseded_by("a"), superseded_by("newer")] {
        let bench = with_expired_token().await;
        let gateway = Gateway::with_live("nothing", &bench.clock).failing(failure);
        let outcome = bench
            .refresh(&bench.store(), Because::Asked, &gateway)
            .await;
        assert!(
            matches!(outcome, Ok(RefreshOutcome::Suspect { .. })),
            "{outcome:?}"
        );
        assert!(gateway.calls() <= 2);
    }
}

#[tokio::test]
async fn with_too_little_time_for_a_second_call_the_newer_token_is_kept_for_the_next_worker() {
    let bench = with_expired_token().await;
    let store = bench.store();
    let gateway = Gateway::with_live("newer", &bench.clock).failing_once(superseded_by("newer"));
    // The first call takes all the time there is.
    let slow = SlowClock {
        gateway: &gateway,
        bench: &bench,
    };
    let with = RefreshWith {
        clock: &slow.bench.clock,
        deadline: bench.deadline(),
        gateway: &slow,
        rescue: &NoRescueQueue,
    };
    let outcome = store.refresh(&user("u"), Because::Asked, &with).await;
    assert!(
        matches!(outcome, Ok(RefreshOutcome::BackedOff { .. })),
        "{outcome:?}"
    );
    assert_eq!(gateway.calls(), 1);
    assert!(bench.item().await.contains_key("sibling_token_sealed"));

    bench.clock.advance(Duration::from_secs(60));
    let outcome = bench.refresh(&store, Because::Asked, &gateway).await;
    assert!(
        matches!(outcome, Ok(RefreshOutcome::Refreshed)),
        "{outcome:?}"
    );
}

/// Each call takes 16 seconds.
struct SlowClock<'a> {
    gateway: &'a Gateway,
    bench: &'a Bench,
}

impl token_store::Refresher for SlowClock<'_> {
    async fn refresh(
        &self,
        refresh_token: &secrecy::SecretString,
    ) -> Result<token_store::Grant, RefreshFailure> {
        self.bench.clock.advance(Duration::from_secs(16));
        self.gateway.refresh(refresh_token).await
    }
}
