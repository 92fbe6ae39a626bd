//! The page on which a user agrees in a browser that an app logs them in.

use std::collections::BTreeMap;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use serde_json::{Value, json};
use simulator::{AppOptions, Identifiers, PageVisit, SimulatedUser, VisitOutcome};
use url::Url;

use crate::caller::{Fixture, OAUTH_TOKEN, USER_INFO, text, verdict, verifies};
use crate::control::{get, post};

const CALLBACK: &str = "http://127.0.0.1:3000/h5/callback";
const STATE: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// What the page answered.
struct Page {
    status: u16,
    headers: reqwest::header::HeaderMap,
    body: String,
}

impl Page {
    async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.text().await.unwrap(),
        }
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Where the page sends the user, and with which parameters.
    fn way_back(&self) -> (String, BTreeMap<String, String>) {
        assert_eq!(self.status, 302, "{}", self.body);
        let address = Url::parse(self.header("location")).unwrap();
        let without_query = address.as_str().split('?').next().unwrap().to_owned();
        (without_query, address.query_pairs().into_owned().collect())
    }

    fn code(&self) -> String {
        self.way_back().1.remove("auth_code").unwrap()
    }

    /// The parameter that the page says is wrong.
    fn wrong_parameter(&self) -> &str {
        let (_, rest) = self
            .body
            .split_once("id=\"error\" data-parameter=\"")
            .unwrap();
        rest.split('"').next().unwrap()
    }
}

fn link(fixture: &Fixture, parameters: &[(&str, &str)]) -> String {
    let query: Vec<_> = parameters
        .iter()
        .map(|(name, value)| {
            format!(
                "{name}={}",
                percent_encode(value.as_bytes(), NON_ALPHANUMERIC)
            )
        })
        .collect();
    format!(
        "{}/oauth2/publicAppAuthorize.htm?{}",
        fixture.simulator.base_url(),
        query.join("&")
    )
}

async fn visit(fixture: &Fixture, parameters: &[(&str, &str)]) -> Page {
    Page::of(fixture.http.get(link(fixture, parameters))).await
}

async fn decide(fixture: &Fixture, parameters: &[(&str, &str)], decision: &str) -> Page {
    let request = fixture.http.post(link(fixture, parameters));
    let form = request
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("decision={decision}"));
    Page::of(form).await
}

/// The parameters of a right link.
fn parameters<'a>(fixture: &'a Fixture, scope: &'a str) -> [(&'a str, &'a str); 4] {
    [
        ("app_id", &fixture.app.app_id),
        ("scope", scope),
        ("redirect_uri", CALLBACK),
        ("state", STATE),
    ]
}

/// The same with another value of one of them.
fn with<'a>(fixture: &'a Fixture, name: &'a str, value: &'a str) -> [(&'a str, &'a str); 4] {
    parameters(fixture, "auth_base").map(|given| {
        if given.0 == name {
            (name, value)
        } else {
            given
        }
    })
}

async fn silent_code(fixture: &Fixture) -> String {
    visit(fixture, &parameters(fixture, "auth_base"))
        .await
        .code()
}

#[tokio::test]
async fn auth_base_leads_back_at_once_with_a_code_that_works_once() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let page = visit(&fixture, &parameters(&fixture, "auth_base")).await;
    assert_eq!(page.header("cache-control"), "no-store");
    let (address, mut query) = page.way_back();
    assert_eq!(address, CALLBACK);
    let code = query.remove("auth_code").unwrap();
    let expected = [
        ("app_id", fixture.app.app_id.as_str()),
        ("scope", "auth_base"),
        ("source", "alipay_wallet"),
        ("state", STATE),
    ];
    assert!(
        query
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .eq(expected),
        "{query:?}"
    );

    let grant = fixture.exchange(&code).await;
    assert_eq!(text(&grant, "user_id"), SimulatedUser::DEFAULT_USER_ID);
    assert_eq!(verdict(&fixture.exchange(&code).await), "isv.code-invalid");
    let token = text(&grant, "access_token");
    let profile = fixture.call(USER_INFO, &[("auth_token", token)]).await;
    assert_eq!(verdict(&profile), "aop.invalid-auth-token");
}

#[tokio::test]
async fn a_code_of_the_page_expires_and_belongs_to_one_app() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let other = fixture.simulator.add_app(AppOptions::default());
    let foreign = visit(&fixture, &with(&fixture, "app_id", &other.app_id))
        .await
        .code();
    assert_eq!(
        verdict(&fixture.exchange(&foreign).await),
        "isv.code-invalid"
    );
    let late = silent_code(&fixture).await;
    fixture
        .simulator
        .advance_clock(std::time::Duration::from_secs(180));
    assert_eq!(verdict(&fixture.exchange(&late).await), "isv.code-invalid");
}

#[tokio::test]
async fn auth_user_asks_and_agreeing_gives_a_code_for_the_profile() {
    let fixture = Fixture::new(AppOptions::default()).await;
    for scope in ["auth_user", "auth_base,auth_user"] {
        let link = parameters(&fixture, scope);
        let question = visit(&fixture, &link).await;
        assert_eq!((question.status, question.header("location")), (200, ""));
        for shown in [
            r#"value="agree">同意</button>"#,
            r#"value="refuse">拒绝</button>"#,
            &fixture.app.app_id,
            scope,
            "小明",
            SimulatedUser::DEFAULT_USER_ID,
        ] {
            assert!(question.body.contains(shown), "{shown}: {}", question.body);
        }
        assert!(!question.body.contains("<script") && !question.body.contains(STATE));
        assert!(
            question
                .header("content-security-policy")
                .contains("default-src 'none'")
        );

        let agreed = decide(&fixture, &link, "agree").await;
        let (address, query) = agreed.way_back();
        assert_eq!(
            (address.as_str(), query["scope"].as_str()),
            (CALLBACK, scope)
        );
        let grant = fixture.exchange(&agreed.code()).await;
        let token = text(&grant, "access_token");
        let profile = fixture.call(USER_INFO, &[("auth_token", token)]).await;
        assert_eq!(text(&profile, "nick_name"), "小明");
    }
}

#[tokio::test]
async fn who_refuses_stays_and_no_code_is_made() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let link = parameters(&fixture, "auth_user");
    let refused = decide(&fixture, &link, "refuse").await;
    assert_eq!((refused.status, refused.header("location")), (200, ""));
    assert!(refused.body.contains(r#"id="refused""#));
    for decision in ["", "yes", "agree&decision=refuse"] {
        let page = decide(&fixture, &link, decision).await;
        assert_eq!((page.status, page.wrong_parameter()), (400, "decision"));
    }
}

#[tokio::test]
async fn a_wrong_link_leads_nowhere_and_is_not_repeated_on_the_page() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let long = "f".repeat(101);
    for (name, value) in [
        ("app_id", ""),
        ("app_id", "2021000000009999"),
        ("app_id", "<script>alert(1)</script>"),
        ("scope", ""),
        ("scope", "auth_ecard"),
        ("scope", "auth_base,"),
        ("redirect_uri", ""),
        ("redirect_uri", "javascript:alert(1)"),
        ("redirect_uri", "//127.0.0.1/"),
        ("redirect_uri", "http://127.0.0.1:3000/\r\nset-cookie: a=b"),
        ("redirect_uri", "http://127.0.0.1:3000/#fragment"),
        ("redirect_uri", "http://user@127.0.0.1:3000/"),
        ("state", "a b"),
        ("state", "状态"),
        ("state", "<script>alert(1)</script>"),
        ("state", &long),
    ] {
        let link = with(&fixture, name, value);
        for page in [
            visit(&fixture, &link).await,
            decide(&fixture, &link, "agree").await,
        ] {
            assert_eq!(
                (page.status, page.header("location")),
                (400, ""),
                "{name}={value}"
            );
            assert_eq!(page.wrong_parameter(), name, "{value}");
            assert!(!page.body.contains("<script") && !page.body.contains("alert"));
        }
    }
    let twice = [
        &parameters(&fixture, "auth_base")[..],
        &[("scope", "auth_user")],
    ]
    .concat();
    assert_eq!(visit(&fixture, &twice).await.wrong_parameter(), "query");
    let gbk = link(&fixture, &parameters(&fixture, "auth_base")) + "&name=%C4%E3";
    assert_eq!(
        Page::of(fixture.http.get(gbk)).await.wrong_parameter(),
        "charset"
    );
}

#[tokio::test]
async fn a_state_may_be_missing_and_is_then_not_invented() {
    let fixture = Fixture::new(AppOptions::default()).await;
    for value in ["", "QUJD+/8=", "-_", &"f".repeat(100)] {
        let page = visit(&fixture, &with(&fixture, "state", value)).await;
        let (_, query) = page.way_back();
        assert_eq!(query.get("state").map_or("", String::as_str), value);
    }
}

#[tokio::test]
async fn users_go_back_to_the_configured_host_and_no_other() {
    let fixture = Fixture::new(AppOptions {
        callback: Some("https://login.example.com/callback".to_owned()),
        ..AppOptions::default()
    })
    .await;
    for address in [
        "https://login.example.com/callback",
        "http://login.example.com/other",
        "https://LOGIN.example.com:8443/",
    ] {
        let page = visit(&fixture, &with(&fixture, "redirect_uri", address)).await;
        assert_eq!(page.status, 302, "{address}");
    }
    for address in [
        "https://example.com/callback",
        "https://www.example.com/callback",
        "https://a.login.example.com/callback",
        "https://login.example.com.evil.example/callback",
        "https://evil.example/login.example.com",
        "https://login.example.com@evil.example/",
        "https://evil.example\\@login.example.com/",
        "https:login.example.com",
        CALLBACK,
    ] {
        let page = visit(&fixture, &with(&fixture, "redirect_uri", address)).await;
        assert_eq!(page.status, 400, "{address}");
        assert_eq!(page.wrong_parameter(), "redirect_uri");
    }
}

#[tokio::test]
async fn without_a_configured_callback_users_stay_on_this_machine() {
    let fixture = Fixture::new(AppOptions::default()).await;
    for (address, status) in [
        ("http://127.0.0.1:3000/h5/callback", 302),
        ("http://localhost:3000/", 302),
        ("http://[::1]:3000/", 302),
        ("https://127.0.0.1.example.com/", 400),
        ("https://localhost.example.com/", 400),
        ("http://10.0.0.1/", 400),
    ] {
        let page = visit(&fixture, &with(&fixture, "redirect_uri", address)).await;
        assert_eq!(page.status, status, "{address}");
    }
}

#[tokio::test]
async fn the_query_that_the_way_back_has_already_stays() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let address = "http://127.0.0.1:3000/back?tenant=%E4%BD%A0&x=a%26b";
    let page = visit(&fixture, &with(&fixture, "redirect_uri", address)).await;
    let start = format!("{address}&app_id=");
    assert!(
        page.header("location").starts_with(&start),
        "{}",
        page.header("location")
    );
    let (_, query) = page.way_back();
    assert_eq!(
        (query["tenant"].as_str(), query["x"].as_str()),
        ("你", "a&b")
    );
}

#[tokio::test]
#[should_panic(expected = "the callback is not an http address")]
async fn a_callback_that_is_no_address_is_noticed_at_once() {
    let _ = Fixture::new(AppOptions {
        callback: Some("login.example.com".to_owned()),
        ..AppOptions::default()
    })
    .await;
}

#[tokio::test]
async fn who_visits_can_be_changed_and_their_name_is_text() {
    let fixture = Fixture::new(AppOptions::default()).await;
    fixture.simulator.change_visitor("2088000000000002");
    let grant = fixture.exchange(&silent_code(&fixture).await).await;
    assert_eq!(text(&grant, "user_id"), "2088000000000002");

    fixture.simulator.add_user(SimulatedUser {
        nick_name: Some("<script>\"&'".to_owned()),
        ..SimulatedUser::with_id("2088000000000002")
    });
    let question = visit(&fixture, &parameters(&fixture, "auth_user")).await;
    assert!(
        question.body.contains("&lt;script&gt;&quot;&amp;&#39;"),
        "{}",
        question.body
    );
    assert!(!question.body.contains("<script"));
}

#[tokio::test]
async fn an_app_moves_from_user_ids_to_open_ids_while_it_runs() {
    let fixture = Fixture::new(AppOptions {
        identifiers: Identifiers::UserIdOnly,
        ..AppOptions::default()
    })
    .await;
    let open_id = fixture
        .simulator
        .open_id(&fixture.app.app_id, SimulatedUser::DEFAULT_USER_ID);
    let union_id = fixture.simulator.union_id(SimulatedUser::DEFAULT_USER_ID);
    for (identifiers, has_user_id, has_open_id) in [
        (Identifiers::UserIdOnly, true, false),
        (Identifiers::Both, true, true),
        (Identifiers::OpenIdOnly, false, true),
        (Identifiers::UserIdOnly, true, false),
    ] {
        fixture
            .simulator
            .change_identifiers(&fixture.app.app_id, identifiers);
        let grant = fixture.exchange(&silent_code(&fixture).await).await;
        let named = |name: &str| grant.get(name).and_then(Value::as_str);
        assert_eq!(
            named("user_id"),
            has_user_id.then_some(SimulatedUser::DEFAULT_USER_ID)
        );
        assert_eq!(named("open_id"), has_open_id.then_some(open_id.as_str()));
        assert_eq!(named("union_id"), has_open_id.then_some(union_id.as_str()));
    }
}

#[tokio::test]
async fn visits_are_kept_apart_from_calls_and_without_state_and_code() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let silent = parameters(&fixture, "auth_base");
    let asking = parameters(&fixture, "auth_user");
    let code = visit(&fixture, &silent).await.code();
    visit(&fixture, &asking).await;
    decide(&fixture, &asking, "refuse").await;
    visit(&fixture, &with(&fixture, "state", "a b")).await;

    let user_id = || SimulatedUser::DEFAULT_USER_ID.to_owned();
    let visits = fixture.simulator.page_visits();
    let outcomes: Vec<_> = visits.iter().map(|visit| visit.outcome.clone()).collect();
    assert_eq!(
        outcomes,
        [
            VisitOutcome::CodeIssued { user_id: user_id() },
            VisitOutcome::Asked,
            VisitOutcome::RefusedByUser,
            VisitOutcome::Rejected {
                parameter: "state".to_owned()
            },
        ]
    );
    let expected = PageVisit {
        app_id: Some(fixture.app.app_id.clone()),
        scope: Some("auth_base".to_owned()),
        redirect_uri: Some(CALLBACK.to_owned()),
        has_state: true,
        outcome: VisitOutcome::CodeIssued { user_id: user_id() },
    };
    assert_eq!(visits[0], expected);
    let listed = get(&fixture, "/_simulator/page-visits").await.to_string();
    assert!(listed.contains("code_issued") && listed.contains("refused_by_user"));
    for shown in [format!("{visits:?}"), listed] {
        assert!(!shown.contains(STATE) && !shown.contains(&code), "{shown}");
    }
    assert!(fixture.simulator.received().is_empty());
    fixture.simulator.clear_received();
    assert!(fixture.simulator.page_visits().is_empty());
}

#[tokio::test]
async fn visitor_and_identifiers_are_changed_over_http() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let visitor = "/_simulator/visitor";
    assert_eq!(
        get(&fixture, visitor).await,
        json!({ "user_id": SimulatedUser::DEFAULT_USER_ID })
    );
    let to = json!({ "user_id": "2088000000000003" });
    assert_eq!(post(&fixture, visitor, to.clone()).await.0, 204);
    assert_eq!(get(&fixture, visitor).await, to);
    let unknown = json!({ "user_id": "1234" });
    assert_eq!(post(&fixture, visitor, unknown).await.0, 400);

    let identifiers = "/_simulator/identifiers";
    let to = json!({ "app_id": fixture.app.app_id, "identifiers": "open_id_only" });
    assert_eq!(post(&fixture, identifiers, to).await.0, 204);
    let grant = fixture.exchange(&silent_code(&fixture).await).await;
    assert_eq!(grant.get("user_id"), None);
    let nowhere = json!({ "app_id": "none", "identifiers": "both" });
    assert_eq!(post(&fixture, identifiers, nowhere).await.0, 400);
    let kind = json!({ "app_id": fixture.app.app_id, "identifiers": "none" });
    assert_eq!(post(&fixture, identifiers, kind).await.0, 422);
}

/// Calls in GBK; the text of the reply's node, whose bytes Alipay signed.
async fn call_in_gbk(fixture: &Fixture, method: &str, members: &[(&str, &str)]) -> Value {
    let mut parameters = fixture.parameters(method);
    parameters.insert("charset".to_owned(), "GBK".to_owned());
    let given = members
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    parameters.extend(given);
    // ASCII so far: nothing that is sent depends on the charset, and everything that comes back does.
    let reply = fixture.post(&fixture.signed(parameters)).await.unwrap();
    assert_eq!(reply.content_type, "text/html;charset=GBK");
    let body = encoding_rs::GBK
        .decode_without_bom_handling_and_without_replacement(&reply.bytes)
        .unwrap();
    let node = format!("\"{}\":", crate::caller::node_name(method));
    let (_, rest) = body.split_once(&node).unwrap();
    let (node, signature) = rest.rsplit_once(",\"sign\":\"").unwrap();
    let signature = signature.split('"').next().unwrap();
    let signed = encoding_rs::GBK.encode(node).0.into_owned();
    assert!(verifies(&fixture.app.alipay_public_key, &signed, signature));
    serde_json::from_str(node).unwrap()
}

#[tokio::test]
async fn a_login_of_an_app_in_gbk_goes_from_the_page_to_the_profile() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let agreed = decide(&fixture, &parameters(&fixture, "auth_user"), "agree").await;
    let exchange = [
        ("grant_type", "authorization_code"),
        ("code", &*agreed.code()),
    ];
    let grant = call_in_gbk(&fixture, OAUTH_TOKEN, &exchange).await;
    assert_eq!(text(&grant, "user_id"), SimulatedUser::DEFAULT_USER_ID);
    let token = text(&grant, "access_token");
    let profile = call_in_gbk(&fixture, USER_INFO, &[("auth_token", token)]).await;
    assert_eq!(text(&profile, "nick_name"), "小明");
    assert_eq!(text(&profile, "city"), "杭州市");
}
