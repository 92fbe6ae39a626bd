//! ISV apps and the merchants who authorise them.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{AppOptions, CodeOptions, Scope, SimulatedApp, SimulatedUser};

use crate::caller::{Fixture, MESSAGE_SEND, OAUTH_TOKEN, QRCODE_CREATE, USER_INFO, text, verdict};

const TOKEN_APP: &str = "alipay.open.auth.token.app";
const TOKEN_APP_QUERY: &str = "alipay.open.auth.token.app.query";
const MERCHANT: &str = "2021000000000088";
const GRACE: Duration = Duration::from_secs(600);

async fn call(fixture: &Fixture, method: &str, biz_content: &Value) -> Value {
    fixture
        .call(method, &[("biz_content", &biz_content.to_string())])
        .await
}

async fn exchange(fixture: &Fixture, code: &str) -> Value {
    let wanted = json!({"grant_type":"authorization_code","code":code});
    call(fixture, TOKEN_APP, &wanted).await
}

async fn refresh(fixture: &Fixture, tokens: &Value) -> Value {
    let token = text(tokens, "app_refresh_token");
    let wanted = json!({"grant_type":"refresh_token","refresh_token":token});
    call(fixture, TOKEN_APP, &wanted).await
}

/// A merchant authorises the fixture's app; the tokens.
async fn authorized(fixture: &Fixture) -> Value {
    let code = fixture
        .simulator
        .authorize_merchant(&fixture.app.app_id, MERCHANT);
    exchange(fixture, &code).await
}

/// Makes a mini code in the merchant's name: any method would do.
async fn acts(fixture: &Fixture, app_auth_token: &str) -> Value {
    let wanted = r#"{"url_param":"p","query_param":"a=1","describe":"d"}"#;
    fixture
        .call(
            QRCODE_CREATE,
            &[("biz_content", wanted), ("app_auth_token", app_auth_token)],
        )
        .await
}

/// The fixture makes its calls as this app from now on.
fn become_app(fixture: &mut Fixture, app: SimulatedApp) {
    fixture.app = app;
}

#[tokio::test]
async fn a_merchants_code_is_exchanged_once() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let code = fixture
        .simulator
        .authorize_merchant(&fixture.app.app_id, MERCHANT);
    let node = exchange(&fixture, &code).await;
    assert_eq!(text(&node, "auth_app_id"), MERCHANT);
    assert_eq!(
        (&node["expires_in"], &node["re_expires_in"]),
        (&json!(31_536_000), &json!(32_140_800))
    );
    assert_eq!(text(&node, "user_id").len(), 16);
    let only = &node["tokens"][0];
    for name in [
        "app_auth_token",
        "app_refresh_token",
        "auth_app_id",
        "user_id",
    ] {
        assert_eq!(only[name], node[name], "{name} stands in tokens too");
    }
    let again = exchange(&fixture, &code).await;
    assert_eq!(verdict(&again), "AUTH_CODE_NOT_VALID");
}

#[tokio::test]
async fn a_code_of_several_merchants_gives_tokens_alone() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let merchants = [MERCHANT, "2021000000000089"];
    let code = fixture
        .simulator
        .authorize_merchants(&fixture.app.app_id, &merchants);
    let node = exchange(&fixture, &code).await;
    assert_eq!(node.get("app_auth_token"), None);
    let tokens = node["tokens"].as_array().unwrap();
    let apps: Vec<_> = tokens.iter().map(|one| text(one, "auth_app_id")).collect();
    assert_eq!(apps, merchants);
    assert_ne!(tokens[0]["app_auth_token"], tokens[1]["app_auth_token"]);
}

#[tokio::test]
async fn each_wrong_grant_has_alipays_sub_code() {
    let mut fixture = Fixture::new(AppOptions::default()).await;
    let stranger = json!({"grant_type":"authorization_code","code":"x"});
    assert_eq!(
        verdict(&call(&fixture, TOKEN_APP, &stranger).await),
        "APP_NOT_ISV"
    );
    let tokens = authorized(&fixture).await;
    let rows = [
        (
            json!({"grant_type":"authorization_code","code":"x"}),
            "AUTH_CODE_NOT_EXIST",
        ),
        (
            json!({"grant_type":"authorization_code"}),
            "AUTH_CODE_NOT_EXIST",
        ),
        (
            json!({"grant_type":"refresh_token","refresh_token":"x"}),
            "REFRESH_TOKEN_NOT_EXIST",
        ),
        (json!({"grant_type":"password"}), "GRANT_TYPE_INVALID"),
        (json!({}), "GRANT_TYPE_INVALID"),
    ];
    for (wanted, expected) in rows {
        let node = call(&fixture, TOKEN_APP, &wanted).await;
        assert_eq!(verdict(&node), expected, "{wanted}");
    }
    let top_level = [("grant_type", "authorization_code"), ("code", "x")];
    assert_eq!(
        verdict(&fixture.call(TOKEN_APP, &top_level).await),
        "GRANT_TYPE_INVALID",
        "here the parameters stand in biz_content"
    );
    let code = fixture
        .simulator
        .authorize_merchant(&fixture.app.app_id, MERCHANT);
    let other = fixture.simulator.add_app(AppOptions::default());
    let others = fixture
        .simulator
        .authorize_merchant(&other.app_id, "2021000000000090");
    become_app(&mut fixture, other);
    assert_eq!(
        verdict(&exchange(&fixture, &code).await),
        "APP_ID_NOT_CONSISTENT"
    );
    assert_eq!(
        verdict(&refresh(&fixture, &tokens).await),
        "APP_ID_NOT_CONSISTENT"
    );
    fixture.simulator.advance_clock(Duration::from_secs(86_400));
    assert_eq!(
        verdict(&exchange(&fixture, &others).await),
        "AUTH_CODE_NOT_VALID"
    );
}

#[tokio::test]
async fn a_replaced_pair_stays_usable_for_a_while() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let old = authorized(&fixture).await;
    let new = refresh(&fixture, &old).await;
    assert_ne!(old["app_auth_token"], new["app_auth_token"]);
    assert_eq!(
        verdict(&acts(&fixture, text(&old, "app_auth_token")).await),
        "10000"
    );
    assert_eq!(
        verdict(&refresh(&fixture, &old).await),
        "10000",
        "two may win"
    );
    fixture.simulator.advance_clock(GRACE);
    assert_eq!(
        verdict(&acts(&fixture, text(&old, "app_auth_token")).await),
        "aop.invalid-app-auth-token"
    );
    assert_eq!(
        verdict(&refresh(&fixture, &old).await),
        "REFRESH_TOKEN_NOT_VALID"
    );

    let live = authorized(&fixture).await;
    fixture
        .simulator
        .advance_clock(Duration::from_secs(31_536_000));
    assert_eq!(
        verdict(&acts(&fixture, text(&live, "app_auth_token")).await),
        "aop.app-auth-token-time-out"
    );
    assert_eq!(verdict(&refresh(&fixture, &live).await), "10000");
    let again = authorized(&fixture).await;
    fixture
        .simulator
        .advance_clock(Duration::from_secs(32_140_800));
    assert_eq!(
        verdict(&refresh(&fixture, &again).await),
        "REFRESH_TOKEN_TIME_OUT"
    );
}

#[tokio::test]
async fn a_merchant_who_cancels_or_changes_the_isv_ends_the_tokens() {
    let mut fixture = Fixture::new(AppOptions::default()).await;
    let tokens = authorized(&fixture).await;
    let token = text(&tokens, "app_auth_token");
    let app_id = fixture.app.app_id.clone();
    assert_eq!(fixture.simulator.cancel_merchant(&app_id, MERCHANT), 1);
    assert_eq!(fixture.simulator.cancel_merchant(&app_id, MERCHANT), 0);
    assert_eq!(
        verdict(&acts(&fixture, token).await),
        "aop.invalid-app-auth-token"
    );
    assert_eq!(
        verdict(&refresh(&fixture, &tokens).await),
        "REFRESH_TOKEN_NOT_VALID"
    );

    let tokens = authorized(&fixture).await;
    let (first, other) = (
        fixture.app.clone(),
        fixture.simulator.add_app(AppOptions::default()),
    );
    become_app(&mut fixture, other);
    authorized(&fixture).await;
    become_app(&mut fixture, first);
    assert_eq!(
        verdict(&acts(&fixture, text(&tokens, "app_auth_token")).await),
        "aop.invalid-app-auth-token",
        "one ISV app at a time"
    );
}

#[tokio::test]
async fn a_call_with_a_merchants_token_acts_for_the_merchants_app() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let tokens = authorized(&fixture).await;
    let token = text(&tokens, "app_auth_token");
    let made = acts(&fixture, token).await;
    assert_eq!(verdict(&made), "10000");
    let received = fixture.simulator.received();
    let last = received.last().unwrap();
    assert_eq!(last.app_id.as_deref(), Some(fixture.app.app_id.as_str()));
    assert_eq!(last.parameters["app_auth_token"], token);

    let receiver = fixture
        .simulator
        .open_id(MERCHANT, SimulatedUser::DEFAULT_USER_ID);
    let message = json!({"to_open_id":receiver,"user_template_id":"t","page":"p","data":r#"{"keyword1":{"value":"v"}}"#});
    let message = message.to_string();
    let sent = fixture
        .call(
            MESSAGE_SEND,
            &[("biz_content", &message), ("app_auth_token", token)],
        )
        .await;
    assert_eq!(verdict(&sent), "10000");
    assert_eq!(fixture.simulator.messages()[0].app_id, MERCHANT);

    let code = fixture.simulator.issue_code(
        MERCHANT,
        CodeOptions {
            scope: Scope::AuthUser,
            ..CodeOptions::default()
        },
    );
    let login = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
    ];
    assert_eq!(
        verdict(&fixture.call(OAUTH_TOKEN, &login).await),
        "isv.code-invalid",
        "the code is not of the ISV's own app"
    );
    let login = [login.as_slice(), &[("app_auth_token", token)]].concat();
    let user = fixture.call(OAUTH_TOKEN, &login).await;
    let profile = [
        ("auth_token", text(&user, "access_token")),
        ("app_auth_token", token),
    ];
    let profile = fixture.call(USER_INFO, &profile).await;
    assert_eq!(text(&profile, "open_id"), receiver);
}

#[tokio::test]
async fn an_app_auth_token_serves_the_app_it_was_given_to() {
    let mut fixture = Fixture::new(AppOptions::default()).await;
    let tokens = authorized(&fixture).await;
    let refused = acts(&fixture, "201500BBunknown").await;
    assert_eq!(
        (verdict(&refused), text(&refused, "code")),
        ("aop.invalid-app-auth-token", "20001")
    );
    let other = fixture.simulator.add_app(AppOptions::default());
    become_app(&mut fixture, other);
    assert_eq!(
        verdict(&acts(&fixture, text(&tokens, "app_auth_token")).await),
        "aop.invalid-app-auth-token"
    );
}

#[tokio::test]
async fn a_query_tells_how_an_authorisation_stands() {
    let mut fixture = Fixture::new(AppOptions::default()).await;
    let tokens = authorized(&fixture).await;
    let token = text(&tokens, "app_auth_token");
    let asked = json!({ "app_auth_token": token });
    let node = call(&fixture, TOKEN_APP_QUERY, &asked).await;
    assert_eq!(
        (text(&node, "status"), text(&node, "auth_app_id")),
        ("valid", MERCHANT)
    );
    assert_eq!(node["user_id"], tokens["user_id"]);
    assert!(node["auth_methods"].as_array().unwrap().len() > 5);
    assert!(text(&node, "auth_start") < text(&node, "auth_end"));

    let public = [
        ("biz_content", asked.to_string()),
        ("app_auth_token", token.to_owned()),
    ];
    let public: Vec<_> = public
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    assert_eq!(
        verdict(&fixture.call(TOKEN_APP_QUERY, &public).await),
        "ILLEGAL_PARAM",
        "it is asked about, not used"
    );
    for (asked, expected) in [
        (json!({}), "ILLEGAL_PARAM"),
        (json!({"app_auth_token":"x"}), "AUTH_TOKEN_NOT_EXISTED"),
    ] {
        assert_eq!(
            verdict(&call(&fixture, TOKEN_APP_QUERY, &asked).await),
            expected
        );
    }
    let app_id = fixture.app.app_id.clone();
    fixture.simulator.cancel_merchant(&app_id, MERCHANT);
    let node = call(&fixture, TOKEN_APP_QUERY, &asked).await;
    assert_eq!(text(&node, "status"), "invalid");

    let other = fixture.simulator.add_app(AppOptions::default());
    become_app(&mut fixture, other);
    assert_eq!(
        verdict(&call(&fixture, TOKEN_APP_QUERY, &asked).await),
        "APP_NOT_ISV"
    );
    let _ = fixture
        .simulator
        .authorize_merchant(&fixture.app.app_id, "2021000000000090");
    assert_eq!(
        verdict(&call(&fixture, TOKEN_APP_QUERY, &asked).await),
        "AUTH_TOKEN_NOT_CONSISTENT"
    );
}
