//! Refused tokens: suspicion, the quarantine, and the end of a grant.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use secrecy::ExposeSecret;
use token_store::{
    AccessToken, Because, Clock, RefreshFailure, RefreshOutcome, Replacement, StoreError,
};

use crate::gateway::{Gate, Gateway, Held, NoGateway};
use crate::harness::{Bench, START, grant, long_grant, text, time, user};
use crate::refresh::with_expired_token;

const QUARANTINE: Duration = Duration::from_secs(120);
const MARKS: [&str; 6] = [
    "suspect_since",
    "refused_since",
    "not_before",
    "attempts",
    "lease_owner",
    "lease_until",
];

async fn assert_active_without_marks(bench: &Bench) {
    let row = bench.item().await;
    assert_eq!(text(&row, "state"), "active");
    for mark in MARKS {
        assert!(!row.contains_key(mark), "{mark}");
    }
}

/// A bench whose only row is suspect since its refresh token was refused a moment ago.
async fn with_refused_refresh_token() -> Bench {
    let bench = with_expired_token().await;
    let gateway = Gateway::with_live("another", &bench.clock);
    let outcome = bench.read(&bench.store(), &gateway).await;
    assert!(
        matches!(outcome, Err(StoreError::Busy { .. })),
        "{outcome:?}"
    );
    bench
}

#[tokio::test]
async fn a_refused_refresh_marks_the_grant_and_is_not_tried_again_in_quarantine() {
    let bench = with_refused_refresh_token().await;
    let now = bench.clock.now();
    let row = bench.item().await;
    assert_eq!(text(&row, "state"), "suspect");
    assert_eq!(text(&row, "generation"), "1");
    assert_eq!(time(&row, "suspect_since"), Some(now));
    assert_eq!(time(&row, "refused_since"), Some(now));
    assert_eq!(time(&row, "not_before"), Some(now.plus(QUARANTINE)));
    assert_eq!(
        time(&row, "due_at"),
        Some(now.plus(QUARANTINE)),
        "however short its life"
    );
    assert!(
        row.contains_key("refresh_token_sealed"),
        "nothing is deleted"
    );
    assert!(!row.contains_key("lease_owner"));

    bench.clock.advance(QUARANTINE - Duration::from_millis(1));
    let outcome = bench.read(&bench.reader(), &NoGateway).await;
    let left = Duration::from_millis(1);
    assert!(
        matches!(outcome, Err(StoreError::Busy { retry_after }) if retry_after == left),
        "{outcome:?}"
    );
    for because in [Because::Due, Because::Asked] {
        let outcome = bench.refresh(&bench.store(), because, &NoGateway).await;
        let expected = match because {
            Because::Due => RefreshOutcome::Fresh,
            _ => RefreshOutcome::Suspect { retry_after: left },
        };
        assert_eq!(outcome.unwrap(), expected);
    }
}

#[tokio::test]
async fn refused_again_after_the_quarantine_the_grant_has_ended() {
    let bench = with_refused_refresh_token().await;
    bench.clock.advance(QUARANTINE);
    let gateway = Gateway::with_live("another", &bench.clock);
    for _ in 0..2 {
        let outcome = bench.read(&bench.store(), &gateway).await;
        assert!(
            matches!(outcome, Err(StoreError::Reauthorize)),
            "{outcome:?}"
        );
    }
    assert_eq!(gateway.calls(), 1, "one confirming call");
    let row = bench.item().await;
    assert_eq!(text(&row, "state"), "reauthorize");
    for gone in ["due_shard", "due_at", "lease_owner", "not_before"] {
        assert!(!row.contains_key(gone), "{gone}");
    }
    bench.clock.advance(100 * QUARANTINE);
    assert!(bench.due(&bench.store()).await.is_empty());
}

#[tokio::test]
async fn the_schedule_makes_the_confirming_call_too() {
    let bench = with_refused_refresh_token().await;
    let store = bench.store();
    assert!(bench.due(&store).await.is_empty());
    bench.clock.advance(QUARANTINE);
    assert_eq!(bench.due(&store).await.len(), 1);
    let gateway = Gateway::with_live("another", &bench.clock);
    let outcome = bench.refresh(&store, Because::Due, &gateway).await.unwrap();
    assert_eq!(outcome, RefreshOutcome::Reauthorize);
}

#[tokio::test]
async fn a_confirming_call_that_succeeds_makes_the_grant_active_again() {
    let bench = with_refused_refresh_token().await;
    bench.clock.advance(QUARANTINE);
    let gateway = Gateway::with_live("a", &bench.clock);
    let token = bench.read(&bench.store(), &gateway).await.unwrap();
    assert_eq!(token.generation.get(), 2);
    assert_active_without_marks(&bench).await;
}

#[tokio::test]
async fn a_confirming_call_without_an_answer_ends_nothing() {
    let bench = with_refused_refresh_token().await;
    bench.clock.advance(QUARANTINE);
    let gateway =
        Gateway::with_live("a", &bench.clock).failing_once(RefreshFailure::Transient("down"));
    let outcome = bench.read(&bench.store(), &gateway).await;
    assert!(
        matches!(outcome, Err(StoreError::Busy { .. })),
        "{outcome:?}"
    );
    assert_eq!(text(&bench.item().await, "state"), "suspect");
    bench.clock.advance(Duration::from_secs(15 * 60));
    bench.read(&bench.store(), &gateway).await.unwrap();
    assert_active_without_marks(&bench).await;
}

#[tokio::test]
async fn a_login_during_the_confirming_call_is_not_ended_by_its_refusal() {
    let bench = with_refused_refresh_token().await;
    bench.clock.advance(QUARANTINE);
    let held = Held {
        inner: Arc::new(Gateway::with_live("another", &bench.clock)),
        gate: Arc::new(Gate::default()),
    };
    let store = bench.store();
    let (outcome, ()) = tokio::join!(bench.refresh(&store, Because::Due, &held), async {
        held.gate.reached.notified().await;
        bench.log_in(&grant("b", bench.clock.now())).await;
        held.gate.open.notify_one();
    });
    assert_eq!(outcome.unwrap(), RefreshOutcome::Fresh);
    assert_active_without_marks(&bench).await;
}

#[tokio::test]
async fn a_refresh_token_that_is_too_old_ends_the_grant_at_once() {
    let bench = with_expired_token().await;
    let gateway = Gateway::with_live("a", &bench.clock).failing(RefreshFailure::Ended);
    for _ in 0..2 {
        let outcome = bench.read(&bench.store(), &gateway).await;
        assert!(
            matches!(outcome, Err(StoreError::Reauthorize)),
            "{outcome:?}"
        );
    }
    assert_eq!(gateway.calls(), 1);
    assert_eq!(text(&bench.item().await, "state"), "reauthorize");
}

#[tokio::test]
async fn a_login_clears_every_mark_of_doubt() {
    for ended in [false, true] {
        let bench = with_refused_refresh_token().await;
        if ended {
            bench
                .set("state", AttributeValue::S("reauthorize".into()))
                .await;
        }
        bench.log_in(&long_grant("b", bench.clock.now())).await;
        assert_active_without_marks(&bench).await;
        assert!(bench.item().await.contains_key("due_at"));
        let token = bench.read(&bench.reader(), &NoGateway).await.unwrap();
        assert_eq!(token.token.expose_secret(), "access-b");
    }
}

#[tokio::test]
async fn a_late_pair_brings_a_grant_back_that_was_given_up() {
    let bench = with_expired_token().await;
    let held = Held {
        inner: Arc::new(Gateway::with_live("a", &bench.clock)),
        gate: Arc::new(Gate::default()),
    };
    let store = bench.store();
    let (outcome, ()) = tokio::join!(bench.refresh(&store, Because::Asked, &held), async {
        held.gate.reached.notified().await;
        bench
            .set("state", AttributeValue::S("reauthorize".into()))
            .await;
        held.gate.open.notify_one();
    });
    assert_eq!(outcome.unwrap(), RefreshOutcome::Refreshed);
    assert_active_without_marks(&bench).await;
}

/// A user with a long-lived token, and that token.
async fn in_use() -> (Bench, AccessToken) {
    let bench = Bench::new().await;
    bench.log_in(&long_grant("a", START)).await;
    bench.clock.advance(Duration::from_secs(3600));
    let token = bench.read(&bench.reader(), &NoGateway).await.unwrap();
    (bench, token)
}

async fn invalidate(bench: &Bench, refused: &AccessToken) -> Result<Replacement, StoreError> {
    let (reader, worker) = (bench.reader(), bench.store());
    let renewal = bench.renewal(&worker, &NoGateway);
    reader
        .invalidate(
            &user("u"),
            refused,
            &bench.clock,
            bench.deadline(),
            &renewal,
        )
        .await
}

#[tokio::test]
async fn a_users_token_refused_at_its_use_is_doubted_without_a_gateway_call() {
    let (bench, token) = in_use().await;
    let now = bench.clock.now();
    let outcome = invalidate(&bench, &token).await;
    assert!(
        matches!(outcome, Ok(Replacement::Reauthorize)),
        "{outcome:?}"
    );
    let row = bench.item().await;
    assert_eq!(text(&row, "state"), "suspect");
    assert_eq!(time(&row, "suspect_since"), Some(now));
    assert_eq!(time(&row, "due_at"), Some(now.plus(QUARANTINE)));
    assert!(
        !row.contains_key("refused_since"),
        "the refresh token was not refused"
    );
}

#[tokio::test]
async fn a_users_token_refused_near_its_end_has_just_ended_and_is_refreshed() {
    let bench = Bench::new().await;
    bench.log_in(&grant("a", START)).await;
    let held = bench.read(&bench.store(), &NoGateway).await.unwrap();
    bench.clock.advance(Duration::from_secs(250));
    let store = bench.store();
    let gateway = Gateway::with_live("a", &bench.clock);
    let replaced = store
        .invalidate(
            &user("u"),
            &held,
            &bench.clock,
            bench.deadline(),
            &bench.renewal(&store, &gateway),
        )
        .await;
    match replaced.unwrap() {
        Replacement::Token(token) => assert_eq!(token.token.expose_secret(), "access-refreshed-1"),
        Replacement::Reauthorize => panic!("the refresh token is good"),
    }
    assert_active_without_marks(&bench).await;
}

#[tokio::test]
async fn every_caller_whose_token_is_refused_hears_the_same_and_none_calls_the_gateway() {
    let (bench, token) = in_use().await;
    for _ in 0..5 {
        let outcome = invalidate(&bench, &token).await;
        assert!(
            matches!(outcome, Ok(Replacement::Reauthorize)),
            "{outcome:?}"
        );
        bench.clock.advance(Duration::from_secs(10));
    }
    let since = time(&bench.item().await, "suspect_since").unwrap();
    assert_eq!(
        bench.clock.now().since(since),
        Duration::from_secs(50),
        "the first counts"
    );
}

#[tokio::test]
async fn a_grant_doubted_at_its_use_is_settled_by_the_schedule() {
    for (live, settled) in [("a", "active"), ("another", "suspect")] {
        let (bench, token) = in_use().await;
        invalidate(&bench, &token).await.unwrap();
        let store = bench.store();
        assert!(bench.due(&store).await.is_empty());
        bench.clock.advance(QUARANTINE);
        assert_eq!(bench.due(&store).await.len(), 1);
        let gateway = Gateway::with_live(live, &bench.clock);
        bench.refresh(&store, Because::Due, &gateway).await.unwrap();
        assert_eq!(gateway.calls(), 1);
        let row = bench.item().await;
        assert_eq!(text(&row, "state"), settled);
        // Refused here for the first time: now the quarantine begins.
        let refused = (settled == "suspect").then(|| bench.clock.now());
        assert_eq!(time(&row, "refused_since"), refused);
    }
}

#[tokio::test]
async fn a_refused_token_with_a_newer_one_stored_is_replaced_by_it() {
    let (bench, token) = in_use().await;
    let gateway = Gateway::with_live("a", &bench.clock);
    bench
        .refresh(&bench.store(), Because::Asked, &gateway)
        .await
        .unwrap();
    let replacement = invalidate(&bench, &token).await;
    assert!(
        matches!(&replacement, Ok(Replacement::Token(found)) if found.token.expose_secret() == "access-refreshed-1"),
        "{replacement:?}"
    );
    assert_active_without_marks(&bench).await;
}

/// A refresh ends the old token before the new one is stored: its refusal meanwhile means nothing.
#[tokio::test]
async fn a_token_refused_while_somebody_refreshes_it_is_not_doubted() {
    let (bench, token) = in_use().await;
    let held = Held {
        inner: Arc::new(Gateway::with_live("a", &bench.clock)),
        gate: Arc::new(Gate::default()),
    };
    let (store, reader) = (bench.store(), bench.reader());
    let (_, replacement) = tokio::join!(bench.refresh(&store, Because::Asked, &held), async {
        held.gate.reached.notified().await;
        let soon = bench.clock.now().plus(Duration::from_millis(100));
        let outcome = reader
            .invalidate(&user("u"), &token, &bench.clock, soon, &NoGateway)
            .await;
        assert!(
            matches!(outcome, Err(StoreError::Busy { .. })),
            "{outcome:?}"
        );
        held.gate.open.notify_one();
        reader
            .invalidate(
                &user("u"),
                &token,
                &bench.clock,
                bench.deadline(),
                &NoGateway,
            )
            .await
    });
    assert!(
        matches!(&replacement, Ok(Replacement::Token(found)) if found.generation.get() == 2),
        "{replacement:?}"
    );
}
