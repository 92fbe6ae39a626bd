//! What must happen once happens once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use alipay_gateway::Refusal;
use function_kit::{Failure, Outcome};
use function_tokens::{Begun, ClaimToken, Login, Once, Seen, User};

use crate::bench::Bench;

const PATIENCE: Duration = Duration::from_secs(20);

fn once<'a>(key: &'a str, same: &'a [&'a str]) -> Once<'a> {
    Once {
        function: "test",
        key,
        same,
        keep: Duration::from_secs(60),
        takeover: true,
        mismatch: "the key was used for something else",
    }
}

async fn begin(bench: &Bench, once: &Once<'_>) -> Result<Begun<String>, Failure> {
    let caller = bench.caller(PATIENCE).await;
    bench.tokens.begin(once, &bench.alipay, &caller).await
}

async fn first(bench: &Bench, once: &Once<'_>) -> ClaimToken {
    match begin(bench, once).await.unwrap() {
        Begun::First(claim) => claim,
        Begun::Repeat(_) => panic!("it was done before"),
    }
}

async fn repeat(bench: &Bench, once: &Once<'_>) -> Result<String, Failure> {
    match begin(bench, once).await.unwrap() {
        Begun::Repeat(answer) => answer,
        Begun::First(_) => panic!("it was not done before"),
    }
}

#[tokio::test]
async fn of_twenty_equal_requests_at_once_one_does_the_work_and_all_hear_its_answer() {
    let bench = Arc::new(Bench::new().await);
    let done = Arc::new(AtomicUsize::new(0));
    let requests: Vec<_> = (0..20)
        .map(|_| {
            let (bench, done) = (Arc::clone(&bench), Arc::clone(&done));
            tokio::spawn(async move {
                match begin(&bench, &once("k", &["a"])).await.unwrap() {
                    Begun::First(claim) => {
                        let count = done.fetch_add(1, Ordering::SeqCst) + 1;
                        tokio::time::sleep(Duration::from_millis(200)).await;
                        let answer = format!("answer {count}");
                        bench.tokens.finish(claim, Ok(&answer)).await.unwrap();
                        answer
                    }
                    Begun::Repeat(answer) => answer.unwrap(),
                }
            })
        })
        .collect();
    for request in requests {
        assert_eq!(request.await.unwrap(), "answer 1");
    }
    assert_eq!(done.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_same_key_for_something_else_is_a_conflict_running_or_done() {
    let bench = Bench::new().await;
    let conflict = |failure: Failure| match failure.outcome() {
        Outcome::Conflict { reason } => assert_eq!(reason, "the key was used for something else"),
        other => panic!("{other:?}"),
    };
    let claim = first(&bench, &once("k", &["a", "b"])).await;
    conflict(begin(&bench, &once("k", &["ab"])).await.err().unwrap());
    bench
        .tokens
        .finish(claim, Ok(&"done".to_owned()))
        .await
        .unwrap();
    conflict(begin(&bench, &once("k", &["a", "c"])).await.err().unwrap());
    assert_eq!(
        repeat(&bench, &once("k", &["a", "b"])).await.unwrap(),
        "done"
    );
}

#[tokio::test]
async fn keys_of_different_functions_never_meet() {
    let bench = Bench::new().await;
    first(&bench, &once("k", &["a"])).await;
    let other = Once {
        function: "other",
        ..once("k", &["b"])
    };
    first(&bench, &other).await;
}

#[tokio::test]
async fn without_the_store_nothing_may_be_done() {
    let bench = Bench::without_a_store().await;
    let failure = begin(&bench, &once("k", &["a"])).await.err().unwrap();
    assert!(
        matches!(failure.outcome(), Outcome::TemporarilyUnavailable { .. }),
        "{failure:?}"
    );
}

#[tokio::test]
async fn after_a_killed_owners_deadline_a_repeat_takes_over_and_the_owner_can_change_nothing() {
    let bench = Bench::new().await;
    let killed = first(&bench, &once("k", &["a"])).await;
    bench.clock.advance(PATIENCE + Duration::from_millis(1));
    let successor = first(&bench, &once("k", &["a"])).await;
    assert!(
        bench
            .tokens
            .finish(killed.clone(), Ok(&"late".to_owned()))
            .await
            .is_err()
    );
    bench.tokens.release(killed).await;
    bench
        .tokens
        .finish(successor, Ok(&"done".to_owned()))
        .await
        .unwrap();
    assert_eq!(repeat(&bench, &once("k", &["a"])).await.unwrap(), "done");
}

#[tokio::test]
async fn a_waiting_repeat_takes_over_by_itself_when_the_owners_deadline_passes() {
    let bench = Bench::new().await;
    let caller = bench.caller(Duration::from_millis(700)).await;
    let running = once("k", &["a"]);
    let killed = bench
        .tokens
        .begin::<String>(&running, &bench.alipay, &caller)
        .await
        .unwrap();
    assert!(matches!(killed, Begun::First(_)));
    first(&bench, &running).await;
}

#[tokio::test]
async fn a_repeat_with_too_little_time_to_wait_is_told_to_come_back() {
    let bench = Bench::new().await;
    let running = once("k", &["a"]);
    first(&bench, &running).await;
    let caller = bench.caller(Duration::from_millis(800)).await;
    let failure = bench
        .tokens
        .begin::<String>(&running, &bench.alipay, &caller)
        .await
        .err()
        .unwrap();
    match failure.outcome() {
        Outcome::TemporarilyUnavailable {
            retry_after_seconds,
            advice,
        } => {
            assert!(
                *retry_after_seconds >= 1 && advice.contains("repeat"),
                "{failure:?}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn work_that_may_not_be_taken_over_is_never_done_again_after_its_owner_was_killed() {
    let bench = Bench::new().await;
    let message = Once {
        takeover: false,
        ..once("k", &["a"])
    };
    let _killed = first(&bench, &message).await;
    bench.clock.advance(PATIENCE + Duration::from_millis(1));
    let caller = bench.caller(Duration::from_millis(700)).await;
    let Err(failure) = bench
        .tokens
        .begin::<String>(&message, &bench.alipay, &caller)
        .await
    else {
        panic!("what the first one did is not known");
    };
    assert_eq!(*failure.outcome(), Outcome::GatewayTimeout);
    assert!(!failure.is_repeatable());
}

#[tokio::test]
async fn a_released_claim_is_free_at_once() {
    let bench = Bench::new().await;
    let claim = first(&bench, &once("k", &["a"])).await;
    bench.tokens.release(claim).await;
    first(&bench, &once("k", &["something else"])).await;
}

#[tokio::test]
async fn an_answer_is_forgotten_after_its_time() {
    let bench = Bench::new().await;
    let claim = first(&bench, &once("k", &["a"])).await;
    bench
        .tokens
        .finish(claim, Ok(&"done".to_owned()))
        .await
        .unwrap();
    bench.clock.advance(Duration::from_secs(59));
    assert_eq!(repeat(&bench, &once("k", &["a"])).await.unwrap(), "done");
    bench.clock.advance(Duration::from_secs(2));
    first(&bench, &once("k", &["b"])).await;
}

#[tokio::test]
async fn a_kept_failure_repeats_as_the_same_outcome() {
    let bench = Bench::new().await;
    for (index, outcome) in [
        Outcome::GatewayRefused(Refusal {
            code: "40002".to_owned(),
            sub_code: Some("isv.code-invalid".to_owned()),
            msg: "Invalid Arguments".to_owned(),
            sub_msg: Some("授权码code无效".to_owned()),
            trace_id: Some("t".into()),
            ..Refusal::default()
        }),
        Outcome::GatewayTimeout,
        Outcome::GatewayUnverified,
        Outcome::TemporarilyUnavailable {
            retry_after_seconds: 3,
            advice: "wait".to_owned(),
        },
        Outcome::Internal,
    ]
    .into_iter()
    .enumerate()
    {
        let key = index.to_string();
        let claim = first(&bench, &once(&key, &["a"])).await;
        let failure = Failure::new(outcome.clone()).with_repeatable(index % 2 == 0);
        bench
            .tokens
            .finish::<String>(claim, Err(&failure))
            .await
            .unwrap();
        let repeated = repeat(&bench, &once(&key, &["a"])).await.unwrap_err();
        assert_eq!(*repeated.outcome(), outcome);
        assert_eq!(repeated.is_repeatable(), failure.is_repeatable());
    }
}

#[tokio::test]
async fn a_login_and_its_first_answer_are_kept_together() {
    let bench = Bench::new().await;
    let (granted, asked_at) = bench.login().await;
    let claim = first(&bench, &once("code", &["a"])).await;
    let login = Login {
        app_id: &bench.app.app_id,
        auth_app_id: None,
        scope: None,
        granted: &granted,
        asked_at,
    };
    bench
        .tokens
        .keep_login(&login, Seen::NOTHING, claim, &"welcome")
        .await
        .unwrap();
    assert_eq!(
        repeat(&bench, &once("code", &["a"])).await.unwrap(),
        "welcome"
    );
}

#[tokio::test]
async fn a_login_whose_claim_was_taken_over_keeps_its_tokens_all_the_same() {
    let bench = Bench::new().await;
    let (granted, asked_at) = bench.login().await;
    let slow = first(&bench, &once("code", &["a"])).await;
    bench.clock.advance(PATIENCE + Duration::from_millis(1));
    let successor = first(&bench, &once("code", &["a"])).await;
    let login = Login {
        app_id: &bench.app.app_id,
        auth_app_id: None,
        scope: None,
        granted: &granted,
        asked_at,
    };
    bench
        .tokens
        .keep_login(&login, Seen::NOTHING, slow, &"late")
        .await
        .unwrap();
    bench
        .tokens
        .finish(successor, Ok(&"welcome".to_owned()))
        .await
        .unwrap();
    assert_eq!(
        repeat(&bench, &once("code", &["a"])).await.unwrap(),
        "welcome"
    );
    let caller = bench.caller(PATIENCE).await;
    let user = User {
        openid: granted.openid().unwrap(),
        scope: None,
        auth_app_id: None,
    };
    assert!(
        bench
            .tokens
            .user_access_token(&bench.alipay, &caller, &user)
            .await
            .is_ok()
    );
}
