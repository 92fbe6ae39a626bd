//! Refresh on use: one caller at a time, and no pair of the gateway's is ever thrown away.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use secrecy::ExposeSecret;
use token_store::{
    AccessToken, Clock, InProcess, NoRescueQueue, RefreshFailure, Seen, StoreError, TokenStore,
};

use crate::gateway::{Gate, Gateway, NoGateway};
use crate::harness::{Bench, START, grant, number, text, user};

/// A bench with one user, logged in as `a`, whose access token has expired.
pub async fn with_expired_token() -> Bench {
    let bench = Bench::new().await;
    bench.log_in(&grant("a", START)).await;
    bench.clock.advance(Duration::from_secs(400));
    bench
}

pub fn spawn_read(
    bench: &Bench,
    store: &TokenStore,
    gateway: &Arc<Gateway>,
) -> tokio::task::JoinHandle<Result<AccessToken, StoreError>> {
    let (store, gateway, clock) = (store.clone(), Arc::clone(gateway), bench.clock.clone());
    let deadline = bench.deadline();
    tokio::spawn(async move {
        let renewal = InProcess {
            store: &store,
            clock: &clock,
            gateway: &*gateway,
            rescue: &NoRescueQueue,
        };
        store
            .access_token(&user("u"), &clock, deadline, &renewal)
            .await
    })
}

#[tokio::test]
async fn an_expired_token_is_refreshed_and_the_new_pair_is_stored() {
    let bench = with_expired_token().await;
    let before = bench.item().await;
    let gateway = Gateway::with_live("a", &bench.clock);
    let token = bench.read(&bench.store(), &gateway).await.unwrap();
    assert_eq!(token.token.expose_secret(), "access-refreshed-1");
    assert_eq!(token.generation.get(), 2);

    let row = bench.item().await;
    assert_eq!(text(&row, "generation"), "2");
    assert_eq!(text(&row, "grant_id"), text(&before, "grant_id"));
    assert_eq!(text(&row, "state"), "active");
    assert!(!row.contains_key("lease_owner") && !row.contains_key("lease_until"));
    // The next time it is the new refresh token that is used.
    bench.clock.advance(Duration::from_secs(400));
    let token = bench.read(&bench.store(), &gateway).await.unwrap();
    assert_eq!(token.token.expose_secret(), "access-refreshed-2");
}

#[tokio::test]
async fn fifty_readers_of_an_expired_token_make_one_call_and_all_get_the_new_one() {
    let bench = with_expired_token().await;
    let store = bench.store();
    let gateway = Arc::new(Gateway::with_live("a", &bench.clock).slow(Duration::from_millis(50)));
    let readers: Vec<_> = (0..50)
        .map(|_| spawn_read(&bench, &store, &gateway))
        .collect();
    for reader in readers {
        let token = reader.await.unwrap().unwrap();
        assert_eq!(token.token.expose_secret(), "access-refreshed-1");
    }
    assert_eq!(gateway.calls(), 1);
}

#[tokio::test]
async fn readers_in_several_processes_make_one_call() {
    let bench = with_expired_token().await;
    let gateway = Arc::new(Gateway::with_live("a", &bench.clock).slow(Duration::from_millis(50)));
    let readers: Vec<_> = (0..8)
        .map(|_| spawn_read(&bench, &bench.store(), &gateway))
        .collect();
    for reader in readers {
        let token = reader.await.unwrap().unwrap();
        assert_eq!(token.token.expose_secret(), "access-refreshed-1");
    }
    assert_eq!(gateway.calls(), 1);
}

#[tokio::test]
async fn a_reader_that_finds_a_refresh_running_is_told_to_come_back() {
    let bench = with_expired_token().await;
    let gate = Arc::new(Gate::default());
    let gateway = Arc::new(Gateway::with_live("a", &bench.clock).gated(&gate));
    let holder = spawn_read(&bench, &bench.store(), &gateway);
    gate.reached.notified().await;

    let other = bench.store();
    let deadline = bench.clock.now().plus(Duration::from_millis(200));
    let outcome = other
        .access_token(&user("u"), &bench.clock, deadline, &NoGateway)
        .await;
    let Err(error @ StoreError::Busy { retry_after }) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(error.is_transient() && retry_after > Duration::ZERO);

    gate.open.notify_one();
    holder.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_reader_waits_for_another_processs_refresh_and_takes_its_token() {
    let bench = with_expired_token().await;
    let gate = Arc::new(Gate::default());
    let gateway = Arc::new(Gateway::with_live("a", &bench.clock).gated(&gate));
    let holder = spawn_read(&bench, &bench.store(), &gateway);
    gate.reached.notified().await;
    let waiter = spawn_read(&bench, &bench.store(), &gateway);
    gate.open.notify_one();
    let held = holder.await.unwrap().unwrap();
    let waited = waiter.await.unwrap().unwrap();
    assert_eq!(held.token.expose_secret(), waited.token.expose_secret());
    assert_eq!(gateway.calls(), 1);
}

#[tokio::test]
async fn a_lease_is_taken_over_only_after_it_ran_out_and_the_clocks_may_differ() {
    let bench = with_expired_token().await;
    let gateway = Gateway::with_live("a", &bench.clock);
    let until = bench.clock.now().plus(Duration::from_secs(20));
    bench
        .set("lease_owner", AttributeValue::S("killed".into()))
        .await;
    bench.set("lease_until", number(until)).await;

    let at = async |moment: token_store::WallTime| {
        let clock = move || moment;
        let store = bench.store();
        let renewal = InProcess {
            store: &store,
            clock: &clock,
            gateway: &gateway,
            rescue: &NoRescueQueue,
        };
        store
            .access_token(
                &user("u"),
                &clock,
                moment.plus(Duration::from_secs(25)),
                &renewal,
            )
            .await
    };
    let (at_its_end, just_after) = tokio::join!(at(until), at(until.plus(Duration::from_secs(2))));
    for outcome in [at_its_end, just_after] {
        assert!(matches!(outcome, Err(StoreError::Busy { .. })));
    }
    assert_eq!(gateway.calls(), 0);
    at(until.plus(Duration::from_millis(2001))).await.unwrap();
    assert_eq!(gateway.calls(), 1);
}

/// The case that a commit fenced by the lease gets wrong: the only good pair would be thrown away.
#[tokio::test]
async fn a_pair_that_arrives_after_its_lease_was_taken_over_still_lands() {
    let bench = with_expired_token().await;
    let gate = Arc::new(Gate::default());
    let gateway = Arc::new(Gateway::with_live("a", &bench.clock).gated(&gate));
    let paused = spawn_read(&bench, &bench.store(), &gateway);
    gate.reached.notified().await;

    // The holder is frozen past its lease; the next one is told that the refresh token is spent.
    bench.clock.advance(Duration::from_secs(60));
    let second = Gateway::with_live("nothing", &bench.clock);
    let outcome = bench.read(&bench.store(), &second).await;
    assert!(
        matches!(outcome, Err(StoreError::Busy { .. })),
        "not a new login yet: {outcome:?}"
    );
    assert_eq!(second.calls(), 1);
    assert_eq!(text(&bench.item().await, "state"), "suspect");

    gate.open.notify_one();
    let token = paused.await.unwrap().unwrap();
    assert_eq!(token.token.expose_secret(), "access-refreshed-1");
    let row = bench.item().await;
    assert_eq!(text(&row, "state"), "active");
    assert_eq!(text(&row, "generation"), "2");
    for mark in ["suspect_since", "refused_since", "not_before", "attempts"] {
        assert!(!row.contains_key(mark), "{mark}");
    }
}

#[tokio::test]
async fn a_login_during_a_refresh_wins() {
    let bench = with_expired_token().await;
    let store = bench.store();
    let gate = Arc::new(Gate::default());
    let gateway = Arc::new(Gateway::with_live("a", &bench.clock).gated(&gate));
    let refreshing = spawn_read(&bench, &store, &gateway);
    gate.reached.notified().await;

    let now = bench.clock.now();
    let generation = store
        .put_login(&user("u"), Seen::NOTHING, &grant("b", now), now, None)
        .await
        .unwrap();
    let login = bench.item().await;
    gate.open.notify_one();
    let token = refreshing.await.unwrap().unwrap();
    assert_eq!(token.token.expose_secret(), "access-b");
    assert_eq!(token.generation, generation);
    assert_eq!(bench.item().await, login, "the late pair changed nothing");
}

#[tokio::test]
async fn a_reply_without_a_refresh_token_keeps_the_old_one() {
    let bench = with_expired_token().await;
    let before = bench.item().await;
    let store = bench.store();
    let gateway = Gateway::with_live("a", &bench.clock).keeping_the_refresh_token();
    bench.read(&store, &gateway).await.unwrap();
    let row = bench.item().await;
    assert_eq!(row["refresh_expires_at"], before["refresh_expires_at"]);
    assert_eq!(
        row["ttl"], before["ttl"],
        "the row stays as long as it can be refreshed"
    );
    bench.clock.advance(Duration::from_secs(400));
    let token = bench.read(&store, &gateway).await.unwrap();
    assert_eq!(token.generation.get(), 3);
}

#[tokio::test]
async fn with_too_little_time_left_no_refresh_is_begun() {
    let bench = with_expired_token().await;
    let before = bench.item().await;
    let store = bench.store();
    let renewal = bench.renewal(&store, &NoGateway);
    let deadline = bench.clock.now().plus(Duration::from_secs(7));
    let outcome = store
        .access_token(&user("u"), &bench.clock, deadline, &renewal)
        .await;
    assert!(matches!(outcome, Err(StoreError::Busy { .. })));
    assert_eq!(bench.item().await, before, "nor is it taken for a failure");
}

#[tokio::test]
async fn a_token_in_its_last_minute_is_refreshed_and_served_meanwhile() {
    let bench = Bench::new().await;
    let store = bench.store();
    store
        .put_login(&user("u"), Seen::NOTHING, &grant("a", START), START, None)
        .await
        .unwrap();
    bench.clock.advance(Duration::from_millis(239_999));
    bench
        .read(&store, &Gateway::with_live("a", &bench.clock))
        .await
        .map(|token| assert_eq!(token.generation.get(), 1))
        .unwrap();
    bench.clock.advance(Duration::from_millis(1));

    let gate = Arc::new(Gate::default());
    let gateway = Arc::new(Gateway::with_live("a", &bench.clock).gated(&gate));
    let refreshing = spawn_read(&bench, &store, &gateway);
    gate.reached.notified().await;
    for other in [store.clone(), bench.store()] {
        let token = other
            .access_token(&user("u"), &bench.clock, bench.deadline(), &NoGateway)
            .await
            .unwrap();
        assert_eq!(token.token.expose_secret(), "access-a");
    }
    gate.open.notify_one();
    let token = refreshing.await.unwrap().unwrap();
    assert_eq!(token.token.expose_secret(), "access-refreshed-1");
}

#[tokio::test]
async fn a_token_in_its_last_minute_is_served_though_the_refresh_fails() {
    for failure in [
        RefreshFailure::Transient("gateway timed out"),
        RefreshFailure::Refused,
    ] {
        let bench = Bench::new().await;
        let store = bench.store();
        store
            .put_login(&user("u"), Seen::NOTHING, &grant("a", START), START, None)
            .await
            .unwrap();
        bench.clock.advance(Duration::from_secs(270));
        let gateway = Gateway::with_live("a", &bench.clock).failing_once(failure);
        let token = bench.read(&store, &gateway).await.unwrap();
        assert_eq!(token.token.expose_secret(), "access-a");
        assert_eq!(gateway.calls(), 1);
    }
}

#[tokio::test]
async fn a_token_that_lives_a_minute_is_not_refreshed_by_everybody_who_reads_it() {
    let bench = Bench::new().await;
    let store = bench.store();
    let mut pair = grant("a", START);
    pair.expires_at = START.plus(Duration::from_secs(50));
    store
        .put_login(&user("u"), Seen::NOTHING, &pair, START, None)
        .await
        .unwrap();
    bench.clock.advance(Duration::from_millis(39_999));
    store
        .access_token(&user("u"), &bench.clock, bench.deadline(), &NoGateway)
        .await
        .unwrap();
    bench.clock.advance(Duration::from_millis(1));
    let gateway = Gateway::with_live("a", &bench.clock);
    let token = bench.read(&store, &gateway).await.unwrap();
    assert_eq!(token.generation.get(), 2);
}

#[tokio::test]
async fn a_revoked_grant_is_not_brought_back_by_a_late_pair() {
    let bench = with_expired_token().await;
    let gate = Arc::new(Gate::default());
    let gateway = Arc::new(Gateway::with_live("a", &bench.clock).gated(&gate));
    let refreshing = spawn_read(&bench, &bench.store(), &gateway);
    gate.reached.notified().await;
    bench
        .set("state", AttributeValue::S("revoked".into()))
        .await;
    gate.open.notify_one();
    let outcome = refreshing.await.unwrap();
    assert!(matches!(outcome, Err(StoreError::Reauthorize)));
    assert_eq!(text(&bench.item().await, "state"), "revoked");
}

#[tokio::test]
async fn debug_shows_no_token() {
    let bench = with_expired_token().await;
    let gateway = Gateway::with_live("a", &bench.clock);
    let token = bench.read(&bench.store(), &gateway).await.unwrap();
    let claim = token_store::Claim::Answered("access-b".into());
    let waited = token_store::Waited::Answered("access-b".into());
    let shown = format!(
        "{token:?} {:?} {:?} {claim:?} {waited:?}",
        grant("a", START),
        bench.store()
    );
    assert!(
        !shown.contains("access-") && !shown.contains("refresh-"),
        "{shown}"
    );
}
