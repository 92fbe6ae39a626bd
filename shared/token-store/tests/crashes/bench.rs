//! One table on an embedded DynamoDB for many schedules, a client for each worker, and a clock that is set by hand.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use embedded_dynamodb::dynoxide::AttributeValue;
use embedded_dynamodb::dynoxide::actions::delete_item::DeleteItemRequest;
use embedded_dynamodb::dynoxide::actions::get_item::GetItemRequest;
use embedded_dynamodb::{EmbeddedDynamoDb, client_config};
use token_store::{
    AccessToken, Because, Clock, DueRow, Keyring, RefreshOutcome, Renewal, StoreError, TokenKey,
    TokenKeys, TokenKind, TokenStore, WallTime, create_table,
};

use crate::wrong::Behaviour;

/// The moment at which every schedule begins: 2026-11-21T02:00:00Z.
pub const START: WallTime = WallTime::from_secs(1_795_226_400);
pub const TABLE: &str = "tokens";
/// How many workers there are.
pub const WORKERS: usize = 3;

#[derive(Clone)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    pub fn at(time: WallTime) -> Self {
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

pub struct Bench {
    pub endpoint: SocketAddr,
    dynamodb: EmbeddedDynamoDb,
    client: Client,
    workers: Vec<(Client, Behaviour)>,
}

impl Bench {
    pub async fn new() -> Self {
        crate::points::watch();
        let dynamodb = EmbeddedDynamoDb::start().await.unwrap();
        let endpoint = dynamodb.address();
        let client = client_at(endpoint, &Behaviour::default());
        create_table(&client, TABLE).await.unwrap();
        let worker = || {
            let behaviour = Behaviour::default();
            (client_at(endpoint, &behaviour), behaviour)
        };
        Self {
            endpoint,
            dynamodb,
            client,
            workers: (0..WORKERS).map(|_| worker()).collect(),
        }
    }

    /// A store that shares nothing in memory with any other, for tokens' keepers.
    pub fn store(&self) -> TokenStore {
        store_over(self.client.clone())
    }

    /// The same through the client of a worker, whose behaviour can be changed.
    pub fn store_of(&self, worker: usize) -> TokenStore {
        store_over(self.workers[worker].0.clone())
    }

    pub fn behaviour_of(&self, worker: usize) -> &Behaviour {
        &self.workers[worker].1
    }

    /// The row as it is stored.
    pub fn row(&self, key: &TokenKey) -> Option<Row> {
        let [pk, sk] = row_keys(key).map(AttributeValue::S);
        let request = GetItemRequest {
            table_name: TABLE.into(),
            key: HashMap::from([("pk".into(), pk), ("sk".into(), sk)]),
            consistent_read: Some(true),
            ..GetItemRequest::default()
        };
        let found = self.dynamodb.database().get_item(request).unwrap();
        found.item.map(Row)
    }

    /// The stored access token, whether or not its time is over.
    pub async fn open(&self, key: &TokenKey) -> Result<AccessToken, StoreError> {
        let row = self.row(key).ok_or(StoreError::NotFound)?;
        let ends = row.time("expires_at").unwrap();
        let earlier = ends.minus(Duration::from_secs(24 * 3600));
        self.store()
            .access_token(key, &ManualClock::at(earlier), earlier, &Nobody)
            .await
    }

    pub fn forget(&self, key: &TokenKey) {
        let [pk, sk] = row_keys(key).map(AttributeValue::S);
        let request = DeleteItemRequest {
            table_name: TABLE.into(),
            key: HashMap::from([("pk".into(), pk), ("sk".into(), sk)]),
            ..DeleteItemRequest::default()
        };
        self.dynamodb.database().delete_item(request).unwrap();
    }

    /// Whether the sweep would find the row at `now`.
    pub async fn sweep_finds(&self, key: &TokenKey, now: WallTime) -> bool {
        let store = self.store();
        for shard in store.due_shards().all() {
            let mut from = None;
            loop {
                let page = store.due_rows(shard, now, 500, from).await.unwrap();
                if page
                    .rows
                    .iter()
                    .any(|DueRow { key: found, .. }| found == key)
                {
                    return true;
                }
                from = page.next;
                if from.is_none() {
                    break;
                }
            }
        }
        false
    }
}

/// A stored row, for looking at it from outside.
#[derive(Clone, Debug, PartialEq)]
pub struct Row(HashMap<String, AttributeValue>);

impl Row {
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.0.get(name)? {
            AttributeValue::N(digits) => digits.parse().ok(),
            _ => None,
        }
    }

    pub fn time(&self, name: &str) -> Option<WallTime> {
        self.number(name).map(WallTime::from_millis)
    }

    pub fn state(&self) -> &str {
        self.text("state")
    }

    /// Which write stored the pair.
    pub fn commit_id(&self) -> &str {
        self.text("commit_id")
    }

    fn text(&self, name: &str) -> &str {
        match &self.0[name] {
            AttributeValue::S(text) => text,
            other => panic!("{other:?}"),
        }
    }

    pub fn generation(&self) -> u64 {
        self.number("generation").unwrap()
    }
}

fn row_keys(key: &TokenKey) -> [String; 2] {
    let kind = match key.kind {
        TokenKind::User => "USER",
        TokenKind::Isv => "ISV",
    };
    let pk = format!("APP#{}#{kind}#{}", key.app_id, key.subject);
    [pk, "SCOPES#".into()]
}

/// There is nobody to have a row refreshed by.
pub struct Nobody;

impl Renewal for Nobody {
    async fn renew(
        &self,
        _: &TokenKey,
        _: Because,
        _: WallTime,
    ) -> Result<RefreshOutcome, StoreError> {
        Err(StoreError::RefreshUnavailable("there is nobody to ask"))
    }
}

pub fn key_of(kind: TokenKind, subject: impl std::fmt::Display) -> TokenKey {
    TokenKey {
        app_id: "2021000000000001".into(),
        kind,
        subject: subject.to_string(),
        scopes: String::new(),
    }
}

pub fn store_over(client: Client) -> TokenStore {
    let keyring = |byte: char| {
        let key = byte.to_string().repeat(43);
        Keyring::from_json(&format!(r#"{{"active":"k","keys":{{"k":"{key}="}}}}"#).into()).unwrap()
    };
    let keys = TokenKeys::for_keeping(keyring('A'), keyring('I'));
    TokenStore::new(client, TABLE, keys, "1".parse().unwrap())
}

pub fn client_at(endpoint: SocketAddr, behaviour: &Behaviour) -> Client {
    let config = client_config(&format!("http://{endpoint}")).interceptor(behaviour.clone());
    Client::from_conf(config.build())
}
