//! A table of its own for each test.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use embedded_dynamodb::{EmbeddedDynamoDb, client_at};
use identity::{IdentityTable, create_identity_table};
use table_rows::WallTime;

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
    _dynamodb: EmbeddedDynamoDb,
}

impl Bench {
    pub async fn new() -> Self {
        let dynamodb = EmbeddedDynamoDb::start().await.unwrap();
        let client = dynamodb.client();
        let name = format!("identity-{}", uuid::Uuid::new_v4());
        create_identity_table(&client, &name).await.unwrap();
        Self {
            client,
            name,
            endpoint: dynamodb.address(),
            _dynamodb: dynamodb,
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

/// A text or number of a row, or nothing.
pub fn text<'a>(row: &'a Item, field: &str) -> &'a str {
    match row.get(field) {
        Some(AttributeValue::S(value) | AttributeValue::N(value)) => value,
        _ => "",
    }
}
