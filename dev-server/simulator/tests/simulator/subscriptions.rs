//! Subscriptions to templates, and messages to all who have one.

use serde_json::{Value, json};
use simulator::{AppOptions, Identifiers, Subscription, SubscriptionKind, Template};

use crate::caller::{Fixture, MESSAGE_SEND, text, verdict};

const BATCH_SEND: &str = "alipay.open.app.mini.templatemessage.batchsend";
const SUBSCRIBE_QUERY: &str = "alipay.open.app.messagetemplate.subscribe.query";
const ANNE: &str = "2088000000000011";
const BERT: &str = "2088000000000012";
const DATA: &str = r#"{"keyword1":{"value":"你好"}}"#;

async fn call(fixture: &Fixture, method: &str, biz_content: &Value) -> Value {
    fixture
        .call(method, &[("biz_content", &biz_content.to_string())])
        .await
}

fn subscribe(fixture: &Fixture, user_id: &str, kind: SubscriptionKind) {
    let subscription = Subscription { kind, kept: false };
    let app_id = &fixture.app.app_id;
    fixture
        .simulator
        .subscribe(app_id, user_id, "t", subscription);
}

async fn state(fixture: &Fixture, user_id: &str) -> String {
    let asked = json!({"user_id":user_id,"template_id_list":["t"]});
    let node = call(fixture, SUBSCRIBE_QUERY, &asked).await;
    text(&node["subscribe_relations"][0], "subscribe_state").to_owned()
}

#[tokio::test]
async fn a_batch_goes_to_the_subscribers_of_its_template() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let app_id = fixture.app.app_id.clone();
    subscribe(&fixture, ANNE, SubscriptionKind::LongTerm);
    subscribe(&fixture, BERT, SubscriptionKind::LongTerm);
    fixture
        .simulator
        .add_crowd("crowd-1", &[BERT, "2088000000000013"]);
    let batch = json!({"template_id":"t","page":"pages/index","data":DATA});
    let mut to_crowd = batch.clone();
    to_crowd["crowd_code"] = json!("crowd-1");

    let ids = [
        call(&fixture, BATCH_SEND, &batch).await,
        call(&fixture, BATCH_SEND, &to_crowd).await,
    ];
    fixture.simulator.unsubscribe(&app_id, ANNE);
    call(&fixture, BATCH_SEND, &batch).await;

    let sent = fixture.simulator.batches();
    assert_eq!(sent[0].batch_msg_id, text(&ids[0], "batch_msg_id"));
    assert_ne!(sent[0].batch_msg_id, sent[1].batch_msg_id);
    assert_eq!(sent[0].receivers, [ANNE, BERT]);
    assert_eq!(
        sent[1].receivers,
        [BERT],
        "those of the crowd who subscribed"
    );
    assert_eq!(
        sent[2].receivers,
        [BERT],
        "the other takes no more messages"
    );
    assert_eq!(sent[0].keywords["keyword1"], "你好");
}

#[tokio::test]
async fn each_wrong_member_of_a_batch_has_its_sub_code() {
    let templates = Some(vec![Template {
        id: "t".to_owned(),
        keywords: 1,
    }]);
    let fixture = Fixture::new(AppOptions {
        templates,
        ..AppOptions::default()
    })
    .await;
    let rows = [
        ("template_id", json!("other"), "USER_TEMPLATE_ILLEGAL"),
        ("page", Value::Null, "ILLEGAL_ARGUMENT_PARAMS"),
        ("page", json!("p".repeat(129)), "PAGE_OVER_LIMIT"),
        (
            "data",
            json!({"keyword1":{"value":"a"}}),
            "DATA_CONTENT_FORMAT_ERROR",
        ),
        (
            "data",
            json!(r#"{"keyword2":{"value":"a"}}"#),
            "USER_TEMPLATE_LACK_KEYWORD",
        ),
        ("crowd_code", json!("unknown"), "ILLEGAL_ARGUMENT_PARAMS"),
        (
            "schedule_send_time",
            json!("2020-01-01 00:00:00"),
            "ILLEGAL_ARGUMENT_PARAMS",
        ),
        (
            "schedule_send_time",
            json!("tomorrow"),
            "ILLEGAL_ARGUMENT_PARAMS",
        ),
        ("schedule_send_time", json!("2999-01-01 00:00:00"), "10000"),
    ];
    for (name, value, expected) in rows {
        let mut batch = json!({"template_id":"t","page":"pages/index","data":DATA});
        if value.is_null() {
            batch.as_object_mut().unwrap().remove(name);
        } else {
            batch[name] = value.clone();
        }
        let node = call(&fixture, BATCH_SEND, &batch).await;
        assert_eq!(verdict(&node), expected, "{name} = {value}");
    }
    assert_eq!(fixture.simulator.batches().len(), 1);
}

#[tokio::test]
async fn a_query_tells_each_templates_subscription() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let app_id = fixture.app.app_id.clone();
    subscribe(&fixture, ANNE, SubscriptionKind::OneTime);
    let kept = Subscription {
        kind: SubscriptionKind::LongTerm,
        kept: true,
    };
    fixture.simulator.subscribe(&app_id, ANNE, "kept", kept);
    let open_id = fixture.simulator.open_id(&app_id, ANNE);
    let asked = json!({"open_id":open_id,"template_id_list":["t","kept","none"]});
    let node = call(&fixture, SUBSCRIBE_QUERY, &asked).await;
    assert_eq!(node["show_component"], true);
    assert_eq!(
        node["subscribe_relations"],
        json!([
            {"template_id":"t","subscribe_state":"1","subscribe_type":"onetime","keep_state":"0","show":true},
            {"template_id":"kept","subscribe_state":"1","subscribe_type":"longterm","keep_state":"1","show":false},
            {"template_id":"none","subscribe_state":"0","subscribe_type":"longterm","keep_state":"0","show":true},
        ])
    );
    fixture.simulator.unsubscribe(&app_id, ANNE);
    assert_eq!(state(&fixture, ANNE).await, "0");
}

#[tokio::test]
async fn one_message_uses_up_a_subscription_for_one() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let message =
        |user_id: &str| json!({"to_user_id":user_id,"user_template_id":"t","page":"p","data":DATA});
    subscribe(&fixture, ANNE, SubscriptionKind::OneTime);
    assert_eq!(
        verdict(&call(&fixture, MESSAGE_SEND, &message(ANNE)).await),
        "10000"
    );
    assert_eq!(state(&fixture, ANNE).await, "0");

    subscribe(&fixture, ANNE, SubscriptionKind::OneTime);
    let batch = json!({"template_id":"t","page":"p","data":DATA});
    call(&fixture, BATCH_SEND, &batch).await;
    assert_eq!(state(&fixture, ANNE).await, "0", "by a batch as well");

    subscribe(&fixture, BERT, SubscriptionKind::LongTerm);
    assert_eq!(
        verdict(&call(&fixture, MESSAGE_SEND, &message(BERT)).await),
        "10000"
    );
    assert_eq!(state(&fixture, BERT).await, "1");
}

#[tokio::test]
async fn each_wrong_member_of_a_query_has_alipays_sub_code() {
    let templates = Some(vec![Template {
        id: "t".to_owned(),
        keywords: 0,
    }]);
    let fixture = Fixture::new(AppOptions {
        templates,
        ..AppOptions::default()
    })
    .await;
    subscribe(&fixture, ANNE, SubscriptionKind::LongTerm);
    let rows = [
        (json!({"user_id":ANNE,"template_id_list":["t"]}), "10000"),
        (
            json!({"user_id":"2088","template_id_list":["t"]}),
            "ILLEGAL_ARGUMENT_PARAMS",
        ),
        (
            json!({"open_id":"0abc","template_id_list":["t"]}),
            "OPENID_INVALID",
        ),
        (
            json!({"user_id":ANNE,"open_id":"0abc","template_id_list":["t"]}),
            "ILLEGAL_ARGUMENT_PARAMS",
        ),
        (json!({"template_id_list":["t"]}), "ILLEGAL_ARGUMENT_PARAMS"),
        (json!({"user_id":ANNE}), "ILLEGAL_ARGUMENT_PARAMS"),
        (
            json!({"user_id":ANNE,"template_id_list":[]}),
            "ILLEGAL_ARGUMENT_PARAMS",
        ),
        (
            json!({"user_id":ANNE,"template_id_list":"t"}),
            "ILLEGAL_ARGUMENT_PARAMS",
        ),
        (
            json!({"user_id":ANNE,"template_id_list":[1]}),
            "MSG_TEMPLATE_INVALID",
        ),
        (
            json!({"user_id":ANNE,"template_id_list":["other"]}),
            "MSG_TEMPLATE_NOT_EXIST",
        ),
        (
            json!({"user_id":ANNE,"template_id_list":["t","t","t","t"]}),
            "SUBSCRIBE_TEMPLATE_OVER_LIMIT",
        ),
    ];
    for (asked, expected) in rows {
        let node = call(&fixture, SUBSCRIBE_QUERY, &asked).await;
        assert_eq!(verdict(&node), expected, "{asked}");
    }
    assert_eq!(
        verdict(&fixture.call(SUBSCRIBE_QUERY, &[]).await),
        "BIZ_CONTENT_IS_NULL"
    );
}

#[tokio::test]
async fn a_query_takes_the_identifiers_that_the_app_works_with() {
    for (identifiers, by_user_id, by_open_id) in [
        (Identifiers::UserIdOnly, "10000", "OPENID_INVALID"),
        (Identifiers::OpenIdOnly, "ILLEGAL_ARGUMENT_PARAMS", "10000"),
    ] {
        let fixture = Fixture::new(AppOptions {
            identifiers,
            ..AppOptions::default()
        })
        .await;
        subscribe(&fixture, ANNE, SubscriptionKind::LongTerm);
        let open_id = fixture.simulator.open_id(&fixture.app.app_id, ANNE);
        for (asked, expected) in [
            (json!({"user_id":ANNE,"template_id_list":["t"]}), by_user_id),
            (
                json!({"open_id":open_id,"template_id_list":["t"]}),
                by_open_id,
            ),
        ] {
            let node = call(&fixture, SUBSCRIBE_QUERY, &asked).await;
            assert_eq!(verdict(&node), expected, "{asked}");
        }
    }
}
