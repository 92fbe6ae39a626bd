//! `urlscheme.generate` and `urllink.generate`.

use serde_json::{Value, json};
use tests::Stack;

async fn links(stack: &Stack, arguments: Value) -> Value {
    stack.invoke("launch-link", &arguments).await
}

#[tokio::test]
async fn one_answer_has_both_links() {
    let stack = Stack::start().await;
    let arguments = json!({"path": "pages/index/index?id=7", "query": "a=1&b=推 广"});
    let app_id = &stack.app().app_id;
    assert_eq!(
        links(&stack, arguments).await,
        json!({
            "code": 0, "msg": "ok",
            "openlink": format!(
                "alipays://platformapi/startapp?appId={app_id}&page=pages/index/index?id%3D7&query=a%3D1%26b%3D%E6%8E%A8%20%E5%B9%BF"
            ),
            "url_link": format!(
                "https://ds.alipay.com/?scheme=alipays%3A%2F%2Fplatformapi%2Fstartapp%3FappId%3D{app_id}%26page%3Dpages%2Findex%2Findex%3Fid%253D7%26query%3Da%253D1%2526b%253D%25E6%258E%25A8%2520%25E5%25B9%25BF"
            ),
        })
    );
}

#[tokio::test]
async fn without_a_path_it_is_the_apps_home_page() {
    let stack = Stack::start().await;
    let answer = links(&stack, json!({"jump_wxa": {"query": "a=1"}})).await;
    let openlink = answer["openlink"].as_str().unwrap();
    assert!(
        openlink.ends_with("&page=pages/index/index&query=a%3D1"),
        "{answer}"
    );
}

#[tokio::test]
async fn each_wrong_argument_is_named() {
    let stack = Stack::start().await;
    for (arguments, field) in [
        (json!({"path": "javascript:alert(1)"}), "path: "),
        (json!({"path": "/pages/index/index"}), "path: "),
        (json!({"path": "pages/../../etc"}), "path: "),
        (json!({"path": "pages/index\u{0}"}), "path: "),
        (json!({"path": "p".repeat(257)}), "path: "),
        (json!({"path": 7}), "path: "),
        (json!({"query": "?a=1"}), "query: "),
        (json!({"query": "a=1\r\nb=2"}), "query: "),
        (json!({"query": {"a": "1"}}), "query: "),
        (
            json!({"query": format!("a={}", "x".repeat(1023))}),
            "query: ",
        ),
        (
            json!({"jump_wxa": {"path": "https://example.com"}}),
            "jump_wxa.path: ",
        ),
        (json!({"jump_wxa": "pages/index/index"}), "jump_wxa: "),
        (
            json!({"path": "a", "jump_wxa": {"path": "b"}}),
            "jump_wxa: ",
        ),
        (json!({"path": "a", "is_expire": true}), "is_expire: "),
        (
            json!({"path": "a", "env_version": "trial"}),
            "env_version: ",
        ),
    ] {
        let answer = links(&stack, arguments.clone()).await;
        assert_eq!(answer["error"], "invalid_argument", "{arguments}: {answer}");
        let msg = answer["msg"].as_str().unwrap();
        assert!(msg.starts_with(field), "{arguments}: {msg}");
    }
}

#[tokio::test]
async fn neither_alipay_nor_the_table_is_asked() {
    let stack = Stack::start().await;
    links(&stack, json!({"path": "pages/index/index"})).await;
    assert_eq!(stack.simulator().received().len(), 0);
    assert_eq!(stack.rows("").await, 0);
}
