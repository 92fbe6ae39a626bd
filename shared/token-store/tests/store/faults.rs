//! What the store does when DynamoDB is down, throttles, or its replies get lost.

use std::time::Duration;

use embedded_dynamodb::{Fault, Proxy, client_at};
use secrecy::{ExposeSecret, SecretString};
use token_store::{
    Because, Claim, Completion, DueShards, FirstAnswers, Grant, RefreshFailure, RefreshOutcome,
    Refresher, Seen, StoreError, TokenStore,
};
use tokio::net::TcpListener;

use crate::gateway::{Gateway, NoGateway};
use crate::harness::{Bench, START, grant, keys, text, user};

pub const THROTTLED: Fault = Fault::Answer {
    status: 400,
    code: "ProvisionedThroughputExceededException",
};

/// A store and first answers at an address where nobody listens.
async fn nowhere() -> (TokenStore, FirstAnswers) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client_at(listener.local_addr().unwrap());
    drop(listener);
    (
        TokenStore::new(client.clone(), "tokens", keys(), DueShards::default()),
        FirstAnswers::new(client, "tokens", keys()),
    )
}

fn is_unavailable<T>(outcome: Result<T, StoreError>) -> bool {
    outcome.is_err_and(|error| {
        matches!(error, StoreError::Unavailable { .. })
            && error.is_transient()
            && std::error::Error::source(&error).is_some()
    })
}

#[tokio::test]
async fn a_store_that_is_down_is_unavailable_for_every_call() {
    let (store, answers) = nowhere().await;
    let clock = || START;
    let later = START.plus(Duration::from_secs(25));
    assert!(is_unavailable(
        store
            .access_token(&user("u"), &clock, later, &NoGateway)
            .await
    ));
    assert!(is_unavailable(
        store
            .put_login(&user("u"), Seen::NOTHING, &grant("a", START), START, None)
            .await
    ));
    assert!(is_unavailable(store.look(&user("u")).await));
    assert!(is_unavailable(
        answers.claim("f", "k", b"p", START, later, later).await
    ));
    assert!(is_unavailable(
        answers.wait("f", "k", b"p", &clock, later).await
    ));
}

#[tokio::test]
async fn throttling_and_failures_inside_are_unavailable_and_refusals_are_not() {
    let bench = Bench::new().await;
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let store = bench.store_through(proxy.address);
    let read = async || {
        store
            .access_token(&user("u"), &bench.clock, bench.deadline(), &NoGateway)
            .await
    };
    for (status, code) in [
        (400, "ProvisionedThroughputExceededException"),
        (400, "ThrottlingException"),
        (400, "RequestLimitExceeded"),
        (500, "InternalServerError"),
        (503, "Unheard"),
    ] {
        proxy.arm("GetItem", Fault::Answer { status, code }, 10);
        assert!(is_unavailable(read().await), "{status} {code}");
    }
    for code in ["AccessDeniedException", "ResourceNotFoundException"] {
        proxy.arm("GetItem", Fault::Answer { status: 400, code }, 10);
        let error = read().await.unwrap_err();
        assert!(matches!(&error, StoreError::Rejected { code: found, .. } if found == code));
        assert!(!error.is_transient());
    }
}

#[tokio::test]
async fn no_errors_text_names_the_table() {
    let bench = Bench::new().await;
    let table = "a-table-that-is-not-there";
    let store = TokenStore::new(bench.client.clone(), table, keys(), DueShards::default());
    let error = store
        .put_login(&user("u"), Seen::NOTHING, &grant("a", START), START, None)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the token table refused the request (ResourceNotFoundException)"
    );
}

#[tokio::test]
async fn a_login_whose_reply_was_lost_is_recognised_as_its_own() {
    let bench = Bench::new().await;
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let store = bench.store_through(proxy.address);
    for expected in [1, 2] {
        proxy.arm("PutItem", Fault::LoseReply, 1);
        let generation = store
            .put_login(&user("u"), Seen::NOTHING, &grant("a", START), START, None)
            .await
            .unwrap();
        assert_eq!(proxy.suffered(), 1);
        assert_eq!(generation.get(), expected, "written once");
    }
}

#[tokio::test]
async fn a_login_that_looked_and_whose_reply_was_lost_is_recognised_as_its_own() {
    let bench = Bench::new().await;
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let store = bench.store_through(proxy.address);
    for expected in [1, 2] {
        let seen = store.look(&user("u")).await.unwrap();
        proxy.arm("PutItem", Fault::LoseReply, 1);
        let generation = store
            .put_login(&user("u"), seen, &grant("a", START), START, None)
            .await
            .unwrap();
        assert_eq!(proxy.suffered(), 1);
        assert_eq!(generation.get(), expected, "written once");
    }
}

#[tokio::test]
async fn a_login_whose_reply_was_lost_does_not_undo_the_refresh_that_followed_it() {
    let bench = Bench::new().await;
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let store = bench.store_through(proxy.address);
    proxy.arm("PutItem", Fault::LoseReplyLater, 1);
    let gateway = Gateway::with_live("a", &bench.clock);
    let (generation, ()) = tokio::join!(
        async {
            let pair = grant("a", START);
            store
                .put_login(&user("u"), Seen::NOTHING, &pair, START, None)
                .await
        },
        async {
            while bench.items().await.is_empty() {
                tokio::task::yield_now().await;
            }
            let outcome = bench
                .refresh(&bench.store(), Because::Asked, &gateway)
                .await;
            assert_eq!(outcome.unwrap(), RefreshOutcome::Refreshed);
            proxy.let_go();
        }
    );
    assert_eq!(generation.unwrap().get(), 1);
    assert_eq!(text(&bench.item().await, "generation"), "2");
    let token = bench.read(&bench.store(), &NoGateway).await.unwrap();
    assert_eq!(token.token.expose_secret(), "access-refreshed-1");
}

#[tokio::test]
async fn a_login_with_its_answer_whose_reply_was_lost_is_written_once() {
    let bench = Bench::new().await;
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let store = bench.store_through(proxy.address);
    let answers = store.first_answers();
    let later = START.plus(Duration::from_secs(60));
    let claim = answers.claim("f", "k", b"p", START, later, later).await;
    let Ok(Claim::First(token)) = claim else {
        panic!("{claim:?}");
    };
    proxy.arm("TransactWriteItems", Fault::LoseReply, 1);
    let generation = store
        .put_login(
            &user("u"),
            Seen::NOTHING,
            &grant("a", START),
            START,
            Some(Completion::new(token, "answer")),
        )
        .await
        .unwrap();
    assert_eq!(proxy.suffered(), 1);
    assert_eq!(generation.get(), 1);
}

#[tokio::test]
async fn claims_and_completions_whose_replies_were_lost_are_recognised_as_their_own() {
    let bench = Bench::new().await;
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let answers = bench.store_through(proxy.address).first_answers();
    let later = START.plus(Duration::from_secs(60));
    proxy.arm("PutItem", Fault::LoseReply, 1);
    let claim = answers.claim("f", "k", b"p", START, later, later).await;
    let Ok(Claim::First(token)) = claim else {
        panic!("{claim:?}");
    };
    proxy.arm("UpdateItem", Fault::LoseReply, 1);
    answers.complete(token, "answer").await.unwrap();
    assert_eq!(proxy.suffered(), 1);

    let claim = answers.claim("f", "k2", b"p", START, later, later).await;
    let Ok(Claim::First(token)) = claim else {
        panic!("{claim:?}");
    };
    proxy.arm("DeleteItem", Fault::LoseReply, 1);
    answers.release(token).await.unwrap();
    assert_eq!(proxy.suffered(), 1);
    assert_eq!(bench.items().await.len(), 1);
}

#[tokio::test]
async fn a_lease_and_a_commit_whose_replies_were_lost_are_recognised_as_their_own() {
    let bench = Bench::new().await;
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let store = bench.store_through(proxy.address);
    store
        .put_login(&user("u"), Seen::NOTHING, &grant("a", START), START, None)
        .await
        .unwrap();
    bench.clock.advance(Duration::from_secs(400));
    let gateway = Gateway::with_live("a", &bench.clock);
    // First the one that takes the lease; its repetition is passed, and so it is once more for the
    // commit.
    proxy.arm("UpdateItem", Fault::LoseReply, 1);
    let token = bench.read(&store, &gateway).await.unwrap();
    assert_eq!((proxy.suffered(), gateway.calls()), (1, 1));
    assert_eq!(token.generation.get(), 2);

    bench.clock.advance(Duration::from_secs(400));
    let arming = ArmingGateway {
        inner: &gateway,
        proxy: &proxy,
        passing: 0,
        fault: Fault::LoseReply,
        times: 1,
    };
    let token = bench.read(&store, &arming).await.unwrap();
    assert_eq!((proxy.suffered(), gateway.calls()), (1, 2));
    assert_eq!(token.generation.get(), 3);
    let row = bench.item().await;
    assert_eq!(row["generation"].as_n().unwrap(), "3");
    assert!(
        !row.contains_key("sibling_token_sealed"),
        "not taken for another worker's"
    );
}

/// Makes writes after the gateway call fail.
pub struct ArmingGateway<'a> {
    pub inner: &'a Gateway,
    pub proxy: &'a Proxy,
    pub fault: Fault,
    /// How many writes pass first.
    pub passing: usize,
    pub times: usize,
}

impl Refresher for ArmingGateway<'_> {
    async fn refresh(&self, refresh_token: &SecretString) -> Result<Grant, RefreshFailure> {
        let answer = self.inner.refresh(refresh_token).await;
        self.proxy
            .arm_after(self.passing, "UpdateItem", self.fault, self.times);
        answer
    }
}

#[tokio::test]
async fn a_throttled_commit_is_tried_again_until_the_pair_is_stored() {
    let bench = Bench::new().await;
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let store = bench.store_through(proxy.address);
    store
        .put_login(&user("u"), Seen::NOTHING, &grant("a", START), START, None)
        .await
        .unwrap();
    bench.clock.advance(Duration::from_secs(400));
    let gateway = Gateway::with_live("a", &bench.clock);
    let arming = ArmingGateway {
        inner: &gateway,
        proxy: &proxy,
        passing: 0,
        fault: THROTTLED,
        // More than the client's own three attempts.
        times: 7,
    };
    let token = bench.read(&store, &arming).await.unwrap();
    assert_eq!(proxy.suffered(), 7);
    assert_eq!(token.token.expose_secret(), "access-refreshed-1");
    assert_eq!(bench.item().await["generation"].as_n().unwrap(), "2");
}

#[tokio::test]
async fn a_pair_that_could_not_be_stored_is_not_handed_out_as_if_it_were() {
    let bench = Bench::new().await;
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let store = bench.store_through(proxy.address);
    store
        .put_login(&user("u"), Seen::NOTHING, &grant("a", START), START, None)
        .await
        .unwrap();
    bench.clock.advance(Duration::from_secs(400));
    let gateway = Gateway::with_live("a", &bench.clock);
    let arming = ArmingGateway {
        inner: &gateway,
        proxy: &proxy,
        passing: 0,
        fault: THROTTLED,
        times: usize::MAX,
    };
    let outcome = bench.read(&store, &arming).await;
    assert!(is_unavailable(outcome));
}

#[tokio::test]
async fn a_token_that_still_lives_is_served_though_dynamodb_fails_after_it_was_read() {
    let bench = Bench::new().await;
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let store = bench.store_through(proxy.address);
    store
        .put_login(&user("u"), Seen::NOTHING, &grant("a", START), START, None)
        .await
        .unwrap();
    bench.clock.advance(Duration::from_secs(270));
    proxy.arm("UpdateItem", THROTTLED, usize::MAX);
    let token = bench.read(&store, &NoGateway).await.unwrap();
    assert_eq!(token.token.expose_secret(), "access-a");
}
