//! Parts of a table's definition, for tests and the development server. On AWS `template.yaml` makes the tables.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::create_table::{CreateTableError, CreateTableOutput};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, KeySchemaElement, KeyType, ScalarAttributeType, TableStatus,
    TimeToLiveSpecification, TimeToLiveStatus,
};

use crate::{TableError, failed, not_built};

/// What came of making a table: one of that name that is already there is as good.
///
/// # Errors
/// As [`failed`].
pub fn created(
    reply: Result<CreateTableOutput, SdkError<CreateTableError, HttpResponse>>,
) -> Result<(), TableError> {
    match reply {
        Err(error)
            if !error
                .as_service_error()
                .is_some_and(CreateTableError::is_resource_in_use_exception) =>
        {
            Err(failed(error))
        }
        _ => Ok(()),
    }
}

/// Waits until the table `name` can be used.
///
/// # Errors
/// As [`failed`].
pub async fn wait_until_active(client: &Client, name: &str) -> Result<(), TableError> {
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

/// Has DynamoDB tidy up the rows of the table `name` whose `attribute`, in seconds since 1970, has passed.
///
/// # Errors
/// As [`failed`].
pub async fn enable_time_to_live(
    client: &Client,
    name: &str,
    attribute: &str,
) -> Result<(), TableError> {
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
        .attribute_name(attribute)
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

/// A key attribute.
///
/// # Errors
/// None that a caller could cause.
pub fn definition(
    name: &str,
    kind: ScalarAttributeType,
) -> Result<AttributeDefinition, TableError> {
    AttributeDefinition::builder()
        .attribute_name(name)
        .attribute_type(kind)
        .build()
        .map_err(not_built)
}

/// The part that an attribute plays in a key.
///
/// # Errors
/// None that a caller could cause.
pub fn key(name: &str, kind: KeyType) -> Result<KeySchemaElement, TableError> {
    KeySchemaElement::builder()
        .attribute_name(name)
        .key_type(kind)
        .build()
        .map_err(not_built)
}
