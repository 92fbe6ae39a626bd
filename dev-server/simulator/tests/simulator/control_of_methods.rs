//! The control API's rooms for content checks, subscriptions and merchants.

use serde_json::json;
use simulator::{AppOptions, SimulatedUser};

use crate::caller::{Fixture, text, verdict};
use crate::control::{delete, get, post};

#[tokio::test]
async fn content_rules_are_added_and_taken_away_over_http() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let rules = json!({"forbid":["禁语"],"doubt":["疑语"]});
    assert_eq!(
        post(&fixture, "/_simulator/content-rules", rules).await.0,
        204
    );
    assert_eq!(
        get(&fixture, "/_simulator/content-rules").await,
        json!({"forbid":["simulator-reject","禁语"],"doubt":["simulator-review","疑语"]})
    );
    let typo = json!({"forbidden":["x"]});
    assert_eq!(
        post(&fixture, "/_simulator/content-rules", typo).await.0,
        422
    );
    assert_eq!(delete(&fixture, "/_simulator/content-rules").await, 204);
    let node = fixture
        .call(
            "alipay.security.risk.content.detect",
            &[("biz_content", r#"{"content":"禁语"}"#)],
        )
        .await;
    assert_eq!(text(&node, "action"), "PASSED");
}

#[tokio::test]
async fn subscriptions_and_crowds_are_made_over_http() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let app_id = fixture.app.app_id.as_str();
    let subscription = json!({"app_id":app_id,"template_id":"t","kind":"one_time"});
    assert_eq!(
        post(&fixture, "/_simulator/subscriptions", subscription)
            .await
            .0,
        204
    );
    for wrong in [
        json!({"app_id":"none","template_id":"t"}),
        json!({"app_id":app_id,"template_id":"t","user_id":"1"}),
    ] {
        assert_eq!(
            post(&fixture, "/_simulator/subscriptions", wrong).await.0,
            400
        );
    }
    let crowd = json!({"crowd_code":"c","user_ids":[SimulatedUser::DEFAULT_USER_ID]});
    assert_eq!(post(&fixture, "/_simulator/crowds", crowd).await.0, 204);
    let batch = r#"{"template_id":"t","page":"p","crowd_code":"c","data":"{\"keyword1\":{\"value\":\"v\"}}"}"#;
    let sent = fixture
        .call(
            "alipay.open.app.mini.templatemessage.batchsend",
            &[("biz_content", batch)],
        )
        .await;
    let batches = get(&fixture, "/_simulator/batches").await;
    assert_eq!(batches[0]["batch_msg_id"], sent["batch_msg_id"]);
    assert_eq!(
        batches[0]["receivers"],
        json!([SimulatedUser::DEFAULT_USER_ID])
    );
}

#[tokio::test]
async fn merchants_authorise_and_cancel_over_http() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let app_id = fixture.app.app_id.as_str();
    let path = "/_simulator/merchant-authorizations";
    let wanted = json!({"app_id":app_id,"auth_app_ids":["2021000000000088"]});
    let (status, answer) = post(&fixture, path, wanted).await;
    assert_eq!(status, 201);
    let exchange = json!({"grant_type":"authorization_code","code":answer["app_auth_code"]});
    let tokens = fixture
        .call(
            "alipay.open.auth.token.app",
            &[("biz_content", &exchange.to_string())],
        )
        .await;
    assert_eq!(verdict(&tokens), "10000");
    for wrong in [
        json!({"app_id":"none","auth_app_ids":["2021000000000088"]}),
        json!({"app_id":app_id,"auth_app_ids":[]}),
    ] {
        assert_eq!(post(&fixture, path, wrong).await.0, 400);
    }
    let cancelled = json!({"app_id":app_id,"auth_app_id":"2021000000000088"});
    assert_eq!(
        post(&fixture, "/_simulator/merchant-cancellations", cancelled)
            .await
            .1["cancelled"],
        1
    );
}

#[tokio::test]
async fn conversion_orders_are_approved_over_http() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let app_id = fixture.app.app_id.as_str();
    let user_id = SimulatedUser::DEFAULT_USER_ID;
    for wrong in [
        json!({"app_id":"none","user_ids":[user_id]}),
        json!({"app_id":app_id,"user_ids":["1"]}),
    ] {
        let (status, _) = post(&fixture, "/_simulator/conversion-orders", wrong).await;
        assert_eq!(status, 400);
    }
    let order = json!({"app_id":app_id,"user_ids":[user_id]});
    let (status, approved) = post(&fixture, "/_simulator/conversion-orders", order).await;
    assert_eq!(status, 201);
    let asked = json!({"order_id":text(&approved, "order_id"),"user_id_list":[user_id]});
    let node = fixture
        .call(
            "alipay.open.app.openid.batchquery",
            &[("biz_content", &asked.to_string())],
        )
        .await;
    assert_eq!(verdict(&node), "10000");
    assert_eq!(text(&node["open_id_list"][0], "user_id"), user_id);
}
