//! The token table and the keys that seal what is in it, as the environment of a function names them.

use alipay_gateway::Clock;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{IndexStatus, KeyType, ScalarAttributeType, TableDescription};
use function_kit::setting;
use function_tokens::{DueShards, Keyring};
use token_store::{DUE_INDEX, StoreError, TTL_ATTRIBUTE, WallTime, prove_round_trip};

use super::keys::{Keyrings, keyrings};
use super::report::Report;
use super::table_shape::{Wanted, client, examine_shape, is_keyed_by};
use crate::error::with_causes;

const SHAPE: &str = "a table of this project has the partition key pk and the sort key sk, both texts; deploy template.yaml, or name its table";

pub(super) async fn examine(offline: bool, clock: &Clock, report: &mut Report<'_>) {
    report.heading("\ntoken table");
    let Some(table) = setting("TOKEN_TABLE") else {
        report.skipped("TOKEN_TABLE is not set, as for functions that keep no tokens");
        return;
    };
    shards(report);
    let Some(keyrings) = keyrings(report).await else {
        return;
    };
    if offline {
        report.skipped("the table itself: --offline");
        return;
    }
    let Some(client) = client(report) else {
        return;
    };
    if has_the_right_shape(&client, &table, report).await {
        prove(&client, &table, &keyrings, clock, report).await;
    }
}

/// Only those who note when tokens are due have the setting, and its default is right for most.
fn shards(report: &mut Report<'_>) {
    let Some(text) = setting("DUE_SHARDS") else {
        return;
    };
    match text.parse::<DueShards>() {
        Ok(shards) => report.right(&format!(
            "DUE_SHARDS: {} partitions of the index are swept",
            shards.all().len()
        )),
        Err(error) => report.wrong(
            &format!("DUE_SHARDS: {error}"),
            "such as 16, or 64,16 while rows move from 16 partitions to 64; the same for all functions",
        ),
    }
}

async fn has_the_right_shape(client: &Client, table: &str, report: &mut Report<'_>) -> bool {
    let wanted = Wanted {
        setting: "TOKEN_TABLE",
        keys: &[
            ("pk", KeyType::Hash, ScalarAttributeType::S),
            ("sk", KeyType::Range, ScalarAttributeType::S),
        ],
        time_to_live: TTL_ATTRIBUTE,
        mend: SHAPE,
    };
    let Some(description) = examine_shape(client, table, &wanted, report).await else {
        return false;
    };
    has_the_index(&description, table, report);
    true
}

/// Without it `refresh-tokens` finds nothing that is due.
fn has_the_index(description: &TableDescription, table: &str, report: &mut Report<'_>) {
    const MEND: &str = "it needs the partition key due_shard (text) and the sort key due_at (number), keys only; deploy template.yaml, or make it with aws dynamodb update-table; rows that have these attributes go into it by themselves";
    let found = description
        .global_secondary_indexes()
        .iter()
        .find(|index| index.index_name() == Some(DUE_INDEX));
    let Some(index) = found else {
        report.wrong(
            &format!("table {table}: has no index {DUE_INDEX}, so no token is refreshed before it has expired"),
            MEND,
        );
        return;
    };
    let keys = [
        ("due_at", KeyType::Range, ScalarAttributeType::N),
        ("due_shard", KeyType::Hash, ScalarAttributeType::S),
    ];
    if !is_keyed_by(description, index.key_schema(), &keys) {
        report.wrong(&format!("index {DUE_INDEX}: has other keys"), MEND);
    } else if index.index_status() == Some(&IndexStatus::Creating) {
        report.doubtful(
            &format!("index {DUE_INDEX}: is not active yet"),
            "wait until it is made; a sweep finds nothing before",
        );
    } else {
        report.right(&format!("index {DUE_INDEX}: is there, with the right keys"));
    }
}

async fn prove(
    client: &Client,
    table: &str,
    keyrings: &Keyrings,
    clock: &Clock,
    report: &mut Report<'_>,
) {
    let Keyrings { access, refresh } = keyrings;
    if !takes_a_sealed_value(client, table, access, "a sealed value", clock, report).await {
        return;
    }
    if let Some(refresh) = refresh {
        let what = "a value sealed by the keys for refresh tokens";
        takes_a_sealed_value(client, table, refresh, what, clock, report).await;
    }
}

async fn takes_a_sealed_value(
    client: &Client,
    table: &str,
    keyring: &Keyring,
    what: &str,
    clock: &Clock,
    report: &mut Report<'_>,
) -> bool {
    let now = WallTime::from(clock());
    let proving = prove_round_trip(client, table, keyring, now);
    let proved = report
        .waiting(&format!("writing {what} and reading it back"), proving)
        .await;
    let Err(error) = proved else {
        report.right(&format!(
            "table: {what} was written, read back, opened and deleted"
        ));
        return true;
    };
    let mend = match &error {
        StoreError::Unavailable { .. } => "check the network, and the table's capacity",
        _ => "these credentials need dynamodb:PutItem, GetItem and DeleteItem on the table",
    };
    report.wrong(&format!("table: {}", with_causes(&error)), mend);
    false
}
