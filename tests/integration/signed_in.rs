//! The routes of signed-in users: whom they let through, and as whom.

use std::time::Duration;

use dev_server::{LOCAL_CLIENT, ROUTES, Route, Who};
use identity::{AccessTokenClaims, IdTokenClaims, Issuer, Uid};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tests::{Stack, http_client};
use token_store::{Clock, SystemClock, WallTime};

const LINK: &str = "/openapi/alipay/urlscheme/generate";
const PROFILE: &str = "/openapi/alipay/user/getUserInfo";

fn issuer(stack: &Stack, url: &str) -> Issuer {
    Issuer::new(url, stack.server.login().document()).unwrap()
}

/// The id_token that `issuer` makes at `now` of a user of the stack's app for `audience`.
fn id_token(stack: &Stack, issuer: &Issuer, audience: &str, now: WallTime) -> String {
    let uid = Uid::try_from("0".repeat(32)).unwrap();
    let claims = IdTokenClaims {
        uid: &uid,
        audience,
        app_id: &stack.app().app_id,
        openid: "2088000000000001",
        auth_app_id: None,
        nonce: None,
        authenticated_at: now,
        life: Duration::from_secs(7200),
    };
    let token = issuer.id_token(&claims, now).unwrap();
    token.expose_secret().to_owned()
}

#[tokio::test]
async fn who_logged_in_is_let_through_with_the_token_of_the_login() {
    let stack = Stack::start().await;
    let token = stack.token().await;
    let (status, answer) = stack
        .post_as(&token, LINK, &json!({"path": "pages/a/a"}))
        .await;
    assert_eq!((status, &answer["code"]), (200, &json!(0)), "{answer}");
    // The user is the token's, whoever the arguments may name.
    let (status, own) = stack.post_as(&token, PROFILE, &json!({})).await;
    assert_eq!((status, &own["code"]), (200, &json!(0)), "{own}");
    let other = json!({"openid": "2088000000000002"});
    let (status, answer) = stack.post_as(&token, PROFILE, &other).await;
    assert_eq!(
        (status, &answer["error"]),
        (403, &json!("forbidden")),
        "{answer}"
    );
}

#[tokio::test]
async fn a_token_is_taken_of_this_issuer_for_a_client_or_an_app_of_its_and_in_its_time() {
    let stack = Stack::start().await;
    let base = stack.server.base_url();
    let (ours, now) = (issuer(&stack, &base), SystemClock.now());
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    let foreign = Stack::start().await;
    let elsewhere = issuer(&stack, "https://login.example.com");
    let cases = [
        (
            "for the client",
            id_token(&stack, &ours, LOCAL_CLIENT, now),
            true,
        ),
        (
            "for the app",
            id_token(&stack, &ours, &stack.app().app_id, now),
            true,
        ),
        (
            "for nobody we know",
            id_token(&stack, &ours, "stranger", now),
            false,
        ),
        (
            "expired",
            id_token(&stack, &ours, LOCAL_CLIENT, now.minus(hours(3))),
            false,
        ),
        (
            "of the future",
            id_token(&stack, &ours, LOCAL_CLIENT, now.plus(hours(1))),
            false,
        ),
        (
            "of another issuer",
            id_token(&stack, &elsewhere, LOCAL_CLIENT, now),
            false,
        ),
        (
            "for another server",
            id_token(
                &foreign,
                &issuer(&foreign, &foreign.server.base_url()),
                LOCAL_CLIENT,
                now,
            ),
            false,
        ),
        ("no token at all", "a.b.c".to_owned(), false),
    ];
    for (what, token, is_taken) in cases {
        let (status, answer) = stack.post_as(&token, LINK, &json!({})).await;
        let expected = if is_taken { 200 } else { 401 };
        assert_eq!(status, expected, "{what}: {answer}");
        if !is_taken {
            assert_eq!(answer, json!({"message": "Unauthorized"}), "{what}");
        }
    }
}

#[tokio::test]
async fn an_access_token_opens_no_route_of_signed_in_users() {
    let stack = Stack::start().await;
    let claims = AccessTokenClaims {
        subject: &"0".repeat(32),
        audience: LOCAL_CLIENT,
        client_id: LOCAL_CLIENT,
        scope: "openid",
        app_id: Some(&stack.app().app_id),
        openid: Some("2088000000000001"),
        auth_app_id: None,
    };
    let issuer = issuer(&stack, &stack.server.base_url());
    let token = issuer.access_token(&claims, SystemClock.now()).unwrap();
    let (status, answer) = stack.post_as(token.expose_secret(), LINK, &json!({})).await;
    assert_eq!(status, 401, "{answer}");
}

#[tokio::test]
async fn who_is_refused_is_told_how_to_come_in_as_api_gateway_tells_it() {
    let stack = Stack::start().await;
    let url = format!("{}{LINK}", stack.server.base_url());
    for (authorization, challenge) in [
        (None, "Bearer"),
        (
            Some("Bearer a.b.c"),
            r#"Bearer scope="" error="invalid_token""#,
        ),
    ] {
        let mut asked = http_client().post(&url).body("{}");
        if let Some(authorization) = authorization {
            asked = asked.header("authorization", authorization);
        }
        let reply = asked.send().await.unwrap();
        assert_eq!(reply.status(), 401);
        assert_eq!(reply.headers()["www-authenticate"], challenge);
        let answer: Value = serde_json::from_str(&reply.text().await.unwrap()).unwrap();
        assert_eq!(answer, json!({"message": "Unauthorized"}));
    }
}

#[tokio::test]
async fn nothing_is_answered_to_head() {
    let stack = Stack::start().await;
    let url = format!("{}/.well-known/jwks.json", stack.server.base_url());
    let status = async |asked: reqwest::RequestBuilder| asked.send().await.unwrap().status();
    assert_eq!(status(http_client().head(&url)).await, 404);
    assert_eq!(status(http_client().post(&url)).await, 404);
}

fn routes_of(who: Who) -> Vec<Route> {
    let routes: Vec<_> = ROUTES
        .into_iter()
        .filter(|route| route.who == who)
        .collect();
    assert!(!routes.is_empty());
    routes
}

#[tokio::test]
async fn who_is_not_signed_in_costs_alipay_no_call() {
    let stack = Stack::start().await;
    let own = issuer(&stack, &stack.server.base_url());
    // Of a client that is another system's.
    let foreign = id_token(&stack, &own, "stranger", SystemClock.now());
    for route in routes_of(Who::SignedIn) {
        let (status, answer) = stack.post(route.path, "{}").await;
        assert_eq!(status, 401, "{}: {answer}", route.path);
        for token in ["a.b.c", &foreign] {
            let (status, answer) = stack.post_as(token, route.path, &json!({})).await;
            assert_eq!(status, 401, "{}: {answer}", route.path);
        }
    }
    assert!(stack.simulator().received().is_empty());
}

#[tokio::test]
async fn nobody_brings_a_key_or_speaks_for_another_app() {
    let stack = Stack::start().await;
    let token = stack.token().await;
    stack.simulator().clear_received();
    let signed_in = routes_of(Who::SignedIn).into_iter();
    let public = routes_of(Who::Public).into_iter();
    let functions = public.filter(|route| route.api == dev_server::Api::Functions);
    for route in signed_in.clone().chain(functions) {
        let with_key = json!({"privateKey": "MIIE"});
        let (status, answer) = stack.post_as(&token, route.path, &with_key).await;
        assert_eq!(
            (status, &answer["error"]),
            (403, &json!("forbidden")),
            "{}: {answer}",
            route.path
        );
    }
    for route in signed_in {
        let for_another = json!({"appid": "2021000000000002"});
        let (status, answer) = stack.post_as(&token, route.path, &for_another).await;
        assert_eq!(
            (status, &answer["error"]),
            (403, &json!("forbidden")),
            "{}: {answer}",
            route.path
        );
    }
    assert!(stack.simulator().received().is_empty());
}
