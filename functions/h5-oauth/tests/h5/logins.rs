//! Logins that come to their end.

use alipay_gateway::methods::user_info;
use function_kit::{Failure, Request};
use function_tokens::User;
use identity::SignedInClaims;
use serde_json::json;
use simulator::{AppOptions, CodeOptions, Identifiers};

use crate::bench::{Bench, Browser, CLIENT, PAGE, RETURN_TO, USER, way_back};

/// The claims of an id_token for this client, verified.
fn claims(bench: &Bench, token: &str, client: &str) -> SignedInClaims {
    let now = bench.clock.wall_time();
    let issuer = bench.logins.issuer();
    issuer.verify_id_token(token, &[client], now).unwrap()
}

#[tokio::test]
async fn a_login_ends_on_the_page_that_began_with_a_ticket_that_says_who_it_is() {
    let bench = Bench::new().await;
    let mut browser = Browser::default();
    let return_to = "https://shop.example.com/welcome?shop=7";
    let begun = browser.begins(&bench, &[("return_to", return_to)]).await;
    let way_back = way_back(&begun.location()).await;
    assert!(
        way_back
            .as_str()
            .starts_with("https://login.example.com/h5/callback?")
    );
    let query: Vec<_> = way_back.query_pairs().collect();
    let query: Vec<_> = query
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    let back = browser.goes(&bench, way_back.path(), &query).await;
    let ticket = back.told("ticket");
    assert_eq!(
        back.header("location"),
        format!("{return_to}&ticket={ticket}")
    );
    assert!(browser.cookies.is_empty(), "the binding has done its work");

    let answer = bench.redeem(&json!({"ticket": ticket})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = answer.json();
    assert_eq!(answer["code"], 0);
    assert_eq!(answer["appid"], json!(bench.app.app_id));
    for name in ["buyer_id", "userId", "openid"] {
        assert_eq!(answer[name], USER, "{name}");
    }
    assert!(answer.get("buyer_open_id").is_none());
    let claims = claims(&bench, answer["token"].as_str().unwrap(), CLIENT);
    assert_eq!(claims.uid.to_string(), answer["uid"]);
    assert_eq!(
        (claims.openid.as_str(), &claims.app_id),
        (USER, &bench.app.app_id)
    );
    let expired = answer["tokenExpired"].as_u64().unwrap();
    let now = bench.clock.wall_time().as_millis();
    assert!((7_190_000..=7_200_000).contains(&(expired - now)));
}

#[tokio::test]
async fn a_callback_that_asks_for_json_gets_at_once_what_the_ticket_leads_to() {
    let bench = Bench::new().await;
    let mut browser = Browser::default();
    let begun = browser.begins(&bench, &[]).await;
    let answer = browser
        .comes_back_asking(&bench, &begun, &bench.code(), "application/json")
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let at_once = answer.json();
    assert!(browser.cookies.is_empty());

    let ticket = browser.logs_in(&bench, &[]).await;
    let by_ticket = bench.redeem(&json!({"ticket": ticket})).await.json();
    for name in ["code", "appid", "uid", "openid", "userId", "buyer_id"] {
        assert_eq!(at_once[name], by_ticket[name], "{name}");
    }
    assert_eq!(
        at_once.as_object().unwrap().len(),
        by_ticket.as_object().unwrap().len()
    );
}

#[tokio::test]
async fn an_id_token_is_for_the_client_whose_page_began() {
    let bench = Bench::new().await;
    let more = [("return_to", "https://other-shop.example.com")];
    let ticket = Browser::default().logs_in(&bench, &more).await;
    let answer = bench.redeem(&json!({"ticket": ticket})).await.json();
    claims(&bench, answer["token"].as_str().unwrap(), "other-shop");
}

#[tokio::test]
async fn an_app_with_open_ids_only_has_a_buyer_open_id_and_no_buyer_id() {
    let options = AppOptions {
        identifiers: Identifiers::OpenIdOnly,
        ..AppOptions::default()
    };
    let bench = Bench::with(options, json!({})).await;
    let ticket = Browser::default().logs_in(&bench, &[]).await;
    let answer = bench.redeem(&json!({"ticket": ticket})).await.json();
    let open_id = json!(bench.simulator.open_id(&bench.app.app_id, USER));
    for name in ["buyer_open_id", "openId", "openid"] {
        assert_eq!(answer[name], open_id, "{name}");
    }
    for name in ["buyer_id", "userId"] {
        assert!(answer.get(name).is_none(), "{answer}");
    }
}

#[tokio::test]
async fn an_app_that_speaks_gbk_logs_its_users_in() {
    let bench = Bench::with(AppOptions::default(), json!({"charset": "GBK"})).await;
    let ticket = Browser::default().logs_in(&bench, &[]).await;
    let answer = bench.redeem(&json!({"ticket": ticket})).await.json();
    assert_eq!(answer["buyer_id"], USER);
    let exchange = &bench.simulator.received()[0];
    assert_eq!(exchange.parameters["charset"], "GBK");
}

#[tokio::test]
async fn one_person_has_one_account_however_often_they_log_in() {
    let bench = Bench::new().await;
    let mut accounts = Vec::new();
    for _ in 0..2 {
        let ticket = Browser::default().logs_in(&bench, &[]).await;
        accounts.push(bench.redeem(&json!({"ticket": ticket})).await.json()["uid"].clone());
    }
    assert_eq!(accounts[0], accounts[1]);
    let mut browser = Browser::default();
    let begun = browser.begins(&bench, &[]).await;
    let other = CodeOptions {
        user: "2088000000000777".to_owned(),
        ..CodeOptions::default()
    };
    let back = browser
        .comes_back(&bench, &begun, &bench.code_with(other))
        .await;
    let other = bench.redeem(&json!({"ticket": back.told("ticket")})).await;
    assert_ne!(other.json()["uid"], accounts[0]);
}

#[tokio::test]
async fn two_logins_of_one_browser_do_not_disturb_each_other() {
    let bench = Bench::new().await;
    let mut browser = Browser::default();
    let first = browser.begins(&bench, &[]).await;
    let second = browser.begins(&bench, &[]).await;
    for begun in [second, first] {
        let back = browser.comes_back(&bench, &begun, &bench.code()).await;
        assert!(back.header("location").starts_with(RETURN_TO), "{back:?}");
    }
}

/// What `user-info` asks for `openid`.
async fn profile(bench: &Bench) -> Result<(), Failure> {
    let event =
        json!({"version": "2.0", "requestContext": {"http": {"method": "GET", "path": "/"}}});
    let invocation = function_kit::Invocation {
        request_id: "profile".to_owned(),
        deadline: alipay_gateway::Deadline::after(bench.clock.now(), bench.patience),
    };
    let request = Request::from_event(&event.to_string(), invocation).unwrap();
    let caller = request.caller(bench.alipay.app(None).unwrap());
    let user = User {
        openid: USER,
        scope: None,
        auth_app_id: None,
    };
    let reply = bench
        .tokens
        .answer_for_user(&bench.alipay, &caller, &user, user_info)
        .await?;
    assert!(reply.parse::<alipay_gateway::methods::UserInfo>().is_ok());
    Ok(())
}

#[tokio::test]
async fn a_smaller_grant_is_a_login_and_no_profile() {
    let bench = Bench::new().await;
    let mut browser = Browser::default();
    let asked = [("scope", "auth_user")];
    let begun = browser.begins(&bench, &asked).await;
    // A code of auth_base, whatever was asked for.
    let back = browser.comes_back(&bench, &begun, &bench.code()).await;
    let answer = bench.redeem(&json!({"ticket": back.told("ticket")})).await;
    assert_eq!(answer.json()["buyer_id"], USER);
    assert!(profile(&bench).await.is_err());
}

#[tokio::test]
async fn a_silent_login_leaves_the_token_that_the_user_agreed_to() {
    let bench = Bench::new().await;
    let mut browser = Browser::default();
    let begun = browser.begins(&bench, &[("scope", "auth_user")]).await;
    let agreed = CodeOptions {
        scope: simulator::Scope::AuthUser,
        ..CodeOptions::default()
    };
    browser
        .comes_back(&bench, &begun, &bench.code_with(agreed))
        .await;
    profile(&bench).await.unwrap();
    browser.logs_in(&bench, &[]).await;
    profile(&bench).await.unwrap();
}

#[tokio::test]
async fn a_browser_that_names_json_among_others_gets_json_unless_the_ticket_has_a_challenge() {
    let bench = Bench::new().await;
    let challenge = [
        (
            "code_challenge",
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        ),
        ("code_challenge_method", "S256"),
    ];
    let mut browser = Browser::default();
    for (more, accept, status) in [
        (&[][..], "application/json, */*;q=0.1", 200),
        (&[][..], PAGE, 302),
        (&[][..], "", 302),
        (&challenge[..], "application/json", 302),
    ] {
        let begun = browser.begins(&bench, more).await;
        let back = browser
            .comes_back_asking(&bench, &begun, &bench.code(), accept)
            .await;
        assert_eq!(back.status, status, "{accept}");
    }
}
