//! How a login begins.

use serde_json::json;
use simulator::AppOptions;

use crate::bench::{Bench, Browser, PAGE, RETURN_TO};

#[tokio::test]
async fn no_login_begins_for_an_address_that_is_not_on_the_list() {
    let bench = Bench::new().await;
    let mut browser = Browser::default();
    let first = browser.begins(&bench, &[("return_to", "")]).await;
    assert_eq!(first.status, 400);
    for return_to in [
        "//shop.example.com/welcome",
        "/\\shop.example.com/welcome",
        "https:shop.example.com/welcome",
        "https:/shop.example.com/welcome",
        "javascript:alert(1)",
        "https://shop.example.com/welcome\r\nSet-Cookie: a=b",
        "https://shop.example.com/welcome%0d%0aSet-Cookie:%20a=b",
        "https://shop.example.com.evil.com/welcome",
        "https://shop.example.com@evil.com/welcome",
        "https://evil.com/https://shop.example.com/welcome",
        "http://shop.example.com/welcome",
        "https://shop.example.com/welcome/",
        "https://shop.example.com/welcome?shop=8",
        "https://shop.example.com/welcome?shop=7&next=//evil.com",
        "https://shop.example.com/welcome#",
        "https://shop.example.com/Welcome",
        "HTTPS://shop.example.com/welcome",
        "https://shop.example.com:443/welcome",
        "https://shop.example.com/./welcome",
        "https://shop.example.com/",
        " https://shop.example.com/welcome",
        // Of another app's client, and of one that is disabled.
        "https://tea.example.com/",
        "https://closed.example.com",
        "evil",
    ] {
        let answer = browser.begins(&bench, &[("return_to", return_to)]).await;
        assert_eq!(
            (answer.status, &answer.body),
            (400, &first.body),
            "{return_to}"
        );
        assert_eq!(answer.header("location"), "", "{return_to}");
    }
    assert!(browser.cookies.is_empty());
}

#[tokio::test]
async fn an_app_that_there_is_none_of_looks_like_one_without_that_address() {
    let bench = Bench::new().await;
    let query = |appid| [("appid", appid), ("return_to", "https://evil.example")];
    let mut answers = Vec::new();
    for appid in [
        "2021999999999999",
        "evil",
        &bench.app.app_id,
        &bench.other_app.app_id,
    ] {
        let mut browser = Browser::default();
        let answer = browser
            .asks(&bench, "/h5/authorize", &query(appid), "*/*")
            .await;
        answers.push((answer.status, answer.body));
    }
    assert_eq!(answers[0].0, 400);
    assert!(answers[0].1.contains("return_to: must be"), "{answers:?}");
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );
}

#[tokio::test]
async fn all_addresses_of_an_apps_clients_are_taken_as_they_are_written() {
    let bench = Bench::new().await;
    for return_to in [
        RETURN_TO,
        "https://shop.example.com/welcome?shop=7",
        "https://other-shop.example.com",
    ] {
        let mut browser = Browser::default();
        let begun = browser.begins(&bench, &[("return_to", return_to)]).await;
        let back = browser.comes_back(&bench, &begun, &bench.code()).await;
        assert!(back.header("location").starts_with(return_to), "{back:?}");
    }
    // The app may be left out: then it is the first.
    let query = [("return_to", RETURN_TO)];
    let begun = Browser::default()
        .goes(&bench, "/h5/authorize", &query)
        .await;
    assert_eq!(begun.told("app_id"), bench.app.app_id);
}

#[tokio::test]
async fn alipay_sends_back_to_the_issuer_whatever_the_request_says() {
    let bench = Bench::new().await;
    let more = [
        ("redirect_uri", "https://evil.example/h5/callback"),
        ("state", "evil"),
        ("app_id", "evil"),
    ];
    let begun = Browser::default().begins(&bench, &more).await;
    assert_eq!(
        begun.told("redirect_uri"),
        "https://login.example.com/h5/callback"
    );
    assert_eq!(begun.told("app_id"), bench.app.app_id);
    let state = begun.told("state");
    assert!(state.len() == 64 && state.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert!(!begun.header("location").contains("evil"));
}

#[tokio::test]
async fn the_scope_is_silent_unless_a_page_asks_for_more() {
    let bench = Bench::new().await;
    for (asked, scope) in [
        ("", "auth_base"),
        ("auth_base", "auth_base"),
        ("auth_user", "auth_user"),
    ] {
        let begun = Browser::default().begins(&bench, &[("scope", asked)]).await;
        assert_eq!(begun.told("scope"), scope);
    }
    for scope in ["auth_ecard", "auth_user,auth_ecard", "AUTH_USER", "openid"] {
        let answer = Browser::default().begins(&bench, &[("scope", scope)]).await;
        assert_eq!(answer.status, 400, "{scope}");
    }
}

#[tokio::test]
async fn a_challenge_that_protects_nothing_is_refused() {
    let bench = Bench::new().await;
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    for more in [
        [
            ("code_challenge", challenge),
            ("code_challenge_method", "plain"),
        ],
        [("code_challenge", challenge), ("code_challenge_method", "")],
        [("code_challenge", ""), ("code_challenge_method", "S256")],
        [
            ("code_challenge", "short"),
            ("code_challenge_method", "S256"),
        ],
    ] {
        assert_eq!(Browser::default().begins(&bench, &more).await.status, 400);
    }
}

#[tokio::test]
async fn a_name_that_stands_twice_is_refused() {
    let bench = Bench::new().await;
    let query = [("return_to", RETURN_TO), ("return_to", RETURN_TO)];
    let answer = Browser::default()
        .goes(&bench, "/h5/authorize", &query)
        .await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn each_gateway_has_its_own_authorization_page() {
    for (gateway, page) in [
        (
            "https://openapi.alipay.com/gateway.do",
            "https://openauth.alipay.com/oauth2/publicAppAuthorize.htm?",
        ),
        (
            "https://globalopenapi.alipay.com/gateway.do",
            "https://openauth.alipay.com/oauth2/publicAppAuthorize.htm?",
        ),
        (
            "https://openapi-sandbox.dl.alipaydev.com/gateway.do",
            "https://openauth-sandbox.dl.alipaydev.com/oauth2/publicAppAuthorize.htm?",
        ),
    ] {
        let bench = Bench::with(AppOptions::default(), json!({"gateway": gateway})).await;
        let begun = Browser::default().begins(&bench, &[]).await;
        let location = begun.header("location");
        assert!(location.starts_with(page), "{gateway}: {location}");
    }
}

#[tokio::test]
async fn the_binding_is_a_cookie_of_this_host_for_ten_minutes_and_out_of_reach_of_scripts() {
    let bench = Bench::new().await;
    let begun = Browser::default().begins(&bench, &[]).await;
    let [cookie] = begun.cookies()[..] else {
        panic!("one cookie: {begun:?}");
    };
    let (pair, attributes) = cookie.split_once("; ").unwrap();
    let (name, value) = pair.split_once('=').unwrap();
    assert!(name.starts_with("__Host-login-") && value.len() == 64);
    assert_eq!(
        attributes,
        "Path=/; Max-Age=600; Secure; HttpOnly; SameSite=Lax"
    );
    // It says nothing of the state, which goes over Alipay.
    assert!(!begun.told("state").contains(&name["__Host-login-".len()..]));
    assert_eq!(begun.header("cache-control"), "no-store");
    assert_eq!(begun.header("referrer-policy"), "no-referrer");
}

#[tokio::test]
async fn what_is_refused_is_a_page_for_people_and_json_for_programs() {
    let bench = Bench::new().await;
    let query = [("return_to", "https://evil.example")];
    let mut browser = Browser::default();
    let page = browser.asks(&bench, "/h5/authorize", &query, PAGE).await;
    assert_eq!(page.status, 400);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    for words in ["重新登录", "log in again", "REQUEST-ID"] {
        assert!(page.body.contains(words), "{}", page.body);
    }
    for accept in ["", "*/*", "application/json"] {
        let answer = browser.asks(&bench, "/h5/authorize", &query, accept).await;
        let answer = (answer.status, answer.json());
        assert_eq!(answer.0, 400);
        assert_eq!(answer.1["error"], "invalid_argument");
        assert_eq!(answer.1["request_id"], "REQUEST-ID");
    }
    let nowhere = browser.asks(&bench, "/h5/nowhere", &[], "*/*").await;
    assert_eq!(
        (nowhere.status, nowhere.json()["error"].as_str()),
        (404, Some("not_found"))
    );
}
