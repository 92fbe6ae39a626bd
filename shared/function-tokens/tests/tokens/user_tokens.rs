//! A user's access token, with the simulator as the gateway that refreshes it.

use std::time::Duration;

use alipay_gateway::methods::UserGrant;
use function_kit::{Failure, Outcome};
use function_tokens::User;
use secrecy::ExposeSecret;
use simulator::{AppOptions, Fault, FaultKind, TokenRules};

use crate::bench::Bench;

const PATIENCE: Duration = Duration::from_secs(20);
const OAUTH_TOKEN: &str = "alipay.system.oauth.token";
/// The life of an access token in these tests; shorter than the ten minutes by which a timestamp may be off.
const LIFE: Duration = Duration::from_secs(300);

/// A bench with a user who has logged in.
async fn logged_in(scope: Option<&str>) -> (Bench, UserGrant) {
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
    bench.keep(scope, &granted, asked_at).await;
    bench.simulator.clear_received();
    (bench, granted)
}

async fn token(bench: &Bench, openid: &str, scope: Option<&str>) -> Result<String, Failure> {
    let caller = bench.caller(PATIENCE).await;
    let user = User {
        openid,
        scope,
        auth_app_id: None,
    };
    bench
        .tokens
        .user_access_token(&bench.alipay, &caller, &user)
        .await
        .map(|token| token.token.expose_secret().to_owned())
}

#[tokio::test]
async fn a_live_token_is_given_without_a_call() {
    let (bench, granted) = logged_in(None).await;
    let openid = granted.openid().unwrap();
    assert_eq!(
        token(&bench, openid, None).await.unwrap(),
        granted.access_token.expose_secret()
    );
    assert_eq!(bench.simulator.received_count(OAUTH_TOKEN), 0);
}

#[tokio::test]
async fn an_expired_token_is_refreshed_once_however_many_ask() {
    let (bench, granted) = logged_in(None).await;
    let openid = granted.openid().unwrap();
    bench.move_on(LIFE);
    let (a, b, c) = tokio::join!(
        token(&bench, openid, None),
        token(&bench, openid, None),
        token(&bench, openid, None)
    );
    let fresh = a.unwrap();
    assert_ne!(fresh, granted.access_token.expose_secret());
    assert_eq!((b.unwrap(), c.unwrap()), (fresh.clone(), fresh.clone()));
    assert_eq!(token(&bench, openid, None).await.unwrap(), fresh);
    assert_eq!(bench.simulator.received_count(OAUTH_TOKEN), 1);
}

#[tokio::test]
async fn after_a_withdrawn_consent_the_user_has_to_log_in() {
    let (bench, granted) = logged_in(None).await;
    let openid = granted.openid().unwrap();
    bench.move_on(LIFE);
    let user_id = granted.user_id.clone().unwrap();
    assert_eq!(bench.simulator.revoke(&bench.app.app_id, &user_id), 1);
    let mut outcomes = Vec::new();
    for _ in 0..2 {
        outcomes.push(
            token(&bench, openid, None)
                .await
                .unwrap_err()
                .outcome()
                .clone(),
        );
    }
    for outcome in &outcomes {
        assert!(
            matches!(
                outcome,
                Outcome::Reauthorize | Outcome::TemporarilyUnavailable { .. }
            ),
            "{outcome:?}"
        );
    }
    assert_eq!(
        bench.simulator.received_count(OAUTH_TOKEN),
        1,
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn a_gateway_that_is_down_loses_no_token() {
    let (bench, granted) = logged_in(None).await;
    let openid = granted.openid().unwrap();
    bench.move_on(LIFE);
    bench
        .simulator
        .inject(Fault::once(FaultKind::ResetBeforeReading));
    let failure = token(&bench, openid, None).await.unwrap_err();
    assert!(
        matches!(failure.outcome(), Outcome::TemporarilyUnavailable { .. }),
        "{failure:?}"
    );
    // The longest pause after the first refresh without an answer.
    bench.move_on(Duration::from_secs(2));
    assert!(token(&bench, openid, None).await.is_ok());
}

#[tokio::test]
async fn an_unverified_refresh_is_never_taken_for_a_token() {
    let (bench, granted) = logged_in(None).await;
    let openid = granted.openid().unwrap();
    bench.move_on(LIFE);
    bench.simulator.inject(Fault::always(FaultKind::ForeignKey));
    let failure = token(&bench, openid, None).await.unwrap_err();
    assert!(
        matches!(failure.outcome(), Outcome::TemporarilyUnavailable { .. }),
        "{failure:?}"
    );
}

#[tokio::test]
async fn authorisations_of_other_scopes_and_users_are_other_rows() {
    let (bench, granted) = logged_in(Some("auth_user")).await;
    let openid = granted.openid().unwrap();
    assert!(token(&bench, openid, Some("auth_user")).await.is_ok());
    for (openid, scope) in [(openid, None), ("2088000000000009", Some("auth_user"))] {
        let failure = token(&bench, openid, scope).await.unwrap_err();
        assert_eq!(*failure.outcome(), Outcome::Reauthorize);
    }
}

#[tokio::test]
async fn without_the_store_there_is_no_token_and_no_login_asked_for() {
    let bench = Bench::without_a_store().await;
    let failure = token(&bench, "2088000000000001", None).await.unwrap_err();
    assert!(
        matches!(failure.outcome(), Outcome::TemporarilyUnavailable { .. }),
        "{failure:?}"
    );
}
