//! What a function makes of a gateway that lies, breaks or stays silent: never a success, and nothing of it is stored.

use serde_json::json;
use simulator::{Fault, FaultKind};
use tests::Stack;

const EXCHANGE: &str = "alipay.system.oauth.token";

#[tokio::test]
async fn a_reply_that_cannot_be_trusted_is_never_a_login() {
    let unverified = [
        FaultKind::BadSignature,
        FaultKind::NoSignature,
        FaultKind::ForeignKey,
        FaultKind::DuplicateNode {
            forged_first: false,
            escaped_name: true,
        },
        FaultKind::OtherMethodNode,
    ];
    for fault in unverified {
        let shown = format!("{fault:?}");
        let stack = Stack::start().await;
        stack
            .simulator()
            .inject(Fault::once(fault).for_method(EXCHANGE));
        let (status, answer) = stack.log_in(&stack.code()).await;
        assert_eq!(
            (status, &answer["error"]),
            (502, &json!("gateway_unverified")),
            "{shown}: {answer}"
        );
        assert_eq!(stack.rows("APP#").await, 0, "{shown}");
        assert_eq!(stack.simulator().received_count(EXCHANGE), 1, "{shown}");
    }
}

#[tokio::test]
async fn a_gateway_that_breaks_off_is_unreachable_and_the_code_is_not_tried_again() {
    for fault in [
        FaultKind::HalfBody,
        FaultKind::TruncatedBody,
        FaultKind::ResetAfterDone,
        FaultKind::Html { status: 200 },
    ] {
        let shown = format!("{fault:?}");
        let stack = Stack::start().await;
        stack
            .simulator()
            .inject(Fault::always(fault).for_method(EXCHANGE));
        let (status, answer) = stack.log_in(&stack.code()).await;
        assert_eq!(
            (status, &answer["error"]),
            (502, &json!("gateway_unreachable")),
            "{shown}: {answer}"
        );
        assert_eq!(stack.rows("APP#").await, 0, "{shown}");
        assert_eq!(stack.simulator().received_count(EXCHANGE), 1, "{shown}");
    }
}

#[tokio::test]
async fn a_silent_gateway_is_answered_for_after_five_seconds() {
    let stack = Stack::start().await;
    stack
        .simulator()
        .inject(Fault::once(FaultKind::NeverAnswer).for_method(EXCHANGE));
    let (status, answer) = stack.log_in(&stack.code()).await;
    assert_eq!(
        (status, &answer["error"]),
        (504, &json!("gateway_timeout")),
        "{answer}"
    );
}

#[tokio::test]
async fn a_signature_error_does_not_echo_the_signed_request() {
    let stack = Stack::start().await;
    let stranger = stack.simulator().add_app(simulator::AppOptions::default());
    // Another app's key for this app: the gateway refuses the signature and echoes what was signed.
    let mut document: serde_json::Value =
        serde_json::from_str(&dev_server::apps_document(stack.simulator(), stack.app())).unwrap();
    document["apps"][0]["privateKey"] = stranger.private_key.clone().into();
    let wrong = Stack::with_document(&document.to_string()).await;
    let code = stack.code();
    let (status, answer) = wrong.log_in(&code).await;
    if stranger.private_key == stack.app().private_key {
        panic!("the simulator gave both apps the same key");
    }
    assert_eq!(
        (status, &answer["code"]),
        (422, &json!("isv.invalid-signature")),
        "{answer}"
    );
    assert!(answer.get("sub_msg").is_none());
    assert!(!answer.to_string().contains(&code), "{answer}");
    assert!(answer["hint"].as_str().unwrap().contains("private key"));
}
