//! A table of its own for each test.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::AttributeValue;
use identity::{IdentityTable, create_identity_table};
use table_rows::WallTime;
use tokio::net::TcpListener;

pub type Item = HashMap<String, AttributeValue>;

/// The moment at which every test begins: 2026-11-21T02:00:00Z.
pub const START: WallTime = WallTime::from_secs(1_795_226_400);

/// The moment `seconds` after [`START`].
pub fn after(seconds: u64) -> WallTime {
    START.plus(Duration::from_secs(seconds))
}

/// An empty table on a running DynamoDB.
pub struct Bench {
    pub client: Client,
    pub name: String,
    pub endpoint: SocketAddr,
}

impl Bench {
    pub async fn new() -> Self {
        let endpoint = embedded_dynamodb().await;
        let client = client_at(endpoint);
        let name = format!("identity-{}", uuid::Uuid::new_v4());
        create_identity_table(&client, &name).await.unwrap();
        Self {
            client,
            name,
            endpoint,
        }
    }

    pub fn table(&self) -> IdentityTable {
        IdentityTable::new(self.client.clone(), &self.name)
    }

    /// The table as another process has it: nothing is shared, not even connections.
    pub fn table_of_another_process(&self) -> IdentityTable {
        self.table_through(self.endpoint)
    }

    /// The table through another endpoint, such as a faulty proxy.
    pub fn table_through(&self, endpoint: SocketAddr) -> IdentityTable {
        IdentityTable::new(client_at(endpoint), &self.name)
    }

    /// Every row.
    pub async fn items(&self) -> Vec<Item> {
        self.client
            .scan()
            .table_name(&self.name)
            .consistent_read(true)
            .send()
            .await
            .unwrap()
            .items
            .unwrap_or_default()
    }

    /// The rows whose address begins with `prefix`.
    pub async fn items_under(&self, prefix: &str) -> Vec<Item> {
        let mut items = self.items().await;
        items.retain(|item| text(item, "pk").starts_with(prefix));
        items
    }

    /// Writes a row as somebody who has the table could.
    pub async fn overwrite(&self, item: Item) {
        self.client
            .put_item()
            .table_name(&self.name)
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

/// A text or number of a row, or nothing.
pub fn text<'a>(row: &'a Item, field: &str) -> &'a str {
    match row.get(field) {
        Some(AttributeValue::S(value) | AttributeValue::N(value)) => value,
        _ => "",
    }
}
