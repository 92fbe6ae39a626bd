//! Merchants' tokens, whose times say little, and refreshes that somebody asks for.

use std::time::Duration;

use secrecy::ExposeSecret;
use token_store::{
    AccessToken, Because, Clock, RefreshFailure, RefreshOutcome, Renewal, Replacement, Seen,
    StoreError, TokenKey, TokenStore, WallTime,
};

use crate::gateway::{Gateway, NoGateway};
use crate::harness::{Bench, START, grant, merchant, text, user};

const TWO_MONTHS: Duration = Duration::from_secs(60 * 24 * 3600);
const QUARANTINE: Duration = Duration::from_secs(120);

async fn authorise(bench: &Bench, name: &str) -> TokenStore {
    let (store, now) = (bench.store(), bench.clock.now());
    let granted = grant(name, now);
    store
        .put_login(&merchant("m"), Seen::NOTHING, &granted, now, None)
        .await
        .unwrap();
    store
}

/// A bench with one merchant, whose token and refresh token are past their times.
async fn long_after_the_end() -> Bench {
    let bench = Bench::new().await;
    authorise(&bench, "a").await;
    bench.clock.advance(TWO_MONTHS);
    bench
}

async fn read(bench: &Bench, gateway: &Gateway) -> Result<AccessToken, StoreError> {
    bench
        .read_key(&bench.store(), &merchant("m"), gateway)
        .await
}

/// The token `name`, which Alipay did not accept.
fn refused(name: &str, generation: token_store::Generation) -> AccessToken {
    AccessToken {
        token: format!("access-{name}").into(),
        expires_at: WallTime::from_millis(u64::MAX),
        generation,
    }
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
    for failure in [
        RefreshFailure::Transient("down"),
        RefreshFailure::Misconfigured("another app"),
    ] {
        let bench = long_after_the_end().await;
        let gateway = Gateway::with_live("a", &bench.clock).failing(failure);
        for _ in 0..3 {
            let token = read(&bench, &gateway).await.unwrap();
            assert_eq!(token.token.expose_secret(), "access-a");
        }
        assert_eq!(gateway.calls(), 1, "then it is left alone for a while");
    }
}

#[tokio::test]
async fn a_merchant_in_doubt_is_served_until_the_refresh_token_was_refused_twice() {
    let bench = long_after_the_end().await;
    let gateway = Gateway::with_live("another", &bench.clock);
    for _ in 0..2 {
        let token = read(&bench, &gateway).await.unwrap();
        assert_eq!(token.token.expose_secret(), "access-a");
    }
    assert_eq!(gateway.calls(), 1);
    assert_eq!(text(&bench.item().await, "state"), "suspect");
    bench.clock.advance(QUARANTINE);
    for _ in 0..2 {
        let outcome = read(&bench, &gateway).await;
        assert!(
            matches!(outcome, Err(StoreError::Reauthorize)),
            "{outcome:?}"
        );
    }
    assert_eq!(gateway.calls(), 2);
    // A new authorisation makes it good again.
    authorise(&bench, "b").await;
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
async fn a_refresh_that_is_asked_for_is_made_whatever_the_age_of_the_token() {
    let bench = Bench::new().await;
    let store = authorise(&bench, "a").await;
    let key = merchant("m");
    let fresh = bench.read_key(&store, &key, &NoGateway).await.unwrap();
    assert_eq!(fresh.token.expose_secret(), "access-a");

    let gateway = Gateway::with_live("a", &bench.clock);
    let renewal = bench.renewal(&store, &gateway);
    let asked = store
        .renew_now(&key, &bench.clock, bench.deadline(), &renewal)
        .await
        .unwrap();
    assert_eq!(asked.token.expose_secret(), "access-refreshed-1");
    // No copy of the old one is left either.
    let served = bench.read_key(&store, &key, &NoGateway).await.unwrap();
    assert_eq!(served.token.expose_secret(), "access-refreshed-1");
}

#[tokio::test]
async fn a_refresh_that_is_asked_for_says_what_came_of_it() {
    let bench = Bench::new().await;
    let store = bench.store();
    let gateway = Gateway::with_live("another", &bench.clock);
    let renewal = bench.renewal(&store, &gateway);
    let ask = async || {
        store
            .renew_now(&merchant("m"), &bench.clock, bench.deadline(), &renewal)
            .await
    };
    let outcome = ask().await;
    assert!(matches!(outcome, Err(StoreError::NotFound)), "{outcome:?}");
    authorise(&bench, "a").await;
    let outcome = ask().await;
    assert!(
        matches!(outcome, Err(StoreError::Busy { retry_after }) if retry_after == QUARANTINE),
        "{outcome:?}"
    );
    bench.clock.advance(QUARANTINE);
    let outcome = ask().await;
    assert!(
        matches!(outcome, Err(StoreError::Reauthorize)),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_merchants_token_refused_at_its_use_is_refreshed_but_not_again_at_once() {
    let bench = Bench::new().await;
    let store = authorise(&bench, "a").await;
    bench.clock.advance(Duration::from_secs(60));
    let gateway = Gateway::with_live("a", &bench.clock);
    let renewal = bench.renewal(&store, &gateway);
    let first = bench
        .read_key(&store, &merchant("m"), &NoGateway)
        .await
        .unwrap();
    let replace = async |refused: &AccessToken| {
        store
            .invalidate(
                &merchant("m"),
                refused,
                &bench.clock,
                bench.deadline(),
                &renewal,
            )
            .await
            .unwrap()
    };
    let Replacement::Token(second) = replace(&first).await else {
        panic!("no token");
    };
    assert_eq!(second.token.expose_secret(), "access-refreshed-1");
    // Refused once more: it is not the token's age that Alipay refuses.
    for _ in 0..3 {
        assert!(matches!(replace(&second).await, Replacement::Reauthorize));
    }
    assert_eq!(gateway.calls(), 1);
    bench.clock.advance(Duration::from_secs(60));
    assert!(matches!(replace(&second).await, Replacement::Token(_)));
}

/// A worker that finds another one at work, which then ends in vain.
struct Outrun;

impl Renewal for Outrun {
    async fn renew(
        &self,
        _: &TokenKey,
        _: Because,
        _: WallTime,
    ) -> Result<RefreshOutcome, StoreError> {
        Ok(RefreshOutcome::Busy)
    }
}

#[tokio::test]
async fn a_refused_token_that_others_could_not_refresh_is_no_reason_to_agree_again() {
    let bench = Bench::new().await;
    let store = authorise(&bench, "a").await;
    bench.clock.advance(Duration::from_secs(60));
    let token = bench
        .read_key(&store, &merchant("m"), &NoGateway)
        .await
        .unwrap();
    let outcome = store
        .invalidate(
            &merchant("m"),
            &token,
            &bench.clock,
            bench.deadline(),
            &Outrun,
        )
        .await;
    assert!(
        matches!(outcome, Err(StoreError::Busy { .. })),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_refused_token_that_was_replaced_meanwhile_is_not_replaced_again() {
    for key in [merchant("m"), user("u")] {
        let bench = Bench::new().await;
        let store = bench.store();
        let granted = grant("a", START);
        let generation = store
            .put_login(&key, Seen::NOTHING, &granted, START, None)
            .await
            .unwrap();
        let older = refused("before-a", generation);
        let found = store
            .invalidate(&key, &older, &bench.clock, bench.deadline(), &NoGateway)
            .await
            .unwrap();
        assert!(
            matches!(&found, Replacement::Token(token) if token.token.expose_secret() == "access-a"),
            "{found:?}"
        );
    }
}

#[tokio::test]
async fn a_pair_without_a_refresh_token_cannot_be_renewed_however_long_it_lives() {
    let bench = Bench::new().await;
    let store = bench.store();
    let key = merchant("m");
    let mut pair = grant("a", START);
    pair.refresh_token = None;
    store
        .put_login(&key, Seen::NOTHING, &pair, START, None)
        .await
        .unwrap();
    let renewal = bench.renewal(&store, &NoGateway);
    let outcome = store
        .renew_now(&key, &bench.clock, bench.deadline(), &renewal)
        .await;
    assert!(
        matches!(outcome, Err(StoreError::Reauthorize)),
        "{outcome:?}"
    );
}
