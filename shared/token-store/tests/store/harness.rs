//! A table of its own for each test, and a clock that is set by hand.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use embedded_dynamodb::{EmbeddedDynamoDb, client_at};
use token_store::{
    AccessToken, Because, Clock, DueRow, DueShards, FirstAnswers, Grant, InProcess, Keyring,
    NoRescueQueue, RefreshOutcome, RefreshWith, Refresher, Seen, StoreError, TokenKey, TokenKeys,
    TokenKind, TokenStore, WallTime, create_table,
};

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
    /// None where the suite was told of another one.
    _dynamodb: Option<EmbeddedDynamoDb>,
}

impl Bench {
    pub async fn new() -> Self {
        let (endpoint, dynamodb) = match std::env::var(ENDPOINT_VARIABLE) {
            Ok(url) => {
                let address = url
                    .trim_start_matches("http://")
                    .trim_end_matches('/')
                    .parse()
                    .expect("TOKEN_STORE_TEST_ENDPOINT is http://<address>:<port>");
                (address, None)
            }
            Err(_) => {
                let dynamodb = EmbeddedDynamoDb::start().await.unwrap();
                (dynamodb.address(), Some(dynamodb))
            }
        };
        let client = client_at(endpoint);
        let table = format!("tokens-{}", uuid::Uuid::new_v4());
        create_table(&client, &table).await.unwrap();
        Self {
            client,
            table,
            endpoint,
            clock: ManualClock::at(START),
            _dynamodb: dynamodb,
        }
    }

    /// A new store, which shares nothing in memory with any other: as in another process.
    pub fn store(&self) -> TokenStore {
        self.store_with(keys(), DueShards::default())
    }

    /// The store of a process that has no keys for refresh tokens.
    pub fn reader(&self) -> TokenStore {
        self.store_with(
            TokenKeys::for_reading(keyring("2026-11")),
            DueShards::default(),
        )
    }

    pub fn store_with(&self, keys: TokenKeys, shards: DueShards) -> TokenStore {
        TokenStore::new(self.client.clone(), &self.table, keys, shards)
    }

    /// A store through another endpoint, such as a faulty proxy.
    pub fn store_through(&self, endpoint: SocketAddr) -> TokenStore {
        TokenStore::new(
            client_at(endpoint),
            &self.table,
            keys(),
            DueShards::default(),
        )
    }

    pub fn first_answers(&self) -> FirstAnswers {
        FirstAnswers::new(self.client.clone(), &self.table, keys())
    }

    /// Stores the pair `name` of a login of the user `u`.
    pub async fn log_in(&self, pair: &Grant) {
        let now = self.clock.now();
        let store = self.store();
        store
            .put_login(&user("u"), Seen::NOTHING, pair, now, None)
            .await
            .unwrap();
    }

    /// Refreshing by `store` itself.
    pub fn renewal<'a, R: Refresher>(
        &'a self,
        store: &'a TokenStore,
        gateway: &'a R,
    ) -> InProcess<'a, R, NoRescueQueue> {
        InProcess {
            store,
            clock: &self.clock,
            gateway,
            rescue: &NoRescueQueue,
        }
    }

    /// What a reader of `u` gets who refreshes in its own process.
    pub async fn read<R: Refresher>(
        &self,
        store: &TokenStore,
        gateway: &R,
    ) -> Result<AccessToken, StoreError> {
        self.read_key(store, &user("u"), gateway).await
    }

    pub async fn read_key<R: Refresher>(
        &self,
        store: &TokenStore,
        key: &TokenKey,
        gateway: &R,
    ) -> Result<AccessToken, StoreError> {
        let renewal = self.renewal(store, gateway);
        store
            .access_token(key, &self.clock, self.deadline(), &renewal)
            .await
    }

    /// What a worker makes of the row of `u`.
    pub async fn refresh<R: Refresher>(
        &self,
        store: &TokenStore,
        because: Because,
        gateway: &R,
    ) -> Result<RefreshOutcome, StoreError> {
        self.refresh_key(store, &user("u"), because, gateway).await
    }

    pub async fn refresh_key<R: Refresher>(
        &self,
        store: &TokenStore,
        key: &TokenKey,
        because: Because,
        gateway: &R,
    ) -> Result<RefreshOutcome, StoreError> {
        let with = RefreshWith {
            clock: &self.clock,
            deadline: self.deadline(),
            gateway,
            rescue: &NoRescueQueue,
        };
        store.refresh(key, because, &with).await
    }

    /// Every row that is due now, as a sweep of all partitions finds them.
    pub async fn due(&self, store: &TokenStore) -> Vec<DueRow> {
        let mut found = Vec::new();
        for shard in store.due_shards().all() {
            let mut from = None;
            loop {
                let now = self.clock.now();
                let page = store.due_rows(shard, now, 7, from).await.unwrap();
                found.extend(page.rows);
                from = page.next;
                if from.is_none() {
                    break;
                }
            }
        }
        found
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

    /// Changes one attribute of the only row, as somebody who has the table could.
    pub async fn set(&self, field: &str, value: AttributeValue) {
        let mut row = self.item().await;
        row.insert(field.into(), value);
        self.overwrite(row).await;
    }

    /// Removes the only row, as its time to live does.
    pub async fn remove_row(&self) {
        let mut row = self.item().await;
        let key = ["pk", "sk"].map(|name| (name.to_owned(), row.remove(name).unwrap()));
        self.client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(key.into()))
            .send()
            .await
            .unwrap();
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

/// A keyring that can open what `2026-10` and `2026-11` sealed and seals with `active`.
pub fn keyring(active: &str) -> Keyring {
    let document = format!(
        r#"{{"active":"{active}","keys":{{"2026-10":"{}=","2026-11":"{}="}}}}"#,
        "A".repeat(43),
        "B".repeat(42) + "A"
    );
    Keyring::from_json(&document.into()).unwrap()
}

/// Another keyring of the same key ids.
pub fn refresh_keyring(active: &str) -> Keyring {
    let document = format!(
        r#"{{"active":"{active}","keys":{{"2026-10":"{}=","2026-11":"{}="}}}}"#,
        "C".repeat(42) + "A",
        "D".repeat(42) + "A"
    );
    Keyring::from_json(&document.into()).unwrap()
}

pub fn keys() -> TokenKeys {
    TokenKeys::for_keeping(keyring("2026-11"), refresh_keyring("2026-11"))
}

#[derive(Clone)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    fn at(time: WallTime) -> Self {
        Self(Arc::new(AtomicU64::new(time.as_millis())))
    }

    pub fn set(&self, time: WallTime) {
        self.0.store(time.as_millis(), Ordering::SeqCst);
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

pub fn merchant(auth_app_id: &str) -> TokenKey {
    TokenKey {
        kind: TokenKind::Isv,
        ..user(auth_app_id)
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

pub const DAY: Duration = Duration::from_secs(24 * 3600);

/// A pair that lives 15 days, its refresh token 30: the schedule refreshes it.
pub fn long_grant(name: &str, now: WallTime) -> Grant {
    Grant {
        expires_at: now.plus(15 * DAY),
        refresh_expires_at: Some(now.plus(30 * DAY)),
        ..grant(name, now)
    }
}

/// A text or number of a row, or nothing.
pub fn text<'a>(row: &'a Item, field: &str) -> &'a str {
    match row.get(field) {
        Some(AttributeValue::S(text) | AttributeValue::N(text)) => text,
        _ => "",
    }
}

pub fn time(row: &Item, field: &str) -> Option<WallTime> {
    text(row, field).parse().ok().map(WallTime::from_millis)
}

pub fn number(time: WallTime) -> AttributeValue {
    AttributeValue::N(time.as_millis().to_string())
}
