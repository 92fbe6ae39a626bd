//! The function over the simulated gateway and empty tables, a clock that can be moved on, and people with browsers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use alipay_gateway::{Deadline, Gateway};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use embedded_dynamodb::EmbeddedDynamoDb;
use function_kit::{Alipay, Apps, Handler, HttpService, Invocation};
use function_logins::{LoginDocument, Logins};
use function_tokens::{DueShards, Keyring, TokenKeys, Tokens};
use h5_oauth::H5Oauth;
use serde_json::{Value, json};
use simulator::{AppOptions, CodeOptions, SimulatedApp, Simulator};
use table_rows::MovableClock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::{Url, form_urlencoded};

pub const ISSUER: &str = "https://login.example.com";
pub const CLIENT: &str = "shop";
pub const RETURN_TO: &str = "https://shop.example.com/welcome";
pub const USER: &str = "2088000000000001";
/// What a browser sends where a person goes.
pub const PAGE: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
pub const EXCHANGE: &str = "alipay.system.oauth.token";

const TOKEN_TABLE: &str = "tokens";
const IDENTITY_TABLE: &str = "identity";

pub struct Bench {
    pub simulator: Simulator,
    /// Of the clients [`CLIENT`] and `other-shop`.
    pub app: SimulatedApp,
    /// The second configured app, of the client `tea`.
    pub other_app: SimulatedApp,
    /// The function's. The gateway has the real one, by which its timestamps are judged.
    pub clock: MovableClock,
    pub logins: Logins,
    pub tokens: Tokens,
    pub alipay: Alipay,
    service: HttpService<H5Oauth>,
    dynamodb: EmbeddedDynamoDb,
    /// How long an invocation may take.
    pub patience: Duration,
}

impl Bench {
    pub async fn new() -> Self {
        Self::with(AppOptions::default(), json!({})).await
    }

    /// With an app of these options, whose entry in the document of apps has these members too.
    pub async fn with(options: AppOptions, settings: Value) -> Self {
        let simulator = Simulator::start().await.unwrap();
        let app = simulator.add_app(AppOptions {
            callback: Some(format!("{ISSUER}/h5/callback")),
            ..options
        });
        let other_app = simulator.add_app(AppOptions::default());
        let mut first = entry(&simulator, &app);
        for (name, value) in settings.as_object().unwrap() {
            first[name] = value.clone();
        }
        let apps = json!({"default": app.app_id, "apps": [first, entry(&simulator, &other_app)]});
        let apps = Apps::from_document(&apps.to_string().into(), None).unwrap();
        let clock = MovableClock::default();
        let gateway = Gateway::new(Arc::new(SystemTime::now)).unwrap();
        let alipay = Alipay::new(gateway, apps, clock.clock(), false);

        let dynamodb = EmbeddedDynamoDb::start().await.unwrap();
        let client = dynamodb.client();
        token_store::create_table(&client, TOKEN_TABLE)
            .await
            .unwrap();
        identity::create_identity_table(&client, IDENTITY_TABLE)
            .await
            .unwrap();
        let keys = TokenKeys::for_keeping(keyring('A'), keyring('B'));
        let tokens = Tokens::keeping(client, TOKEN_TABLE, keys, DueShards::default());
        let clients = json!([
            {"clientId": CLIENT, "appid": app.app_id, "returnTo": [RETURN_TO, "https://shop.example.com/welcome?shop=7"]},
            {"clientId": "other-shop", "appid": app.app_id, "returnTo": ["https://other-shop.example.com"]},
            {"clientId": "closed", "appid": app.app_id, "returnTo": ["https://closed.example.com"], "disabled": true},
            {"clientId": "tea", "appid": other_app.app_id, "returnTo": ["https://tea.example.com/"]},
        ]);
        let logins = logins(&dynamodb, &clients);
        Self {
            service: HttpService::new(H5Oauth::new(alipay.clone(), tokens.clone(), logins.clone())),
            simulator,
            app,
            other_app,
            clock,
            logins,
            tokens,
            alipay,
            dynamodb,
            patience: Duration::from_secs(20),
        }
    }

    /// Another process of the function, started with other clients in its document.
    pub fn restarted_with(&mut self, clients: &Value) {
        self.logins = logins(&self.dynamodb, clients);
        self.service = HttpService::new(H5Oauth::new(
            self.alipay.clone(),
            self.tokens.clone(),
            self.logins.clone(),
        ));
    }

    /// How many codes were exchanged at the gateway, or were tried to be.
    pub fn exchanges(&self) -> u64 {
        self.simulator.received_count(EXCHANGE)
    }

    /// A fresh code of [`USER`].
    pub fn code(&self) -> String {
        self.code_with(CodeOptions::default())
    }

    pub fn code_with(&self, options: CodeOptions) -> String {
        self.simulator.issue_code(&self.app.app_id, options)
    }

    /// One request, as API Gateway hands it over.
    pub async fn request(&self, method: &str, target: &Target<'_>) -> Answer {
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(target.query)
            .finish();
        let mut headers = json!({"accept": target.accept});
        if !target.origin.is_empty() {
            headers["origin"] = target.origin.into();
        }
        let event = json!({
            "version": "2.0", "rawPath": target.path, "rawQueryString": query,
            "headers": headers, "cookies": target.cookies, "body": target.body,
            "requestContext": {
                "stage": "$default", "requestId": "r",
                "http": {"method": method, "path": target.path, "sourceIp": "192.0.2.1", "userAgent": "agent"},
            },
            "isBase64Encoded": false,
        });
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let invocation = Invocation {
            request_id: format!("request-{number}"),
            deadline: Deadline::after(self.clock.now(), self.patience),
        };
        let request_id = invocation.request_id.clone();
        let answer = self.service.handle(&event.to_string(), invocation).await;
        let answer: Value = serde_json::from_str(answer.get()).unwrap();
        Answer {
            status: answer["statusCode"].as_u64().unwrap(),
            body: answer["body"]
                .as_str()
                .unwrap()
                .replace(&request_id, "REQUEST-ID"),
            written: answer,
        }
    }

    /// `POST /h5/ticket`.
    pub async fn redeem(&self, input: &Value) -> Answer {
        let target = Target {
            path: "/h5/ticket",
            body: Some(input.to_string()),
            ..Target::default()
        };
        self.request("POST", &target).await
    }
}

#[derive(Default, Clone)]
pub struct Target<'a> {
    pub path: &'a str,
    pub query: &'a [(&'a str, &'a str)],
    pub accept: &'a str,
    /// Whose script asks; empty where none does.
    pub origin: &'a str,
    pub cookies: Vec<String>,
    pub body: Option<String>,
}

/// What came back, with the request's id blanked out of the body.
#[derive(Debug)]
pub struct Answer {
    pub status: u64,
    pub body: String,
    pub written: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.written["headers"][name].as_str().unwrap_or_default()
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Where it sends the browser.
    pub fn location(&self) -> Url {
        assert_eq!(self.status, 302, "{self:?}");
        Url::parse(self.header("location")).unwrap()
    }

    /// The value of `name` in the query of that address.
    pub fn told(&self, name: &str) -> String {
        let location = self.location();
        let mut pairs = location.query_pairs();
        pairs.find(|(known, _)| known == name).unwrap().1.into()
    }

    pub fn cookies(&self) -> Vec<&str> {
        let cookies = self.written["cookies"].as_array();
        let texts = cookies.into_iter().flatten();
        texts.map(|cookie| cookie.as_str().unwrap()).collect()
    }
}

/// Somebody's browser: its cookies.
#[derive(Clone, Default)]
pub struct Browser {
    pub cookies: BTreeMap<String, String>,
}

impl Browser {
    /// Goes to a path of the function.
    pub async fn goes(&mut self, bench: &Bench, path: &str, query: &[(&str, &str)]) -> Answer {
        self.asks(bench, path, query, PAGE).await
    }

    pub async fn asks(
        &mut self,
        bench: &Bench,
        path: &str,
        query: &[(&str, &str)],
        accept: &str,
    ) -> Answer {
        let cookies = self.cookies.iter();
        let target = Target {
            path,
            query,
            accept,
            cookies: cookies
                .map(|(name, value)| format!("{name}={value}"))
                .collect(),
            ..Target::default()
        };
        let answer = bench.request("GET", &target).await;
        for cookie in answer.cookies() {
            let (pair, attributes) = cookie.split_once("; ").unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0;") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Follows the page's login link, with these parameters beside or in place of the usual ones; where it is sent.
    pub async fn begins(&mut self, bench: &Bench, more: &[(&str, &str)]) -> Answer {
        let mut query = BTreeMap::from([
            ("appid", bench.app.app_id.as_str()),
            ("return_to", RETURN_TO),
        ]);
        query.extend(more.iter().copied());
        let query: Vec<_> = query.into_iter().collect();
        self.goes(bench, "/h5/authorize", &query).await
    }

    /// Comes back from Alipay to what [`begins`](Self::begins) began, with this code.
    pub async fn comes_back(&mut self, bench: &Bench, begun: &Answer, code: &str) -> Answer {
        self.comes_back_asking(bench, begun, code, PAGE).await
    }

    pub async fn comes_back_asking(
        &mut self,
        bench: &Bench,
        begun: &Answer,
        code: &str,
        accept: &str,
    ) -> Answer {
        let state = begun.told("state");
        let query = callback(&bench.app.app_id, code, &state);
        self.asks(bench, "/h5/callback", &query, accept).await
    }

    /// A whole login; the ticket of its end.
    pub async fn logs_in(&mut self, bench: &Bench, more: &[(&str, &str)]) -> String {
        let begun = self.begins(bench, more).await;
        let back = self.comes_back(bench, &begun, &bench.code()).await;
        back.told("ticket")
    }
}

/// The query that Alipay sends a browser back with.
pub fn callback<'a>(app_id: &'a str, code: &'a str, state: &'a str) -> [(&'a str, &'a str); 5] {
    [
        ("app_id", app_id),
        ("source", "alipay_wallet"),
        ("scope", "auth_base"),
        ("auth_code", code),
        ("state", state),
    ]
}

/// What the simulator's authorisation page answers to a browser that goes there: where it is sent.
pub async fn way_back(page: &Url) -> Url {
    let address = page.socket_addrs(|| None).unwrap();
    let mut connection = TcpStream::connect(address.as_slice()).await.unwrap();
    let (path, query) = (page.path(), page.query().unwrap());
    let host = page.host_str().unwrap();
    let request =
        format!("GET {path}?{query} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    connection.read_to_string(&mut reply).await.unwrap();
    let mut lines = reply.lines();
    let location = lines.find_map(|line| line.strip_prefix("location: "));
    Url::parse(location.unwrap_or_else(|| panic!("no way back: {reply}"))).unwrap()
}

fn entry(simulator: &Simulator, app: &SimulatedApp) -> Value {
    json!({
        "appid": app.app_id,
        "privateKey": app.private_key,
        "alipayPublicKey": app.alipay_public_key,
        "gateway": simulator.gateway_url(),
    })
}

fn logins(dynamodb: &EmbeddedDynamoDb, clients: &Value) -> Logins {
    static SIGNING_KEY: LazyLock<String> = LazyLock::new(|| {
        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = key.as_der().unwrap();
        STANDARD.encode(der.as_ref())
    });
    let document = json!({
        "signing": {"2026-11": {"privateKey": *SIGNING_KEY, "signFrom": "2026-11-01T00:00:00Z"}},
        "sessions": {"active": "2026-11", "keys": {"2026-11": STANDARD.encode([7; 32])}},
        "clients": clients,
    });
    let document = LoginDocument::from_json(&document.to_string().into()).unwrap();
    Logins::new(dynamodb.client(), IDENTITY_TABLE, document, ISSUER).unwrap()
}

/// A keyring of one key, whose bytes are told by `letter`.
fn keyring(letter: char) -> Keyring {
    let document = format!(
        r#"{{"active":"2026-11","keys":{{"2026-11":"{}="}}}}"#,
        letter.to_string().repeat(42) + "A"
    );
    Keyring::from_json(&document.into()).unwrap()
}
