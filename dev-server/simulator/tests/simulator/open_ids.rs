//! The open ids of users who are known by their user ids, with and without a conversion order.

use serde_json::{Value, json};
use simulator::{AppOptions, Identifiers};

use crate::caller::{Fixture, OAUTH_TOKEN, text, verdict};

const OF_USERS: &str = "alipay.open.app.openid.uidtoopenid.batchquery";
const OF_ORDER: &str = "alipay.open.app.openid.batchquery";
const ANNE: &str = "2088000000000011";
const BERT: &str = "2088000000000012";
const NOBODY: &str = "2088999999999999";

async fn fixture(identifiers: Identifiers) -> Fixture {
    Fixture::new(AppOptions {
        identifiers,
        ..AppOptions::default()
    })
    .await
}

async fn call(fixture: &Fixture, method: &str, biz_content: &Value) -> Value {
    fixture
        .call(method, &[("biz_content", &biz_content.to_string())])
        .await
}

/// The open id that a login of the user answers.
async fn at_login(fixture: &Fixture, user: &str) -> String {
    let options = simulator::CodeOptions {
        user: user.to_owned(),
        ..simulator::CodeOptions::default()
    };
    let code = fixture.simulator.issue_code(&fixture.app.app_id, options);
    let parameters = [("grant_type", "authorization_code"), ("code", &*code)];
    let node = fixture.call(OAUTH_TOKEN, &parameters).await;
    text(&node, "open_id").to_owned()
}

#[tokio::test]
async fn a_user_has_the_open_id_of_their_logins_and_who_is_unknown_is_left_out() {
    for identifiers in [Identifiers::Both, Identifiers::OpenIdOnly] {
        let fixture = fixture(identifiers).await;
        let expected = at_login(&fixture, ANNE).await;
        let node = call(&fixture, OF_USERS, &json!({"user_id_list": [NOBODY, ANNE]})).await;
        assert_eq!(verdict(&node), "10000");
        let [named] = &node["open_id_list"].as_array().unwrap()[..] else {
            panic!("{node}");
        };
        assert_eq!(
            (text(named, "user_id"), text(named, "open_id")),
            (ANNE, &*expected)
        );
        assert!(named["union_id"].is_string(), "{node}");
    }
}

#[tokio::test]
async fn an_order_answers_for_its_own_users_alone() {
    let fixture = fixture(Identifiers::OpenIdOnly).await;
    let simulator = &fixture.simulator;
    let expected = at_login(&fixture, ANNE).await;
    at_login(&fixture, BERT).await;
    let order_id = simulator.approve_conversion(&fixture.app.app_id, &[ANNE]);
    let asked = json!({"order_id": order_id, "user_id_list": [ANNE, BERT, "no user id"]});
    let node = call(&fixture, OF_ORDER, &asked).await;
    assert_eq!(verdict(&node), "10000");
    assert_eq!(node["open_id_list"].as_array().unwrap().len(), 1);
    assert_eq!(text(&node["open_id_list"][0], "open_id"), expected);
    assert_eq!(node["illegal_user_id_list"], json!([BERT, "no user id"]));

    let all_legal = json!({"order_id": order_id, "user_id_list": [ANNE]});
    let node = call(&fixture, OF_ORDER, &all_legal).await;
    assert!(node.get("illegal_user_id_list").is_none(), "{node}");

    let another = simulator.add_app(AppOptions::default());
    let of_another = simulator.approve_conversion(&another.app_id, &[ANNE]);
    for order_id in [json!(of_another), json!("unknown"), Value::Null] {
        let asked = json!({"order_id": order_id, "user_id_list": [ANNE]});
        let node = call(&fixture, OF_ORDER, &asked).await;
        assert_eq!(verdict(&node), "INVALID_PARAMETER", "{order_id}");
    }
}

#[tokio::test]
async fn what_is_no_list_of_up_to_100_users_is_refused() {
    let fixture = fixture(Identifiers::Both).await;
    for (list, expected) in [
        (json!([]), "INVALID_PARAMETER"),
        (json!(ANNE), "INVALID_PARAMETER"),
        (json!([7]), "INVALID_PARAMETER"),
        (json!(["no user id"]), "INVALID_PARAMETER"),
        (json!(vec![ANNE; 101]), "INVALID_PARAMETER"),
        (json!(vec![ANNE; 100]), "10000"),
    ] {
        let node = call(&fixture, OF_USERS, &json!({"user_id_list": list})).await;
        assert_eq!(verdict(&node), expected, "{list}");
    }
}

#[tokio::test]
async fn an_app_without_open_ids_is_told_none() {
    let fixture = fixture(Identifiers::UserIdOnly).await;
    for method in [OF_USERS, OF_ORDER] {
        let node = call(&fixture, method, &json!({"user_id_list": [ANNE]})).await;
        assert_eq!(verdict(&node), "OPENID_NOT_SUPPORTED", "{method}");
    }
}
