//! A merchant's token for an ISV's app, with the simulator as the gateway.

use std::time::Duration;

use alipay_gateway::methods::{
    AppAuthorization, MerchantGrant, exchange_app_auth_code, merchant_grants, query_app_auth_token,
};
use function_kit::{Failure, Outcome};
use function_tokens::{Authorization, Begun, Once};
use secrecy::{ExposeSecret, SecretString};
use simulator::{Fault, FaultKind};

use crate::bench::Bench;

const PATIENCE: Duration = Duration::from_secs(20);
const TOKEN: &str = "alipay.open.auth.token.app";
const MERCHANTS: [&str; 2] = ["2021000000000101", "2021000000000102"];
/// The life of a token in these tests; shorter than the ten minutes by which a timestamp may be off.
const LIFE: Duration = Duration::from_secs(300);

/// A bench with two merchants who authorised its app at once.
async fn authorized() -> (Bench, Vec<MerchantGrant>) {
    let bench = Bench::new().await;
    let code = bench
        .simulator
        .authorize_merchants(&bench.app.app_id, &MERCHANTS);
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
    let once = Once {
        function: "test",
        key: "code",
        same: &[],
        keep: Duration::from_secs(60),
        takeover: true,
        mismatch: "",
    };
    let Begun::First(claim) = bench
        .tokens
        .begin::<String>(&once, &bench.alipay, &caller)
        .await
        .unwrap()
    else {
        panic!("it was not done before")
    };
    let authorization = Authorization {
        app_id: &bench.app.app_id,
        granted: &granted,
        asked_at,
    };
    bench
        .tokens
        .keep_authorization(&authorization, claim, &"")
        .await
        .unwrap();
    bench.simulator.clear_received();
    (bench, granted)
}

async fn token(bench: &Bench, auth_app_id: &str) -> Result<SecretString, Failure> {
    let caller = bench.caller(PATIENCE).await;
    bench
        .tokens
        .merchant_token(&bench.alipay, &caller, auth_app_id)
        .await
}

async fn refresh(bench: &Bench, auth_app_id: &str) -> Result<SecretString, Failure> {
    let caller = bench.caller(PATIENCE).await;
    bench
        .tokens
        .refresh_merchant_token(&bench.alipay, &caller, auth_app_id, None)
        .await
}

fn move_on(bench: &Bench, by: Duration) {
    bench.clock.advance(by);
    bench.simulator.advance_clock(by);
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
    move_on(&bench, LIFE);
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
    move_on(&bench, LIFE);
    bench
        .simulator
        .inject(Fault::once(FaultKind::ResetBeforeReading));
    assert_eq!(
        token(&bench, MERCHANTS[0]).await.unwrap().expose_secret(),
        granted[0].app_auth_token.expose_secret()
    );
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
        assert_eq!(*failure.outcome(), Outcome::MerchantReauthorize);
    }
    assert_eq!(bench.simulator.received_count(TOKEN), 1);
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
