//! Content encryption in both directions: by hand where a reply has to be wrong, else over HTTP.

use alipay_gateway::{App, Call, GatewayError, Reply, signed_request};
use alipay_signing::Charset;
use alipay_signing::content_encryption::ContentKey;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use simulator::{AppOptions, Fault, FaultKind, Trade};

use crate::replies::{body, signature, signed};
use crate::requests::{decoded, now};
use crate::{Fixture, TRADE_QUERY, app, failure, query_of, verify_reply};

const NAME: &str = "alipay_trade_query_response";
const NODE: &str = r#"{"code":"10000","msg":"Success","out_trade_no":"T1","total_amount":"0.01"}"#;

fn key() -> ContentKey {
    ContentKey::from_text(&STANDARD.encode([7; 16])).expect("a key")
}

fn app_with_key() -> App {
    App {
        content_key: Some(key()),
        ..app()
    }
}

/// As it stands in a reply, with its quotes.
fn ciphertext(plaintext: impl AsRef<[u8]>) -> String {
    format!("\"{}\"", key().encrypt(plaintext.as_ref()).expect("a text"))
}

fn read(app: &App, body: &str) -> Result<Reply, GatewayError> {
    verify_reply(
        app,
        &query_of("T1").encrypted(),
        body.as_bytes(),
        None,
        None,
    )
}

#[track_caller]
fn unverified(app: &App, body: &str) -> &'static str {
    match failure(read(app, body)) {
        GatewayError::Unverified { reason } => reason,
        other => panic!("{other}"),
    }
}

#[test]
fn what_is_signed_and_sent_is_the_ciphertext() {
    for charset in [Charset::Utf8, Charset::Gbk] {
        let app = App {
            charset,
            ..app_with_key()
        };
        let call = Call::new(TRADE_QUERY)
            .with_biz_content(r#"{"a":"中文"}"#)
            .with_field("encrypt_type", "NONE")
            .encrypted();
        let request = signed_request(&app, &call, now()).unwrap();
        let sent = decoded(&request.body, charset);
        let [(content_name, content), (type_name, encrypt_type)] = &sent[..] else {
            panic!("{sent:?}");
        };
        assert_eq!(
            (&**content_name, &**type_name),
            ("biz_content", "encrypt_type")
        );
        assert_eq!(encrypt_type, "AES");
        let plaintext = key().decrypt(content).unwrap();
        assert_eq!(plaintext, *charset.encode(r#"{"a":"中文"}"#).unwrap());
        // The signature over all of it is checked by the properties in requests.rs and by the simulator.
    }
}

#[test]
fn a_call_that_cannot_be_encrypted_is_not_sent_in_the_clear() {
    let without_content = Call::new(TRADE_QUERY).encrypted();
    for (app, call) in [
        (app(), query_of("T1").encrypted()),
        (app_with_key(), without_content.clone()),
        (app_with_key(), without_content.with_biz_content("")),
    ] {
        let error = signed_request(&app, &call, now()).err().unwrap();
        assert!(matches!(error, GatewayError::Unbuildable { .. }), "{error}");
        assert!(error.was_never_sent() && !error.is_transient());
    }
}

#[test]
fn an_encrypted_node_is_verified_with_its_quotes_and_then_read() {
    let reply = read(&app_with_key(), &signed(NAME, &ciphertext(NODE))).unwrap();
    assert_eq!(reply.node(), NODE);

    let quoted = ciphertext(NODE);
    let sign = format!("\"{}\"", signature(quoted.trim_matches('"')));
    let reason = unverified(&app_with_key(), &body(&[(NAME, &quoted), ("sign", &sign)]));
    assert!(reason.contains("signature is wrong"), "{reason}");
}

#[test]
fn a_ciphertext_with_escaped_slashes_is_the_same_ciphertext() {
    let quoted = (0..100)
        .map(|count| ciphertext(format!(r#"{{"code":"10000","n":{count}}}"#)))
        .find(|text| text.contains('/'))
        .unwrap();
    let escaped = quoted.replace('/', "\\/");
    let sign = format!("\"{}\"", signature(&quoted));
    read(&app_with_key(), &body(&[(NAME, &escaped), ("sign", &sign)])).unwrap();
    read(&app_with_key(), &signed(NAME, &escaped)).unwrap();
}

#[test]
fn whatever_is_wrong_with_a_ciphertext_the_error_is_one() {
    let good = key().encrypt(NODE.as_bytes()).unwrap();
    let mut bytes = STANDARD.decode(&good).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let mut reasons: Vec<_> = [
        STANDARD.encode(&bytes),
        STANDARD.encode(&bytes[..last]),
        "no base64".to_owned(),
        String::new(),
        good.replace('=', ""),
        key().encrypt(b"[]").unwrap(),
        key().encrypt(b"").unwrap(),
        key().encrypt(&[0xff, 0xfe, 0xff]).unwrap(),
        ContentKey::from_text(&STANDARD.encode([8; 16]))
            .unwrap()
            .encrypt(NODE.as_bytes())
            .unwrap(),
    ]
    .iter()
    .map(|text| unverified(&app_with_key(), &signed(NAME, &format!("\"{text}\""))))
    .collect();
    reasons.dedup();
    assert_eq!(reasons.len(), 1, "{reasons:?}");
}

#[test]
fn nothing_is_decrypted_that_is_not_signed() {
    let reason = unverified(&app_with_key(), &body(&[(NAME, &ciphertext(NODE))]));
    assert!(reason.contains("without a signature"), "{reason}");
    let refusal = ciphertext(r#"{"code":"40004","msg":"m"}"#);
    unverified(&app_with_key(), &body(&[("error_response", &refusal)]));
}

#[test]
fn an_encrypted_reply_to_an_app_without_a_key_is_refused_by_name() {
    let reason = unverified(&app(), &signed(NAME, &ciphertext(NODE)));
    assert!(reason.contains("aesKey"), "{reason}");
}

/// Errors of the gateway come as they are (seen live), a success never: what was asked to be secret was sent in the clear.
#[test]
fn a_plain_success_to_an_encrypted_request_is_refused_and_a_plain_error_is_one() {
    let reason = unverified(&app_with_key(), &signed(NAME, NODE));
    assert!(reason.contains("plain success"), "{reason}");

    let error = r#"{"code":"40003","msg":"m","sub_code":"isv.decryption-error-unknown"}"#;
    for (body, is_verified) in [(signed(NAME, error), true), (body(&[(NAME, error)]), false)] {
        let GatewayError::Refused(refusal) = failure(read(&app_with_key(), &body)) else {
            panic!("not refused");
        };
        assert_eq!(refusal.code, "40003");
        assert_eq!(refusal.verified, is_verified);
    }
}

#[test]
fn the_rules_of_a_node_hold_for_the_decrypted_one() {
    let app = app_with_key();
    let sent = |node: &str| signed(NAME, &ciphertext(node));
    let reason = unverified(&app, &sent(r#"{"code":"10000","a":1,"a":2}"#));
    assert!(reason.contains("twice"), "{reason}");
    let reason = unverified(&app, &sent(&NODE.replace("T1", "T2")));
    assert!(reason.contains("another request"), "{reason}");
    let refusal = r#"{"code":"40004","msg":"m","sub_code":"ACQ.TRADE_NOT_EXIST"}"#;
    let GatewayError::Refused(refusal) = failure(read(&app, &sent(refusal))) else {
        panic!("not refused");
    };
    assert_eq!(refusal.sub_code.as_deref(), Some("ACQ.TRADE_NOT_EXIST"));
    assert!(refusal.verified);
}

#[test]
fn a_gbk_app_decrypts_to_gbk() {
    let app = App {
        charset: Charset::Gbk,
        ..app_with_key()
    };
    let node = r#"{"code":"10000","name":"中文"}"#;
    let gbk = Charset::Gbk.encode(node).unwrap();
    let reply = read(&app, &signed(NAME, &ciphertext(gbk))).unwrap();
    assert_eq!(reply.node(), node);
    // UTF-8 of an odd length is no GBK.
    unverified(
        &app,
        &signed(NAME, &ciphertext(r#"{"code":"10000","name":"中"}"#)),
    );
}

async fn fixture(charset: Charset) -> Fixture {
    let mut fixture = Fixture::with(AppOptions::default()).await;
    fixture.app.charset = charset;
    fixture.simulator.add_trade(Trade {
        app_id: fixture.app.app_id.clone(),
        out_trade_no: "T1".to_owned(),
        ..Trade::default()
    });
    fixture
}

#[tokio::test]
async fn an_encrypted_call_is_answered_encrypted_in_every_charset() {
    for charset in [Charset::Utf8, Charset::Gbk, Charset::Gb2312] {
        let fixture = fixture(charset).await;
        let reply = fixture.call(&query_of("T1").encrypted()).await;
        let reply = reply.unwrap_or_else(|error| panic!("{charset}: {error}"));
        assert!(reply.node().contains("T1"), "{charset}");
        let GatewayError::Refused(refusal) =
            failure(fixture.call(&query_of("没有").encrypted()).await)
        else {
            panic!("{charset}: not refused");
        };
        assert_eq!(refusal.sub_code.as_deref(), Some("ACQ.TRADE_NOT_EXIST"));
    }
}

#[tokio::test]
async fn a_spoiled_encrypted_reply_is_never_a_success() {
    let fixture = fixture(Charset::Utf8).await;
    for kind in [
        FaultKind::ChangedCiphertext,
        FaultKind::WrongPadding,
        FaultKind::PlainReply,
        FaultKind::NoSignature,
        FaultKind::BadSignature,
    ] {
        fixture.simulator.inject(Fault::once(kind.clone()));
        let error = failure(fixture.call(&query_of("T1").encrypted()).await);
        assert!(
            matches!(error, GatewayError::Unverified { .. }) && !error.was_never_sent(),
            "{kind:?}: {error}"
        );
    }
}

#[tokio::test]
async fn a_key_that_is_not_the_consoles_is_refused_by_alipay() {
    let mut fixture = fixture(Charset::Utf8).await;
    fixture.app.content_key = Some(key());
    let error = failure(fixture.call(&query_of("T1").encrypted()).await);
    assert!(matches!(error, GatewayError::Refused(_)), "{error}");
}
