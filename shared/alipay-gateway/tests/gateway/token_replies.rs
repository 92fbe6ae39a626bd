//! Token replies that are odd: a life is a bounded number or unknown, and never an overflow; a grant of nobody is an error.

use alipay_gateway::methods::{UserGrant, exchange_code, merchant_grants, user_grant};
use alipay_gateway::{GatewayError, Reply};
use secrecy::ExposeSecret;
use simulator::{CodeOptions, Fault, FaultKind};

use crate::{Fixture, OAUTH_TOKEN};

const TEN_YEARS: u64 = 315_360_000;

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
    let fixture = Fixture::new().await;
    for (value, expected) in [
        ("1296000", Some(1_296_000)),
        ("\"1296000\"", Some(1_296_000)),
        ("0", Some(0)),
        ("\"0\"", Some(0)),
        ("1000000000000", Some(TEN_YEARS)),
        ("\"1000000000000\"", Some(TEN_YEARS)),
        ("18446744073709551615", Some(TEN_YEARS)),
        ("99999999999999999999", Some(TEN_YEARS)),
        ("\"99999999999999999999\"", Some(TEN_YEARS)),
        ("1e300", Some(TEN_YEARS)),
        ("3600.0", Some(3600)),
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

/// The reply is verified and the old pair is dead: to throw the new one away for its life would lose the login.
#[tokio::test]
async fn a_life_that_is_no_number_of_seconds_is_unknown_and_loses_no_token() {
    let fixture = Fixture::new().await;
    for value in [
        "-1",
        "\"-1\"",
        "-1.5",
        "-9223372036854775809",
        "\"abc\"",
        "true",
        "[]",
        "[[1]]",
        "{}",
        "{\"a\":1}",
        "\" 1\"",
        "\"+1\"",
        "\"1.5\"",
    ] {
        let members = format!(r#","user_id":"2088","expires_in":{value},"re_expires_in":{value}"#);
        let grant = grant(&fixture, &members)
            .await
            .unwrap_or_else(|error| panic!("{value}: {error}"));
        assert_eq!(
            (grant.expires_in, grant.re_expires_in),
            (Some(0), None),
            "{value}"
        );
        assert_eq!(grant.access_token.expose_secret(), "canary-a");
        assert_eq!(grant.refresh_token.unwrap().expose_secret(), "canary-r");
    }
}

#[tokio::test]
async fn a_merchants_lives_are_read_by_the_same_rules_and_unknown_ones_stay_unknown() {
    let fixture = Fixture::new().await;
    for (value, expected) in [
        ("31536000", Some(31_536_000)),
        ("\"31536000\"", Some(31_536_000)),
        ("0", Some(0)),
        ("1000000000000", Some(TEN_YEARS)),
        ("\"99999999999999999999\"", Some(TEN_YEARS)),
        ("-1", None),
        ("\"-1\"", None),
        ("\"abc\"", None),
        ("\"\"", None),
        ("null", None),
        ("{}", None),
    ] {
        let one = format!(
            r#""auth_app_id":"2021","app_auth_token":"canary-a","app_refresh_token":"canary-r","expires_in":{value},"re_expires_in":{value}"#
        );
        for node in [format!("{{{one}}}"), format!(r#"{{"tokens":[{{{one}}}]}}"#)] {
            let grants = merchant_grants(&reply(&fixture, &node).await)
                .unwrap_or_else(|error| panic!("{node}: {error}"));
            let lives: Vec<_> = grants
                .iter()
                .map(|grant| (grant.expires_in, grant.re_expires_in))
                .collect();
            assert_eq!(lives, [(expected, expected)], "{node}");
            assert!(!format!("{grants:?}").contains("canary"));
        }
    }
    let absent = r#"{"auth_app_id":"2021","app_auth_token":"a"}"#;
    let grants = merchant_grants(&reply(&fixture, absent).await).unwrap();
    assert_eq!(
        (grants[0].expires_in, grants[0].re_expires_in),
        (None, None)
    );
    assert!(grants[0].app_refresh_token.is_none());
}

#[tokio::test]
async fn a_refresh_token_may_end_before_its_access_token_and_both_keep_their_lives() {
    let fixture = Fixture::new().await;
    let members = r#","user_id":"2088","expires_in":7200,"re_expires_in":60"#;
    let grant = grant(&fixture, members).await.unwrap();
    assert_eq!(
        (grant.expires_in, grant.re_expires_in),
        (Some(7200), Some(60))
    );
}

#[tokio::test]
async fn a_reply_without_a_refresh_token_has_none_and_not_an_empty_one() {
    let fixture = Fixture::new().await;
    for member in ["", r#","refresh_token":"""#, r#","refresh_token":null"#] {
        let node = format!(r#"{{"access_token":"a","user_id":"2088","expires_in":1{member}}}"#);
        let grant = user_grant(&reply(&fixture, &node).await).unwrap();
        assert!(grant.refresh_token.is_none(), "{node}");
        let merchants = member.replace("refresh", "app_refresh");
        let node = format!(r#"{{"auth_app_id":"2021","app_auth_token":"a"{merchants}}}"#);
        let grants = merchant_grants(&reply(&fixture, &node).await).unwrap();
        assert!(grants[0].app_refresh_token.is_none(), "{node}");
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
