//! Merchants' tokens, whose times say little, and refreshes that somebody asks for.

use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use token_store::{AccessToken, Clock, RefreshFailure, StoreError, TokenKey, TokenKind};

use crate::harness::{Bench, Gate, Gateway, NoGateway, START, grant, user};

const TWO_MONTHS: Duration = Duration::from_secs(60 * 24 * 3600);

fn merchant(auth_app_id: &str) -> TokenKey {
    TokenKey {
        kind: TokenKind::Isv,
        ..user(auth_app_id)
    }
}

/// A bench with one merchant, whose token and refresh token are past their times.
async fn long_after_the_end() -> Bench {
    let bench = Bench::new().await;
    let store = bench.store();
    let granted = grant("a", START);
    let key = merchant("m");
    store.put_login(&key, &granted, START, None).await.unwrap();
    bench.clock.advance(TWO_MONTHS);
    bench
}

async fn read(bench: &Bench, gateway: &Gateway) -> Result<AccessToken, StoreError> {
    let store = bench.store();
    store
        .access_token(&merchant("m"), &bench.clock, bench.deadline(), gateway)
        .await
}

#[tokio::test]
async fn a_merchants_token_past_its_time_is_refreshed_however_old_its_refresh_token_is() {
    let bench = long_after_the_end().await;
    let gateway = Gateway::with_live("a", &bench.clock);
    let token = read(&bench, &gateway).await.unwrap();
    assert_eq!(token.token.expose_secret(), "access-refreshed-1");
    assert_eq!(gateway.calls(), 1);
}

#[tokio::test]
async fn a_merchants_token_that_cannot_be_refreshed_now_is_served_past_its_time() {
    let bench = long_after_the_end().await;
    for failure in [
        RefreshFailure::Transient("down"),
        RefreshFailure::Misconfigured("another app"),
    ] {
        let gateway = Gateway::with_live("a", &bench.clock).failing_once(failure);
        let token = read(&bench, &gateway).await.unwrap();
        assert_eq!(token.token.expose_secret(), "access-a");
    }
}

#[tokio::test]
async fn once_alipay_refused_the_refresh_token_the_merchant_has_to_authorise_again() {
    let bench = long_after_the_end().await;
    let gateway = Gateway::with_live("another", &bench.clock);
    for _ in 0..2 {
        let outcome = read(&bench, &gateway).await;
        assert!(
            matches!(outcome, Err(StoreError::Reauthorize)),
            "{outcome:?}"
        );
    }
    assert_eq!(gateway.calls(), 1);
    // A new authorisation makes it good again.
    let again = grant("b", bench.clock.now());
    let now = bench.clock.now();
    let key = merchant("m");
    let store = bench.store();
    store.put_login(&key, &again, now, None).await.unwrap();
    let token = read(&bench, &gateway).await.unwrap();
    assert_eq!(token.token.expose_secret(), "access-b");
}

#[tokio::test]
async fn time_alone_never_removes_a_merchants_row() {
    let bench = long_after_the_end().await;
    let row = bench.item().await;
    assert!(row.contains_key("expires_at") && !row.contains_key("ttl"));
    let gateway = Gateway::with_live("a", &bench.clock);
    read(&bench, &gateway).await.unwrap();
    assert!(!bench.item().await.contains_key("ttl"));
}

#[tokio::test]
async fn of_two_refreshes_that_both_succeed_the_first_stored_pair_stays() {
    let bench = long_after_the_end().await;
    // The first has its pair and stands still past its lease; Alipay still takes the old refresh token from the second.
    let gate = Arc::new(Gate::default());
    let slow = Gateway::with_live("a", &bench.clock).gated(&gate);
    let (store, clock, deadline) = (bench.store(), bench.clock.clone(), bench.deadline());
    let paused = tokio::spawn(async move {
        store
            .access_token(&merchant("m"), &clock, deadline, &slow)
            .await
    });
    gate.reached.notified().await;
    bench.clock.advance(Duration::from_secs(23));
    let quick = Gateway::with_live("a", &bench.clock).keeping_the_refresh_token();
    let second = read(&bench, &quick).await.unwrap();
    assert_eq!(quick.calls(), 1);

    gate.open.notify_one();
    let first = paused.await.unwrap().unwrap();
    assert_eq!(second.generation.get(), 2);
    assert_eq!(first.generation, second.generation);
    assert_eq!(
        bench.item().await["generation"].as_n().unwrap(),
        "2",
        "the late pair replaced nothing"
    );
}

#[tokio::test]
async fn a_refresh_that_is_asked_for_is_made_whatever_the_age_of_the_token() {
    let bench = Bench::new().await;
    let store = bench.store();
    let key = merchant("m");
    let granted = grant("a", START);
    store.put_login(&key, &granted, START, None).await.unwrap();
    let fresh = store
        .access_token(&key, &bench.clock, bench.deadline(), &NoGateway)
        .await
        .unwrap();
    assert_eq!(fresh.token.expose_secret(), "access-a");

    let gateway = Gateway::with_live("a", &bench.clock);
    let asked = store
        .refresh_now(&key, None, &bench.clock, bench.deadline(), &gateway)
        .await
        .unwrap();
    assert_eq!(asked.token.expose_secret(), "access-refreshed-1");
    let served = store
        .access_token(&key, &bench.clock, bench.deadline(), &NoGateway)
        .await
        .unwrap();
    assert_eq!(served.token.expose_secret(), "access-refreshed-1");
}

#[tokio::test]
async fn a_refused_token_that_was_replaced_meanwhile_is_not_replaced_again() {
    let bench = Bench::new().await;
    let store = bench.store();
    let key = merchant("m");
    let granted = grant("a", START);
    store.put_login(&key, &granted, START, None).await.unwrap();
    let older = "access-before-a".into();
    let found = store
        .refresh_now(
            &key,
            Some(&older),
            &bench.clock,
            bench.deadline(),
            &NoGateway,
        )
        .await
        .unwrap();
    assert_eq!(found.token.expose_secret(), "access-a");
    let gateway = Gateway::with_live("a", &bench.clock);
    let stored = "access-a".into();
    let fresh = store
        .refresh_now(
            &key,
            Some(&stored),
            &bench.clock,
            bench.deadline(),
            &gateway,
        )
        .await
        .unwrap();
    assert_eq!(fresh.token.expose_secret(), "access-refreshed-1");
}

#[tokio::test]
async fn a_refused_refresh_on_demand_asks_for_a_new_authorisation_and_nobody_has_no_token() {
    let bench = Bench::new().await;
    let store = bench.store();
    let gateway = Gateway::with_live("another", &bench.clock);
    let outcome = store
        .refresh_now(
            &merchant("m"),
            None,
            &bench.clock,
            bench.deadline(),
            &gateway,
        )
        .await;
    assert!(matches!(outcome, Err(StoreError::NotFound)), "{outcome:?}");
    let granted = grant("a", START);
    let key = merchant("m");
    store.put_login(&key, &granted, START, None).await.unwrap();
    let outcome = store
        .refresh_now(&key, None, &bench.clock, bench.deadline(), &gateway)
        .await;
    assert!(
        matches!(outcome, Err(StoreError::Reauthorize)),
        "{outcome:?}"
    );
}
