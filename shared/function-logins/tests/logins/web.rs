//! What of the way over Alipay's page does not show in a function.

use std::time::SystemTime;

use function_kit::{Failure, Outcome, Response};
use function_logins::{Logins, Purpose, WebScope};
use url::Url;

use crate::bench::{Bench, ISSUER, request};

async fn begun(bench: &Bench, logins: &Logins) -> Result<Response, Failure> {
    let app = bench.alipay.app(None).unwrap();
    let now = SystemTime::now();
    logins
        .begin_web_login(
            Purpose::OidcState,
            &app,
            WebScope::AuthUser,
            "/oidc/callback",
            &"kept",
            now,
        )
        .await
}

/// State and cookie of a login that has begun.
async fn state_and_cookie(bench: &Bench) -> (String, String) {
    let response = begun(bench, &bench.logins).await.unwrap();
    let page = Url::parse(response.header("location").unwrap()).unwrap();
    let value = |name: &str| {
        let mut pairs = page.query_pairs();
        pairs
            .find(|(known, _)| known == name)
            .unwrap()
            .1
            .into_owned()
    };
    assert_eq!(value("redirect_uri"), format!("{ISSUER}/oidc/callback"));
    assert_eq!(value("scope"), "auth_user");
    let cookie = response.cookies()[0].split(';').next().unwrap().to_owned();
    (value("state"), cookie)
}

#[tokio::test]
async fn a_login_for_one_purpose_does_not_end_as_one_for_another() {
    let bench = Bench::new().await;
    let (state, cookie) = state_and_cookie(&bench).await;
    let code = bench.code();
    let query = [("state", state.as_str()), ("auth_code", &code)];
    let callback = request("/h5/callback", &query, &cookie);
    let (alipay, tokens) = (&bench.alipay, &bench.tokens);
    let ended = bench
        .logins
        .finish_web_login::<String>(Purpose::H5State, &callback, alipay, tokens)
        .await;
    let failure = ended.err().unwrap();
    assert!(
        matches!(failure.outcome(), Outcome::InvalidArgument { field, .. } if field == "state")
    );
    let ended = bench
        .logins
        .finish_web_login::<String>(Purpose::OidcState, &callback, alipay, tokens)
        .await;
    let finished = ended.ok().unwrap();
    assert_eq!(finished.value, "kept");
    assert!(finished.login.is_ok());
}

#[tokio::test]
async fn whom_to_tell_is_known_once_the_state_is_spent_whatever_becomes_of_the_code() {
    let bench = Bench::new().await;
    for code in [
        &[][..],
        &[("auth_code", "no code")],
        &[("auth_code", "unknown")],
    ] {
        let (state, cookie) = state_and_cookie(&bench).await;
        let query = [&[("state", state.as_str())], code].concat();
        let callback = request("/oidc/callback", &query, &cookie);
        let ended = bench
            .logins
            .finish_web_login::<String>(Purpose::OidcState, &callback, &bench.alipay, &bench.tokens)
            .await;
        let finished = ended.ok().unwrap();
        assert_eq!(finished.value, "kept");
        let failure = finished.login.err().unwrap();
        assert!(matches!(failure.outcome(), Outcome::InvalidArgument { .. }));
    }
}

#[tokio::test]
async fn a_table_that_is_down_is_no_wrong_state() {
    let bench = Bench::new().await;
    let logins = bench.logins_without_a_table();
    let (state, cookie) = state_and_cookie(&bench).await;
    let code = bench.code();
    let query = [("state", state.as_str()), ("auth_code", &code)];
    let callback = request("/oidc/callback", &query, &cookie);
    let ended = logins
        .finish_web_login::<String>(Purpose::OidcState, &callback, &bench.alipay, &bench.tokens)
        .await;
    for failure in [
        ended.err().unwrap(),
        begun(&bench, &logins).await.err().unwrap(),
    ] {
        assert!(matches!(
            failure.outcome(),
            Outcome::TemporarilyUnavailable { .. }
        ));
    }
    assert_eq!(bench.exchanges(), 0);
}
