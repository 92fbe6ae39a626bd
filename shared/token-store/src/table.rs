//! The table's definition, for tests and the development server. On AWS `template.yaml` makes it.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, TableStatus, TimeToLiveSpecification, TimeToLiveStatus,
};

use crate::dynamo::{failed, not_built};
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
    let created = client
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
    if let Err(error) = created {
        let exists = error
            .as_service_error()
            .is_some_and(|error| error.is_resource_in_use_exception());
        if !exists {
            return Err(failed(error));
        }
    }
    wait_until_active(client, name).await?;
    enable_time_to_live(client, name).await
}

async fn wait_until_active(client: &Client, name: &str) -> Result<(), StoreError> {
    loop {
        let reply = client
            .describe_table()
            .table_name(name)
            .send()
            .await
            .map_err(failed)?;
        if reply.table().and_then(|table| table.table_status()) == Some(&TableStatus::Active) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn enable_time_to_live(client: &Client, name: &str) -> Result<(), StoreError> {
    let described = client
        .describe_time_to_live()
        .table_name(name)
        .send()
        .await
        .map_err(failed)?;
    let status = described
        .time_to_live_description()
        .and_then(|description| description.time_to_live_status());
    if matches!(
        status,
        Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)
    ) {
        return Ok(());
    }
    let specification = TimeToLiveSpecification::builder()
        .attribute_name(TTL_ATTRIBUTE)
        .enabled(true)
        .build()
        .map_err(not_built)?;
    client
        .update_time_to_live()
        .table_name(name)
        .time_to_live_specification(specification)
        .send()
        .await
        .map_err(failed)?;
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

fn definition(name: &str, kind: ScalarAttributeType) -> Result<AttributeDefinition, StoreError> {
    AttributeDefinition::builder()
        .attribute_name(name)
        .attribute_type(kind)
        .build()
        .map_err(not_built)
}

fn key(name: &str, kind: KeyType) -> Result<KeySchemaElement, StoreError> {
    KeySchemaElement::builder()
        .attribute_name(name)
        .key_type(kind)
        .build()
        .map_err(not_built)
}
