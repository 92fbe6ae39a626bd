//! Codes, tokens and the profile.

use std::time::Duration;

use serde_json::Value;
use simulator::{
    AppOptions, CodeOptions, Identifiers, NumberSpelling, Scope, SimulatedUser, TokenRules,
};

use crate::caller::{Fixture, OAUTH_TOKEN, USER_INFO, text, verdict};

#[tokio::test]
async fn a_code_is_exchanged_once_and_the_success_has_no_code_member() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let code = fixture.code();
    let reply = fixture
        .reply(
            OAUTH_TOKEN,
            &[("grant_type", "authorization_code"), ("code", &code)],
        )
        .await;
    assert!(fixture.is_signed(&reply, "alipay_system_oauth_token_response"));
    let document: Value = serde_json::from_slice(&reply.bytes).unwrap();
    let node = &document["alipay_system_oauth_token_response"];
    assert_eq!(node.get("code"), None);
    assert_eq!(text(node, "user_id"), SimulatedUser::DEFAULT_USER_ID);
    assert_eq!(
        text(node, "open_id"),
        fixture
            .simulator
            .open_id(&fixture.app.app_id, SimulatedUser::DEFAULT_USER_ID)
    );
    assert_eq!(text(node, "access_token").len(), 40);
    assert_eq!(node["expires_in"], 1_296_000);
    assert_eq!(node["re_expires_in"], 2_592_000);
    assert_eq!(text(node, "auth_start").len(), 19);

    let again = fixture
        .reply(
            OAUTH_TOKEN,
            &[("grant_type", "authorization_code"), ("code", &code)],
        )
        .await;
    let again = String::from_utf8(again.bytes).unwrap();
    assert!(
        again.starts_with(r#"{"error_response":{"code":"40002","#),
        "{again}"
    );
    assert!(
        again.contains("isv.code-invalid") && !again.contains("\"sign\""),
        "{again}"
    );
}

#[tokio::test]
async fn codes_expire_belong_to_one_app_and_may_be_chosen() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let other = fixture.simulator.add_app(AppOptions::default());
    let options = |code: &str| CodeOptions {
        code: Some(code.to_owned()),
        ..CodeOptions::default()
    };
    let late = fixture
        .simulator
        .issue_code(&fixture.app.app_id, options("late"));
    let foreign = fixture
        .simulator
        .issue_code(&other.app_id, options("foreign"));
    assert_eq!((late.as_str(), foreign.as_str()), ("late", "foreign"));
    assert_eq!(
        verdict(&fixture.exchange("foreign").await),
        "isv.code-invalid"
    );
    assert_eq!(
        verdict(&fixture.exchange("unknown").await),
        "isv.code-invalid"
    );
    assert_eq!(verdict(&fixture.exchange("").await), "isv.code-invalid");
    fixture.simulator.advance_clock(Duration::from_secs(180));
    assert_eq!(verdict(&fixture.exchange("late").await), "isv.code-invalid");
    assert_eq!(
        verdict(
            &fixture
                .call(OAUTH_TOKEN, &[("grant_type", "password")])
                .await
        ),
        "isv.grant-type-invalid"
    );
    assert_eq!(
        verdict(&fixture.call(OAUTH_TOKEN, &[]).await),
        "isv.grant-type-invalid"
    );
}

#[tokio::test]
async fn a_refresh_kills_the_old_pair_at_once_and_its_deadline_only_shrinks() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let options = CodeOptions {
        scope: Scope::AuthUser,
        ..CodeOptions::default()
    };
    let code = fixture.simulator.issue_code(&fixture.app.app_id, options);
    let first = fixture.exchange(&code).await;
    fixture.simulator.advance_clock(Duration::from_secs(1000));
    let second = fixture.refresh(text(&first, "refresh_token")).await;
    assert_ne!(
        text(&first, "refresh_token"),
        text(&second, "refresh_token")
    );
    assert_eq!(second["expires_in"], 1_296_000);
    assert!(
        (2_590_990..=2_591_000).contains(&second["re_expires_in"].as_u64().unwrap()),
        "{second}"
    );
    let profile = async |tokens: &Value| {
        let node = fixture
            .call(USER_INFO, &[("auth_token", text(tokens, "access_token"))])
            .await;
        verdict(&node).to_owned()
    };
    assert_eq!(profile(&first).await, "aop.invalid-auth-token");
    assert_eq!(profile(&second).await, "10000");
    assert_eq!(
        verdict(&fixture.refresh(text(&first, "refresh_token")).await),
        "isv.refresh-token-invalid"
    );
    assert_eq!(
        verdict(&fixture.refresh("unknown").await),
        "isv.refresh-token-invalid"
    );

    fixture
        .simulator
        .advance_clock(Duration::from_secs(1_296_000));
    assert_eq!(profile(&second).await, "aop.auth-token-time-out");
    let third = fixture.refresh(text(&second, "refresh_token")).await;
    fixture
        .simulator
        .advance_clock(Duration::from_secs(1_295_000));
    assert_eq!(
        verdict(&fixture.refresh(text(&third, "refresh_token")).await),
        "isv.refresh-token-time-out"
    );
}

#[tokio::test]
async fn a_grant_belongs_to_its_app_and_its_user_may_withdraw_it() {
    let mut fixture = Fixture::new(AppOptions::default()).await;
    let code = fixture.code();
    let tokens = fixture.exchange(&code).await;
    let owner = fixture.app.clone();
    fixture.app = fixture.simulator.add_app(AppOptions::default());
    assert_eq!(
        verdict(&fixture.refresh(text(&tokens, "refresh_token")).await),
        "isv.unmatched-app-id"
    );
    fixture.app = owner;
    assert_eq!(
        fixture
            .simulator
            .revoke(&fixture.app.app_id, SimulatedUser::DEFAULT_USER_ID),
        1
    );
    assert_eq!(
        verdict(&fixture.refresh(text(&tokens, "refresh_token")).await),
        "isv.refresh-token-invalid"
    );
}

#[tokio::test]
async fn an_app_gets_the_identifiers_and_spellings_it_is_set_to() {
    for (identifiers, user_id, open_id) in [
        (Identifiers::UserIdOnly, true, false),
        (Identifiers::OpenIdOnly, false, true),
        (Identifiers::Both, true, true),
    ] {
        let tokens = TokenRules {
            access_seconds: 3600,
            refresh_seconds: 7200,
            spelling: NumberSpelling::String,
        };
        let fixture = Fixture::new(AppOptions {
            identifiers,
            tokens,
            ..AppOptions::default()
        })
        .await;
        let code = fixture.code();
        let node = fixture.exchange(&code).await;
        assert_eq!(node.get("user_id").is_some(), user_id);
        assert_eq!(node.get("open_id").is_some(), open_id);
        assert_eq!(
            (text(&node, "expires_in"), text(&node, "re_expires_in")),
            ("3600", "7200")
        );
    }
}

#[tokio::test]
async fn a_silent_grant_does_not_open_the_profile() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let user = SimulatedUser {
        avatar: None,
        province: None,
        ..SimulatedUser::with_id("2088000000000007")
    };
    fixture.simulator.add_user(user);
    let options = |scope| CodeOptions {
        user: "2088000000000007".to_owned(),
        scope,
        ..CodeOptions::default()
    };
    let silent = fixture
        .simulator
        .issue_code(&fixture.app.app_id, options(Scope::AuthBase));
    let agreed = fixture
        .simulator
        .issue_code(&fixture.app.app_id, options(Scope::AuthUser));
    let silent = fixture.exchange(&silent).await;
    let agreed = fixture.exchange(&agreed).await;
    let refused = fixture
        .call(USER_INFO, &[("auth_token", text(&silent, "access_token"))])
        .await;
    assert_eq!(
        (verdict(&refused), text(&refused, "code")),
        ("aop.invalid-auth-token", "20001")
    );
    assert_eq!(
        verdict(&fixture.call(USER_INFO, &[]).await),
        "aop.invalid-auth-token"
    );
    let profile = fixture
        .call(USER_INFO, &[("auth_token", text(&agreed, "access_token"))])
        .await;
    assert_eq!(
        (text(&profile, "user_id"), text(&profile, "city")),
        ("2088000000000007", "杭州市")
    );
    assert_eq!(profile.get("avatar"), None);
}

#[tokio::test]
async fn an_error_response_is_signed_where_the_app_is_set_so() {
    let fixture = Fixture::new(AppOptions {
        signed_error_responses: true,
        ..AppOptions::default()
    })
    .await;
    let reply = fixture
        .reply(
            OAUTH_TOKEN,
            &[("grant_type", "refresh_token"), ("refresh_token", "x")],
        )
        .await;
    assert!(fixture.is_signed(&reply, "error_response"));
}
