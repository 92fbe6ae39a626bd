//! Content checks.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{AppOptions, Simulator};

use crate::caller::{Fixture, text, verdict};

const DETECT: &str = "alipay.security.risk.content.detect";
const SYNC_DETECT: &str = "alipay.security.risk.content.sync.detect";
const ANALYZE: &str = "alipay.security.risk.content.analyze";
const RESULT_GET: &str = "alipay.security.risk.content.result.get";

async fn call(fixture: &Fixture, method: &str, biz_content: &Value) -> Value {
    fixture
        .call(method, &[("biz_content", &biz_content.to_string())])
        .await
}

fn forbid_and_doubt(simulator: &Simulator) {
    simulator.forbid("禁语");
    simulator.forbid("https://pictures.example/bad.png");
    simulator.doubt("疑语");
}

fn sync_text(content: &str) -> Value {
    json!({
        "channel": "tinyapp-eco-open",
        "content_type": "TEXT",
        "data_list": [content],
        "products": "TJ_POLITICS_MC;TJ_ABUSES_MC",
        "request_id": "request-1",
    })
}

fn analyzed_text(content: &str) -> Value {
    json!({
        "app_name": "shop",
        "app_scene": "review",
        "app_scene_data_id": "review-1",
        "account_id": "2088000000000001",
        "account_type": "0",
        "publish_date": "2026-11-22 10:00:00",
        "text": content,
    })
}

/// Alters one member; null takes it away.
fn with(mut biz_content: Value, name: &str, value: &Value) -> Value {
    if value.is_null() {
        biz_content.as_object_mut().unwrap().remove(name);
    } else {
        biz_content[name] = value.clone();
    }
    biz_content
}

#[tokio::test]
async fn a_text_with_a_forbidden_word_is_rejected_with_the_word() {
    let fixture = Fixture::new(AppOptions::default()).await;
    forbid_and_doubt(&fixture.simulator);
    let node = call(&fixture, DETECT, &json!({"content":"说禁语了"})).await;
    assert_eq!(text(&node, "action"), "REJECTED");
    assert_eq!(node["keywords"], json!(["[ \"禁语\" ]"]));
    let two = json!({"content":"simulator-reject 禁语"});
    assert_eq!(
        call(&fixture, DETECT, &two).await["keywords"],
        json!(["[ \"simulator-reject\"", " \"禁语\" ]"]),
        "cut at the comma, as in Alipay's sample"
    );
    for content in ["晴天", "疑语"] {
        let node = call(&fixture, DETECT, &json!({ "content": content })).await;
        assert_eq!(text(&node, "action"), "PASSED", "{content}");
        assert_eq!(text(&node, "unique_id").len(), 30);
        assert_eq!(node.get("keywords"), None);
    }
    for content in [json!({}), json!({"content":" "}), json!({"content":1})] {
        let node = call(&fixture, DETECT, &content).await;
        assert_eq!(verdict(&node), "INVALID_PARAMETER", "{content}");
    }
}

#[tokio::test]
async fn one_content_at_a_time_is_passed_blocked_or_left_to_a_human() {
    let fixture = Fixture::new(AppOptions::default()).await;
    forbid_and_doubt(&fixture.simulator);
    for (content, expected) in [
        ("晴天", "pass"),
        ("疑语", "review"),
        ("simulator-review", "review"),
        ("禁语", "block"),
        ("疑语和禁语", "block"),
        ("simulator-reject", "block"),
    ] {
        let node = call(&fixture, SYNC_DETECT, &sync_text(content)).await;
        assert_eq!(text(&node, "suggestion"), expected, "{content}");
        assert_eq!(text(&node, "request_id"), "request-1");
        assert_eq!(
            node.get("detect_check_labels").is_some(),
            expected != "pass"
        );
    }
    for (address, expected) in [
        ("https://pictures.example/good.png", "pass"),
        ("https://pictures.example/bad.png?size=2", "block"),
    ] {
        let picture = with(sync_text(address), "content_type", &json!("PICTURE"));
        let node = call(&fixture, SYNC_DETECT, &picture).await;
        assert_eq!(text(&node, "suggestion"), expected, "{address}");
    }
}

#[tokio::test]
async fn each_wrong_member_of_a_check_is_refused() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let picture = |address: &str| with(sync_text(address), "content_type", &json!("PICTURE"));
    let address = "https://pictures.example/good.png";
    let analyzed = || analyzed_text("晴天");
    let (null, cloud, oss) = (
        Value::Null,
        json!("miniappcloud"),
        json!("miniappcloud-oss"),
    );
    let rows = [
        (
            SYNC_DETECT,
            sync_text("a"),
            "channel",
            json!("weixin"),
            false,
        ),
        (SYNC_DETECT, sync_text("a"), "channel", cloud.clone(), true),
        (SYNC_DETECT, sync_text("a"), "channel", oss.clone(), false),
        (SYNC_DETECT, picture(address), "channel", oss, true),
        (SYNC_DETECT, picture(address), "channel", cloud, false),
        (
            SYNC_DETECT,
            sync_text("a"),
            "content_type",
            json!("IMAGE"),
            false,
        ),
        (
            SYNC_DETECT,
            sync_text("a"),
            "data_list",
            null.clone(),
            false,
        ),
        (SYNC_DETECT, sync_text("a"), "data_list", json!([]), false),
        (
            SYNC_DETECT,
            sync_text("a"),
            "data_list",
            json!(["a", "b"]),
            false,
        ),
        (SYNC_DETECT, sync_text("a"), "data_list", json!("a"), false),
        (SYNC_DETECT, picture("a.png"), "tenants", json!("t"), false),
        (SYNC_DETECT, picture(address), "tenants", json!("t"), true),
        (SYNC_DETECT, sync_text("a"), "products", null.clone(), false),
        (
            SYNC_DETECT,
            sync_text("a"),
            "products",
            json!("TJ_PORN_MC,TJ_ILLEGAL_MC"),
            false,
        ),
        (
            SYNC_DETECT,
            sync_text("a"),
            "request_id",
            null.clone(),
            false,
        ),
        (SYNC_DETECT, sync_text("a"), "open_id", json!("0abc"), true),
        (
            SYNC_DETECT,
            with(sync_text("a"), "user_id", &json!("2088")),
            "open_id",
            json!("0abc"),
            false,
        ),
        (ANALYZE, analyzed(), "app_name", null.clone(), false),
        (ANALYZE, analyzed(), "app_scene", null.clone(), false),
        (
            ANALYZE,
            analyzed(),
            "app_scene_data_id",
            null.clone(),
            false,
        ),
        (ANALYZE, analyzed(), "account_type", json!("2"), false),
        (ANALYZE, analyzed(), "account_id", null.clone(), false),
        (
            ANALYZE,
            analyzed(),
            "publish_date",
            json!("2026-11-22T10:00:00Z"),
            false,
        ),
        (ANALYZE, analyzed(), "text", null, false),
        (ANALYZE, analyzed(), "picture_urls", json!(address), false),
        (
            ANALYZE,
            analyzed(),
            "picture_urls",
            json!(["ftp://a/b"]),
            false,
        ),
        (ANALYZE, analyzed(), "link_urls", json!([address]), true),
    ];
    for (method, biz_content, name, value, taken) in rows {
        let node = call(&fixture, method, &with(biz_content, name, &value)).await;
        let expected = if taken { "10000" } else { "INVALID_PARAMETER" };
        assert_eq!(verdict(&node), expected, "{method} {name} = {value}");
    }
}

#[tokio::test]
async fn a_text_alone_is_analysed_at_once() {
    let fixture = Fixture::new(AppOptions::default()).await;
    forbid_and_doubt(&fixture.simulator);
    for (content, expected) in [
        ("晴天", "PASSED"),
        ("疑语", "WARNING"),
        ("禁语", "REJECTED"),
    ] {
        let node = call(&fixture, ANALYZE, &analyzed_text(content)).await;
        assert_eq!(
            (text(&node, "need_query"), text(&node, "result_action")),
            ("no_need", expected)
        );
        let hit = node.pointer("/hit_detect_items/0/hit_content");
        assert_eq!(hit.is_some(), expected != "PASSED");
    }
}

#[tokio::test]
async fn a_picture_has_no_result_before_a_minute_has_passed() {
    let mut fixture = Fixture::new(AppOptions::default()).await;
    forbid_and_doubt(&fixture.simulator);
    let pictures = json!(["https://pictures.example/bad.png"]);
    let content = with(analyzed_text("晴天"), "picture_urls", &pictures);
    let node = call(&fixture, ANALYZE, &content).await;
    assert_eq!(text(&node, "need_query"), "need");
    assert_eq!(node.get("result_action"), None);
    let asked = json!({
        "app_scene": "review",
        "app_scene_data_id": text(&node, "app_scene_data_id"),
        "event_id": text(&node, "event_id"),
    });
    fixture.simulator.advance_clock(Duration::from_secs(45));
    let pending = call(&fixture, RESULT_GET, &asked).await;
    assert_eq!(
        (verdict(&pending), pending.get("result_action")),
        ("10000", None)
    );
    fixture.simulator.advance_clock(Duration::from_secs(15));
    let judged = call(&fixture, RESULT_GET, &asked).await;
    assert_eq!(text(&judged, "result_action"), "REJECTED");

    for (name, value) in [
        ("app_scene", Value::Null),
        ("app_scene", json!("other")),
        ("event_id", json!("other")),
        ("app_scene_data_id", json!("other")),
    ] {
        let node = call(&fixture, RESULT_GET, &with(asked.clone(), name, &value)).await;
        assert_eq!(verdict(&node), "INVALID_PARAMETER", "{name} = {value}");
    }
    fixture.app = fixture.simulator.add_app(AppOptions::default());
    let node = call(&fixture, RESULT_GET, &asked).await;
    assert_eq!(verdict(&node), "INVALID_PARAMETER", "another app's content");
}
