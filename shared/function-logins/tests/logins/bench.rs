//! One app at the simulated gateway, and empty tables, each of which can be one that nobody serves.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use alipay_gateway::{Deadline, Gateway};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_sdk_dynamodb::Client;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use embedded_dynamodb::{EmbeddedDynamoDb, Proxy, client_at};
use function_kit::{Alipay, Apps, Caller, Failure, Invocation, Request};
use function_logins::{LoggedIn, LoginDocument, Logins};
use function_tokens::{DueShards, Keyring, TokenKeys, Tokens};
use serde_json::{Value, json};
use simulator::{AppOptions, CodeOptions, SimulatedApp, Simulator};
use tokio::net::TcpSocket;

pub const ISSUER: &str = "https://login.example.com";
pub const USER: &str = "2088000000000001";
pub const EXCHANGE: &str = "alipay.system.oauth.token";

const TOKEN_TABLE: &str = "tokens";
const IDENTITY_TABLE: &str = "identity";

pub struct Bench {
    pub simulator: Simulator,
    pub app: SimulatedApp,
    pub other_app: SimulatedApp,
    pub alipay: Alipay,
    pub tokens: Tokens,
    pub logins: Logins,
    identities: Client,
    nowhere: Client,
    dynamodb: EmbeddedDynamoDb,
    _held: TcpSocket,
}

impl Bench {
    pub async fn new() -> Self {
        let simulator = Simulator::start().await.unwrap();
        let app = simulator.add_app(AppOptions::default());
        let other_app = simulator.add_app(AppOptions::default());
        let apps = json!({"default": app.app_id, "apps": [entry(&simulator, &app), entry(&simulator, &other_app)]});
        let apps = Apps::from_document(&apps.to_string().into(), None).unwrap();
        let gateway = Gateway::new(Arc::new(SystemTime::now)).unwrap();

        let dynamodb = EmbeddedDynamoDb::start().await.unwrap();
        let client = dynamodb.client();
        token_store::create_table(&client, TOKEN_TABLE)
            .await
            .unwrap();
        identity::create_identity_table(&client, IDENTITY_TABLE)
            .await
            .unwrap();
        // Held and never listened at, so that no other test is given the port meanwhile.
        let held = TcpSocket::new_v4().unwrap();
        held.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        Self {
            alipay: Alipay::new(gateway, apps, Arc::new(SystemTime::now), false),
            tokens: tokens(&client),
            logins: logins(&client),
            simulator,
            app,
            other_app,
            nowhere: client_at(held.local_addr().unwrap()),
            identities: client,
            dynamodb,
            _held: held,
        }
    }

    /// Logins whose table nobody serves.
    pub fn logins_without_a_table(&self) -> Logins {
        logins(&self.nowhere)
    }

    /// Tokens whose table nobody serves.
    pub fn tokens_without_a_table(&self) -> Tokens {
        tokens(&self.nowhere)
    }

    /// What is asked of the table of tokens, and the tokens that ask it through this.
    pub async fn watched_tokens(&self) -> (Proxy, Tokens) {
        let proxy = Proxy::before(self.dynamodb.address()).await.unwrap();
        let tokens = tokens(&client_at(proxy.address));
        (proxy, tokens)
    }

    /// A fresh code of [`USER`].
    pub fn code(&self) -> String {
        self.simulator
            .issue_code(&self.app.app_id, CodeOptions::default())
    }

    pub fn exchanges(&self) -> u64 {
        self.simulator.received_count(EXCHANGE)
    }

    /// Exchanges the code in an invocation of its own.
    pub async fn log_in(&self, code: &str) -> Result<LoggedIn, Failure> {
        self.log_in_with(&self.logins, &self.tokens, code).await
    }

    pub async fn log_in_with(
        &self,
        logins: &Logins,
        tokens: &Tokens,
        code: &str,
    ) -> Result<LoggedIn, Failure> {
        let caller = self.caller();
        logins
            .log_in(&self.alipay, tokens, &caller, &code.into())
            .await
    }

    /// The caller of another invocation than that of any other.
    pub fn caller(&self) -> Caller {
        let app = self.alipay.app(None).unwrap();
        request("/", &[], "").caller(app)
    }

    /// How many rows there are whose address begins so.
    pub async fn rows_under(&self, prefix: &str) -> usize {
        let scan = self.identities.scan().table_name(IDENTITY_TABLE);
        let items = scan.consistent_read(true).send().await.unwrap().items;
        let addresses = items
            .iter()
            .flatten()
            .map(|item| item["pk"].as_s().unwrap());
        addresses
            .filter(|address| address.starts_with(prefix))
            .count()
    }
}

/// A GET of an invocation of its own.
pub fn request(path: &str, query: &[(&str, &str)], cookie: &str) -> Request {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(query)
        .finish();
    let event = json!({
        "version": "2.0", "rawPath": path, "rawQueryString": query, "cookies": [cookie],
        "requestContext": {"http": {"method": "GET", "path": path, "sourceIp": "192.0.2.1"}},
    });
    let invocation = Invocation {
        request_id: format!("r-{}", NUMBER.fetch_add(1, Ordering::Relaxed)),
        deadline: Deadline::after(SystemTime::now(), Duration::from_secs(20)),
    };
    Request::from_event(&event.to_string(), invocation).unwrap()
}

/// A login document without clients.
pub fn document() -> Value {
    static SIGNING_KEY: LazyLock<String> = LazyLock::new(|| {
        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = key.as_der().unwrap();
        STANDARD.encode(der.as_ref())
    });
    json!({
        "signing": {"2026-11": {"privateKey": *SIGNING_KEY, "signFrom": "2026-11-01T00:00:00Z"}},
        "sessions": {"active": "2026-11", "keys": {"2026-11": STANDARD.encode([7; 32])}},
    })
}

fn logins(client: &Client) -> Logins {
    let document = LoginDocument::from_json(&document().to_string().into()).unwrap();
    Logins::new(client.clone(), IDENTITY_TABLE, document, ISSUER).unwrap()
}

fn tokens(client: &Client) -> Tokens {
    let keys = TokenKeys::for_keeping(keyring('A'), keyring('B'));
    Tokens::keeping(client.clone(), TOKEN_TABLE, keys, DueShards::default())
}

fn entry(simulator: &Simulator, app: &SimulatedApp) -> Value {
    json!({
        "appid": app.app_id,
        "privateKey": app.private_key,
        "alipayPublicKey": app.alipay_public_key,
        "gateway": simulator.gateway_url(),
    })
}

/// A keyring of one key, whose bytes are told by `letter`.
fn keyring(letter: char) -> Keyring {
    let key = letter.to_string().repeat(42);
    let document = format!(r#"{{"active":"2026-11","keys":{{"2026-11":"{key}A="}}}}"#);
    Keyring::from_json(&document.into()).unwrap()
}
