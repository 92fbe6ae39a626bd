//! What the Alipay client hands to a native app after a payment.

use std::time::{Duration, SystemTime};

use alipay_gateway::{App, ClientResult, ClientResultError, verify_client_result};
use alipay_signing::{Charset, SignType};

use crate::{alipay_key, app, app_key, certified_app};

const NODE: &str = r#"{"code":"10000","msg":"Success","app_id":"2021000000000000","auth_app_id":"2021000000000000","charset":"utf-8","timestamp":"2026-11-22 10:00:00","out_trade_no":"20261122_1","total_amount":"12.50","trade_no":"2026112222001400000000000001","seller_id":"2088000000000019"}"#;

fn sign(text: &str) -> String {
    alipay_key()
        .sign(SignType::Rsa2, text.as_bytes())
        .expect("a signature")
}

/// `node` as it stands in a result whose signature is `sign`.
fn result_of(node: &str, sign: &str) -> String {
    format!(r#"{{"alipay_trade_app_pay_response":{node},"sign":"{sign}","sign_type":"RSA2"}}"#)
}

fn signed(node: &str) -> String {
    result_of(node, &sign(node))
}

fn verified(text: &str) -> Result<ClientResult, ClientResultError> {
    verify_client_result(&app(), text, SystemTime::now())
}

#[test]
fn a_signed_result_says_which_order_it_is_of() {
    let result = verified(&signed(NODE)).unwrap();
    assert_eq!(
        result,
        ClientResult {
            code: "10000".to_owned(),
            out_trade_no: Some("20261122_1".to_owned()),
            trade_no: Some("2026112222001400000000000001".to_owned()),
            total_amount: Some("12.50".to_owned()),
            seller_id: Some("2088000000000019".to_owned()),
        }
    );
    // Whatever order the members are in, and with spaces around them.
    let turned = format!(
        r#" {{ "sign_type":"RSA2" , "sign":"{}", "alipay_trade_app_pay_response" : {NODE} }} "#,
        sign(NODE)
    );
    assert_eq!(verified(&turned).unwrap(), result);
    assert!(!format!("{result:?}").contains("2026"), "{result:?}");
}

#[test]
fn a_signed_failure_has_a_code_and_need_have_no_more() {
    let node = r#"{"code":"40004","msg":"Business Failed","sub_code":"ACQ.TRADE_HAS_CLOSE"}"#;
    let result = verified(&signed(node)).unwrap();
    assert_eq!((result.code.as_str(), result.out_trade_no), ("40004", None));
}

#[test]
fn the_text_that_is_verified_is_the_one_that_is_read() {
    let node = NODE.replace("Success", "a/b");
    let escaped = node.replace('/', "\\/");
    assert!(verified(&result_of(&escaped, &sign(&node))).is_ok());
    assert!(verified(&result_of(&node, &sign(&escaped))).is_ok());
    // One more space, or another order of the members, was never signed.
    for changed in [
        NODE.replacen(',', ", ", 1),
        NODE.replace("12.50", "12.5"),
        NODE.replace("20261122_1", "20261122_2"),
    ] {
        let error = verified(&result_of(&changed, &sign(NODE))).unwrap_err();
        assert_eq!(error, ClientResultError::WrongSignature, "{changed}");
    }
    let other_key = app_key().sign(SignType::Rsa2, NODE.as_bytes()).unwrap();
    let error = verified(&result_of(NODE, &other_key)).unwrap_err();
    assert_eq!(error, ClientResultError::WrongSignature);
}

#[test]
fn a_result_that_can_be_read_in_two_ways_is_refused() {
    let twice_inside = NODE.replacen('{', r#"{"trade_no":"1","#, 1);
    let with_member = |member: &str| signed(NODE).replacen('{', &format!("{{{member},"), 1);
    for text in [
        with_member(&format!(
            r#""alipay_trade_app_pay_response":{}"#,
            NODE.replace("_1", "_2")
        )),
        with_member(r#""s\u0069gn":"x""#),
        signed(&twice_inside),
        signed(&NODE.replacen('{', r#"{"extra":{"a":1,"a":2},"#, 1)),
        format!("{}x", signed(NODE)),
        signed(r#"["code"]"#),
        signed(r#""text""#),
        r#"{"alipay_trade_wap_pay_response":{},"sign":"x"}"#.to_owned(),
        signed(r#"{"msg":"no code"}"#),
        signed(&NODE.replace("2021000000000000", "")),
        signed(&NODE.replace(r#","total_amount":"12.50""#, "")),
        String::new(),
        "null".to_owned(),
        "resultStatus={9000}".to_owned(),
    ] {
        let error = verified(&text).unwrap_err();
        assert!(
            matches!(error, ClientResultError::Misbuilt(_)),
            "{text}: {error}"
        );
    }
    let unsigned = format!(r#"{{"alipay_trade_app_pay_response":{NODE}}}"#);
    for text in [unsigned, result_of(NODE, "")] {
        assert_eq!(verified(&text).unwrap_err(), ClientResultError::Unsigned);
    }
    let long = format!("{}{}", signed(NODE), " ".repeat(64 * 1024));
    assert_eq!(verified(&long).unwrap_err(), ClientResultError::TooLong);
}

#[test]
fn app_and_algorithm_are_the_configured_ones() {
    let other = NODE.replace(
        r#""app_id":"2021000000000000""#,
        r#""app_id":"2021000000000009""#,
    );
    assert_eq!(
        verified(&signed(&other)).unwrap_err(),
        ClientResultError::OfAnotherApp
    );
    let stated = |sign_type: &str| signed(NODE).replace("RSA2", sign_type);
    for sign_type in ["RSA", "MD5", "none", "rsa2"] {
        assert_eq!(
            verified(&stated(sign_type)).unwrap_err(),
            ClientResultError::OtherSignType
        );
    }
    let old_app = App {
        sign_type: SignType::Rsa,
        ..app()
    };
    let sign = alipay_key().sign(SignType::Rsa, NODE.as_bytes()).unwrap();
    let old = result_of(NODE, &sign).replace("RSA2", "RSA");
    assert!(verify_client_result(&old_app, &old, SystemTime::now()).is_ok());
    assert_eq!(
        verified(&result_of(NODE, &sign)).unwrap_err(),
        ClientResultError::WrongSignature
    );
}

#[test]
fn the_bytes_are_those_of_the_apps_charset() {
    let gbk = App {
        charset: Charset::Gbk,
        ..app()
    };
    let node = NODE.replace("Success", "成功");
    let bytes = Charset::Gbk.encode(&node).unwrap();
    let sign = alipay_key().sign(SignType::Rsa2, &bytes).unwrap();
    assert!(verify_client_result(&gbk, &result_of(&node, &sign), SystemTime::now()).is_ok());
    assert_eq!(
        verified(&result_of(&node, &sign)).unwrap_err(),
        ClientResultError::WrongSignature
    );
}

#[test]
fn in_certificate_mode_only_the_configured_certificate_will_do() {
    let (app, key) = certified_app();
    let sign = key.sign(SignType::Rsa2, NODE.as_bytes()).unwrap();
    let named = |serial_number: &str| {
        let member = format!(r#","alipay_cert_sn":"{serial_number}","sign""#);
        result_of(NODE, &sign).replacen(r#","sign""#, &member, 1)
    };
    let certificate = &app.certificates.as_ref().unwrap().alipay;
    let judged = |text: &str, now| verify_client_result(&app, text, now).map(|_| ());
    let now = SystemTime::now();
    assert_eq!(judged(&result_of(NODE, &sign), now), Ok(()));
    assert_eq!(judged(&named(certificate.serial_number()), now), Ok(()));
    let other = Err(ClientResultError::OtherCertificate);
    assert_eq!(judged(&named(&"0".repeat(32)), now), other);
    assert_eq!(judged(&named("x"), now), other);
    let late = certificate.not_after() + Duration::from_secs(1);
    assert_eq!(judged(&result_of(NODE, &sign), late), other);
}
