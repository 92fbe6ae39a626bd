//! First answers: the work is done once, and a repeat gets the same answer.

use std::time::Duration;

use token_store::{
    Claim, ClaimToken, Completion, FirstAnswers, MAX_ANSWER_BYTES, Seen, StoreError, Waited,
    WallTime,
};

use crate::gateway::NoGateway;
use crate::harness::{Bench, START, grant, user};

const SCOPE: &str = "code2session#2021000000000001";
const RUNS: Duration = Duration::from_secs(10);
const KEPT: Duration = Duration::from_secs(60);

async fn claim_at(answers: &FirstAnswers, key: &str, fingerprint: &[u8], now: WallTime) -> Claim {
    answers
        .claim(SCOPE, key, fingerprint, now, now.plus(RUNS), now.plus(KEPT))
        .await
        .unwrap()
}

async fn first(answers: &FirstAnswers, now: WallTime) -> ClaimToken {
    match claim_at(answers, "code", b"payload", now).await {
        Claim::First(token) => token,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn of_a_hundred_at_once_one_is_first() {
    let bench = Bench::new().await;
    let claims: Vec<_> = (0..100)
        .map(|_| {
            let answers = bench.first_answers();
            tokio::spawn(async move { claim_at(&answers, "code", b"payload", START).await })
        })
        .collect();
    let mut first = 0;
    for claim in claims {
        match claim.await.unwrap() {
            Claim::First(_) => first += 1,
            Claim::Running { until } => assert_eq!(until, START.plus(RUNS)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(first, 1);
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_and_the_row_does_not_show_it() {
    let bench = Bench::new().await;
    let answers = bench.first_answers();
    let token = first(&answers, START).await;
    answers.complete(token, r#"{"code":0}"#).await.unwrap();
    match claim_at(&bench.first_answers(), "code", b"payload", START).await {
        Claim::Answered(answer) => assert_eq!(answer, r#"{"code":0}"#),
        other => panic!("{other:?}"),
    }
    let row = bench.item().await;
    let plain = aws_sdk_dynamodb::primitives::Blob::new(r#"{"code":0}"#);
    assert_ne!(row["answer_sealed"].as_b().unwrap(), &plain);
    assert!(
        !format!("{row:?}").contains("\"code\""),
        "the key is hashed"
    );
    assert_eq!(
        row["ttl"].as_n().unwrap(),
        &(START.as_millis() / 1000 + 60).to_string()
    );
}

#[tokio::test]
async fn the_same_key_with_another_payload_is_a_mismatch_running_answered_or_killed() {
    let bench = Bench::new().await;
    let answers = bench.first_answers();
    let token = first(&answers, START).await;
    let mismatch = async |now| {
        matches!(
            claim_at(&answers, "code", b"other", now).await,
            Claim::Mismatch
        )
    };
    assert!(mismatch(START).await);
    assert!(mismatch(START.plus(RUNS)).await, "nor is it taken over");
    answers.complete(token, "answer").await.unwrap();
    assert!(mismatch(START).await);
}

#[tokio::test]
async fn scopes_and_keys_are_apart() {
    let bench = Bench::new().await;
    let answers = bench.first_answers();
    let later = START.plus(KEPT);
    for (scope, key) in [("a", "b"), ("a#b", ""), ("a", "c"), ("b", "b")] {
        let claim = answers
            .claim(scope, key, b"p", START, later, later)
            .await
            .unwrap();
        assert!(matches!(claim, Claim::First(_)), "{scope} {key}");
    }
}

#[tokio::test]
async fn a_released_claim_is_free_again() {
    let bench = Bench::new().await;
    let answers = bench.first_answers();
    let token = first(&answers, START).await;
    answers.release(token.clone()).await.unwrap();
    first(&answers, START).await;
    // A second release of the same token does not touch the new claim.
    answers.release(token).await.unwrap();
    assert_eq!(bench.items().await.len(), 1);
}

#[tokio::test]
async fn a_killed_owners_claim_is_taken_over_at_its_end_and_not_before() {
    let bench = Bench::new().await;
    let answers = bench.first_answers();
    let zombie = first(&answers, START).await;
    let just_before = START.plus(RUNS).minus(Duration::from_millis(1));
    let claim = claim_at(&answers, "code", b"payload", just_before).await;
    assert!(matches!(claim, Claim::Running { until } if until == START.plus(RUNS)));

    let successor = first(&answers, START.plus(RUNS)).await;
    let outcome = answers.complete(zombie.clone(), "zombie").await;
    assert!(matches!(outcome, Err(StoreError::ClaimLost)));
    answers.release(zombie.clone()).await.unwrap();
    answers.complete(successor, "successor").await.unwrap();
    assert!(matches!(
        answers.complete(zombie, "zombie").await,
        Err(StoreError::ClaimLost)
    ));
    match claim_at(&answers, "code", b"payload", START).await {
        Claim::Answered(answer) => assert_eq!(answer, "successor"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_answer_past_its_window_counts_as_absent_though_the_row_is_there() {
    let bench = Bench::new().await;
    let answers = bench.first_answers();
    let token = first(&answers, START).await;
    answers.complete(token, "answer").await.unwrap();
    let end = START.plus(KEPT);
    let before = end.minus(Duration::from_millis(1));
    assert!(matches!(
        claim_at(&answers, "code", b"payload", before).await,
        Claim::Answered(_)
    ));
    let clock = move || end;
    let deadline = end.plus(RUNS);
    let waited = answers
        .wait(SCOPE, "code", b"payload", &clock, deadline)
        .await
        .unwrap();
    assert!(matches!(waited, Waited::Gone));
    // For another payload too.
    let claim = claim_at(&answers, "code", b"other", end).await;
    assert!(matches!(claim, Claim::First(_)));
}

#[tokio::test]
async fn who_waits_gets_the_answer_when_it_comes() {
    let bench = Bench::new().await;
    let answers = bench.first_answers();
    let token = first(&answers, START).await;
    let waiter = tokio::spawn({
        let answers = answers.clone();
        let clock = bench.clock.clone();
        async move {
            answers
                .wait(SCOPE, "code", b"payload", &clock, START.plus(RUNS))
                .await
        }
    });
    answers.complete(token, "answer").await.unwrap();
    let waited = waiter.await.unwrap().unwrap();
    assert!(matches!(waited, Waited::Answered(answer) if answer == "answer"));
}

#[tokio::test]
async fn who_waits_hears_of_a_release_a_mismatch_a_killed_owner_and_the_deadline() {
    let bench = Bench::new().await;
    let answers = bench.first_answers();
    let token = first(&answers, START).await;
    let wait = async |fingerprint: &[u8], now: WallTime| {
        let clock = move || now;
        let deadline = now.plus(Duration::from_millis(50));
        answers
            .wait(SCOPE, "code", fingerprint, &clock, deadline)
            .await
            .unwrap()
    };
    let until = START.plus(RUNS);
    assert!(matches!(
        wait(b"payload", START).await,
        Waited::StillRunning { until: end } if end == until
    ));
    assert!(matches!(wait(b"other", START).await, Waited::Mismatch));
    assert!(matches!(wait(b"payload", until).await, Waited::Gone));
    answers.release(token).await.unwrap();
    assert!(matches!(wait(b"payload", START).await, Waited::Gone));
}

#[tokio::test]
async fn a_login_and_its_answer_are_written_together() {
    let bench = Bench::new().await;
    let store = bench.store();
    let answers = store.first_answers();
    for (round, key) in ["code-1", "code-2"].into_iter().enumerate() {
        let Claim::First(token) = claim_at(&answers, key, b"payload", START).await else {
            panic!("{key}");
        };
        let generation = store
            .put_login(
                &user("u"),
                Seen::NOTHING,
                &grant(key, START),
                START,
                Some(Completion::new(token, key)),
            )
            .await
            .unwrap();
        assert_eq!(generation.get(), round as u64 + 1);
        let claim = claim_at(&answers, key, b"payload", START).await;
        assert!(matches!(claim, Claim::Answered(answer) if answer == key));
    }
    let token = store
        .access_token(&user("u"), &bench.clock, bench.deadline(), &NoGateway)
        .await
        .unwrap();
    assert_eq!(token.generation.get(), 2);
}

#[tokio::test]
async fn a_login_whose_claim_was_taken_over_writes_neither() {
    let bench = Bench::new().await;
    let store = bench.store();
    let answers = store.first_answers();
    let zombie = first(&answers, START).await;
    let successor = first(&answers, START.plus(RUNS)).await;
    let outcome = store
        .put_login(
            &user("u"),
            Seen::NOTHING,
            &grant("a", START),
            START,
            Some(Completion::new(zombie, "zombie")),
        )
        .await;
    assert!(matches!(outcome, Err(StoreError::ClaimLost)));
    assert_eq!(bench.items().await.len(), 1, "the claim alone");
    answers.complete(successor, "successor").await.unwrap();
}

#[tokio::test]
async fn an_answer_that_no_row_can_hold_is_refused() {
    let bench = Bench::new().await;
    let answers = bench.first_answers();
    let token = first(&answers, START).await;
    let largest = "x".repeat(MAX_ANSWER_BYTES);
    let outcome = answers
        .complete(token.clone(), &format!("{largest}x"))
        .await;
    assert!(matches!(outcome, Err(StoreError::TooLarge { .. })));
    answers.complete(token, &largest).await.unwrap();
}

#[tokio::test]
async fn an_answer_moved_to_another_key_does_not_open() {
    let bench = Bench::new().await;
    let answers = bench.first_answers();
    let token = first(&answers, START).await;
    answers.complete(token, "answer").await.unwrap();
    let mut row = bench.item().await;
    let Claim::First(_) = claim_at(&answers, "other", b"payload", START).await else {
        panic!("not first");
    };
    let items = bench.items().await;
    let other = items.iter().find(|item| item["pk"] != row["pk"]).unwrap();
    row.insert("pk".into(), other["pk"].clone());
    bench.overwrite(row).await;
    let outcome = answers
        .claim(
            SCOPE,
            "other",
            b"payload",
            START,
            START.plus(RUNS),
            START.plus(KEPT),
        )
        .await;
    assert!(matches!(
        outcome,
        Err(StoreError::Corrupt {
            field: "answer_sealed",
            ..
        })
    ));
}
