//! Content encryption: encrypted calls and replies, and what the front end gets encrypted.

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use simulator::{AppOptions, Fault, FaultKind, PhoneNumberFailure, SimulatedUser};

use crate::caller::{
    Fixture, OAUTH_TOKEN, QRCODE_CREATE, Reply, TRADE_QUERY, node_name, text, verdict, verifies,
};

const MINI_CODE: &str = r#"{"url_param":"pages/index","query_param":"a=1","describe":"你好"}"#;

fn key(base64: &str) -> [u8; 16] {
    STANDARD.decode(base64).unwrap().try_into().unwrap()
}

pub(crate) fn encrypted(aes_key: &str, text: &[u8]) -> String {
    let encryptor = cbc::Encryptor::<Aes128>::new(&key(aes_key).into(), &[0; 16].into());
    STANDARD.encode(encryptor.encrypt_padded_vec::<Pkcs7>(text))
}

pub(crate) fn decrypted(aes_key: &str, ciphertext: &str) -> Option<String> {
    let bytes = STANDARD.decode(ciphertext).ok()?;
    let decryptor = cbc::Decryptor::<Aes128>::new(&key(aes_key).into(), &[0; 16].into());
    String::from_utf8(decryptor.decrypt_padded_vec::<Pkcs7>(&bytes).ok()?).ok()
}

async fn encrypted_call(fixture: &Fixture, method: &str, biz_content: &str) -> Reply {
    let ciphertext = encrypted(&fixture.app.aes_key, biz_content.as_bytes());
    let members = [
        ("biz_content", ciphertext.as_str()),
        ("encrypt_type", "AES"),
    ];
    fixture.reply(method, &members).await
}

/// The node as it came, which is a ciphertext in quotes, and what it says.
fn opened(fixture: &Fixture, reply: &Reply, method: &str) -> Option<Value> {
    let document: Value = serde_json::from_slice(&reply.bytes).unwrap();
    let ciphertext = document[node_name(method)].as_str()?;
    serde_json::from_str(&decrypted(&fixture.app.aes_key, ciphertext)?).ok()
}

#[tokio::test]
async fn an_encrypted_call_is_answered_encrypted_and_signed_with_its_quotes() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let reply = encrypted_call(&fixture, QRCODE_CREATE, MINI_CODE).await;
    assert!(fixture.is_signed(&reply, &node_name(QRCODE_CREATE)));
    let node = opened(&fixture, &reply, QRCODE_CREATE).unwrap();
    assert_eq!(verdict(&node), "10000");
    assert!(text(&node, "qr_code_url").ends_with(".png"));
    let refused = encrypted_call(&fixture, TRADE_QUERY, r#"{"out_trade_no":"none"}"#).await;
    let node = opened(&fixture, &refused, TRADE_QUERY).unwrap();
    assert_eq!(verdict(&node), "ACQ.TRADE_NOT_EXIST");
    let plain = fixture
        .call(QRCODE_CREATE, &[("biz_content", MINI_CODE)])
        .await;
    assert_eq!(verdict(&plain), "10000", "a call need not be encrypted");
}

#[tokio::test]
async fn what_cannot_be_decrypted_is_refused_in_the_clear() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let without_key = fixture.simulator.add_app(AppOptions {
        content_encryption: false,
        ..AppOptions::default()
    });
    assert_eq!(without_key.aes_key, "");
    let right = encrypted(&fixture.app.aes_key, MINI_CODE.as_bytes());
    let foreign = encrypted(&STANDARD.encode([7; 16]), MINI_CODE.as_bytes());
    let rows = [
        (
            foreign.as_str(),
            "AES",
            "40003 isv.decryption-error-unknown",
        ),
        (MINI_CODE, "AES", "40003 isv.decryption-error-unknown"),
        (
            &right,
            "",
            "40001 isv.decryption-error-missing-encrypt-type",
        ),
        (&right, "SM4", "40002 isv.invalid-encrypt-type"),
    ];
    for (biz_content, encrypt_type, expected) in rows {
        let members = [("biz_content", biz_content), ("encrypt_type", encrypt_type)];
        let reply = fixture.reply(QRCODE_CREATE, &members).await;
        assert!(fixture.is_signed(&reply, &node_name(QRCODE_CREATE)));
        let node = fixture.call(QRCODE_CREATE, &members).await;
        assert_eq!(
            format!("{} {}", text(&node, "code"), verdict(&node)),
            expected
        );
    }
    let members = [("grant_type", "refresh_token"), ("encrypt_type", "AES")];
    let node = fixture.call(OAUTH_TOKEN, &members).await;
    assert_eq!(verdict(&node), "isv.invalid-encrypt");
    let other = Fixture {
        app: without_key,
        ..fixture
    };
    let members = [("biz_content", right.as_str()), ("encrypt_type", "AES")];
    let node = other.call(QRCODE_CREATE, &members).await;
    assert_eq!(verdict(&node), "isv.missing-encrypt-key");
}

#[tokio::test]
async fn a_gbk_call_is_encrypted_and_answered_in_the_bytes_of_gbk() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let biz_content = encoding_rs::GBK
        .encode(r#"{"url_param":"/乗"}"#)
        .0
        .into_owned();
    let ciphertext = encrypted(&fixture.app.aes_key, &biz_content);
    let members = [
        ("charset", "GBK"),
        ("biz_content", ciphertext.as_str()),
        ("encrypt_type", "AES"),
    ];
    let reply = fixture.reply(QRCODE_CREATE, &members).await;
    let document: Value = serde_json::from_slice(&reply.bytes).unwrap();
    let answer = text(&document, &node_name(QRCODE_CREATE));
    let bytes = STANDARD.decode(answer).unwrap();
    let decryptor =
        cbc::Decryptor::<Aes128>::new(&key(&fixture.app.aes_key).into(), &[0; 16].into());
    let plain = decryptor.decrypt_padded_vec::<Pkcs7>(&bytes).unwrap();
    assert!(
        encoding_rs::GBK
            .decode_without_bom_handling_and_without_replacement(&plain)
            .unwrap()
            .contains("参数有误：url_param")
    );
    assert!(String::from_utf8(plain).is_err());
}

#[tokio::test]
async fn ciphertexts_can_be_spoiled() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let name = node_name(QRCODE_CREATE);
    for (kind, signed, string) in [
        (FaultKind::ChangedCiphertext, false, true),
        (FaultKind::WrongPadding, true, true),
        (FaultKind::PlainReply, true, false),
    ] {
        fixture.simulator.inject(Fault::once(kind.clone()));
        let reply = encrypted_call(&fixture, QRCODE_CREATE, MINI_CODE).await;
        assert_eq!(fixture.is_signed(&reply, &name), signed, "{kind:?}");
        let document: Value = serde_json::from_slice(&reply.bytes).unwrap();
        assert_eq!(document[&name].is_string(), string, "{kind:?}");
        assert_eq!(opened(&fixture, &reply, QRCODE_CREATE), None, "{kind:?}");
    }
}

/// The data of what the front end was handed, where signature and ciphertext are right.
fn data(fixture: &Fixture, handed_over: &str) -> Option<Value> {
    let parts: Value = serde_json::from_str(handed_over).unwrap();
    let ciphertext = text(&parts, "response");
    let signed = format!("\"{ciphertext}\"");
    let sign = parts.get("sign")?.as_str()?;
    assert_eq!(parts["sign_type"], "RSA2");
    assert_eq!(parts["encrypt_type"], "AES");
    assert_eq!(parts["charset"], "UTF-8");
    if !verifies(&fixture.app.alipay_public_key, signed.as_bytes(), sign) {
        return None;
    }
    serde_json::from_str(&decrypted(&fixture.app.aes_key, ciphertext)?).ok()
}

#[tokio::test]
async fn the_front_end_gets_the_phone_number_signed_and_encrypted() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let app_id = &fixture.app.app_id;
    fixture.simulator.add_user(SimulatedUser {
        mobile: "12300000002".to_owned(),
        ..SimulatedUser::with_id("2088000000000002")
    });
    let handed_over = fixture.simulator.phone_number(app_id, "2088000000000002");
    assert_eq!(
        data(&fixture, &handed_over).unwrap(),
        json!({ "code": "10000", "msg": "Success", "mobile": "12300000002" })
    );
    let other = fixture.simulator.encrypted_data(app_id, r#"{"step":7}"#);
    assert_eq!(data(&fixture, &other).unwrap(), json!({ "step": 7 }));
}

#[tokio::test]
async fn a_phone_number_fails_in_each_of_its_ways() {
    let fixture = Fixture::new(AppOptions::default()).await;
    let failed = |failure| {
        let app_id = &fixture.app.app_id;
        let text = fixture.simulator.phone_number_failure(app_id, failure);
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let refused = failed(PhoneNumberFailure::RefusedByUser);
    assert!(text(&refused, "response").contains(r#""subCode":"isv.invalid-auth-relations""#));
    assert_eq!(refused.get("sign"), None);
    let unsigned = failed(PhoneNumberFailure::Unsigned);
    assert!(decrypted(&fixture.app.aes_key, text(&unsigned, "response")).is_some());
    assert_eq!(unsigned.get("sign"), None);
    let encrypted = failed(PhoneNumberFailure::EncryptedError);
    assert_eq!(
        data(&fixture, &encrypted.to_string()).unwrap()["subCode"],
        "isv.insufficient-isv-permissions"
    );
    let signed = failed(PhoneNumberFailure::SignedError);
    assert!(verifies(
        &fixture.app.alipay_public_key,
        text(&signed, "response").as_bytes(),
        text(&signed, "sign")
    ));
    let without_key = fixture.simulator.add_app(AppOptions {
        content_encryption: false,
        ..AppOptions::default()
    });
    let error = fixture
        .simulator
        .phone_number(&without_key.app_id, "2088000000000001");
    assert!(error.contains("isv.missing-encrypt-key") && !error.contains("sign\""));
}
