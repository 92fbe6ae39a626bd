//! A table of its own for each test, a clock that is set by hand, and a gateway that behaves as
//! Alipay's does.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};
use aws_sdk_dynamodb::types::AttributeValue;
use secrecy::{ExposeSecret, SecretString};
use token_store::{
    Clock, FirstAnswers, Grant, Keyring, RefreshFailure, Refresher, TokenKey, TokenKind,
    TokenStore, WallTime, create_table,
};
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// Where the suite finds another DynamoDB than the embedded one, such as `http://127.0.0.1:4566`.
const ENDPOINT_VARIABLE: &str = "TOKEN_STORE_TEST_ENDPOINT";

pub type Item = HashMap<String, AttributeValue>;

/// The moment at which every test's clock begins: 2026-11-21T02:00:00Z.
pub const START: WallTime = WallTime::from_secs(1_795_226_400);

/// An empty table on a running DynamoDB.
pub struct Bench {
    pub client: Client,
    pub table: String,
    pub endpoint: SocketAddr,
    pub clock: ManualClock,
}

impl Bench {
    pub async fn new() -> Self {
        let endpoint = match std::env::var(ENDPOINT_VARIABLE) {
            Ok(url) => url
                .trim_start_matches("http://")
                .trim_end_matches('/')
                .parse()
                .expect("TOKEN_STORE_TEST_ENDPOINT is http://<address>:<port>"),
            Err(_) => embedded_dynamodb().await,
        };
        let client = client_at(endpoint);
        let table = format!("tokens-{}", uuid::Uuid::new_v4());
        create_table(&client, &table).await.unwrap();
        Self {
            client,
            table,
            endpoint,
            clock: ManualClock::at(START),
        }
    }

    /// A new store, which shares nothing in memory with any other: as in another process.
    pub fn store(&self) -> TokenStore {
        TokenStore::new(self.client.clone(), &self.table, keyring("2026-11"))
    }

    /// The same through another endpoint, such as a faulty proxy.
    pub fn store_through(&self, endpoint: SocketAddr) -> TokenStore {
        TokenStore::new(client_at(endpoint), &self.table, keyring("2026-11"))
    }

    pub fn first_answers(&self) -> FirstAnswers {
        FirstAnswers::new(self.client.clone(), &self.table, keyring("2026-11"))
    }

    pub fn deadline(&self) -> WallTime {
        self.clock.now().plus(Duration::from_secs(25))
    }

    pub async fn items(&self) -> Vec<Item> {
        let reply = self
            .client
            .scan()
            .table_name(&self.table)
            .consistent_read(true);
        reply.send().await.unwrap().items.unwrap_or_default()
    }

    /// The only row of the table.
    pub async fn item(&self) -> Item {
        let mut items = self.items().await;
        assert_eq!(items.len(), 1);
        items.remove(0)
    }

    /// Writes a row as somebody who has the table but not the keys could.
    pub async fn overwrite(&self, item: Item) {
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .send()
            .await
            .unwrap();
    }
}

/// Starts an embedded DynamoDB that lives as long as the test's runtime.
async fn embedded_dynamodb() -> SocketAddr {
    let database = dynoxide::Database::memory().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(dynoxide::server::serve_on(listener, database));
    address
}

pub fn client_at(endpoint: SocketAddr) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::from_keys("test", "test", None))
        .endpoint_url(format!("http://{endpoint}"))
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(3)
                .with_initial_backoff(Duration::from_millis(10)),
        )
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(5))
                .operation_attempt_timeout(Duration::from_secs(30))
                .build(),
        )
        .build();
    Client::from_conf(config)
}

/// A keyring that can open what `2026-10` and `2026-11` sealed and seals with `active`.
pub fn keyring(active: &str) -> Keyring {
    let document = format!(
        r#"{{"active":"{active}","keys":{{"2026-10":"{}=","2026-11":"{}="}}}}"#,
        "A".repeat(43),
        "B".repeat(42) + "A"
    );
    Keyring::from_json(&document.into()).unwrap()
}

#[derive(Clone)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    fn at(time: WallTime) -> Self {
        Self(Arc::new(AtomicU64::new(time.as_millis())))
    }

    pub fn advance(&self, duration: Duration) {
        let millis = u64::try_from(duration.as_millis()).unwrap();
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> WallTime {
        WallTime::from_millis(self.0.load(Ordering::SeqCst))
    }
}

pub fn user(subject: &str) -> TokenKey {
    TokenKey {
        app_id: "2021000000000001".into(),
        kind: TokenKind::User,
        subject: subject.into(),
        scopes: "auth_user".into(),
    }
}

/// A pair that lives 300 s, its refresh token 30 days.
pub fn grant(name: &str, now: WallTime) -> Grant {
    Grant {
        access_token: format!("access-{name}").into(),
        refresh_token: Some(format!("refresh-{name}").into()),
        expires_at: now.plus(Duration::from_secs(300)),
        refresh_expires_at: Some(now.plus(Duration::from_secs(30 * 24 * 3600))),
    }
}

/// Holds a reply back: the exchange is done, the caller does not hear of it yet.
#[derive(Default)]
pub struct Gate {
    pub reached: Notify,
    pub open: Notify,
}

/// Exchanges a refresh token once, as Alipay does for users.
pub struct Gateway {
    live: Mutex<String>,
    clock: ManualClock,
    calls: AtomicUsize,
    failures: Mutex<Vec<RefreshFailure>>,
    latency: Duration,
    gate: Option<Arc<Gate>>,
    without_refresh_token: bool,
}

impl Gateway {
    /// A gateway at which `refresh-<name>` is good.
    pub fn with_live(name: &str, clock: &ManualClock) -> Self {
        Self {
            live: Mutex::new(format!("refresh-{name}")),
            clock: clock.clone(),
            calls: AtomicUsize::new(0),
            failures: Mutex::default(),
            latency: Duration::ZERO,
            gate: None,
            without_refresh_token: false,
        }
    }

    pub fn slow(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    pub fn gated(mut self, gate: &Arc<Gate>) -> Self {
        self.gate = Some(Arc::clone(gate));
        self
    }

    pub fn failing_once(self, failure: RefreshFailure) -> Self {
        self.failures.lock().unwrap().push(failure);
        self
    }

    pub fn keeping_the_refresh_token(mut self) -> Self {
        self.without_refresh_token = true;
        self
    }

    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl Refresher for Gateway {
    async fn refresh(&self, refresh_token: &SecretString) -> Result<Grant, RefreshFailure> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some(failure) = self.failures.lock().unwrap().pop() {
            return Err(failure);
        }
        let answer = {
            let mut live = self.live.lock().unwrap();
            if *live == refresh_token.expose_secret() {
                let mut pair = grant(&format!("refreshed-{call}"), self.clock.now());
                if self.without_refresh_token {
                    pair.refresh_token = None;
                    pair.refresh_expires_at = None;
                } else {
                    *live = format!("refresh-refreshed-{call}");
                }
                Ok(pair)
            } else {
                Err(RefreshFailure::Refused)
            }
        };
        if let Some(gate) = &self.gate {
            gate.reached.notify_one();
            gate.open.notified().await;
        }
        tokio::time::sleep(self.latency).await;
        answer
    }
}

/// A gateway that must not be called.
pub struct NoGateway;

impl Refresher for NoGateway {
    async fn refresh(&self, _: &SecretString) -> Result<Grant, RefreshFailure> {
        panic!("the gateway was called");
    }
}
