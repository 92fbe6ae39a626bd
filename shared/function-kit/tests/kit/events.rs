//! Whatever event comes, a function answers it (security cases L-01 to L-04).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::bench::{Bench, http_event, open_http};

/// An event as each trigger sends it, in the parts by which they differ.
pub fn other_triggers() -> Vec<(&'static str, Value)> {
    let record = |source: &str| json!({"Records": [{"eventSource": source, "eventVersion": "1.0", "body": "{\"text\":\"a\"}", "messageId": "m"}]});
    vec![
        (
            "S3",
            json!({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "b"}, "object": {"key": "k"}}}]}),
        ),
        (
            "SNS",
            json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": "{}"}}]}),
        ),
        ("SQS", record("aws:sqs")),
        (
            "DynamoDB stream",
            json!({"Records": [{"eventSource": "aws:dynamodb", "eventName": "INSERT", "dynamodb": {"Keys": {"pk": {"S": "a"}}}}]}),
        ),
        (
            "Kinesis",
            json!({"Records": [{"eventSource": "aws:kinesis", "kinesis": {"data": "e30="}}]}),
        ),
        (
            "SES",
            json!({"Records": [{"eventSource": "aws:ses", "ses": {"mail": {}}}]}),
        ),
        (
            "CloudFront",
            json!({"Records": [{"cf": {"request": {"method": "POST", "body": {"data": "e30="}}}}]}),
        ),
        (
            "EventBridge",
            json!({"version": "0", "id": "i", "detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2", "detail": {"text": "a"}}),
        ),
        (
            "schedule",
            json!({"version": "0", "detail-type": "Scheduled Event", "source": "aws.events", "resources": [], "detail": {}}),
        ),
        (
            "Kafka",
            json!({"eventSource": "aws:kafka", "records": {"t-0": [{"value": "e30="}]}}),
        ),
        (
            "Firehose",
            json!({"invocationId": "i", "deliveryStreamArn": "arn", "region": "r", "records": []}),
        ),
        ("CloudWatch Logs", json!({"awslogs": {"data": "H4sI"}})),
        (
            "load balancer",
            json!({"requestContext": {"elb": {"targetGroupArn": "arn"}}, "httpMethod": "POST", "path": "/", "headers": {}, "body": "{}", "isBase64Encoded": false}),
        ),
        (
            "WebSocket connect",
            json!({"requestContext": {"routeKey": "$connect", "eventType": "CONNECT", "connectionId": "c", "identity": {"sourceIp": "192.0.2.1"}}, "isBase64Encoded": false}),
        ),
        (
            "WebSocket message",
            json!({"requestContext": {"routeKey": "$default", "eventType": "MESSAGE", "connectionId": "c", "identity": {"sourceIp": "192.0.2.1"}}, "body": "{}"}),
        ),
        (
            "Cognito",
            json!({"version": "1", "triggerSource": "PreSignUp_SignUp", "region": "r", "userPoolId": "p", "userName": "u", "request": {"userAttributes": {}}, "response": {}}),
        ),
        (
            "Lex",
            json!({"messageVersion": "1.0", "invocationSource": "DialogCodeHook", "bot": {"name": "b"}, "sessionState": {}}),
        ),
        (
            "token authorizer",
            json!({"type": "TOKEN", "authorizationToken": "t", "methodArn": "arn"}),
        ),
        (
            "request authorizer",
            json!({"type": "REQUEST", "methodArn": "arn", "httpMethod": "POST", "requestContext": {"httpMethod": "POST", "identity": {"sourceIp": "192.0.2.1"}}, "body": "{}"}),
        ),
        (
            "HTTP API authorizer",
            json!({"version": "2.0", "type": "REQUEST", "routeArn": "arn", "identitySource": ["t"], "requestContext": {"http": {"method": "POST", "sourceIp": "192.0.2.1"}}}),
        ),
    ]
}

#[tokio::test]
async fn every_other_triggers_event_is_refused_by_name() {
    let bench = Bench::new().await;
    for (trigger, event) in other_triggers() {
        let answer = bench.answer(&event.to_string()).await;
        assert_eq!(answer["error"], "invalid_argument", "{trigger}: {answer}");
        let message = answer["msg"].as_str().unwrap();
        assert!(message.contains("trigger"), "{trigger}: {message}");
    }
}

#[tokio::test]
async fn what_is_no_object_is_refused_directly() {
    let bench = Bench::new().await;
    for event in [
        "null",
        "[]",
        "[{}]",
        "\"x\"",
        "7",
        "true",
        "{",
        "",
        "\u{feff}{}",
        "{\"a\":1,}",
        "{\"\\ud800\":1}",
    ] {
        let answer = bench.answer(event).await;
        assert_eq!(
            (&answer["code"], &answer["error"]),
            (&json!(-1), &json!("invalid_argument")),
            "{event}"
        );
    }
}

#[tokio::test]
async fn nulls_everywhere_are_read_as_absent() {
    let bench = Bench::new().await;
    let direct = json!({"appid": null, "text": null, "user": null, "requestContext": null, "Records": null, "detail-type": null, "headers": null});
    assert_eq!(bench.direct(&direct).await["code"], 0);

    let http = json!({
        "version": "2.0", "headers": null, "cookies": null, "queryStringParameters": null, "body": "{}", "isBase64Encoded": null,
        "requestContext": {"http": {"method": null, "sourceIp": null, "userAgent": null}, "authorizer": null, "identity": null},
    });
    assert_eq!(open_http(&bench.answer(&http.to_string()).await).0, 200);
    let rest = json!({
        "version": "1.0", "headers": null, "multiValueHeaders": null, "body": null, "requestContext": {"httpMethod": "POST", "identity": null},
    });
    let (status, _, body) = open_http(&bench.answer(&rest.to_string()).await);
    assert_eq!(
        (status, body["msg"].as_str()),
        (
            400,
            Some("body: is empty; send the arguments as a JSON object")
        )
    );
}

#[tokio::test]
async fn a_rest_api_and_an_encoded_body_are_read_as_well() {
    let bench = Bench::new().await;
    let rest = json!({
        "resource": "/x", "path": "/x", "httpMethod": "POST",
        "headers": {"A": "1", "a": "2"}, "multiValueHeaders": {"A": ["1", "2"], "a": ["3"]},
        "requestContext": {"httpMethod": "POST", "identity": {"sourceIp": "192.0.2.1", "userAgent": "a"}},
        "body": "{\"text\":\"a\"}", "isBase64Encoded": false,
    });
    assert_eq!(
        open_http(&bench.answer(&rest.to_string()).await).2["echo"],
        "a"
    );
    let mut encoded = http_event(&STANDARD.encode("{\"text\":\"é\"}"));
    encoded["isBase64Encoded"] = json!(true);
    assert_eq!(
        open_http(&bench.answer(&encoded.to_string()).await).2["echo"],
        "é"
    );
}

#[tokio::test]
async fn whatever_the_body_is_the_http_door_answers_in_its_form() {
    let bench = Bench::new().await;
    let long = "x".repeat(6 * 1024 * 1024);
    let cases = [
        (json!(null), false, 400),
        (json!(""), false, 400),
        (json!("\u{0}"), false, 400),
        (json!("[1]"), false, 400),
        (json!("{\"text\":\"\\ud800\"}"), false, 400),
        (json!("{\"text\":1e999}"), false, 400),
        (json!({"text": "a"}), false, 400),
        (json!(7), false, 400),
        (json!("not base64"), true, 400),
        (json!("/w=="), true, 400),
        (json!(format!("{{\"other\":\"{long}\"}}")), false, 413),
        (
            json!(STANDARD.encode(format!("{{\"other\":\"{long}\"}}"))),
            true,
            413,
        ),
        (
            json!(format!(
                "{{\"text\":{}1{}}}",
                "[".repeat(5000),
                "]".repeat(5000)
            )),
            false,
            400,
        ),
    ];
    for (body, encoded, expected) in cases {
        let mut event = http_event("");
        event["body"] = body.clone();
        event["isBase64Encoded"] = json!(encoded);
        let (status, _, envelope) = open_http(&bench.answer(&event.to_string()).await);
        let shown: String = body.to_string().chars().take(60).collect();
        assert_eq!(status, expected, "{shown}");
        assert_eq!(envelope["code"], -1, "{shown}");
    }
    let mut event = http_event("{}");
    event["isBase64Encoded"] = json!("yes");
    assert_eq!(open_http(&bench.answer(&event.to_string()).await).0, 400);
}

#[tokio::test]
async fn lone_surrogates_outside_the_body_do_not_close_the_http_door() {
    let bench = Bench::new().await;
    let event = http_event("{}").to_string();
    for place in ["\"agent\"", "\"/x\"", "\"application/json\"", "\"r\""] {
        let event = event.replace(place, "\"\\udfff\"");
        assert_eq!(open_http(&bench.answer(&event).await).0, 200, "{place}");
    }
}

#[tokio::test]
async fn a_direct_event_over_the_limits_is_refused() {
    let bench = Bench::new().await;
    let long = json!({"other": "x".repeat(6 * 1024 * 1024)});
    assert_eq!(bench.direct(&long).await["error"], "too_large");
    let many = json!({"other": vec![1; 20_000]});
    assert_eq!(bench.direct(&many).await["error"], "invalid_argument");
    let deep = format!(
        "{{\"other\":{}{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert_eq!(bench.answer(&deep).await["error"], "invalid_argument");
}

#[tokio::test]
async fn ten_thousand_headers_are_nothing_to_us() {
    let bench = Bench::new().await;
    let mut event = http_event("{\"text\":\"a\"}");
    let headers: serde_json::Map<String, Value> = (0..10_000)
        .map(|index| (format!("x-{index}"), json!("v")))
        .collect();
    event["headers"] = headers.into();
    assert_eq!(
        open_http(&bench.answer(&event.to_string()).await).2["echo"],
        "a"
    );
}

pub fn any_json() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        4 => prop::sample::select(vec!["requestContext", "http", "httpMethod", "identity", "sourceIp", "body", "isBase64Encoded",
            "headers", "Records", "detail-type", "triggerSource", "appid", "privateKey", "text", "task", "user", "elb"]).prop_map(str::to_owned),
        1 => "\\PC{0,6}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        Just(json!("{\"text\":\"a\"}")),
        Just(json!("answer")),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            4 => prop::collection::btree_map(name.clone(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

pub fn cases(count: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(count)
    }
}

#[test]
fn any_event_gets_an_envelope_with_a_code() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let bench = runtime.block_on(Bench::new());
    let answered = |event: &str| {
        let answer = runtime.block_on(bench.answer(event));
        let envelope = if answer.get("statusCode").is_some() {
            open_http(&answer).2
        } else {
            answer
        };
        let code = &envelope["code"];
        if *code == json!(0) {
            envelope["msg"] == json!("ok")
        } else {
            (code.is_string() || *code == json!(-1)) && envelope["error"].is_string()
        }
    };
    proptest!(cases(1024), |(event in any_json())| {
        prop_assert!(answered(&event.to_string()));
    });
    proptest!(cases(256), |(text in "\\PC*")| {
        prop_assert!(answered(&text));
    });
    // By its door, whatever else the event holds.
    proptest!(cases(512), |(event in any_json(), body in any_json(), agent in any_json())| {
        let mut http = http_event("");
        if let Value::Object(members) = event {
            http.as_object_mut().unwrap().extend(
                members.into_iter().filter(|(name, _)| !matches!(name.as_str(), "requestContext" | "Records" | "detail-type" | "triggerSource")),
            );
        }
        http["body"] = body;
        http["requestContext"]["http"]["userAgent"] = agent;
        let answer = runtime.block_on(bench.answer(&http.to_string()));
        open_http(&answer);
    });
}
