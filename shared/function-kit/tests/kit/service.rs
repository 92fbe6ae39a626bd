//! Both doors of a function, from the event to the envelope (contracts §1).

use serde_json::{Value, json};
use simulator::{Fault, FaultKind};

use crate::bench::{Bench, REQUEST_ID, TRADE_QUERY, http_event, open_http};
use crate::keys;

#[tokio::test]
async fn both_doors_give_the_same_envelope() {
    let bench = Bench::new().await;
    for (arguments, status) in [
        (json!({"task": "query", "text": "a"}), 422),
        (json!({"task": "unavailable"}), 503),
        (json!({"task": "fail_inside"}), 500),
        (json!({"task": "dance"}), 400),
        (json!({"text": "too long a text"}), 400),
        (json!({"appid": "2021999999999999"}), 404),
        (json!({"appid": 7}), 400),
    ] {
        let direct = bench.direct(&arguments).await;
        let (found, headers, body) = bench.http(&arguments).await;
        assert_eq!(found, status, "{body}");
        let without_trace = |mut envelope: Value| {
            envelope.as_object_mut().unwrap().remove("trace_id");
            envelope
        };
        assert_eq!(
            without_trace(direct),
            without_trace(body.clone()),
            "{arguments}"
        );
        assert_eq!(body["request_id"], REQUEST_ID);
        assert_ne!(body["code"], 0);
        assert_eq!(headers["cache-control"], "no-store");
    }
    let direct = bench.direct(&json!({"text": "a"})).await;
    let (status, _, body) = bench.http(&json!({"text": "a"})).await;
    assert_eq!(
        (status, &body["code"], &body["msg"]),
        (200, &json!(0), &json!("ok"))
    );
    assert_eq!(direct["echo"], body["echo"]);
}

#[tokio::test]
async fn the_appid_chooses_the_app_and_the_default_serves_where_none_is_named() {
    let bench = Bench::new().await;
    let first = json!(bench.first.app_id);
    for absent in [json!({}), json!({"appid": null}), json!({"appid": ""})] {
        assert_eq!(bench.direct(&absent).await["appid"], first, "{absent}");
    }
    let named = json!({"appid": bench.second.app_id, "task": "query"});
    bench.direct(&named).await;
    let received = bench.simulator.received();
    assert_eq!(
        received.last().unwrap().app_id.as_deref(),
        Some(bench.second.app_id.as_str())
    );

    let (status, _, body) = bench.http(&json!({"appid": "2021999999999999"})).await;
    assert_eq!((status, body["error"].as_str()), (404, Some("unknown_app")));
    assert!(!body.to_string().contains("2021999999999999"), "{body}");
}

#[tokio::test]
async fn a_callers_key_is_never_accepted_over_http() {
    for allowed in [false, true] {
        let bench = Bench::with_caller_keys(allowed).await;
        let arguments = json!({"privateKey": bench.first.private_key, "task": "query"});
        let (status, _, body) = bench.http(&arguments).await;
        assert_eq!((status, body["error"].as_str()), (403, Some("forbidden")));
        assert!(!body.to_string().contains(&bench.first.private_key[40..80]));
        assert_eq!(bench.simulator.received().len(), 0);
    }
}

#[tokio::test]
async fn a_callers_key_is_accepted_directly_only_where_it_is_switched_on() {
    let bench = Bench::new().await;
    let key = json!({"privateKey": bench.second.private_key, "task": "query"});
    assert_eq!(bench.direct(&key).await["error"], "forbidden");
    for absent in [json!(null), json!(""), json!(" \n")] {
        assert_eq!(
            bench.direct(&json!({"privateKey": absent})).await["code"],
            0
        );
    }

    let bench = Bench::with_caller_keys(true).await;
    // The second app's key signs for the first app: the gateway sees a wrong signature, so it is the caller's key that is used.
    let wrong = json!({"privateKey": bench.second.private_key, "task": "query"});
    assert_eq!(bench.direct(&wrong).await["code"], "isv.invalid-signature");
    let right = json!({"appid": bench.second.app_id, "privateKey": bench.second.private_key, "task": "query"});
    assert_eq!(
        bench.direct(&right).await["sub_code"],
        "ACQ.TRADE_NOT_EXIST"
    );

    let canary = "MIIcanarycanarycanary";
    let bad = bench.direct(&json!({"privateKey": canary})).await;
    assert_eq!(bad["error"], "invalid_argument");
    assert!(
        bad["msg"].as_str().unwrap().starts_with("privateKey: "),
        "{bad}"
    );
    assert!(!bad.to_string().contains("canary"), "{bad}");
    let public = bench
        .direct(&json!({"privateKey": keys::app().public_text()}))
        .await;
    assert!(
        public["msg"].as_str().unwrap().contains("public key"),
        "{public}"
    );
}

#[tokio::test]
async fn what_an_internal_error_says_is_its_request_id_alone() {
    let bench = Bench::new().await;
    let (status, _, body) = bench.http(&json!({"task": "fail_inside"})).await;
    assert_eq!(status, 500);
    assert_eq!(
        body,
        json!({
            "code": -1, "msg": "an internal error; the log has it under this request_id", "error": "internal",
            "request_id": REQUEST_ID, "retryable": false,
        })
    );
}

#[tokio::test]
async fn the_gateways_failures_have_their_slug_and_status() {
    let bench = Bench::new().await;
    // The call is not marked repeatable, so what may have been sent must not be sent again.
    for (kind, status, error, retryable) in [
        (FaultKind::NoSignature, 502, "gateway_unverified", false),
        (FaultKind::BadSignature, 502, "gateway_unverified", false),
        (FaultKind::ForeignKey, 502, "gateway_unverified", false),
        (
            FaultKind::Html { status: 502 },
            502,
            "gateway_unreachable",
            false,
        ),
        (
            FaultKind::ResetBeforeReading,
            502,
            "gateway_unreachable",
            false,
        ),
    ] {
        bench.simulator.clear_faults();
        bench.simulator.add_trade(simulator::Trade {
            app_id: bench.first.app_id.clone(),
            out_trade_no: "none".to_owned(),
            ..simulator::Trade::default()
        });
        bench.simulator.inject(Fault::always(kind.clone()));
        let (found, _, body) = bench.http(&json!({"task": "query"})).await;
        assert_eq!(
            (found, body["error"].as_str(), body["retryable"].as_bool()),
            (status, Some(error), Some(retryable)),
            "{kind:?}"
        );
        assert_eq!(body["code"], -1);
    }
}

#[tokio::test]
async fn what_a_signature_refusal_echoes_stays_inside() {
    let bench = Bench::with_caller_keys(true).await;
    let arguments =
        json!({"privateKey": bench.second.private_key, "task": "query", "code": "canarycode"});
    let body = bench.direct(&arguments).await;
    assert_eq!(body["sub_code"], "isv.invalid-signature");
    assert!(body.get("sub_msg").is_none(), "{body}");
    assert!(!body.to_string().contains("canarycode"), "{body}");
    assert_eq!(bench.simulator.received_count(TRADE_QUERY), 1);
}

#[tokio::test]
async fn a_busy_service_says_when_to_come_back() {
    let bench = Bench::new().await;
    let (status, headers, body) = bench.http(&json!({"task": "unavailable"})).await;
    assert_eq!((status, &headers["retry-after"]), (503, &json!("7")));
    assert_eq!(
        (&body["retryable"], &body["hint"]),
        (&json!(true), &json!("wait"))
    );
}

#[tokio::test]
async fn a_wrong_member_is_named_and_a_strange_one_ignored() {
    let bench = Bench::new().await;
    for (arguments, message) in [
        (
            json!({"text": "a\u{0}"}),
            "text: must not hold control characters",
        ),
        (json!({"text": ["canary"]}), "text: must be a string"),
        (
            json!({"task": "canary"}),
            "task: must be one of `answer`, `query`, `fail_inside`, `unavailable`, `reveal`",
        ),
        (
            json!({"user": "a b"}),
            "user: must be a userId or openId: 1 to 128 visible ASCII characters",
        ),
        (json!({"privateKey": 1}), "privateKey: must be a string"),
    ] {
        let body = bench.direct(&arguments).await;
        assert_eq!(
            (&body["error"], &body["msg"]),
            (&json!("invalid_argument"), &json!(message))
        );
    }
    let extras = json!({"uniIdToken": "x", "clientInfo": {"os": "ios"}, "text": "a", "version": "2.0", "body": "{}"});
    assert_eq!(bench.direct(&extras).await["echo"], "a");
}

#[tokio::test]
async fn callers_are_told_apart_by_what_api_gateway_saw_not_by_what_they_say() {
    let bench = Bench::new().await;
    let fingerprint = |event: Value| {
        let bench = &bench;
        async move { open_http(&bench.answer(&event.to_string()).await).2["caller"].clone() }
    };
    let usual = fingerprint(http_event("{}")).await;
    let mut said = http_event("{}");
    said["headers"]["x-forwarded-for"] = json!("198.51.100.9");
    said["headers"]["user-agent"] = json!("other");
    assert_eq!(fingerprint(said).await, usual);
    let mut elsewhere = http_event("{}");
    elsewhere["requestContext"]["http"]["sourceIp"] = json!("198.51.100.9");
    assert_ne!(fingerprint(elsewhere).await, usual);
}
