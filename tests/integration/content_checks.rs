//! `security.msgSecCheck` and `security.imgSecCheck`, with each of the checks that an app can have.

use std::time::Duration;

use dev_server::apps_document;
use serde_json::{Value, json};
use simulator::{Fault, FaultKind, Simulator};
use tests::Stack;

const DETECT: &str = "alipay.security.risk.content.detect";
const SYNC_DETECT: &str = "alipay.security.risk.content.sync.detect";
const RESULT_GET: &str = "alipay.security.risk.content.result.get";
const IMAGE: &str = "https://img.example.com/cat.png";

/// The functions serving an app of `stack`'s simulator whose `contentCheck` is this.
async fn with_content_check(stack: &Stack, content_check: Value) -> Stack {
    let document = apps_document(stack.simulator(), stack.app());
    let mut document: Value = serde_json::from_str(&document).unwrap();
    document["apps"][0]["contentCheck"] = content_check;
    Stack::with_document(&document.to_string()).await
}

fn analyze() -> Value {
    json!({"engine": "analyze", "appName": "forum", "appScene": "post"})
}

async fn check_text(stack: &Stack, arguments: Value) -> Value {
    stack.invoke("msg-sec-check", &arguments).await
}

async fn check_image(stack: &Stack, arguments: Value) -> Value {
    stack.invoke("img-sec-check", &arguments).await
}

/// What the gateway received as `biz_content` of the last call.
fn last_biz_content(simulator: &Simulator) -> Value {
    let received = simulator.received();
    serde_json::from_str(&received.last().unwrap().parameters["biz_content"]).unwrap()
}

#[tokio::test]
async fn a_text_passes_or_is_refused_in_vks_words_whatever_checks_it() {
    let stack = Stack::start().await;
    stack.simulator().forbid("禁语");
    for content_check in [json!({}), json!({"engine": "sync"}), analyze()] {
        let serving = with_content_check(&stack, content_check.clone()).await;
        let passed = check_text(&serving, json!({"content": "今天天气不错"})).await;
        assert_eq!(
            (&passed["code"], &passed["msg"], &passed["result"]),
            (&json!(0), &json!("ok"), &json!({"suggest": "pass"})),
            "{content_check}: {passed}"
        );
        assert!(passed["unique_id"].is_string(), "{passed}");
        let refused = check_text(&serving, json!({"content": "这是禁语。"})).await;
        assert_eq!(
            (
                &refused["code"],
                &refused["msg"],
                &refused["result"]["suggest"],
                &refused["taskIndex"]
            ),
            (
                &json!(87014),
                &json!("内容含有违法违规内容，请检查!"),
                &json!("risky"),
                &json!(0)
            ),
            "{content_check}: {refused}"
        );
        assert!(refused.get("error").is_none(), "{refused}");
    }
}

#[tokio::test]
async fn the_words_that_were_hit_are_cleaned_of_alipays_list_marks() {
    let stack = Stack::start().await;
    for word in ["禁一", "禁二"] {
        stack.simulator().forbid(word);
    }
    let serving = with_content_check(&stack, json!({})).await;
    let refused = check_text(&serving, json!({"content": "禁一和禁二"})).await;
    assert_eq!(
        refused["result"]["keywords"],
        json!(["禁一", "禁二"]),
        "{refused}"
    );
}

#[tokio::test]
async fn a_risky_image_is_an_answer_with_vks_code_and_words() {
    let stack = Stack::start().await;
    let serving = with_content_check(&stack, json!({"engine": "sync"})).await;
    let passed = check_image(&serving, json!({"image": IMAGE})).await;
    assert_eq!(
        (&passed["code"], &passed["result"]),
        (&json!(0), &json!({"suggest": "pass"})),
        "{passed}"
    );
    stack.simulator().forbid("cat.png");
    let refused = check_image(&serving, json!({"image": IMAGE})).await;
    assert_eq!(refused["code"], 87014, "{refused}");
    assert_eq!(
        refused["msg"], "图片内容含有违法违规内容，请检查!",
        "{refused}"
    );
    assert_eq!(refused["result"]["suggest"], "risky", "{refused}");
    assert!(refused.get("error").is_none() && refused.get("taskIndex").is_none());
}

#[tokio::test]
async fn a_doubt_is_a_review_and_never_a_pass() {
    let stack = Stack::start().await;
    stack.simulator().doubt("可疑");
    stack.simulator().doubt("cat.png");
    for content_check in [json!({"engine": "sync"}), analyze()] {
        let serving = with_content_check(&stack, content_check).await;
        let doubted = check_text(&serving, json!({"content": "可疑的话"})).await;
        assert_eq!(
            (
                &doubted["code"],
                &doubted["result"]["suggest"],
                &doubted["needReview"]
            ),
            (&json!(0), &json!("review"), &json!(true)),
            "{doubted}"
        );
        let doubted = check_image(&serving, json!({"image": IMAGE})).await;
        assert_eq!(doubted["result"]["suggest"], "review", "{doubted}");
    }
}

#[tokio::test]
async fn the_first_risky_text_of_several_is_named() {
    let stack = Stack::start().await;
    stack.simulator().forbid("禁语");
    let serving = with_content_check(&stack, json!({})).await;
    let tasks = |texts: &[&str]| {
        let tasks: Vec<_> = texts.iter().map(|text| json!({"content": text})).collect();
        json!({ "tasks": tasks })
    };
    let risky = check_text(&serving, tasks(&["一", "二", "禁语", "四", "禁语", "六"])).await;
    assert_eq!(
        (&risky["code"], &risky["taskIndex"]),
        (&json!(87014), &json!(2)),
        "{risky}"
    );
    stack.simulator().clear_received();
    let texts: Vec<String> = (0..20).map(|index| format!("第{index}条")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let passed = check_text(&serving, tasks(&texts)).await;
    assert_eq!(passed["result"], json!({"suggest": "pass"}), "{passed}");
    assert_eq!(stack.simulator().received_count(DETECT), 20);
}

#[tokio::test]
async fn one_text_that_could_not_be_checked_fails_them_all() {
    let stack = Stack::start().await;
    let serving = with_content_check(&stack, json!({})).await;
    let fault = FaultKind::Refusal {
        code: "40006".into(),
        sub_code: "isv.insufficient-isv-permissions".into(),
        sub_msg: "ISV权限不足".into(),
        signed: true,
        error_response: false,
    };
    stack
        .simulator()
        .inject(Fault::once(fault).for_method(DETECT));
    let tasks = json!({"tasks": [{"content": "一"}, {"content": "二"}, {"content": "三"}]});
    let failed = check_text(&serving, tasks).await;
    assert_eq!(failed["error"], "gateway_refused", "{failed}");
    assert_eq!(
        failed["code"], "isv.insufficient-isv-permissions",
        "{failed}"
    );
    assert!(failed["hint"].as_str().unwrap().contains("product"));
    assert!(failed.get("result").is_none(), "{failed}");
}

#[tokio::test]
async fn a_reply_that_could_not_be_verified_is_no_verdict() {
    let stack = Stack::start().await;
    let serving = with_content_check(&stack, json!({"engine": "sync"})).await;
    for fault in [FaultKind::BadSignature, FaultKind::NoSignature] {
        stack
            .simulator()
            .inject(Fault::once(fault).for_method(SYNC_DETECT));
        let failed = check_text(&serving, json!({"content": "今天天气不错"})).await;
        assert_eq!(failed["error"], "gateway_unverified", "{failed}");
        assert!(failed.get("result").is_none(), "{failed}");
    }
}

#[tokio::test]
async fn an_app_without_a_check_of_images_says_what_its_owner_has_to_set() {
    let stack = Stack::start().await;
    let serving = with_content_check(&stack, json!({})).await;
    stack.simulator().clear_received();
    let refused = check_image(&serving, json!({"image": IMAGE})).await;
    assert_eq!(refused["error"], "forbidden", "{refused}");
    let message = refused["msg"].as_str().unwrap();
    assert!(
        message.contains("contentCheck") && message.contains("sync"),
        "{message}"
    );
    assert_eq!(refused["retryable"], false);
    assert_eq!(stack.simulator().received().len(), 0);
}

#[tokio::test]
async fn image_data_is_refused_before_alipay_is_asked() {
    let stack = Stack::start().await;
    let serving = with_content_check(&stack, json!({"engine": "sync"})).await;
    stack.simulator().clear_received();
    for (base64, named) in [
        ("data:image/png;base64,iVBORw0KGgo=", "upload"),
        ("PHN2Zy8+", "PNG"),
        ("!", "base64"),
    ] {
        let refused = check_image(&serving, json!({ "base64": base64 })).await;
        assert_eq!(refused["error"], "invalid_argument", "{refused}");
        let message = refused["msg"].as_str().unwrap();
        assert!(
            message.starts_with("base64: ") && message.contains(named),
            "{message}"
        );
    }
    assert_eq!(stack.simulator().received().len(), 0);
}

#[tokio::test]
async fn an_image_that_is_judged_later_is_asked_about_again() {
    let stack = Stack::start().await;
    stack.simulator().forbid("dog.png");
    let serving = with_content_check(&stack, analyze()).await;
    let later = check_image(&serving, json!({"image": IMAGE, "dataId": "post-7"})).await;
    assert_eq!(
        (&later["result"]["suggest"], &later["app_scene_data_id"]),
        (&json!("review"), &json!("post-7")),
        "{later}"
    );
    let again = json!({"eventId": later["event_id"], "dataId": later["app_scene_data_id"]});
    let still = check_image(&serving, again.clone()).await;
    assert_eq!(
        (&still["needReview"], &still["event_id"]),
        (&json!(true), &later["event_id"]),
        "{still}"
    );
    let dog = json!({"image": "https://img.example.com/dog.png"});
    let dog = check_image(&serving, dog).await;
    assert_eq!(dog["result"]["suggest"], "review", "{dog}");

    // Alipay asks to wait 60 seconds.
    stack.simulator().advance_clock(Duration::from_secs(61));
    let passed = check_image(&serving, again).await;
    assert_eq!(passed["result"], json!({"suggest": "pass"}), "{passed}");
    assert!(passed.get("event_id").is_none(), "{passed}");
    // The answer's own names do as well.
    let refused = check_image(
        &serving,
        json!({"event_id": dog["event_id"], "app_scene_data_id": dog["app_scene_data_id"]}),
    )
    .await;
    assert_eq!(refused["code"], 87014, "{refused}");
    assert_eq!(stack.simulator().received_count(RESULT_GET), 3);
}

#[tokio::test]
async fn only_an_app_that_is_judged_later_asks_again() {
    let stack = Stack::start().await;
    let serving = with_content_check(&stack, json!({"engine": "sync"})).await;
    let refused = check_text(&serving, json!({"eventId": "e-1", "dataId": "d-1"})).await;
    assert_eq!(refused["error"], "invalid_argument", "{refused}");
    assert!(refused["msg"].as_str().unwrap().starts_with("eventId: "));
}

#[tokio::test]
async fn the_author_is_named_by_the_kind_of_their_id() {
    let stack = Stack::start().await;
    let serving = with_content_check(&stack, json!({"engine": "sync", "tenants": "t-1"})).await;
    let said = |openid: &str| json!({"content": "好", "openid": openid});
    check_text(&serving, said("2088000000000001")).await;
    let sent = last_biz_content(stack.simulator());
    assert_eq!(
        (&sent["user_id"], &sent["open_id"], &sent["tenants"]),
        (&json!("2088000000000001"), &Value::Null, &json!("t-1")),
        "{sent}"
    );
    check_text(&serving, said("0a1")).await;
    let sent = last_biz_content(stack.simulator());
    assert_eq!(
        (&sent["user_id"], &sent["open_id"]),
        (&Value::Null, &json!("0a1")),
        "{sent}"
    );

    let serving = with_content_check(&stack, analyze()).await;
    check_text(&serving, said("2088000000000001")).await;
    let sent = last_biz_content(stack.simulator());
    assert_eq!(
        (&sent["account_id"], &sent["account_type"]),
        (&json!("2088000000000001"), &json!("0")),
        "{sent}"
    );
}

#[tokio::test]
async fn every_check_has_a_number_of_its_own() {
    let stack = Stack::start().await;
    let serving = with_content_check(&stack, json!({"engine": "sync"})).await;
    stack.simulator().clear_received();
    let tasks = json!({"tasks": [{"content": "一"}, {"content": "二"}]});
    check_text(&serving, tasks.clone()).await;
    check_text(&serving, tasks).await;
    let mut numbers: Vec<String> = stack
        .simulator()
        .received()
        .iter()
        .map(|call| {
            let sent: Value = serde_json::from_str(&call.parameters["biz_content"]).unwrap();
            sent["request_id"].as_str().unwrap().to_owned()
        })
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 4);
}

#[tokio::test]
async fn a_signed_reply_without_a_clear_verdict_is_a_review() {
    let stack = Stack::start().await;
    let serving = with_content_check(&stack, json!({})).await;
    for members in [
        r#""action":"UNHEARD_OF""#,
        r#""action":"""#,
        r#""action":null"#,
        r#""action":["PASSED"]"#,
        r#""suggestion":"pass""#,
        r#""keywords":7"#,
    ] {
        let node = FaultKind::Node {
            json: format!(r#"{{"code":"10000","msg":"Success",{members}}}"#),
        };
        stack
            .simulator()
            .inject(Fault::once(node).for_method(DETECT));
        let answer = check_text(&serving, json!({"content": "好"})).await;
        assert_eq!(
            (&answer["result"]["suggest"], &answer["needReview"]),
            (&json!("review"), &json!(true)),
            "{members}: {answer}"
        );
    }
}
