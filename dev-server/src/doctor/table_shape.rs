//! What can be asked about a table without knowing what is in it.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    KeySchemaElement, KeyType, ScalarAttributeType, TableDescription, TableStatus,
};
use function_kit::aws_settings;

use super::report::Report;
use crate::error::with_causes;

/// The name, role and type of a key.
pub(super) type Key = (&'static str, KeyType, ScalarAttributeType);

/// What a table is to be.
pub(super) struct Wanted<'a> {
    /// The setting that names it.
    pub setting: &'static str,
    /// In the order of their names.
    pub keys: &'a [Key],
    /// The attribute of its time to live.
    pub time_to_live: &'static str,
    /// What to do where its keys are others.
    pub mend: &'static str,
}

/// A client of DynamoDB as a function has it, or says what is missing for one.
pub(super) fn client(report: &mut Report<'_>) -> Option<Client> {
    match aws_settings("AWS_ENDPOINT_URL_DYNAMODB") {
        Ok(settings) => Some(Client::new(&settings)),
        Err(error) => {
            report.wrong(
                &error.to_string(),
                "set the AWS region and credentials of the account that has the table",
            );
            None
        }
    }
}

/// The table's description, if it is there with the right keys; else says what is wrong.
pub(super) async fn examine_shape(
    client: &Client,
    table: &str,
    wanted: &Wanted<'_>,
    report: &mut Report<'_>,
) -> Option<TableDescription> {
    let asking = client.describe_table().table_name(table).send();
    let described = report
        .waiting("asking for the table (4 s at most)", asking)
        .await;
    let described = match described {
        Ok(described) => described,
        Err(error) => {
            let missing = error
                .as_service_error()
                .is_some_and(|error| error.is_resource_not_found_exception());
            if missing {
                report.wrong(
                    &format!("table {table}: does not exist in this account and region"),
                    &format!(
                        "check {} and AWS_REGION, or deploy template.yaml",
                        wanted.setting
                    ),
                );
            } else {
                report.wrong(
                    &format!("table {table}: cannot be looked at: {}", with_causes(&error)),
                    "check region, credentials (they need dynamodb:DescribeTable), AWS_ENDPOINT_URL_DYNAMODB and the network",
                );
            }
            return None;
        }
    };
    let Some(description) = described.table else {
        report.wrong(&format!("table {table}: is not described"), wanted.mend);
        return None;
    };
    if !is_keyed_by(&description, description.key_schema(), wanted.keys) {
        report.wrong(&format!("table {table}: has other keys"), wanted.mend);
        return None;
    }
    if description.table_status() != Some(&TableStatus::Active) {
        report.doubtful(
            &format!("table {table}: is not active yet"),
            "wait until it is made",
        );
    } else {
        report.right(&format!("table {table}: is there, with the right keys"));
    }
    ttl_is_on(client, table, wanted.time_to_live, report).await;
    Some(description)
}

/// Whether `schema` is made of `keys`, which are in the order of their names.
pub(super) fn is_keyed_by(
    description: &TableDescription,
    schema: &[KeySchemaElement],
    keys: &[Key],
) -> bool {
    let is_of = |name: &str, kind: &ScalarAttributeType| {
        let mut attributes = description.attribute_definitions().iter();
        attributes.any(|attribute| {
            attribute.attribute_name() == name && attribute.attribute_type() == kind
        })
    };
    let mut found: Vec<_> = schema
        .iter()
        .map(|key| (key.attribute_name(), key.key_type()))
        .collect();
    found.sort_unstable_by_key(|(name, _)| *name);
    let wanted = keys.iter().map(|(name, role, _)| (*name, role));
    found.into_iter().eq(wanted) && keys.iter().all(|(name, _, kind)| is_of(name, kind))
}

/// Without it nothing is wrong, but rows stay for ever.
async fn ttl_is_on(client: &Client, table: &str, wanted: &str, report: &mut Report<'_>) {
    let Ok(described) = client
        .describe_time_to_live()
        .table_name(table)
        .send()
        .await
    else {
        return;
    };
    let attribute = described
        .time_to_live_description()
        .and_then(|description| description.attribute_name());
    if attribute != Some(wanted) {
        report.doubtful(
            &format!("table {table}: old rows are not removed"),
            &format!("enable time to live on the attribute {wanted}"),
        );
    }
}
