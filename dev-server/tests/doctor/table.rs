//! What is proved about the token table.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use dev_server::{LocalTable, TOKEN_TABLE};
use serde_json::Value;

use crate::bench::{Bench, Said, in_key_mode, run};

/// The doctor in the environment of a function with a table at `endpoint`. The table is served by the runtime's own threads.
async fn with_table(table: &LocalTable, endpoint: &str) -> Said {
    let keys = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(keys.path(), table.keys()).unwrap();
    let bench = Bench::new(in_key_mode()).await;
    let said = run(
        &bench.document,
        &[],
        &[
            ("TOKEN_TABLE", TOKEN_TABLE),
            ("TOKEN_KEYS_FILE", keys.path().to_str().unwrap()),
            ("AWS_REGION", "local"),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "canarysecretaccesskey"),
            ("AWS_ENDPOINT_URL_DYNAMODB", endpoint),
        ],
    );
    said.has_not("canarysecretaccesskey");
    let keys: Value = serde_json::from_str(table.keys()).unwrap();
    for key in keys["keys"].as_object().unwrap().values() {
        said.has_not(key.as_str().unwrap());
    }
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_table_takes_a_sealed_value_and_keeps_nothing() {
    let table = LocalTable::start(None).await.unwrap();
    with_table(&table, table.endpoint())
        .await
        .is_all_well()
        .has("ok     keys: load")
        .has("ok     table tokens: is there, with the right keys")
        .has("ok     table: a sealed value was written, read back, opened and deleted");
    let rows = table.client().scan().table_name(TOKEN_TABLE).send().await;
    assert_eq!(rows.unwrap().count(), 0);
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
    let client = table.client();
    client
        .delete_table()
        .table_name(TOKEN_TABLE)
        .send()
        .await
        .unwrap();
    client
        .create_table()
        .table_name(TOKEN_TABLE)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(
            AttributeDefinition::builder()
                .attribute_name("id")
                .attribute_type(ScalarAttributeType::S)
                .build()
                .unwrap(),
        )
        .key_schema(
            KeySchemaElement::builder()
                .attribute_name("id")
                .key_type(KeyType::Hash)
                .build()
                .unwrap(),
        )
        .send()
        .await
        .unwrap();
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
