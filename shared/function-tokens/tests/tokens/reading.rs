//! A process that cannot open refresh tokens, and the function that it has them refreshed by.

use std::time::{Duration, Instant};

use alipay_gateway::methods::UserGrant;
use function_kit::{Failure, Outcome};
use function_tokens::{Tokens, User};
use secrecy::ExposeSecret;
use serde_json::json;
use simulator::{AppOptions, Fault, FaultKind, TokenRules};

use crate::bench::Bench;
use crate::lambda::{Answer, Lambda};

const PATIENCE: Duration = Duration::from_secs(20);
/// The life of an access token in these tests; shorter than the ten minutes by which a timestamp may be off.
const LIFE: Duration = Duration::from_secs(300);

/// So long after a login a fifth of the life is left, and less.
const AGEING: Duration = Duration::from_secs(250);

/// A bench with a user who has logged in.
async fn logged_in() -> (Bench, UserGrant) {
    let options = AppOptions {
        tokens: TokenRules {
            access_seconds: LIFE.as_secs(),
            refresh_seconds: 3600,
            ..TokenRules::default()
        },
        ..AppOptions::default()
    };
    let bench = Bench::with_app(options).await;
    let (granted, asked_at) = bench.login().await;
    bench.keep(None, &granted, asked_at).await;
    bench.simulator.clear_received();
    (bench, granted)
}

/// A bench with a user whose token has expired.
async fn expired() -> (Bench, UserGrant) {
    let (bench, granted) = logged_in().await;
    bench.move_on(LIFE);
    (bench, granted)
}

async fn token(
    bench: &Bench,
    tokens: &Tokens,
    granted: &UserGrant,
    patience: Duration,
) -> Result<String, Failure> {
    let caller = bench.caller(patience).await;
    let user = User {
        openid: granted.openid().unwrap(),
        scope: None,
        auth_app_id: None,
    };
    tokens
        .user_access_token(&bench.alipay, &caller, &user)
        .await
        .map(|token| token.token.expose_secret().to_owned())
}

#[tokio::test]
async fn a_reader_of_an_expired_token_has_it_refreshed_once_and_is_served_the_new_one() {
    let (bench, granted) = expired().await;
    let lambda = Lambda::that_refreshes(bench.other_process(), bench.alipay.clone()).await;
    let reader = bench.reading(&lambda);
    let (one, two) = tokio::join!(
        token(&bench, &reader, &granted, PATIENCE),
        token(&bench, &reader, &granted, PATIENCE)
    );
    let fresh = one.unwrap();
    assert_ne!(fresh, granted.access_token.expose_secret());
    assert_eq!(two.unwrap(), fresh);
    assert_eq!(
        bench.simulator.refreshes_of_app(&bench.app.app_id).received,
        1
    );
    let invoked = lambda.invoked();
    assert_eq!(invoked.len(), 1);
    assert_eq!(invoked[0].kind, "RequestResponse");
    assert!(
        invoked[0]
            .line
            .starts_with("POST /2015-03-31/functions/refresh-tokens/invocations"),
        "{invoked:?}"
    );
    let refresh = &invoked[0].event["refresh"];
    assert_eq!(
        (
            &refresh["kind"],
            &refresh["because"],
            &refresh["generation"]
        ),
        (&json!("user"), &json!("expired"), &json!(1))
    );
}

#[tokio::test]
async fn what_the_function_says_of_the_grant_is_what_the_caller_hears() {
    for (answer, expected) in [
        (
            json!({"code":0,"outcome":"reauthorize"}),
            Some(Outcome::Reauthorize),
        ),
        (
            json!({"code":0,"outcome":"gone"}),
            Some(Outcome::Reauthorize),
        ),
        (
            json!({"code":0,"outcome":"misconfigured","retry_after_ms":900_000}),
            Some(Outcome::Internal),
        ),
        (
            json!({"code":0,"outcome":"suspect","retry_after_ms":120_000}),
            None,
        ),
        (
            json!({"code":0,"outcome":"backed_off","retry_after_ms":120_000}),
            None,
        ),
    ] {
        let (bench, granted) = expired().await;
        let lambda = Lambda::that_answers(Answer::Payload(answer.clone())).await;
        let reader = bench.reading(&lambda);
        let failure = token(&bench, &reader, &granted, PATIENCE)
            .await
            .unwrap_err();
        match (expected, failure.outcome()) {
            (Some(expected), outcome) => assert_eq!(*outcome, expected, "{answer}"),
            (
                None,
                Outcome::TemporarilyUnavailable {
                    retry_after_seconds,
                    ..
                },
            ) => assert_eq!(*retry_after_seconds, 120, "{answer}"),
            (None, other) => panic!("{answer}: {other:?}"),
        }
        assert_eq!(lambda.invoked().len(), 1, "{answer}");
    }
}

#[tokio::test]
async fn a_function_that_fails_is_a_reason_to_try_later_and_not_to_log_in() {
    for answer in [
        Answer::Payload(json!({"code":-1,"error":"temporarily_unavailable","msg":"…"})),
        Answer::Payload(json!({"code":0,"outcome":"something new"})),
        Answer::Payload(json!({"code":0,"outcome":"suspect"})),
        Answer::Payload(json!("refreshed")),
        Answer::Payload(json!(null)),
        Answer::Unhandled(json!({"errorType":"Sandbox.Timedout","errorMessage":"timed out"})),
        // Whatever an unhandled error looks like, nothing was done for certain.
        Answer::Unhandled(json!({"outcome":"reauthorize"})),
        Answer::Refused {
            status: 429,
            code: "TooManyRequestsException",
        },
        Answer::Refused {
            status: 403,
            code: "AccessDeniedException",
        },
        Answer::Refused {
            status: 404,
            code: "ResourceNotFoundException",
        },
        Answer::Refused {
            status: 500,
            code: "ServiceException",
        },
    ] {
        let (bench, granted) = expired().await;
        let lambda = Lambda::that_answers(answer).await;
        let reader = bench.reading(&lambda);
        let failure = token(&bench, &reader, &granted, PATIENCE)
            .await
            .unwrap_err();
        assert!(
            matches!(failure.outcome(), Outcome::TemporarilyUnavailable { .. }),
            "{failure:?}"
        );
        assert_eq!(lambda.invoked().len(), 1, "whoever asks again asks anew");
    }
}

#[tokio::test]
async fn a_function_that_does_not_answer_is_waited_for_until_shortly_before_the_deadline() {
    let (bench, granted) = expired().await;
    let lambda = Lambda::that_answers(Answer::Nothing).await;
    let reader = bench.reading(&lambda);
    let patience = Duration::from_secs(2);
    let asked = Instant::now();
    let failure = token(&bench, &reader, &granted, patience)
        .await
        .unwrap_err();
    let took = asked.elapsed();
    assert!(
        matches!(failure.outcome(), Outcome::TemporarilyUnavailable { .. }),
        "{failure:?}"
    );
    assert!(
        took >= Duration::from_millis(900) && took < patience,
        "{took:?}"
    );
    assert_eq!(lambda.invoked().len(), 1);
}

#[tokio::test]
async fn a_token_that_lives_is_served_whatever_the_function_does() {
    for answer in [
        Answer::Unhandled(json!({"errorMessage": "panicked"})),
        Answer::Nothing,
    ] {
        let (bench, granted) = logged_in().await;
        bench.move_on(AGEING);
        let lambda = Lambda::that_answers(answer).await;
        let reader = bench.reading(&lambda);
        let served = token(&bench, &reader, &granted, PATIENCE).await.unwrap();
        assert_eq!(served, granted.access_token.expose_secret());
        assert_eq!(lambda.invoked()[0].event["refresh"]["because"], "ageing");
    }
}

#[tokio::test]
async fn the_reader_of_an_ageing_token_is_served_at_once_and_the_next_one_finds_it_refreshed() {
    let (bench, granted) = logged_in().await;
    bench.move_on(AGEING);
    let slow = Fault::once(FaultKind::Delay { milliseconds: 500 }).for_refreshes();
    bench.simulator.inject(slow);
    let lambda = Lambda::that_refreshes(bench.other_process(), bench.alipay.clone()).await;
    let reader = bench.reading(&lambda);
    let old = granted.access_token.expose_secret();
    assert_eq!(
        token(&bench, &reader, &granted, PATIENCE).await.unwrap(),
        old
    );
    assert_eq!(lambda.invoked()[0].kind, "Event");
    // At the latest when the refresh has been given up.
    let give_up = Instant::now() + Duration::from_secs(10);
    while token(&bench, &reader, &granted, PATIENCE).await.unwrap() == old {
        assert!(Instant::now() < give_up);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(
        bench.simulator.refreshes_of_app(&bench.app.app_id).received,
        1
    );
}
