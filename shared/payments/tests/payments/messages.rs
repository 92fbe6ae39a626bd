//! Messages of Alipay's application gateway.

use std::collections::BTreeMap;

use embedded_dynamodb::Fault;
use payments::{EventKind, Message, Messages, PaymentError};
use serde_json::{Value, json};

use crate::bench::{APP, Bench, Bus, START, after, text};

const EVENT: &str = "alipay.message/2021000000000001/notice-1";

fn fields() -> BTreeMap<String, String> {
    BTreeMap::from([("app_id".to_owned(), APP.to_owned())])
}

fn message(fields: &BTreeMap<String, String>) -> Message<'_> {
    Message {
        app_id: APP,
        notify_id: "notice-1",
        notify_type: Some("open_app_auth_notify"),
        method: None,
        fields,
    }
}

/// I-01.
#[tokio::test]
async fn a_message_is_recorded_once() {
    let bench = Bench::new().await;
    let fields = fields();
    let first = bench.messages().record(&message(&fields), START).await;
    let first = first.unwrap().unwrap();
    assert_eq!(first.events.len(), 1);
    assert_eq!(first.events[0].id, EVENT);
    assert_eq!(first.events[0].kind, EventKind::Message);
    let detail: Value = serde_json::from_str(&first.events[0].detail).unwrap();
    assert_eq!(
        detail,
        json!({
            "event_id": EVENT,
            "app_id": APP,
            "notify_id": "notice-1",
            "notify_type": "open_app_auth_notify",
            "message": {"app_id": APP},
            "occurred_at": "2026-11-21T02:00:00Z",
        })
    );
    for seconds in [0, 3600] {
        let again = bench
            .messages()
            .record(&message(&fields), after(seconds))
            .await;
        assert!(again.unwrap().is_none());
    }
    bench.outbox().published(&first).await.unwrap();
    let again = bench
        .messages()
        .record(&message(&fields), after(7200))
        .await;
    assert!(again.unwrap().is_none());
    bench.assert_all_published().await;
    let rows = bench.items().await;
    assert_eq!(rows.len(), 1);
    let thirty_days = START.as_millis() / 1000 + 30 * 24 * 3600;
    assert_eq!(text(&rows[0], "ttl"), thirty_days.to_string());
    assert_eq!(text(&rows[0], "pk"), format!("MESSAGE#{APP}#notice-1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_at_once_with_one_message_make_one_event() {
    let bench = Bench::new().await;
    let recording: Vec<_> = (0..50)
        .map(|_| {
            let messages = Messages::new(bench.table_of_another_process());
            tokio::spawn(async move { messages.record(&message(&fields()), START).await })
        })
        .collect();
    let mut recorded = 0;
    for recording in recording {
        recorded += usize::from(recording.await.unwrap().unwrap().is_some());
    }
    assert_eq!(recorded, 1);
}

#[tokio::test]
async fn a_message_whose_recording_was_not_answered_is_published_by_others() {
    for times in [1, 3] {
        let bench = Bench::new().await;
        let bus = Bus::default();
        let proxy = bench.proxy().await;
        proxy.arm("PutItem", Fault::LoseReply, times);
        let messages = Messages::new(bench.table_through(proxy.address));
        match messages.record(&message(&fields()), START).await {
            Ok(recorded) => assert!(recorded.is_none()),
            Err(error) => assert!(error.is_transient()),
        }
        assert_eq!(proxy.suffered(), times);
        bench.sweep(&bus, after(31)).await;
        assert_eq!(bus.counts(), [(EVENT.to_owned(), 1)].into());
    }
}

#[tokio::test]
async fn a_message_that_is_tidied_up_is_nobodys_failure() {
    let bench = Bench::new().await;
    let outbox = bench.outbox();
    let fields = fields();
    let recorded = bench.messages().record(&message(&fields), START).await;
    let recorded = recorded.unwrap().unwrap();
    let due = outbox.due(after(31), 25).await.unwrap();
    assert_eq!(due.len(), 1);
    bench.delete(&format!("MESSAGE#{APP}#notice-1")).await;
    assert!(outbox.claim(&due[0], after(31)).await.unwrap().is_none());
    outbox.published(&recorded).await.unwrap();
    assert!(bench.items().await.is_empty(), "no row comes back");
    assert!(outbox.due(after(31), 25).await.unwrap().is_empty());
}

/// I-08.
#[tokio::test]
async fn what_is_too_long_is_refused() {
    let bench = Bench::new().await;
    let fields = fields();
    let long = "n".repeat(129);
    for notify_id in ["", long.as_str()] {
        let message = Message {
            notify_id,
            ..message(&fields)
        };
        match bench.messages().record(&message, START).await {
            Err(PaymentError::TooLarge { field, .. }) => assert_eq!(field, "notify_id"),
            other => panic!("{other:?}"),
        }
    }
    // Each of these takes six bytes in JSON.
    let many = BTreeMap::from([("content".to_owned(), "\u{1}".repeat(40_000))]);
    match bench.messages().record(&message(&many), START).await {
        Err(PaymentError::TooLarge { field, .. }) => assert_eq!(field, "detail"),
        other => panic!("{other:?}"),
    }
    assert!(bench.items().await.is_empty());
}
