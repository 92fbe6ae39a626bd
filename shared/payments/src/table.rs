//! The table of orders, and the addresses of its rows.

use std::fmt;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    BillingMode, GlobalSecondaryIndex, KeyType, Projection, ProjectionType, ScalarAttributeType,
};
use table_rows::{
    Item, created, definition, enable_time_to_live, key, not_built, read_row, wait_until_active,
};

use crate::{OrderNumber, PaymentError};

/// The attribute that is to be the table's time to live, in seconds since 1970. Only messages have it; orders stay.
pub const ORDER_TTL_ATTRIBUTE: &str = "ttl";

/// The index of rows with events that are not published yet. Only they have its attributes.
pub const UNPUBLISHED_INDEX: &str = "unpublished";

/// The partition key; there is no sort key.
pub(crate) const PK: &str = "pk";
pub(crate) const UNPUBLISHED_SHARD: &str = "unpublished_shard";
pub(crate) const PUBLISH_AT: &str = "publish_at";

/// Partitions of the index, so that no single one has to take all writes.
const SHARDS: u8 = 4;

/// One table with a client of it. Cheap to clone.
#[derive(Clone)]
pub struct OrderTable {
    pub(crate) client: Client,
    pub(crate) name: String,
}

impl OrderTable {
    /// The table `name`.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self {
            client,
            name: name.into(),
        }
    }

    /// Reads a row consistently: every read here leads to a decision.
    pub(crate) async fn row(&self, pk: &str) -> Result<Option<Item>, PaymentError> {
        Ok(read_row(&self.client, &self.name, PK, pk).await?)
    }
}

impl fmt::Debug for OrderTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OrderTable").finish_non_exhaustive()
    }
}

pub(crate) fn order_pk(app_id: &str, out_trade_no: &OrderNumber) -> String {
    format!("ORDER#{app_id}#{}", out_trade_no.as_str())
}

pub(crate) fn message_pk(app_id: &str, notify_id: &str) -> String {
    format!("MESSAGE#{app_id}#{notify_id}")
}

/// The partition of the index that the row `pk` is in while it has events to publish.
pub(crate) fn shard_of(pk: &str) -> String {
    let sum = pk.bytes().fold(0_u8, u8::wrapping_add);
    (sum % SHARDS).to_string()
}

pub(crate) fn shards() -> impl Iterator<Item = String> {
    (0..SHARDS).map(|shard| shard.to_string())
}

/// Makes the table `name` with its index (on demand, time to live on `ttl`) and waits until it can be used, for tests and the development
/// server. A table of that name that is already there is left as it is.
///
/// # Errors
/// [`PaymentError::Table`].
pub async fn create_order_table(client: &Client, name: &str) -> Result<(), PaymentError> {
    let index = GlobalSecondaryIndex::builder()
        .index_name(UNPUBLISHED_INDEX)
        .key_schema(key(UNPUBLISHED_SHARD, KeyType::Hash)?)
        .key_schema(key(PUBLISH_AT, KeyType::Range)?)
        .projection(
            Projection::builder()
                .projection_type(ProjectionType::KeysOnly)
                .build(),
        )
        .build()
        .map_err(not_built)?;
    let reply = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(definition(PK, ScalarAttributeType::S)?)
        .attribute_definitions(definition(UNPUBLISHED_SHARD, ScalarAttributeType::S)?)
        .attribute_definitions(definition(PUBLISH_AT, ScalarAttributeType::N)?)
        .key_schema(key(PK, KeyType::Hash)?)
        .global_secondary_indexes(index)
        .send()
        .await;
    created(reply)?;
    wait_until_active(client, name).await?;
    enable_time_to_live(client, name, ORDER_TTL_ATTRIBUTE).await?;
    Ok(())
}
