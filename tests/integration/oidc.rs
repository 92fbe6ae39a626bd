//! OpenID Connect (`oidc`), from a client's request to the user's claims. Security cases: O-01 to O-08 and O-10 to O-12 with what the
//! specifications say of each, J-17.

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use dev_server::{DevServer, Gateway, Options, new_login_document};
use reqwest::header::{AUTHORIZATION, COOKIE, HeaderMap};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use simulator::{AppOptions, CodeOptions, Fault, FaultKind, SimulatedUser, Simulator};
use tests::http_client;
use token_store::{Clock, SystemClock};
use url::Url;

const APP: &str = "2021000000000001";
const USER: &str = SimulatedUser::DEFAULT_USER_ID;
/// Of a page in a browser, which cannot keep a secret.
const PAGE: &str = "page";
const PAGE_BACK: &str = "https://page.example.com/back?from=alipay";
/// Of a server, which can.
const SERVER: &str = "server";
const SERVER_BACK: &str = "https://server.example.com/back";
const SECRET: &str = "s3cret:+%/&=of-the-server";
const EXCHANGE: &str = "alipay.system.oauth.token";

// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// The provider, as its clients and their users' browsers see it.
struct Provider {
    server: DevServer,
    http: reqwest::Client,
}

/// An answer.
struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
}

/// A login that stands on Alipay's page: where the browser was sent, and the cookie that it was given.
struct AtAlipay {
    page: Url,
    cookie: String,
}

type Pairs<'a> = Vec<(&'a str, String)>;

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// Where a redirect leads.
    fn location(&self) -> Url {
        assert_eq!(self.status, 302, "{}", self.text);
        Url::parse(self.header("location").unwrap()).unwrap()
    }

    fn error(&self) -> String {
        value(&self.location(), "error").unwrap()
    }
}

fn value(address: &Url, name: &str) -> Option<String> {
    let mut pairs = address.query_pairs();
    pairs
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.into_owned())
}

/// `pairs` with `name` as `value`, or without it.
fn with<'a>(mut pairs: Pairs<'a>, name: &'a str, value: Option<&str>) -> Pairs<'a> {
    pairs.retain(|(known, _)| *known != name);
    if let Some(value) = value {
        pairs.push((name, value.to_owned()));
    }
    pairs
}

/// What a page asks for.
fn request_of_a_page() -> Pairs<'static> {
    [
        ("response_type", "code"),
        ("client_id", PAGE),
        ("redirect_uri", PAGE_BACK),
        ("scope", "openid profile"),
        ("state", "the state & its \"characters\""),
        ("nonce", "the nonce"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}

/// What a server asks for, which needs no PKCE.
fn request_of_a_server() -> Pairs<'static> {
    [
        ("response_type", "code"),
        ("client_id", SERVER),
        ("redirect_uri", SERVER_BACK),
        ("scope", "openid"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}

/// How a page exchanges its code.
fn exchange_of_a_page(code: &str) -> Pairs<'static> {
    [
        ("grant_type", "authorization_code"),
        ("client_id", PAGE),
        ("redirect_uri", PAGE_BACK),
        ("code", code),
        ("code_verifier", VERIFIER),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}

fn exchange_of_a_server(code: &str) -> Pairs<'static> {
    [
        ("grant_type", "authorization_code"),
        ("redirect_uri", SERVER_BACK),
        ("code", code),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}

/// Id and secret as in a form, then joined (RFC 6749, section 2.3.1).
fn basic(id: &str, secret: &str) -> String {
    let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let (id, secret): (String, String) = (encoded(id), encoded(secret));
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

fn form(pairs: &[(&str, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

/// What a token says. Its signature is the browser tests' and `identity`'s matter.
fn claims(token: &Value) -> Value {
    let payload = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// Keys for all tests: one takes a while to make.
fn keys() -> Value {
    static KEYS: OnceLock<String> = OnceLock::new();
    let text = KEYS.get_or_init(|| {
        let document = new_login_document(&[], SystemClock.now()).unwrap();
        document.expose_secret().to_owned()
    });
    serde_json::from_str(text).unwrap()
}

impl Provider {
    async fn start() -> Self {
        let mut document = keys();
        document["clients"] = json!([
            {"clientId": PAGE, "appid": APP, "redirectUris": [PAGE_BACK]},
            {"clientId": SERVER, "appid": APP, "redirectUris": [SERVER_BACK], "clientSecret": SECRET},
            {"clientId": "gone", "appid": APP, "redirectUris": [PAGE_BACK], "disabled": true},
            {"clientId": "elsewhere", "appid": "2021000000009999", "redirectUris": [PAGE_BACK]},
        ]);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), document.to_string()).unwrap();
        let options = Options {
            login: Some(file.path().to_owned()),
            ..Options::default()
        };
        Self {
            server: DevServer::start(&options).await.unwrap(),
            http: http_client(),
        }
    }

    fn simulator(&self) -> &Simulator {
        match self.server.gateway() {
            Gateway::Simulated(simulated) => &simulated.0,
            Gateway::Configured => panic!("this server has a simulator"),
        }
    }

    fn exchanges(&self) -> u64 {
        self.simulator().received_count(EXCHANGE)
    }

    fn url(&self, path: &str, query: &[(&str, String)]) -> Url {
        let mut url = Url::parse(&format!("{}{path}", self.server.base_url())).unwrap();
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let reply = request.send().await.unwrap();
        Answer {
            status: reply.status().as_u16(),
            headers: reply.headers().clone(),
            text: reply.text().await.unwrap(),
        }
    }

    async fn get(&self, path: &str, query: &[(&str, String)]) -> Answer {
        self.send(self.http.get(self.url(path, query))).await
    }

    async fn post(&self, path: &str, pairs: &[(&str, String)], authorization: &str) -> Answer {
        let request = self
            .http
            .post(self.url(path, &[]))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form(pairs));
        let request = match authorization {
            "" => request,
            header => request.header(AUTHORIZATION, header),
        };
        self.send(request).await
    }

    async fn begin(&self, request: &[(&str, String)]) -> AtAlipay {
        AtAlipay::of(&self.get("/authorize", request).await)
    }

    /// The user agrees at Alipay, which sends the browser back: the query that it comes with.
    fn agreed(&self, login: &AtAlipay) -> Pairs<'static> {
        let options = CodeOptions {
            scope: match value(&login.page, "scope").unwrap().as_str() {
                "auth_user" => simulator::Scope::AuthUser,
                _ => simulator::Scope::AuthBase,
            },
            ..CodeOptions::default()
        };
        vec![
            ("app_id", APP.to_owned()),
            ("auth_code", self.simulator().issue_code(APP, options)),
            ("state", value(&login.page, "state").unwrap()),
        ]
    }

    async fn callback(&self, query: &[(&str, String)], cookie: Option<&str>) -> Answer {
        let request = self.http.get(self.url("/oidc/callback", query));
        let request = match cookie {
            Some(cookie) => request.header(COOKIE, cookie),
            None => request,
        };
        self.send(request).await
    }

    /// A whole login up to the address that the client is told the code at.
    async fn logged_in(&self, request: &[(&str, String)]) -> Url {
        let login = self.begin(request).await;
        let back = self
            .callback(&self.agreed(&login), Some(&login.cookie))
            .await;
        back.location()
    }

    async fn code(&self, request: &[(&str, String)]) -> String {
        value(&self.logged_in(request).await, "code").unwrap()
    }

    /// The tokens of a page's user.
    async fn tokens(&self, request: &[(&str, String)]) -> Value {
        let code = self.code(request).await;
        let answer = self.post("/token", &exchange_of_a_page(&code), "").await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    async fn userinfo(&self, access_token: &Value) -> Answer {
        let request = self.http.get(self.url("/userinfo", &[]));
        self.send(request.bearer_auth(access_token.as_str().unwrap()))
            .await
    }
}

impl AtAlipay {
    fn of(answer: &Answer) -> Self {
        let cookie = answer.header("set-cookie").unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"));
        Self {
            page: answer.location(),
            cookie: cookie.split(';').next().unwrap().to_owned(),
        }
    }
}

#[tokio::test]
async fn a_client_that_keeps_no_secret_logs_a_user_in_and_reads_the_profile() {
    let provider = Provider::start().await;
    let issuer = provider.server.base_url();
    let back = provider.logged_in(&request_of_a_page()).await;
    assert!(
        back.as_str().starts_with(&format!("{PAGE_BACK}&code=")),
        "{back}"
    );
    let expected = "the state & its \"characters\"";
    assert_eq!(value(&back, "state").as_deref(), Some(expected));
    assert_eq!(value(&back, "iss"), Some(issuer.clone()));

    let exchange = exchange_of_a_page(&value(&back, "code").unwrap());
    let answer = provider.post("/token", &exchange, "").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let tokens = answer.json();
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["expires_in"], 7200);
    assert_eq!(tokens["scope"], "openid profile");
    assert_eq!(tokens.get("refresh_token"), None);

    let user = claims(&tokens["id_token"]);
    assert_eq!(user["iss"], issuer.as_str());
    assert_eq!(user["aud"], PAGE);
    assert_eq!(user["nonce"], "the nonce");
    assert_eq!(
        (&user["app_id"], &user["openid"]),
        (&json!(APP), &json!(USER))
    );
    assert!(user["auth_time"].is_u64());

    let answer = provider.userinfo(&tokens["access_token"]).await;
    assert_eq!(
        answer.json(),
        json!({
            "sub": user["sub"], "name": "小明", "gender": "male",
            "address": {"region": "浙江省", "locality": "杭州市"},
        })
    );
}

#[tokio::test]
async fn a_client_with_a_secret_needs_no_pkce_and_proves_itself_in_either_way() {
    let provider = Provider::start().await;
    let code = provider.code(&request_of_a_server()).await;
    let header = basic(SERVER, SECRET);
    let in_header = provider
        .post("/token", &exchange_of_a_server(&code), &header)
        .await;
    assert_eq!(in_header.status, 200, "{}", in_header.text);
    let user = claims(&in_header.json()["id_token"]);
    assert_eq!(user.get("nonce"), None);

    let code = provider.code(&request_of_a_server()).await;
    let mut exchange = exchange_of_a_server(&code);
    exchange.push(("client_id", SERVER.to_owned()));
    exchange.push(("client_secret", SECRET.to_owned()));
    let in_body = provider.post("/token", &exchange, "").await;
    assert_eq!(in_body.status, 200, "{}", in_body.text);
    assert_eq!(claims(&in_body.json()["id_token"])["sub"], user["sub"]);
}

#[tokio::test]
async fn a_request_may_be_posted() {
    let provider = Provider::start().await;
    let answer = provider.post("/authorize", &request_of_a_page(), "").await;
    let login = AtAlipay::of(&answer);
    let back = provider
        .callback(&provider.agreed(&login), Some(&login.cookie))
        .await;
    assert!(value(&back.location(), "code").is_some());
}

#[tokio::test]
async fn alipay_is_asked_for_no_more_than_the_client_wants_and_sends_back_to_the_issuer() {
    let provider = Provider::start().await;
    let silent = with(request_of_a_page(), "scope", Some("openid email"));
    for (request, scope) in [
        (silent.clone(), "auth_base"),
        (request_of_a_page(), "auth_user"),
        (with(silent.clone(), "prompt", Some("none")), "auth_base"),
        (with(silent, "prompt", Some("consent")), "auth_user"),
    ] {
        let page = provider.begin(&request).await.page;
        assert_eq!(value(&page, "scope").as_deref(), Some(scope));
        // O-04: whatever the request says.
        let callback = format!("{}/oidc/callback", provider.server.base_url());
        assert_eq!(value(&page, "redirect_uri"), Some(callback));
        let state = value(&page, "state").unwrap();
        assert!(state.len() == 64 && state.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}

#[tokio::test]
async fn without_the_scope_profile_userinfo_says_who_and_asks_alipay_nothing() {
    let provider = Provider::start().await;
    let request = with(request_of_a_page(), "scope", Some("openid"));
    let tokens = provider.tokens(&request).await;
    let answer = provider.userinfo(&tokens["access_token"]).await;
    let sub = &claims(&tokens["id_token"])["sub"];
    assert_eq!(answer.json(), json!({ "sub": sub }));
    let asked = provider
        .simulator()
        .received_count("alipay.user.info.share");
    assert_eq!(asked, 0);
}

#[tokio::test]
async fn a_silent_login_takes_no_profile_away_from_an_earlier_one() {
    let provider = Provider::start().await;
    let tokens = provider.tokens(&request_of_a_page()).await;
    provider.code(&request_of_a_server()).await;
    let answer = provider.userinfo(&tokens["access_token"]).await;
    assert_eq!(answer.json()["name"], "小明", "{}", answer.text);
}

#[tokio::test]
async fn o_01_o_02_o_11_o_12_a_callback_is_taken_once_from_the_browser_that_began() {
    let provider = Provider::start().await;
    let login = provider.begin(&request_of_a_page()).await;
    let other = provider.begin(&request_of_a_page()).await;
    let agreed = provider.agreed(&login);
    let cookie = Some(login.cookie.as_str());
    let (name, _) = login.cookie.split_once('=').unwrap();
    let wrong_value = format!("{name}={}", "0".repeat(64));
    let mut texts = Vec::new();
    for (what, query, cookie) in [
        ("no state", with(agreed.clone(), "state", None), cookie),
        (
            "wrong state",
            with(agreed.clone(), "state", Some(&"0".repeat(64))),
            cookie,
        ),
        (
            "no state of ours",
            with(agreed.clone(), "state", Some("a_b_c")),
            cookie,
        ),
        ("no cookie", agreed.clone(), None),
        (
            "another browser",
            agreed.clone(),
            Some(other.cookie.as_str()),
        ),
        (
            "a made-up cookie",
            agreed.clone(),
            Some(wrong_value.as_str()),
        ),
        (
            "another app",
            with(agreed.clone(), "app_id", Some("2021000000000002")),
            cookie,
        ),
    ] {
        let answer = provider.callback(&query, cookie).await;
        assert_eq!(answer.status, 400, "{what}");
        texts.push(anonymous(&answer));
    }
    assert_eq!(provider.exchanges(), 0);
    // Nothing of that has spent the login.
    let finished = provider.callback(&agreed, cookie).await;
    assert!(value(&finished.location(), "code").is_some());
    let again = provider.callback(&agreed, cookie).await;
    assert_eq!(again.status, 400);
    texts.push(anonymous(&again));
    assert!(texts.iter().all(|text| *text == texts[0]), "{texts:#?}");
    assert_eq!(provider.exchanges(), 1);
}

/// The answer without the number of the request.
fn anonymous(answer: &Answer) -> Value {
    let mut body = answer.json();
    body["request_id"].take();
    body
}

#[tokio::test]
async fn o_03_nobody_is_sent_to_an_address_that_is_not_registered_letter_by_letter() {
    let provider = Provider::start().await;
    for address in [
        "",
        "//evil.example.com",
        "/\\evil.example.com",
        "https:evil.example.com",
        "javascript:alert(1)",
        "https://page.example.com/back",
        "https://page.example.com/back?from=alipay#",
        "https://page.example.com/back?from=alipay&a=b",
        "https://page.example.com/./back?from=alipay",
        "https://PAGE.example.com/back?from=alipay",
        "https://page.example.com:443/back?from=alipay",
        "http://page.example.com/back?from=alipay",
        "https://page.example.com.evil.com/back?from=alipay",
        "https://page.example.com@evil.com/back?from=alipay",
        "https://page.example.com/back?from=alipay\r\nSet-Cookie: a=b",
        " https://page.example.com/back?from=alipay",
        SERVER_BACK,
    ] {
        let request = with(request_of_a_page(), "redirect_uri", Some(address));
        let answer = provider.get("/authorize", &request).await;
        assert_eq!(answer.status, 400, "{address}");
        assert_eq!(answer.header("location"), None, "{address}");
        assert_eq!(answer.header("set-cookie"), None, "{address}");
    }
}

#[tokio::test]
async fn an_unknown_client_is_one_answer_and_the_page_for_it_shows_nothing_of_the_request() {
    let provider = Provider::start().await;
    for client in [None, Some("unknown<script>"), Some("gone"), Some(SERVER)] {
        let request = with(request_of_a_page(), "client_id", client);
        let request = with(request, "state", Some("<script>canary"));
        let address = provider.url("/authorize", &request);
        let person = provider.http.get(address).header("accept", "text/html");
        let answer = provider.send(person).await;
        assert_eq!(answer.status, 400, "{client:?}");
        assert_eq!(answer.header("location"), None);
        assert_eq!(
            answer.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        let text = &answer.text;
        assert!(text.contains("登录") && text.contains("Login"), "{text}");
        assert!(
            !text.contains("<script") && !text.contains("canary"),
            "{text}"
        );
    }
    // What a client is told through the browser only if it stands there once.
    for name in ["client_id", "redirect_uri"] {
        let mut request = request_of_a_page();
        request.push((name, PAGE.to_owned()));
        assert_eq!(provider.get("/authorize", &request).await.status, 400);
    }
}

#[tokio::test]
async fn whatever_else_is_wrong_with_a_request_the_client_is_told() {
    let provider = Provider::start().await;
    let long = "x".repeat(1025);
    for (name, wrong, error) in [
        ("response_type", None, "invalid_request"),
        ("response_type", Some(""), "invalid_request"),
        ("response_type", Some("token"), "unsupported_response_type"),
        (
            "response_type",
            Some("code id_token"),
            "unsupported_response_type",
        ),
        ("response_mode", Some("fragment"), "invalid_request"),
        ("response_mode", Some("form_post"), "invalid_request"),
        ("scope", None, "invalid_scope"),
        ("scope", Some("profile"), "invalid_scope"),
        ("scope", Some("openidprofile"), "invalid_scope"),
        ("code_challenge", None, "invalid_request"),
        ("code_challenge", Some("short"), "invalid_request"),
        ("code_challenge_method", None, "invalid_request"),
        ("code_challenge_method", Some("plain"), "invalid_request"),
        ("nonce", Some(long.as_str()), "invalid_request"),
        ("request", Some("eyJ"), "request_not_supported"),
        (
            "request_uri",
            Some("https://a.example"),
            "request_uri_not_supported",
        ),
        ("registration", Some("{}"), "registration_not_supported"),
        ("prompt", Some("none"), "consent_required"),
        ("prompt", Some("login"), "login_required"),
        (
            "prompt",
            Some("select_account"),
            "account_selection_required",
        ),
        ("prompt", Some("none consent"), "invalid_request"),
        ("prompt", Some("create"), "invalid_request"),
        ("id_token_hint", Some("a.b.c"), "login_required"),
    ] {
        let request = with(request_of_a_page(), name, wrong);
        for answer in [
            provider.get("/authorize", &request).await,
            provider.post("/authorize", &request, "").await,
        ] {
            let back = answer.location();
            assert!(back.as_str().starts_with(PAGE_BACK), "{back}");
            assert_eq!(answer.error(), error, "{name}={wrong:?}");
            assert!(
                value(&back, "error_description").unwrap().starts_with(name),
                "{back}"
            );
            assert!(value(&back, "state").unwrap().starts_with("the state"));
            assert_eq!(value(&back, "iss"), Some(provider.server.base_url()));
            assert_eq!(answer.header("set-cookie"), None);
        }
    }
    let longer = "x".repeat(4097);
    for state in [longer.as_str(), "é", "a\nb"] {
        let request = with(request_of_a_page(), "state", Some(state));
        let answer = provider.get("/authorize", &request).await;
        assert_eq!(answer.error(), "invalid_request");
        assert_eq!(value(&answer.location(), "state"), None);
    }
    let without_pkce = with(request_of_a_page(), "code_challenge", None);
    let without_pkce = with(without_pkce, "code_challenge_method", None);
    let answer = provider.get("/authorize", &without_pkce).await;
    assert_eq!(answer.error(), "invalid_request");
    let mut twice = request_of_a_page();
    twice.push(("scope", "openid".to_owned()));
    assert_eq!(
        provider.get("/authorize", &twice).await.error(),
        "invalid_request"
    );
}

#[tokio::test]
async fn the_longest_state_and_nonce_find_room() {
    let provider = Provider::start().await;
    // Characters that take twice their room where they are stored.
    let (state, nonce) = ("\"".repeat(4096), "\\".repeat(1024));
    let request = with(request_of_a_page(), "state", Some(&state));
    let request = with(request, "nonce", Some(&nonce));
    let answer = provider.get("/authorize", &request).await;
    assert!(answer.location().path().ends_with("publicAppAuthorize.htm"));
}

#[tokio::test]
async fn a_client_of_an_app_that_is_not_configured_is_told_that_the_fault_is_here() {
    let provider = Provider::start().await;
    let request = with(request_of_a_page(), "client_id", Some("elsewhere"));
    assert_eq!(
        provider.get("/authorize", &request).await.error(),
        "server_error"
    );
}

#[tokio::test]
async fn o_05_o_10_a_user_who_did_not_agree_goes_back_with_an_error_before_alipay_is_asked() {
    let provider = Provider::start().await;
    let long = "a".repeat(41);
    let endless = "a".repeat(10_000);
    for code in [
        None,
        Some(""),
        Some(long.as_str()),
        Some(endless.as_str()),
        Some("a\nb"),
        Some("a\0b"),
        Some("😀"),
    ] {
        let login = provider.begin(&request_of_a_page()).await;
        let query = with(provider.agreed(&login), "auth_code", code);
        let query = with(query, "error", Some("<script>canary"));
        let answer = provider.callback(&query, Some(&login.cookie)).await;
        assert_eq!(answer.error(), "access_denied");
        assert!(!answer.location().as_str().contains("canary"));
        // The login is over: the browser forgets it, and so does the table.
        assert!(answer.header("set-cookie").unwrap().contains("Max-Age=0"));
        let again = provider.agreed(&login);
        let again = provider.callback(&again, Some(&login.cookie)).await;
        assert_eq!(again.status, 400);
    }
    assert_eq!(provider.exchanges(), 0);
}

#[tokio::test]
async fn o_06_o_08_a_code_of_alipays_that_was_used_or_is_another_apps_makes_no_login() {
    let provider = Provider::start().await;
    let other_app = provider.simulator().add_app(AppOptions::default()).app_id;
    let others = provider
        .simulator()
        .issue_code(&other_app, CodeOptions::default());
    let login = provider.begin(&request_of_a_page()).await;
    let query = with(provider.agreed(&login), "auth_code", Some(&others));
    let answer = provider.callback(&query, Some(&login.cookie)).await;
    assert_eq!(answer.error(), "access_denied");

    let (one, two) = (
        provider.begin(&request_of_a_page()).await,
        provider.begin(&request_of_a_page()).await,
    );
    let code = provider.agreed(&one).remove(1).1;
    let with_code = |login| with(provider.agreed(login), "auth_code", Some(&code));
    let (first, second) = (with_code(&one), with_code(&two));
    let (first, second) = tokio::join!(
        provider.callback(&first, Some(&one.cookie)),
        provider.callback(&second, Some(&two.cookie)),
    );
    let codes = [&first, &second].map(|answer| value(&answer.location(), "code"));
    assert_eq!(codes.iter().flatten().count(), 1, "{codes:?}");
}

#[tokio::test]
async fn o_07_an_exchange_that_alipay_did_not_answer_is_not_repeated_and_the_client_is_told() {
    let provider = Provider::start().await;
    let login = provider.begin(&request_of_a_page()).await;
    provider
        .simulator()
        .inject(Fault::always(FaultKind::ResetAfterDone));
    let answer = provider
        .callback(&provider.agreed(&login), Some(&login.cookie))
        .await;
    assert_eq!(answer.error(), "temporarily_unavailable");
    assert_eq!(provider.exchanges(), 1);
}

#[tokio::test]
async fn a_client_may_say_who_it_must_be() {
    let provider = Provider::start().await;
    let tokens = provider.tokens(&request_of_a_page()).await;
    let hint = tokens["id_token"].as_str();
    let request = with(request_of_a_page(), "id_token_hint", hint);
    let back = provider.logged_in(&request).await;
    assert!(value(&back, "code").is_some(), "{back}");

    let login = provider.begin(&request).await;
    let other = CodeOptions {
        user: "2088000000000002".to_owned(),
        ..CodeOptions::default()
    };
    let code = provider.simulator().issue_code(APP, other);
    let query = with(provider.agreed(&login), "auth_code", Some(&code));
    let answer = provider.callback(&query, Some(&login.cookie)).await;
    assert_eq!(answer.error(), "login_required");

    // An access token is no hint, and neither is another client's id_token.
    let request = with(
        request_of_a_page(),
        "id_token_hint",
        tokens["access_token"].as_str(),
    );
    assert_eq!(
        provider.get("/authorize", &request).await.error(),
        "login_required"
    );
    let request = with(request_of_a_server(), "id_token_hint", hint);
    assert_eq!(
        provider.get("/authorize", &request).await.error(),
        "login_required"
    );
}

#[tokio::test]
async fn a_code_is_taken_once_even_of_two_at_once() {
    let provider = Provider::start().await;
    let exchange = exchange_of_a_page(&provider.code(&request_of_a_page()).await);
    let (one, two) = tokio::join!(
        provider.post("/token", &exchange, ""),
        provider.post("/token", &exchange, ""),
    );
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
    let again = provider.post("/token", &exchange, "").await;
    assert_eq!(
        (again.status, &again.json()["error"]),
        (400, &json!("invalid_grant"))
    );
}

#[tokio::test]
async fn a_code_is_worth_nothing_to_others_and_one_attempt_spends_it() {
    let provider = Provider::start().await;
    let challenge = URL_SAFE_NO_PAD.encode([7; 32]);
    for (what, name, wrong) in [
        (
            "another verifier",
            "code_verifier",
            Some(challenge.as_str()),
        ),
        ("the challenge itself", "code_verifier", Some(CHALLENGE)),
        ("no verifier", "code_verifier", None),
        ("another address", "redirect_uri", Some(SERVER_BACK)),
        (
            "an address that looks alike",
            "redirect_uri",
            Some("https://page.example.com/back?from=alipay&"),
        ),
    ] {
        let exchange = exchange_of_a_page(&provider.code(&request_of_a_page()).await);
        let wrong = with(exchange.clone(), name, wrong);
        let answer = provider.post("/token", &wrong, "").await;
        assert_eq!(
            (answer.status, &answer.json()["error"]),
            (400, &json!("invalid_grant")),
            "{what}"
        );
        let right = provider.post("/token", &exchange, "").await;
        assert_eq!(right.json()["error"], "invalid_grant", "{what}");
    }

    // Another client, with its own secret.
    let exchange = exchange_of_a_page(&provider.code(&request_of_a_page()).await);
    let exchange = with(exchange, "client_id", None);
    let answer = provider
        .post("/token", &exchange, &basic(SERVER, SECRET))
        .await;
    assert_eq!(answer.json()["error"], "invalid_grant");

    // A verifier where the request had no challenge: somebody took it away (RFC 9700, section 4.8).
    let mut exchange = exchange_of_a_server(&provider.code(&request_of_a_server()).await);
    exchange.push(("code_verifier", VERIFIER.to_owned()));
    let answer = provider
        .post("/token", &exchange, &basic(SERVER, SECRET))
        .await;
    assert_eq!(answer.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn who_does_not_prove_to_be_the_client_gets_one_answer_and_spends_no_code() {
    let provider = Provider::start().await;
    let exchange = exchange_of_a_server(&provider.code(&request_of_a_server()).await);
    let in_body = |id: &str, secret: Option<&str>| {
        let pairs = with(exchange.clone(), "client_id", Some(id));
        with(pairs, "client_secret", secret)
    };
    let mut bodies = Vec::new();
    for (pairs, header) in [
        (exchange.clone(), String::new()),
        (exchange.clone(), basic(SERVER, "wrong")),
        (exchange.clone(), basic("unknown", SECRET)),
        (exchange.clone(), basic("gone", SECRET)),
        (exchange.clone(), basic(PAGE, SECRET)),
        (in_body(SERVER, None), String::new()),
        (in_body(SERVER, Some("")), String::new()),
        (in_body(SERVER, Some("wrong")), String::new()),
        (in_body("unknown", None), String::new()),
        (in_body("gone", None), String::new()),
        (in_body(PAGE, Some(SECRET)), String::new()),
    ] {
        let answer = provider.post("/token", &pairs, &header).await;
        assert_eq!(answer.status, 401, "{pairs:?} {header}");
        let challenge = answer.header("www-authenticate").is_some();
        assert_eq!(challenge, !header.is_empty(), "{pairs:?} {header}");
        bodies.push(answer.json());
    }
    assert!(
        bodies
            .iter()
            .all(|body| *body == json!({"error": "invalid_client"})),
        "{bodies:?}"
    );
    let answer = provider
        .post("/token", &exchange, &basic(SERVER, SECRET))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn a_faulty_exchange_is_told_in_the_words_of_the_rfc() {
    let provider = Provider::start().await;
    let exchange = exchange_of_a_page(&"0".repeat(64));
    for (name, wrong, error) in [
        ("grant_type", None, "invalid_request"),
        (
            "grant_type",
            Some("refresh_token"),
            "unsupported_grant_type",
        ),
        (
            "grant_type",
            Some("client_credentials"),
            "unsupported_grant_type",
        ),
        ("code", None, "invalid_request"),
        ("code", Some(""), "invalid_request"),
        ("code", Some("\u{0}"), "invalid_grant"),
        ("code", Some(&"0".repeat(64)), "invalid_grant"),
        ("redirect_uri", None, "invalid_request"),
    ] {
        let answer = provider
            .post("/token", &with(exchange.clone(), name, wrong), "")
            .await;
        assert_eq!(
            (answer.status, &answer.json()["error"]),
            (400, &json!(error)),
            "{name}={wrong:?}"
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    let both = with(exchange_of_a_server("0"), "client_secret", Some(SECRET));
    let twice = {
        let mut pairs = exchange.clone();
        pairs.push(("code", "0".to_owned()));
        pairs
    };
    for (pairs, header) in [(both, basic(SERVER, SECRET)), (twice, String::new())] {
        let answer = provider.post("/token", &pairs, &header).await;
        assert_eq!(
            (answer.status, &answer.json()["error"]),
            (400, &json!("invalid_request"))
        );
    }
    let as_json = provider
        .http
        .post(provider.url("/token", &[]))
        .header("content-type", "application/json")
        .body("{}");
    let answer = provider.send(as_json).await;
    assert_eq!(
        (answer.status, &answer.json()["error"]),
        (400, &json!("invalid_request"))
    );
}

#[tokio::test]
async fn userinfo_takes_an_access_token_of_its_own_and_nothing_else() {
    let provider = Provider::start().await;
    let tokens = provider.tokens(&request_of_a_page()).await;
    let access_token = tokens["access_token"].as_str().unwrap();

    let none = provider.get("/userinfo", &[]).await;
    assert_eq!(
        (none.status, none.header("www-authenticate")),
        (401, Some("Bearer"))
    );
    assert_eq!(none.text, "");
    // A token in the query is none.
    let in_query = [("access_token", access_token.to_owned())];
    assert_eq!(provider.get("/userinfo", &in_query).await.status, 401);

    for wrong in [
        &json!("x"),
        &tokens["id_token"],
        &json!(format!("{access_token}x")),
    ] {
        let answer = provider.userinfo(wrong).await;
        let challenge = Some("Bearer error=\"invalid_token\"");
        assert_eq!(
            (answer.status, answer.header("www-authenticate")),
            (401, challenge)
        );
        assert_eq!(answer.json(), json!({"error": "invalid_token"}));
    }

    let in_form = provider.post("/userinfo", &in_query, "").await;
    assert_eq!(in_form.json()["name"], "小明", "{}", in_form.text);
    let header = format!("Bearer {access_token}");
    let posted = provider.post("/userinfo", &[], &header).await;
    assert_eq!(posted.json()["name"], "小明", "{}", posted.text);
    let both = provider.post("/userinfo", &in_query, &header).await;
    assert_eq!(
        (both.status, &both.json()["error"]),
        (400, &json!("invalid_request"))
    );
}

#[tokio::test]
async fn a_user_who_withdrew_at_alipay_has_to_log_in_again() {
    let provider = Provider::start().await;
    let tokens = provider.tokens(&request_of_a_page()).await;
    provider.simulator().revoke(APP, USER);
    let answer = provider.userinfo(&tokens["access_token"]).await;
    assert_eq!(
        (answer.status, &answer.json()["error"]),
        (401, &json!("invalid_token"))
    );
}
