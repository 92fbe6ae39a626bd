//! What is proved about the token table.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use dev_server::{LocalTable, TOKEN_TABLE};
use serde_json::Value;

use crate::bench::{Bench, Said, in_key_mode, run};

/// The doctor in the environment of a function that refreshes tokens, with a table at `endpoint`. The table is served by the runtime's
/// own threads.
async fn with_table(table: &LocalTable, endpoint: &str) -> Said {
    with_keys(endpoint, table.keys(), Some(table.refresh_keys()), &[]).await
}

/// The same with these documents of keys and more settings.
async fn with_keys(
    endpoint: &str,
    keys: &str,
    refresh_keys: Option<&str>,
    more: &[(&str, &str)],
) -> Said {
    let file = |text: &str| {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    };
    let access = file(keys);
    let refresh = refresh_keys.map(file);
    let mut environment = vec![
        ("TOKEN_TABLE", TOKEN_TABLE),
        ("TOKEN_KEYS_FILE", access.path().to_str().unwrap()),
        ("AWS_REGION", "local"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "canarysecretaccesskey"),
        ("AWS_ENDPOINT_URL_DYNAMODB", endpoint),
    ];
    if let Some(refresh) = &refresh {
        let path = refresh.path().to_str().unwrap();
        environment.push(("REFRESH_TOKEN_KEYS_FILE", path));
    }
    environment.extend(more);
    let bench = Bench::new(in_key_mode()).await;
    let said = run(&bench.document, &[], &environment);
    said.has_not("canarysecretaccesskey");
    for document in [Some(keys), refresh_keys].into_iter().flatten() {
        let document: Value = serde_json::from_str(document).unwrap();
        for key in document["keys"].as_object().unwrap().values() {
            said.has_not(key.as_str().unwrap());
        }
    }
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_table_takes_values_of_both_keyrings_and_keeps_nothing() {
    let table = LocalTable::start(None).await.unwrap();
    with_table(&table, table.endpoint())
        .await
        .is_all_well()
        .has("ok     keys: load")
        .has("ok     refresh keys: load")
        .has("ok     refresh keys: none of them is among the others")
        .has("ok     table tokens: is there, with the right keys")
        .has("ok     index due: is there, with the right keys")
        .has("ok     table: a sealed value was written, read back, opened and deleted")
        .has("ok     table: a value sealed by the keys for refresh tokens was written, read back");
    let rows = table.client().scan().table_name(TOKEN_TABLE).send().await;
    assert_eq!(rows.unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_only_reads_needs_no_refresh_keys() {
    let table = LocalTable::start(None).await.unwrap();
    with_keys(table.endpoint(), table.keys(), None, &[])
        .await
        .is_all_well()
        .has("skip   refresh keys: REFRESH_TOKEN_KEYS_FILE is not set");
}

#[tokio::test(flavor = "multi_thread")]
async fn refresh_keys_that_readers_have_as_well_are_named() {
    let table = LocalTable::start(None).await.unwrap();
    // Under another name, beside one of its own.
    let shared: Value = serde_json::from_str(table.keys()).unwrap();
    let mut refresh: Value = serde_json::from_str(table.refresh_keys()).unwrap();
    refresh["keys"]["old"] = shared["keys"]["local"].clone();
    with_keys(
        table.endpoint(),
        table.keys(),
        Some(&refresh.to_string()),
        &[],
    )
    .await
    .has("warn   refresh keys: one of them is also among the keys for access tokens")
    .has("make it active");
}

#[tokio::test(flavor = "multi_thread")]
async fn refresh_keys_that_do_not_load_are_named() {
    let table = LocalTable::start(None).await.unwrap();
    let short = r#"{"active":"a","keys":{"a":"canarycanarycanary"}}"#;
    with_keys(table.endpoint(), table.keys(), Some(short), &[])
        .await
        .fails()
        .has("FAIL   refresh keys: keys.a: must be 32 bytes in base64")
        .has("REFRESH_TOKEN_KEYS_FILE");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_partitions_is_proved_where_it_is_set() {
    let table = LocalTable::start(None).await.unwrap();
    let said = async |shards| {
        let more = [("DUE_SHARDS", shards)];
        let refresh_keys = Some(table.refresh_keys());
        with_keys(table.endpoint(), table.keys(), refresh_keys, &more).await
    };
    said("64,16")
        .await
        .is_all_well()
        .has("ok     DUE_SHARDS: 80 partitions of the index are swept");
    said("many")
        .await
        .fails()
        .has("FAIL   DUE_SHARDS: must be a number from 1 to 1000");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_without_the_index_of_due_rows_is_named() {
    let table = LocalTable::start(None).await.unwrap();
    make_again(&table, &["pk", "sk"]).await;
    with_table(&table, table.endpoint())
        .await
        .fails()
        .has("ok     table tokens: is there, with the right keys")
        .has(
            "FAIL   table tokens: has no index due, so no token is refreshed before it has expired",
        )
        .has("partition key due_shard");
}

/// The table with these keys, all texts, and nothing else.
async fn make_again(table: &LocalTable, keys: &[&str]) {
    let client = table.client();
    let deleting = client.delete_table().table_name(TOKEN_TABLE);
    deleting.send().await.unwrap();
    let mut making = client
        .create_table()
        .table_name(TOKEN_TABLE)
        .billing_mode(BillingMode::PayPerRequest);
    for (name, role) in keys.iter().zip([KeyType::Hash, KeyType::Range]) {
        let attribute = AttributeDefinition::builder()
            .attribute_name(*name)
            .attribute_type(ScalarAttributeType::S);
        let key = KeySchemaElement::builder()
            .attribute_name(*name)
            .key_type(role);
        making = making
            .attribute_definitions(attribute.build().unwrap())
            .key_schema(key.build().unwrap());
    }
    making.send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_not_reached_is_named() {
    let table = LocalTable::start(None).await.unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    with_table(&table, &format!("http://{closed}"))
        .await
        .fails()
        .has("FAIL   table tokens: cannot be looked at");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_with_other_keys_is_named() {
    let table = LocalTable::start(None).await.unwrap();
    make_again(&table, &["id"]).await;
    with_table(&table, table.endpoint())
        .await
        .fails()
        .has("FAIL   table tokens: has other keys")
        .has("partition key pk and the sort key sk");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_does_not_exist_is_named() {
    let table = LocalTable::start(None).await.unwrap();
    let client = table.client();
    client
        .delete_table()
        .table_name(TOKEN_TABLE)
        .send()
        .await
        .unwrap();
    with_table(&table, table.endpoint())
        .await
        .fails()
        .has("FAIL   table tokens: does not exist in this account and region");
}

#[tokio::test]
async fn keys_that_do_not_load_are_named_before_the_table_is_asked() {
    let bench = Bench::new(in_key_mode()).await;
    let keys = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        keys.path(),
        r#"{"active":"a","keys":{"a":"canarycanarycanary"}}"#,
    )
    .unwrap();
    let file = keys.path().to_str().unwrap();
    run(
        &bench.document,
        &["--offline"],
        &[("TOKEN_TABLE", TOKEN_TABLE), ("TOKEN_KEYS_FILE", file)],
    )
    .fails()
    .has("FAIL   keys: keys.a: must be 32 bytes in base64")
    .has_not("canary");
    run(
        &bench.document,
        &["--offline"],
        &[("TOKEN_TABLE", TOKEN_TABLE)],
    )
    .fails()
    .has("FAIL   TOKEN_KEYS_FILE: is not set");
}
