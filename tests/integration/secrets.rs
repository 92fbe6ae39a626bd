//! What is stored is sealed, and what is answered holds no secret.

use serde_json::json;
use tests::Stack;

#[tokio::test]
async fn the_table_holds_no_token_and_no_code_in_the_clear() {
    let stack = Stack::start().await;
    let code = stack.code();
    let answer = stack
        .invoke("code2session", &json!({"code": code, "needKey": true}))
        .await;
    assert_eq!(answer["code"], 0, "{answer}");
    let scan = stack
        .server
        .table()
        .client()
        .scan()
        .table_name(dev_server::TOKEN_TABLE)
        .send()
        .await
        .unwrap();
    let mut stored = Vec::new();
    for item in scan.items() {
        for value in item.values() {
            if let Ok(text) = value.as_s() {
                stored.extend_from_slice(text.as_bytes());
            } else if let Ok(bytes) = value.as_b() {
                stored.extend_from_slice(bytes.as_ref());
            }
            stored.push(b'\n');
        }
    }
    assert!(!stored.is_empty());
    for secret in [
        answer["accessToken"].as_str().unwrap(),
        answer["refreshToken"].as_str().unwrap(),
        &code,
    ] {
        assert!(
            !stored
                .windows(secret.len())
                .any(|window| window == secret.as_bytes()),
            "{secret} is in the table"
        );
    }
}
