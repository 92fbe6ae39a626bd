//! A merchant's token for an ISV's app, with the simulator as the gateway.

use std::time::Duration;

use alipay_gateway::Deadline;
use alipay_gateway::methods::{
    AppAuthorization, MerchantGrant, exchange_app_auth_code, exchange_code, merchant_grants,
    query_app_auth_token, user_grant,
};
use function_kit::{Failure, Outcome};
use function_tokens::{
    Authorization, Because, Login, RefreshOutcome, RefreshRequest, Seen, TokenKey, TokenKind, User,
};
use secrecy::{ExposeSecret, SecretString};
use simulator::{CodeOptions, Fault, FaultKind};

use token_store::NoRescueQueue;

use crate::bench::Bench;
use crate::lambda::Lambda;

const PATIENCE: Duration = Duration::from_secs(20);
const TOKEN: &str = "alipay.open.auth.token.app";
const QUERY: &str = "alipay.open.auth.token.app.query";
const OAUTH_TOKEN: &str = "alipay.system.oauth.token";
const MERCHANTS: [&str; 2] = ["2021000000000101", "2021000000000102"];
/// The life of a token in these tests; shorter than the ten minutes by which a timestamp may be off.
const LIFE: Duration = Duration::from_secs(300);
/// The longest pause after the first refresh without an answer.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const QUARANTINE: Duration = Duration::from_secs(120);

/// A bench with two merchants who authorised its app at once.
async fn authorized() -> (Bench, Vec<MerchantGrant>) {
    let bench = Bench::new().await;
    let code = bench
        .simulator
        .authorize_merchants(&bench.app.app_id, &MERCHANTS);
    let granted = authorize_with(&bench, code).await;
    (bench, granted)
}

/// What the merchants granted, and it is kept.
async fn authorize_with(bench: &Bench, code: String) -> Vec<MerchantGrant> {
    let caller = bench.caller(PATIENCE).await;
    let asked_at = bench.clock.now();
    let call = exchange_app_auth_code(&code.into()).unwrap();
    let reply = bench
        .alipay
        .call(&caller.app, &call, caller.deadline)
        .await
        .unwrap();
    let mut granted = merchant_grants(&reply).unwrap();
    for granted in &mut granted {
        granted.expires_in = Some(LIFE.as_secs());
    }
    let authorization = Authorization {
        app_id: &bench.app.app_id,
        granted: &granted,
        asked_at,
    };
    bench
        .tokens
        .keep_authorization(&authorization, bench.claim().await, &"")
        .await
        .unwrap();
    bench.simulator.clear_received();
    granted
}

async fn token(bench: &Bench, auth_app_id: &str) -> Result<SecretString, Failure> {
    let caller = bench.caller(PATIENCE).await;
    bench
        .tokens
        .merchant_token(&bench.alipay, &caller, auth_app_id)
        .await
        .map(|token| token.token)
}

async fn refresh(bench: &Bench, auth_app_id: &str) -> Result<SecretString, Failure> {
    let caller = bench.caller(PATIENCE).await;
    bench
        .tokens
        .refresh_merchant_token(&bench.alipay, &caller, auth_app_id)
        .await
        .map(|token| token.token)
}

#[tokio::test]
async fn each_merchant_of_one_code_has_a_row_of_their_own() {
    let (bench, granted) = authorized().await;
    assert_eq!(granted.len(), 2);
    for granted in &granted {
        assert_eq!(
            token(&bench, &granted.auth_app_id)
                .await
                .unwrap()
                .expose_secret(),
            granted.app_auth_token.expose_secret()
        );
    }
    assert_eq!(bench.simulator.received_count(TOKEN), 0);
    let failure = token(&bench, "2021000000000199").await.unwrap_err();
    assert_eq!(*failure.outcome(), Outcome::MerchantReauthorize);
}

#[tokio::test]
async fn a_token_whose_time_is_over_is_refreshed_once_however_many_ask() {
    let (bench, granted) = authorized().await;
    bench.move_on(LIFE);
    let (first, second) = tokio::join!(token(&bench, MERCHANTS[0]), token(&bench, MERCHANTS[0]));
    let old = granted[0].app_auth_token.expose_secret();
    // One of the two refreshes; the other may be served the old one, which its time does not end.
    let answers = [first.unwrap(), second.unwrap()];
    assert!(answers.iter().any(|token| token.expose_secret() != old));
    let fresh = token(&bench, MERCHANTS[0]).await.unwrap();
    assert_ne!(fresh.expose_secret(), old);
    assert_eq!(bench.simulator.received_count(TOKEN), 1);
}

#[tokio::test]
async fn a_gateway_that_is_down_costs_no_merchant_and_no_token() {
    let (bench, granted) = authorized().await;
    bench.move_on(LIFE);
    bench
        .simulator
        .inject(Fault::once(FaultKind::ResetBeforeReading));
    assert_eq!(
        token(&bench, MERCHANTS[0]).await.unwrap().expose_secret(),
        granted[0].app_auth_token.expose_secret()
    );
    bench.move_on(FIRST_PAUSE);
    assert_ne!(
        token(&bench, MERCHANTS[0]).await.unwrap().expose_secret(),
        granted[0].app_auth_token.expose_secret()
    );
}

#[tokio::test]
async fn after_a_cancelled_authorisation_the_merchant_has_to_authorise_again() {
    let (bench, _) = authorized().await;
    bench
        .simulator
        .cancel_merchant(&bench.app.app_id, MERCHANTS[0]);
    for _ in 0..2 {
        let failure = refresh(&bench, MERCHANTS[0]).await.unwrap_err();
        assert!(
            matches!(failure.outcome(), Outcome::TemporarilyUnavailable { .. }),
            "{failure:?}"
        );
    }
    assert_eq!(bench.simulator.received_count(TOKEN), 1);
    bench.move_on(QUARANTINE);
    for _ in 0..2 {
        let failure = refresh(&bench, MERCHANTS[0]).await.unwrap_err();
        assert_eq!(*failure.outcome(), Outcome::MerchantReauthorize);
    }
    assert_eq!(bench.simulator.received_count(TOKEN), 2);
    // The other merchant is none the worse for it.
    assert!(refresh(&bench, MERCHANTS[1]).await.is_ok());
}

#[tokio::test]
async fn a_refresh_never_puts_another_merchants_token_into_a_row() {
    let (bench, granted) = authorized().await;
    let json = r#"{"code":"10000","msg":"Success","auth_app_id":"2021000000000666","app_auth_token":"canary"}"#;
    let fault = FaultKind::Node {
        json: json.to_owned(),
    };
    bench.simulator.inject(Fault::once(fault).for_method(TOKEN));
    let failure = refresh(&bench, MERCHANTS[0]).await.unwrap_err();
    assert_eq!(*failure.outcome(), Outcome::Internal);
    assert_eq!(
        token(&bench, MERCHANTS[0]).await.unwrap().expose_secret(),
        granted[0].app_auth_token.expose_secret()
    );
}

#[tokio::test]
async fn a_reply_is_read_with_its_members_at_the_top_or_in_its_list() {
    let bench = Bench::new().await;
    let caller = bench.caller(PATIENCE).await;
    let one = r#""auth_app_id":"2021","user_id":"2088","app_auth_token":"a","app_refresh_token":"r","expires_in":"31536000","re_expires_in":32140800"#;
    for (node, expected) in [
        (format!("{{{one}}}"), Some(1)),
        (format!(r#"{{"tokens":[{{{one}}}]}}"#), Some(1)),
        (format!(r#"{{{one},"tokens":[{{{one}}}]}}"#), Some(1)),
        (format!(r#"{{"tokens":[{{{one}}},{{{one}}}]}}"#), Some(2)),
        ("{}".to_owned(), None),
        (r#"{"tokens":[]}"#.to_owned(), None),
        (
            r#"{"auth_app_id":"2021","app_auth_token":""}"#.to_owned(),
            None,
        ),
        (r#"{"app_auth_token":"a"}"#.to_owned(), None),
        (format!(r#"{{"tokens":[{{{one}}},{{}}]}}"#), None),
    ] {
        let code = bench
            .simulator
            .authorize_merchant(&bench.app.app_id, MERCHANTS[0]);
        let json = node.replacen('{', r#"{"code":"10000","msg":"Success","#, 1);
        let json = json.replace(",}", "}");
        bench
            .simulator
            .inject(Fault::once(FaultKind::Node { json }).for_method(TOKEN));
        let call = exchange_app_auth_code(&code.into()).unwrap();
        let reply = bench
            .alipay
            .call(&caller.app, &call, caller.deadline)
            .await
            .unwrap();
        let grants = merchant_grants(&reply);
        assert_eq!(grants.as_ref().ok().map(Vec::len), expected, "{node}");
        for grant in grants.unwrap_or_default() {
            assert_eq!(
                (grant.expires_in, grant.re_expires_in),
                (Some(31_536_000), Some(32_140_800))
            );
        }
    }
}

#[tokio::test]
async fn what_an_authorisation_allows_is_asked_with_the_token_in_biz_content() {
    let (bench, granted) = authorized().await;
    let caller = bench.caller(PATIENCE).await;
    let call = query_app_auth_token(&granted[0].app_auth_token).unwrap();
    let reply = bench
        .alipay
        .call(&caller.app, &call, caller.deadline)
        .await
        .unwrap();
    let allowed: AppAuthorization = reply.parse().unwrap();
    assert_eq!(allowed.status, "valid");
    assert_eq!(allowed.auth_app_id.as_deref(), Some(MERCHANTS[0]));
    assert!(!allowed.auth_methods.is_empty() && allowed.auth_end.is_some());
}

fn row(bench: &Bench, auth_app_id: &str) -> TokenKey {
    TokenKey {
        app_id: bench.app.app_id.clone(),
        kind: TokenKind::Isv,
        subject: auth_app_id.to_owned(),
        scopes: String::new(),
    }
}

/// A user who logged in to a merchant's app; their openid.
async fn log_in_at_the_merchants(bench: &Bench) -> String {
    let code = bench
        .simulator
        .issue_code(MERCHANTS[0], CodeOptions::default());
    let caller = bench.caller(PATIENCE).await;
    let token = token(bench, MERCHANTS[0]).await.unwrap();
    let asked_at = bench.clock.now();
    let call = exchange_code(&code.into()).with_field("app_auth_token", token.expose_secret());
    let reply = bench
        .alipay
        .call(&caller.app, &call, caller.deadline)
        .await
        .unwrap();
    let mut granted = user_grant(&reply).unwrap();
    granted.expires_in = Some(LIFE.as_secs());
    let login = Login {
        app_id: &bench.app.app_id,
        auth_app_id: Some(MERCHANTS[0]),
        scope: None,
        granted: &granted,
        asked_at,
    };
    let claim = bench.claim().await;
    bench
        .tokens
        .keep_login(&login, Seen::NOTHING, claim, &"")
        .await
        .unwrap();
    bench.simulator.clear_received();
    granted.openid().unwrap().to_owned()
}

async fn users_token(bench: &Bench, openid: &str) -> Result<SecretString, Failure> {
    let caller = bench.caller(PATIENCE).await;
    let user = User {
        openid,
        scope: None,
        auth_app_id: Some(MERCHANTS[0]),
    };
    bench
        .tokens
        .user_access_token(&bench.alipay, &caller, &user)
        .await
        .map(|token| token.token)
}

/// The `app_auth_token` of each refresh of a user's tokens.
fn refreshed_with(bench: &Bench) -> Vec<Option<String>> {
    bench
        .simulator
        .received()
        .iter()
        .filter(|call| call.method.as_deref() == Some(OAUTH_TOKEN))
        .map(|call| call.parameters.get("app_auth_token").cloned())
        .collect()
}

#[tokio::test]
async fn a_merchants_users_token_is_refreshed_with_the_merchants_token() {
    let (bench, _) = authorized().await;
    let merchants = refresh(&bench, MERCHANTS[0]).await.unwrap();
    let openid = log_in_at_the_merchants(&bench).await;
    let old = users_token(&bench, &openid).await.unwrap();
    // Users' tokens have ended by now, and merchants', which live for a year, have not.
    bench.move_on(LIFE);
    let new = users_token(&bench, &openid).await.unwrap();
    assert_ne!(new.expose_secret(), old.expose_secret());
    assert_eq!(
        refreshed_with(&bench),
        [Some(merchants.expose_secret().to_owned())]
    );
    assert_eq!(bench.simulator.received_count(TOKEN), 0);
}

#[tokio::test]
async fn a_merchants_token_that_has_ended_is_refreshed_before_that_of_their_user() {
    let (bench, granted) = authorized().await;
    let openid = log_in_at_the_merchants(&bench).await;
    bench.move_on(LIFE);
    assert!(users_token(&bench, &openid).await.is_ok());
    let used = refreshed_with(&bench);
    let newest = token(&bench, MERCHANTS[0]).await.unwrap();
    assert_eq!(used, [Some(newest.expose_secret().to_owned())]);
    assert_ne!(
        newest.expose_secret(),
        granted[0].app_auth_token.expose_secret()
    );
    assert_eq!(bench.simulator.received_count(TOKEN), 1);
}

#[tokio::test]
async fn a_merchants_refresh_is_not_begun_where_the_users_could_cut_it_off() {
    let (bench, _) = authorized().await;
    let openid = log_in_at_the_merchants(&bench).await;
    bench.move_on(LIFE);
    let key = TokenKey {
        app_id: format!("{}@{}", bench.app.app_id, MERCHANTS[0]),
        kind: TokenKind::User,
        subject: openid,
        scopes: "default".to_owned(),
    };
    let refresh_within = async |patience| {
        let request = RefreshRequest::new(key.clone(), Because::Asked);
        let deadline = Deadline::after(bench.clock.now(), patience);
        bench
            .tokens
            .refresh(&bench.alipay, &request, deadline, &NoRescueQueue)
            .await
            .unwrap();
        bench.simulator.received_count(TOKEN)
    };
    assert_eq!(refresh_within(Duration::from_secs(14)).await, 0);
    bench.move_on(FIRST_PAUSE);
    assert_eq!(refresh_within(Duration::from_secs(30)).await, 1);
}

/// The user's refresh token would be spent, and the new pair lost with the lease.
#[tokio::test]
async fn where_the_merchants_refresh_took_too_long_the_users_is_not_begun() {
    let (bench, _) = authorized().await;
    let openid = log_in_at_the_merchants(&bench).await;
    bench.move_on(LIFE);
    let key = TokenKey {
        app_id: format!("{}@{}", bench.app.app_id, MERCHANTS[0]),
        kind: TokenKind::User,
        subject: openid,
        scopes: "default".to_owned(),
    };
    let slow = FaultKind::Delay { milliseconds: 500 };
    bench.simulator.inject(Fault::once(slow).for_method(TOKEN));
    let (outcome, ()) = tokio::join!(bench.refresh(key, Because::Asked), async {
        while bench.simulator.received_count(TOKEN) == 0 {
            tokio::task::yield_now().await;
        }
        bench.move_on(Duration::from_secs(13));
    });
    assert!(
        matches!(outcome, Ok(RefreshOutcome::BackedOff { .. })),
        "{outcome:?}"
    );
    assert_eq!(refreshed_with(&bench), []);
}

#[tokio::test]
async fn a_merchant_who_cancelled_costs_their_users_no_grant() {
    let (bench, _) = authorized().await;
    let openid = log_in_at_the_merchants(&bench).await;
    bench.move_on(LIFE);
    bench
        .simulator
        .cancel_merchant(&bench.app.app_id, MERCHANTS[0]);
    let failure = users_token(&bench, &openid).await.unwrap_err();
    assert!(
        matches!(failure.outcome(), Outcome::TemporarilyUnavailable { .. }),
        "{failure:?}"
    );
    // The merchant comes back, and the user's refresh token is as good as it was.
    let code = bench
        .simulator
        .authorize_merchant(&bench.app.app_id, MERCHANTS[0]);
    authorize_with(&bench, code).await;
    bench.move_on(Duration::from_secs(5));
    assert!(users_token(&bench, &openid).await.is_ok());
}

#[tokio::test]
async fn a_merchants_pair_whose_reply_was_lost_recovers_by_itself() {
    let (bench, granted) = authorized().await;
    let lost = Fault::once(FaultKind::ResetAfterDone).for_refreshes();
    bench.simulator.inject(lost);
    let key = row(&bench, MERCHANTS[0]);
    let outcome = bench.refresh(key.clone(), Because::Asked).await.unwrap();
    let RefreshOutcome::BackedOff { retry_after } = outcome else {
        panic!("{outcome:?}");
    };
    bench.move_on(retry_after);
    let outcome = bench.refresh(key, Because::Asked).await.unwrap();
    assert_eq!(outcome, RefreshOutcome::Refreshed);
    let used = granted[0].app_refresh_token.as_ref().unwrap();
    let count = bench.simulator.refreshes_with(used.expose_secret());
    assert_eq!((count.received, count.done), (2, 2));
    let fresh = token(&bench, MERCHANTS[0]).await.unwrap();
    assert_ne!(
        fresh.expose_secret(),
        granted[0].app_auth_token.expose_secret()
    );
}

#[tokio::test]
async fn a_refused_merchants_token_is_refreshed_and_the_call_made_again_but_not_for_ever() {
    let (bench, _) = authorized().await;
    let refusal = FaultKind::Refusal {
        code: "20001".to_owned(),
        sub_code: "aop.invalid-app-auth-token".to_owned(),
        sub_msg: String::new(),
        signed: true,
        error_response: false,
    };
    bench.move_on(Duration::from_secs(60));
    let answer = async |times| {
        bench.simulator.clear_received();
        let fault = Fault::times(refusal.clone(), times).for_method(QUERY);
        bench.simulator.inject(fault);
        let caller = bench.caller(PATIENCE).await;
        let answered = bench
            .tokens
            .answer_for_merchant(&bench.alipay, &caller, MERCHANTS[0], query_app_auth_token)
            .await;
        let count = |method| bench.simulator.received_count(method);
        (answered.map(drop), count(QUERY), count(TOKEN))
    };
    let (answered, queries, refreshes) = answer(1).await;
    assert!(answered.is_ok(), "{answered:?}");
    assert_eq!((queries, refreshes), (2, 1));
    // A moment after its refresh the token's age is not what Alipay refuses.
    let (answered, queries, refreshes) = answer(2).await;
    assert_eq!(
        *answered.unwrap_err().outcome(),
        Outcome::MerchantReauthorize
    );
    assert_eq!((queries, refreshes), (1, 0));
}

#[tokio::test]
async fn a_reader_waits_for_a_merchants_token_whose_time_is_over() {
    let (bench, granted) = authorized().await;
    bench.move_on(LIFE);
    let lambda = Lambda::that_refreshes(bench.other_process(), bench.alipay.clone()).await;
    let reader = bench.reading(&lambda);
    let caller = bench.caller(PATIENCE).await;
    let fresh = reader
        .merchant_token(&bench.alipay, &caller, MERCHANTS[0])
        .await
        .unwrap();
    assert_ne!(
        fresh.token.expose_secret(),
        granted[0].app_auth_token.expose_secret()
    );
    assert_eq!(lambda.invoked()[0].kind, "RequestResponse");
}
