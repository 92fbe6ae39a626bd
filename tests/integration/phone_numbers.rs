//! `decrypt.getPhoneNumber` and `decrypt.decryptData`.

use serde_json::{Value, json};
use simulator::{AlipayCertificate, AppOptions, PhoneNumberFailure, SimulatedUser};
use tests::Stack;

const USER: &str = SimulatedUser::DEFAULT_USER_ID;

fn handed_over(stack: &Stack) -> String {
    stack.simulator().phone_number(&stack.app().app_id, USER)
}

fn failing(stack: &Stack, failure: PhoneNumberFailure) -> String {
    stack
        .simulator()
        .phone_number_failure(&stack.app().app_id, failure)
}

fn parts(handed_over: &str) -> Value {
    serde_json::from_str(handed_over).unwrap()
}

async fn opened(stack: &Stack, arguments: &Value) -> Value {
    stack.invoke("decrypt", arguments).await
}

/// What the caller is told of an answer that is no success.
fn said(answer: &Value) -> String {
    assert_ne!(answer["code"], 0, "{answer}");
    format!("{} {}", answer["error"], answer["msg"])
}

#[tokio::test]
async fn what_the_page_got_is_opened_whole_or_in_parts() {
    let stack = Stack::start().await;
    let text = handed_over(&stack);
    let mobile = SimulatedUser::default().mobile;
    let expected = json!({
        "code": 0, "msg": "ok", "phone": mobile, "mobile": mobile,
        "data": {"code": "10000", "msg": "Success", "mobile": mobile},
    });
    let mut renamed = parts(&text);
    renamed["encryptedData"] = renamed["response"].take();
    renamed["iv"] = json!("ignored");
    for arguments in [
        json!({ "response": text }),
        json!({ "encryptedData": text, "sessionKey": "ignored", "code": "ignored" }),
        parts(&text),
        renamed,
    ] {
        assert_eq!(opened(&stack, &arguments).await, expected, "{arguments}");
    }
    assert_eq!(stack.rows("").await, 0);
    assert_eq!(stack.simulator().received().len(), 0);
}

#[tokio::test]
async fn other_data_comes_as_it_is_and_without_a_phone_number() {
    let stack = Stack::start().await;
    let text = stack.simulator().encrypted_data(
        &stack.app().app_id,
        r#"{"code":"10000","steps":[12345678901234567890,1.5],"mobile":""}"#,
    );
    let answer = opened(&stack, &json!({ "response": text })).await;
    assert_eq!(
        answer.to_string(),
        r#"{"code":0,"msg":"ok","data":{"code":"10000","steps":[12345678901234567890,1.5],"mobile":""}}"#,
    );
}

#[tokio::test]
async fn alipays_own_errors_are_passed_on_with_their_codes() {
    let stack = Stack::start().await;
    for (failure, code, gateway_code) in [
        (
            PhoneNumberFailure::RefusedByUser,
            "isv.invalid-auth-relations",
            "40003",
        ),
        (
            PhoneNumberFailure::EncryptedError,
            "isv.insufficient-isv-permissions",
            "40006",
        ),
        (PhoneNumberFailure::SignedError, "aop.unknow-error", "20000"),
    ] {
        let arguments = json!({ "response": failing(&stack, failure) });
        let answer = opened(&stack, &arguments).await;
        assert_eq!(
            (&answer["error"], &answer["code"], &answer["gateway_code"]),
            (
                &json!("gateway_refused"),
                &json!(code),
                &json!(gateway_code)
            ),
            "{answer}"
        );
        assert!(answer["hint"].is_string(), "{answer}");
        // The same text says the same again; the page has to ask anew.
        assert_eq!(answer["retryable"], false, "{answer}");
    }
}

#[tokio::test]
async fn what_is_changed_signed_by_nobody_or_made_for_another_app_has_one_answer() {
    let stack = Stack::start().await;
    let good = parts(&handed_over(&stack));
    let changed = |member: &str| {
        let mut parts = good.clone();
        let mut bytes = parts[member].as_str().unwrap().as_bytes().to_vec();
        bytes[20] = if bytes[20] == b'A' { b'B' } else { b'A' };
        parts[member] = String::from_utf8(bytes).unwrap().into();
        parts
    };
    let other = stack.simulator().add_app(AppOptions::default());
    let of_another_app = stack.simulator().phone_number(&other.app_id, USER);
    let mut answers = Vec::new();
    for arguments in [
        changed("response"),
        changed("sign"),
        json!({ "response": of_another_app }),
        json!({ "response": "!", "sign": good["sign"] }),
        json!({ "response": good["response"], "sign": "!" }),
    ] {
        let answer = opened(&stack, &arguments).await;
        assert_eq!(answer["error"], "invalid_argument", "{arguments}: {answer}");
        answers.push(said(&answer));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[tokio::test]
async fn without_signature_or_encryption_nothing_is_opened_and_the_mend_is_named() {
    let stack = Stack::start().await;
    let unsigned = failing(&stack, PhoneNumberFailure::Unsigned);
    let answer = opened(&stack, &json!({ "response": unsigned })).await;
    assert!(said(&answer).contains("sign: is missing"), "{answer}");
    assert!(said(&answer).contains("应用网关"), "{answer}");
    let plain = r#"{"code":"10000","msg":"Success","mobile":"12300000001"}"#;
    let answer = opened(&stack, &json!({ "response": plain })).await;
    assert!(
        said(&answer).contains("response: is not encrypted"),
        "{answer}"
    );
    let mut other_algorithm = parts(&handed_over(&stack));
    other_algorithm["sign_type"] = json!("RSA");
    let answer = opened(&stack, &other_algorithm).await;
    assert!(said(&answer).contains("sign_type: "), "{answer}");
}

#[tokio::test]
async fn an_app_without_an_aes_key_says_what_is_to_be_configured() {
    let simulated = Stack::start().await;
    let mut document: Value = serde_json::from_str(&dev_server::apps_document(
        simulated.simulator(),
        simulated.app(),
    ))
    .unwrap();
    document["apps"][0]
        .as_object_mut()
        .unwrap()
        .remove("aesKey");
    let stack = Stack::with_document(&document.to_string()).await;
    let arguments = json!({ "response": handed_over(&simulated) });
    let answer = opened(&stack, &arguments).await;
    assert_eq!(answer["error"], "forbidden", "{answer}");
    assert!(said(&answer).contains("aesKey"), "{answer}");
}

#[tokio::test]
async fn the_data_of_an_app_in_certificate_mode_opens_alike() {
    let simulated = Stack::start().await;
    let options = AppOptions {
        certificates: true,
        ..AppOptions::default()
    };
    let app = simulated.simulator().add_app(options);
    let document = dev_server::apps_document(simulated.simulator(), &app);
    let stack = Stack::with_document(&document).await;
    let text = simulated.simulator().phone_number(&app.app_id, USER);
    let answer = opened(&stack, &json!({ "response": text })).await;
    assert_eq!(answer["code"], 0, "{answer}");
}

#[tokio::test]
async fn both_routes_are_this_function() {
    let stack = Stack::start().await;
    for (path, function) in [
        ("decrypt/getPhoneNumber", "decrypt"),
        ("decrypt/decryptData", "decrypt"),
    ] {
        let path = format!("/openapi/alipay/{path}");
        let route = dev_server::ROUTES.iter().find(|route| route.path == path);
        assert_eq!(route.map(|route| route.function), Some(function), "{path}");
    }
    // Closed to the world, as in the template.
    let (status, answer) = stack
        .post("/openapi/alipay/decrypt/getPhoneNumber", "{}")
        .await;
    assert_eq!(status, 401, "{answer}");
}

#[tokio::test]
async fn a_changed_aes_key_is_read_without_a_restart() {
    let stack = Stack::start().await;
    let document = dev_server::apps_document(stack.simulator(), stack.app());
    let mut old: Value = serde_json::from_str(&document).unwrap();
    old["apps"][0]["aesKey"] = "AAAAAAAAAAAAAAAAAAAAAA==".into();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), old.to_string()).unwrap();
    let serving = Stack::with_file(file.path()).await;
    std::fs::write(file.path(), document).unwrap();
    let user = SimulatedUser::DEFAULT_USER_ID;
    let handed_over = stack.simulator().phone_number(&stack.app().app_id, user);
    let answer = serving
        .invoke("decrypt", &json!({"response": handed_over}))
        .await;
    assert_eq!(answer["code"], 0, "{answer}");
}

#[tokio::test]
async fn data_is_not_verified_with_a_certificate_that_is_out_of_date() {
    let stack = Stack::start().await;
    let simulator = stack.simulator();
    // The app gets the certificate that signs now.
    simulator.change_alipay_certificate(AlipayCertificate::Expired);
    let app = simulator.add_app(AppOptions {
        certificates: true,
        ..AppOptions::default()
    });
    let serving = Stack::with_document(&dev_server::apps_document(simulator, &app)).await;
    let handed_over = simulator.phone_number(&app.app_id, SimulatedUser::DEFAULT_USER_ID);
    let answer = serving
        .invoke("decrypt", &json!({"response": handed_over}))
        .await;
    assert_eq!(answer["error"], "forbidden", "{answer}");
    assert!(
        answer["msg"].as_str().unwrap().contains("alipayCert"),
        "{answer}"
    );
}
