//! Mini codes that end.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::AppOptions;

use crate::caller::{Fixture, text, verdict};

const TEMPORARY_CREATE: &str = "alipay.open.app.qrcode.temporary.create";

fn wanted() -> Value {
    json!({"url_param":"pages/index/index","query_param":"scene=a","timeout":600})
}

async fn create(fixture: &Fixture, wanted: &Value) -> Value {
    fixture
        .call(TEMPORARY_CREATE, &[("biz_content", &wanted.to_string())])
        .await
}

async fn status(fixture: &Fixture, url: &str) -> u16 {
    let response = fixture.http.get(url).send().await.unwrap();
    response.status().as_u16()
}

#[tokio::test]
async fn the_picture_is_there_until_the_code_ends() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let node = create(&fixture, &wanted()).await;
    assert_eq!(
        text(&node, "qr_code"),
        format!(
            "alipays://platformapi/startapp?appId={}&page=pages%2Findex%2Findex&query=scene%3Da",
            fixture.app.app_id
        )
    );
    let picture = text(&node, "qr_code_url");
    assert_eq!(status(&fixture, picture).await, 200);
    fixture.simulator.advance_clock(Duration::from_secs(590));
    assert_eq!(status(&fixture, picture).await, 200);
    fixture.simulator.advance_clock(Duration::from_secs(10));
    assert_eq!(status(&fixture, picture).await, 404);
}

#[tokio::test]
async fn each_wrong_member_of_a_temporary_code_is_refused() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let rows = [
        ("url_param", Value::Null, "INVALID_PARAMETER"),
        ("url_param", json!("/pages/index"), "INVALID_PARAMETER"),
        ("query_param", Value::Null, "INVALID_PARAMETER"),
        ("query_param", json!("字".repeat(257)), "INVALID_PARAMETER"),
        ("timeout", Value::Null, "INVALID_PARAMETER"),
        ("timeout", json!(0), "INVALID_PARAMETER"),
        ("timeout", json!(86_400), "10000"),
        ("timeout", json!(86_401), "INVALID_PARAMETER"),
        ("timeout", json!("600"), "INVALID_PARAMETER"),
        ("color", json!("red"), "HM_BG_COLOR_INVALID"),
        ("qrcode_type", json!(1), "INVALID_PARAMETER"),
        ("qrcode_type", json!("any"), "10000"),
    ];
    for (name, value, expected) in rows {
        let mut wanted = wanted();
        if value.is_null() {
            wanted.as_object_mut().unwrap().remove(name);
        } else {
            wanted[name] = value.clone();
        }
        let node = create(&fixture, &wanted).await;
        assert_eq!(verdict(&node), expected, "{name} = {value}");
    }
}
