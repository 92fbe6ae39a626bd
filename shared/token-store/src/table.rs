//! The table's definition, for tests and the development server. On AWS `template.yaml` makes it.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    BillingMode, GlobalSecondaryIndex, KeyType, Projection, ProjectionType, ScalarAttributeType,
};
use table_rows::{created, definition, enable_time_to_live, key, wait_until_active};

use crate::dynamo::not_built;
use crate::error::StoreError;
use crate::record::attribute;

/// The attribute that is to be the table's time to live, in seconds since 1970.
pub const TTL_ATTRIBUTE: &str = attribute::TTL;

/// The index of rows that are due for a refresh: partition key `due_shard`, sort key `due_at`, keys only.
pub const DUE_INDEX: &str = "due";

/// Makes the table `name` (keys `pk` and `sk`, the index [`DUE_INDEX`], on demand, time to live on `ttl`) and waits until it
/// can be used. A table of that name that is already there is left as it is.
///
/// # Errors
/// [`StoreError::Unavailable`] and [`StoreError::Rejected`].
pub async fn create_table(client: &Client, name: &str) -> Result<(), StoreError> {
    let reply = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(definition(attribute::PK, ScalarAttributeType::S)?)
        .attribute_definitions(definition(attribute::SK, ScalarAttributeType::S)?)
        .attribute_definitions(definition(attribute::DUE_SHARD, ScalarAttributeType::S)?)
        .attribute_definitions(definition(attribute::DUE_AT, ScalarAttributeType::N)?)
        .key_schema(key(attribute::PK, KeyType::Hash)?)
        .key_schema(key(attribute::SK, KeyType::Range)?)
        .global_secondary_indexes(due_index()?)
        .send()
        .await;
    created(reply)?;
    wait_until_active(client, name).await?;
    enable_time_to_live(client, name, TTL_ATTRIBUTE).await?;
    Ok(())
}

fn due_index() -> Result<GlobalSecondaryIndex, StoreError> {
    GlobalSecondaryIndex::builder()
        .index_name(DUE_INDEX)
        .key_schema(key(attribute::DUE_SHARD, KeyType::Hash)?)
        .key_schema(key(attribute::DUE_AT, KeyType::Range)?)
        .projection(
            Projection::builder()
                .projection_type(ProjectionType::KeysOnly)
                .build(),
        )
        .build()
        .map_err(not_built)
}
