//! What the tests of publishers rely on: that it takes what EventBridge takes, and that each fault is what it says.

#![allow(
    clippy::unwrap_used,
    reason = "a test ends where what it needs is missing"
)]

use std::time::Duration;

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::config::retry::RetryConfig;
use aws_sdk_eventbridge::error::ProvideErrorMetadata;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use embedded_event_bus::{EmbeddedEventBus, PublishedEvent, client, client_config};
use serde_json::json;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

fn entry(detail: &str) -> PutEventsRequestEntry {
    PutEventsRequestEntry::builder()
        .event_bus_name("events")
        .source("alipay-functions")
        .detail_type("order.paid")
        .detail(detail)
        .build()
}

/// A client that tries once.
fn trying_once(bus: &EmbeddedEventBus) -> Client {
    let config = client_config(&bus.endpoint()).retry_config(RetryConfig::disabled());
    Client::from_conf(config.build())
}

/// The error codes of the entries, empty for those that were published; or the code of the whole request's failure.
async fn put(client: &Client, entries: Vec<PutEventsRequestEntry>) -> Result<Vec<String>, String> {
    let reply = client.put_events().set_entries(Some(entries)).send().await;
    let reply = reply.map_err(|error| error.code().unwrap_or("no answer").to_owned())?;
    let codes: Vec<_> = reply
        .entries()
        .iter()
        .map(|entry| {
            assert_eq!(entry.event_id().is_some(), entry.error_code().is_none());
            entry.error_code().unwrap_or_default().to_owned()
        })
        .collect();
    let failed = codes.iter().filter(|code| !code.is_empty()).count();
    assert_eq!(usize::try_from(reply.failed_entry_count()).unwrap(), failed);
    Ok(codes)
}

async fn put_one(client: &Client) -> Result<Vec<String>, String> {
    put(client, vec![entry("{}")]).await
}

#[tokio::test]
async fn what_is_published_is_kept_in_its_order_and_told_to_subscribers() {
    let bus = EmbeddedEventBus::start().await.unwrap();
    let mut told = bus.subscribe();
    let two = vec![entry(r#"{"n":1}"#), entry(r#"{"n":2}"#)];
    assert_eq!(put(&client(&bus.endpoint()), two).await.unwrap(), ["", ""]);
    let expected = |n: u32| PublishedEvent {
        bus: "events".to_owned(),
        source: "alipay-functions".to_owned(),
        detail_type: "order.paid".to_owned(),
        detail: json!({"n": n}),
    };
    assert_eq!(bus.wait_for(2).await, [expected(1), expected(2)]);
    for n in [1, 2] {
        let event = timeout(PATIENCE, told.recv()).await.unwrap();
        assert_eq!(event.unwrap(), expected(n));
    }
}

#[tokio::test]
async fn an_entry_that_eventbridge_refuses_is_refused_alone() {
    let bus = EmbeddedEventBus::start().await.unwrap();
    let whole = || {
        PutEventsRequestEntry::builder()
            .source("s")
            .detail_type("t")
    };
    let entries = vec![
        whole().detail("[1]").build(),
        whole().detail("{").build(),
        whole().build(),
        PutEventsRequestEntry::builder()
            .source("s")
            .detail("{}")
            .build(),
        PutEventsRequestEntry::builder()
            .detail_type("t")
            .detail("{}")
            .build(),
        whole().source("aws.events").detail("{}").build(),
        whole().detail_type("t".repeat(129)).detail("{}").build(),
        whole().detail("{}").build(),
    ];
    let codes = put(&trying_once(&bus), entries).await.unwrap();
    assert_eq!(
        codes,
        [
            "MalformedDetail",
            "MalformedDetail",
            "InvalidArgument",
            "InvalidArgument",
            "InvalidArgument",
            "NotAuthorizedForSourceException",
            "InvalidArgument",
            ""
        ]
    );
    let events = bus.events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].bus, "default");
}

#[tokio::test]
async fn a_request_of_more_than_ten_entries_or_256_kilobytes_is_refused_as_a_whole() {
    let bus = EmbeddedEventBus::start().await.unwrap();
    let client = trying_once(&bus);
    let of_bytes = |bytes: usize| {
        let frame = r#"{"a":""}"#.len() + "alipay-functions".len() + "order.paid".len();
        entry(&format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes - frame)))
    };
    let refused = Err("ValidationException".to_owned());
    assert_eq!(put(&client, vec![entry("{}"); 11]).await, refused);
    assert_eq!(put(&client, Vec::new()).await, refused);
    assert_eq!(
        put(
            &client,
            vec![of_bytes(128 * 1024), of_bytes(128 * 1024 + 1)]
        )
        .await,
        refused
    );
    assert!(bus.events().is_empty());
    assert_eq!(
        put(&client, vec![of_bytes(256 * 1024)]).await.unwrap(),
        [""]
    );
    assert_eq!(put(&client, vec![entry("{}"); 10]).await.unwrap(), [""; 10]);
}

#[tokio::test]
async fn faults_befall_as_many_requests_as_they_are_asked_for() {
    let bus = EmbeddedEventBus::start().await.unwrap();
    let client = trying_once(&bus);
    bus.refuse_next(1, "ThrottlingException");
    bus.fail_next(1, 503);
    bus.lose_reply(1);
    assert_eq!(put_one(&client).await.unwrap(), ["ThrottlingException"]);
    assert!(put_one(&client).await.is_err());
    assert!(bus.events().is_empty());
    assert_eq!(put_one(&client).await, Err("no answer".to_owned()));
    assert_eq!(bus.events().len(), 1);
    assert_eq!(put_one(&client).await.unwrap(), [""]);
    assert_eq!((bus.events().len(), bus.requests()), (2, 4));
}

#[tokio::test]
async fn its_own_client_tries_three_times() {
    let bus = EmbeddedEventBus::start().await.unwrap();
    let client = client(&bus.endpoint());
    bus.fail_next(2, 500);
    assert_eq!(put_one(&client).await.unwrap(), [""]);
    bus.lose_reply(3);
    assert!(put_one(&client).await.is_err());
    assert_eq!((bus.events().len(), bus.requests()), (4, 6));
}

#[tokio::test]
async fn a_held_request_publishes_nothing_until_it_is_let_go() {
    let bus = EmbeddedEventBus::start().await.unwrap();
    let client = trying_once(&bus);
    bus.hold();
    let putting = tokio::spawn({
        let client = client.clone();
        async move { put_one(&client).await }
    });
    timeout(PATIENCE, bus.wait_for_requests(1)).await.unwrap();
    assert!(bus.events().is_empty());
    bus.let_go();
    assert_eq!(putting.await.unwrap().unwrap(), [""]);
    assert_eq!(bus.events().len(), 1);
}

#[tokio::test]
async fn once_stopped_it_answers_nobody_and_what_was_held_is_lost() {
    let bus = EmbeddedEventBus::start().await.unwrap();
    let client = trying_once(&bus);
    put_one(&client).await.unwrap();
    bus.hold();
    let putting = tokio::spawn({
        let client = client.clone();
        async move { put_one(&client).await }
    });
    timeout(PATIENCE, bus.wait_for_requests(2)).await.unwrap();
    bus.stop();
    bus.let_go();
    assert!(putting.await.unwrap().is_err());
    // It ends when its tasks are next run.
    let ended = async { while put_one(&client).await.is_ok() {} };
    timeout(PATIENCE, ended).await.unwrap();
    assert_eq!(bus.events().len(), 1);
}

#[tokio::test]
async fn another_operation_is_refused() {
    let bus = EmbeddedEventBus::start().await.unwrap();
    let listed = client(&bus.endpoint()).list_event_buses().send().await;
    assert_eq!(
        listed.unwrap_err().code(),
        Some("UnknownOperationException")
    );
}
