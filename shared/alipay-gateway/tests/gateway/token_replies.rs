//! Token replies whose lives are odd: a typed error or a bounded number, never an overflow.

use alipay_gateway::methods::{UserGrant, exchange_code, user_grant};
use alipay_gateway::{GatewayError, Reply};
use simulator::{CodeOptions, Fault, FaultKind};

use crate::{Fixture, OAUTH_TOKEN};

/// The simulator's reply, verified, with this node.
async fn reply(fixture: &Fixture, node: &str) -> Reply {
    fixture.simulator.inject(
        Fault::once(FaultKind::Node {
            json: node.to_owned(),
        })
        .for_method(OAUTH_TOKEN),
    );
    let code = fixture
        .simulator
        .issue_code(&fixture.app.app_id, CodeOptions::default());
    fixture
        .call(&exchange_code(&code.into()))
        .await
        .unwrap_or_else(|error| panic!("{node}: {error}"))
}

async fn grant(fixture: &Fixture, members: &str) -> Result<UserGrant, GatewayError> {
    let node = format!(r#"{{"access_token":"canary-a","refresh_token":"canary-r"{members}}}"#);
    user_grant(&reply(fixture, &node).await)
}

#[tokio::test]
async fn lives_are_read_as_number_and_as_text_and_bounded() {
    const TEN_YEARS: u64 = 315_360_000;
    let fixture = Fixture::new().await;
    for (value, expected) in [
        ("1296000", Some(1_296_000)),
        ("\"1296000\"", Some(1_296_000)),
        ("0", Some(0)),
        ("\"0\"", Some(0)),
        ("1000000000000", Some(TEN_YEARS)),
        ("\"1000000000000\"", Some(TEN_YEARS)),
        ("18446744073709551615", Some(TEN_YEARS)),
        // Unknown is as good as over: the refresh token serves the next call.
        ("null", Some(0)),
        ("\"\"", Some(0)),
    ] {
        let members = format!(r#","user_id":"2088","expires_in":{value},"re_expires_in":{value}"#);
        let grant = grant(&fixture, &members)
            .await
            .unwrap_or_else(|error| panic!("{value}: {error}"));
        assert_eq!(grant.expires_in, expected, "{value}");
        let unknown = value == "null" || value == "\"\"";
        assert_eq!(
            grant.re_expires_in,
            expected.filter(|_| !unknown),
            "{value}"
        );
    }
    let absent = grant(&fixture, r#","user_id":"2088""#).await.unwrap();
    assert_eq!((absent.expires_in, absent.re_expires_in), (Some(0), None));
    let permanent = grant(
        &fixture,
        r#","user_id":"2088","expires_in":3600,"auth_token_type":"permanent""#,
    )
    .await
    .unwrap();
    assert_eq!(
        (permanent.expires_in, permanent.re_expires_in),
        (None, None)
    );
}

#[tokio::test]
async fn lives_that_are_no_number_of_seconds_are_malformed() {
    let fixture = Fixture::new().await;
    for name in ["expires_in", "re_expires_in"] {
        for value in [
            "-1",
            "\"-1\"",
            "\"abc\"",
            "1.5",
            "1e3",
            "true",
            "[]",
            "{}",
            "\" 1\"",
            "\"99999999999999999999\"",
            "99999999999999999999",
        ] {
            let members = format!(r#","user_id":"2088","{name}":{value}"#);
            let error = grant(&fixture, &members).await.unwrap_err();
            assert!(
                matches!(error, GatewayError::Malformed { .. }),
                "{value}: {error}"
            );
            assert!(!error.is_transient() && !error.was_never_sent());
            assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_grant_of_nobody_or_of_nothing_is_malformed() {
    let fixture = Fixture::new().await;
    for node in [
        r#"{}"#,
        r#"{"access_token":"canary"}"#,
        r#"{"access_token":"canary","user_id":"","open_id":""}"#,
        r#"{"access_token":"canary","user_id":null}"#,
        r#"{"access_token":"","user_id":"2088"}"#,
        r#"{"access_token":null,"user_id":"2088"}"#,
        r#"{"access_token":["canary"],"user_id":"2088"}"#,
        r#"{"access_token":"canary","user_id":2088000000000001}"#,
        r#"{"user_id":"2088"}"#,
    ] {
        let error = user_grant(&reply(&fixture, node).await).unwrap_err();
        assert!(
            matches!(error, GatewayError::Malformed { .. }),
            "{node}: {error}"
        );
        assert!(
            !format!("{error} {error:?}").contains("canary"),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn tokens_are_not_shown() {
    let fixture = Fixture::new().await;
    let grant = grant(&fixture, r#","user_id":"2088","expires_in":1"#)
        .await
        .unwrap();
    assert!(!format!("{grant:?}").contains("canary"));
}
