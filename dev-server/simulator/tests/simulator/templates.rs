//! Template messages.

use serde_json::{Value, json};
use simulator::{AppOptions, Identifiers, SimulatedUser, Template};

use crate::caller::{Fixture, MESSAGE_SEND, verdict};

const USER: &str = SimulatedUser::DEFAULT_USER_ID;

fn message() -> Value {
    json!({
        "to_user_id": USER,
        "user_template_id": "template-1",
        "page": "pages/index/index?from=message",
        "data": r#"{"keyword1":{"value":"你好"},"keyword2":{"value":"12:00"}}"#,
    })
}

async fn send(fixture: &Fixture, message: &Value) -> String {
    let node = fixture
        .call(MESSAGE_SEND, &[("biz_content", &message.to_string())])
        .await;
    verdict(&node).to_owned()
}

#[tokio::test]
async fn a_message_that_was_sent_can_be_read_back() {
    let fixture = Fixture::new(AppOptions::default()).await;
    assert_eq!(send(&fixture, &message()).await, "10000");
    let sent = fixture.simulator.messages();
    assert_eq!(sent.len(), 1);
    assert_eq!(
        (sent[0].user_id.as_str(), sent[0].template_id.as_str()),
        (USER, "template-1")
    );
    assert_eq!(sent[0].keywords["keyword1"], "你好");
}

/// Each row: a member, its value (null takes it away), and the sub_code.
#[tokio::test]
async fn each_wrong_member_has_alipays_sub_code() {
    let templates = Some(vec![Template {
        id: "template-1".to_owned(),
        keywords: 2,
    }]);
    let fixture = Fixture::new(AppOptions {
        templates,
        ..AppOptions::default()
    })
    .await;
    let long = |length: usize| "字".repeat(length);
    let one_value =
        |value: &str| json!({"keyword1":{"value":value},"keyword2":{"value":""}}).to_string();
    let rows = [
        ("to_user_id", Value::Null, "USER_ID_INVALID"),
        ("to_user_id", json!("2088"), "USER_ID_INVALID"),
        ("to_user_id", json!("2088999999999999"), "USER_ID_INVALID"),
        ("to_open_id", json!("0abc"), "ILLEGAL_ARGUMENT_PARAMS"),
        ("user_template_id", Value::Null, "USER_TEMPLATE_ILLEGAL"),
        (
            "user_template_id",
            json!("template-2"),
            "USER_TEMPLATE_ILLEGAL",
        ),
        ("page", Value::Null, "ILLEGAL_ARGUMENT_PARAMS"),
        ("page", json!(long(128)), "10000"),
        ("page", json!(long(129)), "PAGE_OVER_LIMIT"),
        ("form_id", json!(long(65)), "FORM_ID_INVALID"),
        ("data", Value::Null, "DATA_IS_EMPTY"),
        ("data", json!(""), "DATA_IS_EMPTY"),
        ("data", json!("{}"), "DATA_IS_EMPTY"),
        (
            "data",
            json!({"keyword1":{"value":"a"}}),
            "DATA_CONTENT_FORMAT_ERROR",
        ),
        ("data", json!("not json"), "DATA_CONTENT_FORMAT_ERROR"),
        (
            "data",
            json!(r#"{"keyword1":"a"}"#),
            "DATA_CONTENT_FORMAT_ERROR",
        ),
        (
            "data",
            json!(r#"{"keyword0":{"value":"a"}}"#),
            "DATA_CONTENT_FORMAT_ERROR",
        ),
        (
            "data",
            json!(r#"{"other":{"value":"a"}}"#),
            "DATA_CONTENT_FORMAT_ERROR",
        ),
        (
            "data",
            json!(r#"{"keyword1":{"value":"a"}}"#),
            "USER_TEMPLATE_LACK_KEYWORD",
        ),
        ("data", json!(one_value(&long(50))), "10000"),
        (
            "data",
            json!(one_value(&long(51))),
            "USER_KEYWORD_LENGTH_ERROR",
        ),
        ("data", json!(long(2049)), "DATA_CONTENT_FORMAT_ERROR"),
    ];
    for (name, value, expected) in rows {
        let mut message = message();
        if value.is_null() {
            message.as_object_mut().unwrap().remove(name);
        } else {
            message[name] = value.clone();
        }
        assert_eq!(send(&fixture, &message).await, expected, "{name} = {value}");
    }
    assert_eq!(
        verdict(&fixture.call(MESSAGE_SEND, &[("biz_content", "[]")]).await),
        "BIZ_CONTENT_FORMAT_ERROR"
    );
    assert_eq!(fixture.simulator.messages().len(), 2);
}

#[tokio::test]
async fn an_app_addresses_users_by_the_identifier_it_has() {
    for (identifiers, by_user_id, by_open_id) in [
        (Identifiers::UserIdOnly, "10000", "USER_ID_INVALID"),
        (Identifiers::OpenIdOnly, "USER_ID_INVALID", "10000"),
        (Identifiers::Both, "10000", "10000"),
    ] {
        let fixture = Fixture::new(AppOptions {
            identifiers,
            ..AppOptions::default()
        })
        .await;
        assert_eq!(send(&fixture, &message()).await, by_user_id);
        let mut to_open_id = message();
        to_open_id.as_object_mut().unwrap().remove("to_user_id");
        to_open_id["to_open_id"] = fixture.simulator.open_id(&fixture.app.app_id, USER).into();
        assert_eq!(send(&fixture, &to_open_id).await, by_open_id);
        to_open_id["to_open_id"] = fixture.simulator.open_id("2021999999999999", USER).into();
        assert_eq!(
            send(&fixture, &to_open_id).await,
            "USER_ID_INVALID",
            "the open_id of another app"
        );
    }
}

#[tokio::test]
async fn an_open_id_reaches_the_user_it_stands_for() {
    let fixture = Fixture::new(AppOptions::default()).await;
    for user_id in ["2088000000000002", USER, "2088000000000003"] {
        fixture.simulator.add_user(SimulatedUser::with_id(user_id));
        let mut message = message();
        message.as_object_mut().unwrap().remove("to_user_id");
        message["to_open_id"] = fixture
            .simulator
            .open_id(&fixture.app.app_id, user_id)
            .into();
        assert_eq!(send(&fixture, &message).await, "10000");
        assert_eq!(
            fixture.simulator.messages().last().unwrap().user_id,
            user_id
        );
    }
}

#[tokio::test]
async fn a_user_who_unsubscribed_gets_nothing() {
    let fixture = Fixture::new(AppOptions::default()).await;
    fixture.simulator.unsubscribe(&fixture.app.app_id, USER);
    assert_eq!(send(&fixture, &message()).await, "MSG_UNSUBSCRIBED");
    assert!(fixture.simulator.messages().is_empty());
}
