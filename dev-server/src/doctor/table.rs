//! The token table and the keys that seal what is in it, as the environment of a function names them.

use alipay_gateway::Clock;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{KeyType, ScalarAttributeType, TableDescription, TableStatus};
use function_kit::{StartUpError, aws_settings, read_document, setting};
use function_tokens::Keyring;
use token_store::{StoreError, TTL_ATTRIBUTE, WallTime, prove_round_trip};

use super::gateway::with_causes;
use super::report::Report;

const SHAPE: &str = "a table of this project has the partition key pk and the sort key sk, both texts; deploy template.yaml, or name its table";

pub(super) async fn examine(offline: bool, clock: &Clock, report: &mut Report<'_>) {
    report.heading("\ntoken table");
    let Some(table) = setting("TOKEN_TABLE") else {
        report.skipped("TOKEN_TABLE is not set, as for functions that keep no tokens");
        return;
    };
    let Some(keyring) = keyring(report).await else {
        return;
    };
    if offline {
        report.skipped("the table itself: --offline");
        return;
    }
    let client = match aws_settings("AWS_ENDPOINT_URL_DYNAMODB") {
        Ok(settings) => Client::new(&settings),
        Err(error) => {
            report.wrong(
                &error.to_string(),
                "set the AWS region and credentials of the account that has the table",
            );
            return;
        }
    };
    if has_the_right_shape(&client, &table, report).await {
        takes_a_sealed_value(&client, &table, &keyring, clock, report).await;
    }
}

async fn keyring(report: &mut Report<'_>) -> Option<Keyring> {
    const MEND: &str =
        "set TOKEN_KEYS_FILE or TOKEN_KEYS_SECRET to the document of keys that the functions have";
    let document = match read_document("TOKEN_KEYS_FILE", "TOKEN_KEYS_SECRET").await {
        Ok(document) => document,
        Err(error @ StartUpError::Secret { .. }) => {
            report.wrong(
                &with_causes(&error),
                "check that the secret exists and that these credentials may read it",
            );
            return None;
        }
        Err(error) => {
            report.wrong(&with_causes(&error), MEND);
            return None;
        }
    };
    match Keyring::from_json(&document) {
        Ok(keyring) => {
            report.right("keys: load");
            Some(keyring)
        }
        Err(error) => {
            report.wrong(&format!("keys: {error}"), MEND);
            None
        }
    }
}

async fn has_the_right_shape(client: &Client, table: &str, report: &mut Report<'_>) -> bool {
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
                    "check TOKEN_TABLE and AWS_REGION, or deploy template.yaml",
                );
            } else {
                report.wrong(
                    &format!("table {table}: cannot be looked at: {}", with_causes(&error)),
                    "check region, credentials (they need dynamodb:DescribeTable), AWS_ENDPOINT_URL_DYNAMODB and the network",
                );
            }
            return false;
        }
    };
    let Some(description) = described.table() else {
        report.wrong(&format!("table {table}: is not described"), SHAPE);
        return false;
    };
    if !is_keyed_by_texts(description) {
        report.wrong(&format!("table {table}: has other keys"), SHAPE);
        return false;
    }
    if description.table_status() != Some(&TableStatus::Active) {
        report.doubtful(
            &format!("table {table}: is not active yet"),
            "wait until it is made",
        );
    } else {
        report.right(&format!("table {table}: is there, with the right keys"));
    }
    ttl_is_on(client, table, report).await;
    true
}

fn is_keyed_by_texts(description: &TableDescription) -> bool {
    let is_text = |name: &str| {
        description.attribute_definitions().iter().any(|attribute| {
            attribute.attribute_name() == name
                && *attribute.attribute_type() == ScalarAttributeType::S
        })
    };
    let mut keys: Vec<_> = description
        .key_schema()
        .iter()
        .map(|key| (key.attribute_name(), key.key_type()))
        .collect();
    keys.sort_unstable_by_key(|(name, _)| *name);
    keys == [("pk", &KeyType::Hash), ("sk", &KeyType::Range)] && is_text("pk") && is_text("sk")
}

/// Without it nothing is wrong, but rows stay for ever.
async fn ttl_is_on(client: &Client, table: &str, report: &mut Report<'_>) {
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
    if attribute != Some(TTL_ATTRIBUTE) {
        report.doubtful(
            &format!("table {table}: old rows are not removed"),
            &format!("enable time to live on the attribute {TTL_ATTRIBUTE}"),
        );
    }
}

async fn takes_a_sealed_value(
    client: &Client,
    table: &str,
    keyring: &Keyring,
    clock: &Clock,
    report: &mut Report<'_>,
) {
    let now = WallTime::from(clock());
    let proving = prove_round_trip(client, table, keyring, now);
    let proved = report
        .waiting("writing a sealed value and reading it back", proving)
        .await;
    match proved {
        Ok(()) => report.right("table: a sealed value was written, read back, opened and deleted"),
        Err(error @ StoreError::Unavailable { .. }) => report.wrong(
            &format!("table: {}", with_causes(&error)),
            "check the network, and the table's capacity",
        ),
        Err(error) => report.wrong(
            &format!("table: {}", with_causes(&error)),
            "these credentials need dynamodb:PutItem, GetItem and DeleteItem on the table",
        ),
    }
}
