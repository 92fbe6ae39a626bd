//! By what the function is woken, and what it answers.

use std::time::Duration;

use serde_json::{Value, json};

use crate::bench::{Bench, LIFE, UNKNOWN_APP, nobody, user_id};

const EXPIRED: Duration = LIFE;

#[tokio::test]
async fn the_schedule_and_whoever_stands_in_for_it_start_a_sweep() {
    let bench = Bench::new().await;
    let function = bench.alone();
    let scheduled = json!({
        "version": "0", "id": "53dc4d37", "detail-type": "Scheduled Event", "source": "aws.events",
        "account": "1", "time": "2026-11-22T00:00:00Z", "region": "eu-central-1",
        "resources": ["arn:aws:events:eu-central-1:1:rule/x"], "detail": {},
    });
    for (number, event) in [json!({}), json!({"sweep": {}}), scheduled]
        .iter()
        .enumerate()
    {
        bench.log_in_ago(number, EXPIRED).await;
        let answer = bench.invoke(&function, event).await;
        assert_eq!(answer["code"], 0, "{answer}");
        assert_eq!(
            answer["sweep"]["refreshed"],
            json!({"refreshed": 1}),
            "{event}"
        );
    }
}

#[tokio::test]
async fn a_direct_event_refreshes_one_row_whatever_its_age() {
    let bench = Bench::new().await;
    let function = bench.alone();
    bench.log_in_ago(1, Duration::ZERO).await;
    let appid = &bench.app.app_id;
    let answer = bench
        .invoke(
            &function,
            &json!({"refresh": {"appid": appid, "subject": user_id(1)}}),
        )
        .await;
    assert_eq!(answer["code"], 0, "{answer}");
    assert_eq!(answer["outcome"], "refreshed");
    assert_eq!(
        (bench.refreshes(), bench.generation(&bench.row(1)).await),
        (1, 2)
    );
}

#[tokio::test]
async fn what_came_of_a_direct_event_is_an_outcome_and_not_a_failure() {
    let bench = Bench::new().await;
    let function = bench.alone();
    bench.log_in_ago(1, EXPIRED).await;
    let appid = &bench.app.app_id;
    bench
        .put_made_up(&crate::bench::row_of(UNKNOWN_APP, 2), EXPIRED)
        .await;
    bench.put_made_up(&bench.row(3), EXPIRED).await;
    let refresh = |appid: &str, user, because: Value, generation: Value| {
        json!({"refresh": {
            "appid": appid, "kind": "user", "subject": user_id(user), "scopes": "default",
            "because": because, "generation": generation,
        }})
    };
    for (event, outcome) in [
        (refresh(appid, 1, json!("expired"), json!(7)), "fresh"),
        (refresh(appid, 1, json!("due"), Value::Null), "refreshed"),
        (refresh(appid, 1, json!("due"), Value::Null), "fresh"),
        (refresh(appid, 9, json!("asked"), Value::Null), "gone"),
        (
            refresh(UNKNOWN_APP, 2, json!("due"), Value::Null),
            "misconfigured",
        ),
        (refresh(appid, 3, json!("due"), Value::Null), "suspect"),
        // In quarantine it is not due, whoever asks.
        (refresh(appid, 3, json!("due"), Value::Null), "fresh"),
        (refresh(appid, 3, json!("asked"), Value::Null), "suspect"),
    ] {
        let answer = bench.invoke(&function, &event).await;
        assert_eq!(
            (&answer["code"], &answer["outcome"]),
            (&json!(0), &json!(outcome)),
            "{event}"
        );
    }
}

#[tokio::test]
async fn what_is_none_of_the_functions_events_is_refused_with_a_reason() {
    let bench = Bench::new().await;
    let function = bench.alone();
    let http = json!({
        "version": "2.0", "rawPath": "/x", "headers": {}, "body": "{}",
        "requestContext": {"http": {"method": "POST", "path": "/x"}},
    });
    for (event, error, said) in [
        (http, "forbidden", "no HTTP route"),
        (
            json!({"Records": [{"s3": {"bucket": {}}}]}),
            "invalid_argument",
            "",
        ),
        (
            json!({"detail-type": "Object Created", "detail": {}}),
            "invalid_argument",
            "for a sweep",
        ),
        (json!({"refesh": {}}), "invalid_argument", "for a sweep"),
        (
            json!({"refresh": {"appid": "a"}}),
            "invalid_argument",
            "refresh",
        ),
        (
            json!({"sweep": {"part": 4, "of": 4}}),
            "invalid_argument",
            "sweep.part",
        ),
        (json!("{}"), "invalid_argument", ""),
    ] {
        let answer = bench.invoke(&function, &event).await;
        assert_eq!(answer["error"], error, "{event}: {answer}");
        assert_eq!(answer["code"], -1, "{answer}");
        assert!(answer["msg"].as_str().unwrap().contains(said), "{answer}");
        assert_eq!(answer["request_id"], "r-1");
    }
}

#[tokio::test]
async fn with_the_table_down_a_caller_is_told_to_come_back() {
    let bench = Bench::new().await;
    let (address, _held) = nobody();
    let sqs = crate::sqs::Sqs::start().await;
    let function = bench.with_queues_through(&sqs, address);
    for event in [
        json!({}),
        json!({"refresh": {"appid": "a", "subject": "b"}}),
    ] {
        let answer = bench.invoke(&function, &event).await;
        assert_eq!(answer["error"], "temporarily_unavailable", "{answer}");
        assert_eq!(answer["retryable"], true, "{answer}");
    }
}
