//! An access token that Alipay refuses at its use (T-14), with the simulator as the gateway.

use std::time::Duration;

use alipay_gateway::methods::{UserGrant, user_info};
use function_kit::{Failure, Outcome};
use function_tokens::{Because, RefreshOutcome, TokenKey, TokenKind, Tokens, User};
use secrecy::ExposeSecret;
use simulator::{AppOptions, CodeOptions, Scope};

use crate::bench::Bench;
use crate::lambda::Lambda;

const PATIENCE: Duration = Duration::from_secs(20);
const OAUTH_TOKEN: &str = "alipay.system.oauth.token";
const USER_INFO: &str = "alipay.user.info.share";
const QUARANTINE: Duration = Duration::from_secs(120);

/// A bench with a user who agreed to `auth_user`.
async fn logged_in() -> (Bench, UserGrant) {
    let bench = Bench::with_app(AppOptions::default()).await;
    let options = CodeOptions {
        scope: Scope::AuthUser,
        ..CodeOptions::default()
    };
    let (granted, asked_at) = bench.login_with(options).await;
    bench.keep(None, &granted, asked_at).await;
    bench.simulator.clear_received();
    (bench, granted)
}

async fn profile(bench: &Bench, tokens: &Tokens, granted: &UserGrant) -> Result<(), Failure> {
    let caller = bench.caller(PATIENCE).await;
    let user = User {
        openid: granted.openid().unwrap(),
        scope: None,
        auth_app_id: None,
    };
    tokens
        .answer_for_user(&bench.alipay, &caller, &user, user_info)
        .await
        .map(drop)
}

fn row(bench: &Bench, granted: &UserGrant) -> TokenKey {
    TokenKey {
        app_id: bench.app.app_id.clone(),
        kind: TokenKind::User,
        subject: granted.openid().unwrap().to_owned(),
        scopes: "default".to_owned(),
    }
}

/// How many calls came: for profiles, for tokens.
fn calls(bench: &Bench) -> (u64, u64) {
    let count = |method| bench.simulator.received_count(method);
    (count(USER_INFO), count(OAUTH_TOKEN))
}

fn revoke(bench: &Bench, granted: &UserGrant) {
    let user_id = granted.user_id.as_deref().unwrap();
    assert_eq!(bench.simulator.revoke(&bench.app.app_id, user_id), 1);
}

#[tokio::test]
async fn a_user_who_withdrew_consent_is_sent_to_log_in_with_one_call_each_time_and_no_refresh() {
    let (bench, granted) = logged_in().await;
    assert!(profile(&bench, &bench.tokens, &granted).await.is_ok());
    revoke(&bench, &granted);
    for tries in 1..=3 {
        let failure = profile(&bench, &bench.tokens, &granted).await.unwrap_err();
        assert_eq!(*failure.outcome(), Outcome::Reauthorize);
        assert_eq!(calls(&bench), (1 + tries, 0));
    }
}

#[tokio::test]
async fn a_doubt_at_use_is_settled_by_two_refused_refreshes_with_the_quarantine_between_them() {
    let (bench, granted) = logged_in().await;
    revoke(&bench, &granted);
    profile(&bench, &bench.tokens, &granted).await.unwrap_err();
    let mut outcomes = Vec::new();
    for wait in [Duration::ZERO, QUARANTINE, QUARANTINE] {
        bench.move_on(wait);
        let outcome = bench.refresh(row(&bench, &granted), Because::Due).await;
        outcomes.push(outcome.unwrap());
    }
    assert!(
        matches!(
            outcomes[..],
            [
                RefreshOutcome::Fresh | RefreshOutcome::Suspect { .. },
                RefreshOutcome::Suspect { .. },
                RefreshOutcome::Reauthorize
            ]
        ),
        "{outcomes:?}"
    );
    assert_eq!(calls(&bench), (1, 2));
    // From now on the row itself says so, without a call.
    let failure = profile(&bench, &bench.tokens, &granted).await.unwrap_err();
    assert_eq!(*failure.outcome(), Outcome::Reauthorize);
    assert_eq!(calls(&bench), (1, 2));
}

#[tokio::test]
async fn a_token_that_another_process_refreshed_meanwhile_is_refused_once_and_the_newer_one_serves()
{
    let (bench, granted) = logged_in().await;
    let other = bench.other_process();
    assert!(profile(&bench, &other, &granted).await.is_ok());
    let refreshed = bench.refresh(row(&bench, &granted), Because::Asked).await;
    assert_eq!(refreshed.unwrap(), RefreshOutcome::Refreshed);
    // `other` still has its copy in memory.
    assert!(profile(&bench, &other, &granted).await.is_ok());
    assert_eq!(calls(&bench), (3, 1));
    assert!(profile(&bench, &other, &granted).await.is_ok());
    assert_eq!(calls(&bench), (4, 1), "the newer one is known by now");
}

#[tokio::test]
async fn where_the_newer_token_is_refused_too_the_user_is_sent_to_log_in_after_two_calls() {
    let (bench, granted) = logged_in().await;
    let other = bench.other_process();
    assert!(profile(&bench, &other, &granted).await.is_ok());
    let refreshed = bench.refresh(row(&bench, &granted), Because::Asked).await;
    assert_eq!(refreshed.unwrap(), RefreshOutcome::Refreshed);
    revoke(&bench, &granted);
    let failure = profile(&bench, &other, &granted).await.unwrap_err();
    assert_eq!(*failure.outcome(), Outcome::Reauthorize);
    assert_eq!(calls(&bench), (3, 1));
}

#[tokio::test]
async fn a_doubt_that_turns_out_wrong_costs_no_login() {
    let (bench, granted) = logged_in().await;
    let caller = bench.caller(PATIENCE).await;
    let user = User {
        openid: granted.openid().unwrap(),
        scope: None,
        auth_app_id: None,
    };
    let (alipay, tokens) = (&bench.alipay, &bench.tokens);
    let stored = tokens.user_access_token(alipay, &caller, &user).await;
    let stored = stored.unwrap();
    let failure = tokens
        .replaced_user_token(alipay, &caller, &user, &stored)
        .await
        .unwrap_err();
    assert_eq!(*failure.outcome(), Outcome::Reauthorize);
    bench.move_on(QUARANTINE);
    let settled = bench.refresh(row(&bench, &granted), Because::Due).await;
    assert_eq!(settled.unwrap(), RefreshOutcome::Refreshed);
    let fresh = tokens.user_access_token(alipay, &caller, &user).await;
    assert_ne!(
        fresh.unwrap().token.expose_secret(),
        stored.token.expose_secret()
    );
}

#[tokio::test]
async fn a_reader_has_the_doubt_noted_by_the_function_that_may() {
    let (bench, granted) = logged_in().await;
    let lambda = Lambda::that_refreshes(bench.other_process(), bench.alipay.clone()).await;
    let reader = bench.reading(&lambda);
    assert!(profile(&bench, &reader, &granted).await.is_ok());
    assert!(lambda.invoked().is_empty());
    revoke(&bench, &granted);
    for _ in 0..2 {
        let failure = profile(&bench, &reader, &granted).await.unwrap_err();
        assert_eq!(*failure.outcome(), Outcome::Reauthorize);
    }
    assert_eq!(calls(&bench), (3, 0));
    let event = &lambda.invoked()[0].event;
    assert_eq!(event["refresh"]["because"], "refused");
    assert_eq!(event["refresh"]["generation"], 1);
}
