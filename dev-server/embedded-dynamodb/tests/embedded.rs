//! What the tests of the stores rely on: that it ends, that it keeps, and that each fault is what it says.

#![allow(
    clippy::unwrap_used,
    reason = "a test ends where what it needs is missing"
)]

use std::net::SocketAddr;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType,
    ScalarAttributeType,
};
use embedded_dynamodb::{EmbeddedDynamoDb, Fault, Proxy, client_config};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const TABLE: &str = "rows";
/// How long it may take until nobody answers.
const PATIENCE: Duration = Duration::from_secs(20);

async fn create_table(client: &Client) {
    let attribute = AttributeDefinition::builder()
        .attribute_name("pk")
        .attribute_type(ScalarAttributeType::S);
    let key = KeySchemaElement::builder()
        .attribute_name("pk")
        .key_type(KeyType::Hash);
    client
        .create_table()
        .table_name(TABLE)
        .attribute_definitions(attribute.build().unwrap())
        .key_schema(key.build().unwrap())
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await
        .unwrap();
}

/// A client that tries once.
fn trying_once(address: SocketAddr) -> Client {
    let config = client_config(&format!("http://{address}"));
    let config = config.retry_config(RetryConfig::disabled());
    Client::from_conf(config.build())
}

async fn put(client: &Client) -> bool {
    let pk = AttributeValue::S("1".to_owned());
    let put = client.put_item().table_name(TABLE).item("pk", pk);
    put.send().await.is_ok()
}

async fn rows(client: &Client) -> i32 {
    let scan = client.scan().table_name(TABLE).consistent_read(true);
    scan.send().await.unwrap().count()
}

async fn table_behind_a_proxy() -> (EmbeddedDynamoDb, Proxy, Client) {
    let dynamodb = EmbeddedDynamoDb::start().await.unwrap();
    create_table(&dynamodb.client()).await;
    let proxy = Proxy::before(dynamodb.address()).await.unwrap();
    let client = trying_once(proxy.address);
    (dynamodb, proxy, client)
}

#[tokio::test]
async fn two_of_them_share_nothing() {
    let one = EmbeddedDynamoDb::start().await.unwrap();
    let other = EmbeddedDynamoDb::start().await.unwrap();
    create_table(&one.client()).await;
    let tables = other.client().list_tables().send().await.unwrap();
    assert!(tables.table_names().is_empty());
}

#[tokio::test]
async fn what_a_folder_keeps_is_there_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    // Made where it is not there.
    let folder = folder.path().join("data");
    let first = EmbeddedDynamoDb::start_in(&folder).await.unwrap();
    create_table(&first.client()).await;
    assert!(put(&first.client()).await);
    drop(first);
    let second = EmbeddedDynamoDb::start_in(&folder).await.unwrap();
    assert_eq!(rows(&second.client()).await, 1);
}

#[tokio::test]
async fn once_stopped_or_dropped_it_answers_nobody_not_even_on_an_open_connection() {
    let end: [fn(EmbeddedDynamoDb) -> Option<EmbeddedDynamoDb>; 2] = [
        |dynamodb| {
            dynamodb.stop();
            Some(dynamodb)
        },
        |dynamodb| {
            drop(dynamodb);
            None
        },
    ];
    for end in end {
        let dynamodb = EmbeddedDynamoDb::start().await.unwrap();
        let client = trying_once(dynamodb.address());
        let mut connection = TcpStream::connect(dynamodb.address()).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
        connection.write_all(request).await.unwrap();
        let mut byte = [0];
        connection.read_exact(&mut byte).await.unwrap();
        let _held = end(dynamodb);
        // It ends when its tasks are next run.
        let ended = async {
            let mut rest = Vec::new();
            connection.read_to_end(&mut rest).await.unwrap();
            while client.list_tables().send().await.is_ok() {}
        };
        tokio::time::timeout(PATIENCE, ended).await.unwrap();
    }
}

#[tokio::test]
async fn a_lost_reply_is_carried_out_and_a_lost_request_is_not() {
    for (fault, written) in [(Fault::LoseReply, 1), (Fault::LoseRequest, 0)] {
        let (dynamodb, proxy, client) = table_behind_a_proxy().await;
        proxy.arm("PutItem", fault, 1);
        assert!(!put(&client).await, "{fault:?}");
        assert_eq!(proxy.suffered(), 1, "{fault:?}");
        assert_eq!(rows(&dynamodb.client()).await, written, "{fault:?}");
        assert!(put(&client).await, "the next one passes: {fault:?}");
    }
}

#[tokio::test]
async fn a_held_request_and_a_delayed_one_arrive_when_they_are_let_go() {
    let (dynamodb, proxy, client) = table_behind_a_proxy().await;
    proxy.arm("PutItem", Fault::HoldRequest, 1);
    let held = tokio::spawn({
        let client = client.clone();
        async move { put(&client).await }
    });
    proxy.wait_for_suffering().await;
    assert_eq!(rows(&dynamodb.client()).await, 0);
    proxy.let_go();
    assert!(held.await.unwrap());
    assert_eq!(rows(&dynamodb.client()).await, 1);

    let (dynamodb, proxy, client) = table_behind_a_proxy().await;
    proxy.arm("PutItem", Fault::DelayRequest, 1);
    assert!(!put(&client).await, "its sender sees a closed connection");
    assert_eq!(rows(&dynamodb.client()).await, 0);
    proxy.let_arrive().await;
    assert_eq!(rows(&dynamodb.client()).await, 1);
}

#[tokio::test]
async fn a_reply_that_is_lost_later_keeps_its_sender_waiting() {
    let (dynamodb, proxy, client) = table_behind_a_proxy().await;
    proxy.arm("PutItem", Fault::LoseReplyLater, 1);
    let put = tokio::spawn(async move { put(&client).await });
    while rows(&dynamodb.client()).await == 0 {
        tokio::task::yield_now().await;
    }
    assert!(!put.is_finished());
    proxy.let_go();
    assert!(!put.await.unwrap());
}

#[tokio::test]
async fn an_answer_in_dynamodbs_place_is_its_error_for_that_operation_alone_after_those_that_pass()
{
    let (dynamodb, proxy, client) = table_behind_a_proxy().await;
    let throttled = Fault::Answer {
        status: 400,
        code: "ProvisionedThroughputExceededException",
    };
    proxy.arm_after(1, "PutItem", throttled, usize::MAX);
    assert!(put(&client).await, "the first one passes");
    for suffered in 1..3 {
        let pk = AttributeValue::S("2".to_owned());
        let refused = client.put_item().table_name(TABLE).item("pk", pk).send();
        let refused = refused.await.unwrap_err().into_service_error();
        assert!(refused.is_provisioned_throughput_exceeded_exception());
        assert_eq!(proxy.suffered(), suffered);
    }
    assert_eq!(rows(&client).await, 1, "another operation passes");
    proxy.disarm();
    assert!(put(&client).await);
    assert_eq!(rows(&dynamodb.client()).await, 1);
}

#[tokio::test]
async fn silence_answers_nothing() {
    let (dynamodb, proxy, client) = table_behind_a_proxy().await;
    proxy.arm("PutItem", Fault::Silence, 1);
    let put = tokio::spawn(async move { put(&client).await });
    proxy.wait_for_suffering().await;
    assert_eq!(rows(&dynamodb.client()).await, 0);
    assert!(!put.is_finished());
    put.abort();
}

#[tokio::test]
async fn what_passes_is_written_down() {
    let (_dynamodb, proxy, client) = table_behind_a_proxy().await;
    assert!(put(&client).await);
    rows(&client).await;
    assert_eq!(proxy.take_operations(), ["PutItem", "Scan"]);
    assert!(proxy.take_operations().is_empty());
    let requests = proxy.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests[0].starts_with("POST / ") && requests[0].contains(r#""pk""#));
    assert!(requests[1].contains(r#""ConsistentRead":true"#));
}
