//! What `my.getPhoneNumber` and its like hand to the page.

use std::collections::HashMap;
use std::error::Error;
use std::time::SystemTime;

use alipay_gateway::{App, FrontEndContent, FrontEndData, FrontEndDataError, OpeningFault};
use alipay_signing::content_encryption::ContentKey;
use alipay_signing::{Charset, SignType, SigningKey, VerifyingKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use crate::{alipay_key, app, app_key, vectors};

const PHONE: &str = r#"{"code":"10000","msg":"Success","mobile":"canary-12300000001"}"#;

fn key(byte: u8) -> ContentKey {
    ContentKey::from_text(&STANDARD.encode([byte; 16])).expect("a key")
}

fn with_key() -> App {
    App {
        content_key: Some(key(1)),
        ..app()
    }
}

fn signed_by(signer: &SigningKey, response: String) -> FrontEndData {
    let signed = format!("\"{response}\"");
    let sign = signer
        .sign(SignType::Rsa2, signed.as_bytes())
        .expect("a signature");
    FrontEndData {
        response,
        sign: Some(sign),
        ..FrontEndData::default()
    }
}

/// `plaintext` as Alipay hands it over for [`with_key`].
fn handed_over(plaintext: &[u8]) -> FrontEndData {
    signed_by(
        alipay_key(),
        key(1).encrypt(plaintext).expect("a ciphertext"),
    )
}

/// The same as the one text that the page gets.
fn whole(data: &FrontEndData) -> FrontEndData {
    let text = json!({
        "response": data.response, "sign": data.sign, "sign_type": data.sign_type,
        "encrypt_type": data.encrypt_type, "charset": data.charset,
    });
    FrontEndData {
        response: text.to_string(),
        ..FrontEndData::default()
    }
}

fn opened(data: FrontEndData) -> FrontEndContent {
    data.open(&with_key(), SystemTime::now())
        .unwrap_or_else(|error| panic!("{error}"))
}

fn refused(data: FrontEndData) -> FrontEndDataError {
    match data.open(&with_key(), SystemTime::now()) {
        Ok(content) => panic!("opened: {}", content.as_str()),
        Err(error) => error,
    }
}

fn in_the_clear(text: &str) -> FrontEndData {
    FrontEndData {
        response: text.to_owned(),
        ..FrontEndData::default()
    }
}

#[test]
fn what_alipay_signed_and_encrypted_opens_whole_or_in_parts() {
    let data = handed_over(PHONE.as_bytes());
    assert_eq!(opened(whole(&data)).as_str(), PHONE);
    let stated = FrontEndData {
        sign_type: Some("RSA2".to_owned()),
        encrypt_type: Some("AES".to_owned()),
        charset: Some("UTF-8".to_owned()),
        ..data.clone()
    };
    assert_eq!(opened(whole(&stated)).as_str(), PHONE);
    assert_eq!(opened(stated).as_str(), PHONE);
    assert_eq!(opened(data).as_str(), PHONE);
}

#[test]
fn the_other_forms_of_the_protocol_open_too() {
    // Under a vector of zeros the first block encrypts to what serves the rest as vector: the form of AES_V2.
    let with_leading_block = [&b"0123456789abcdef"[..], PHONE.as_bytes()].concat();
    let leading_vector = FrontEndData {
        encrypt_type: Some("AES_V2".to_owned()),
        ..handed_over(&with_leading_block)
    };
    assert_eq!(opened(leading_vector).as_str(), PHONE);

    let text = r#"{"city":"杭州市"}"#;
    let gbk = FrontEndData {
        charset: Some("GBK".to_owned()),
        ..handed_over(&Charset::Gbk.encode(text).unwrap())
    };
    assert_eq!(opened(gbk).as_str(), text);
}

#[test]
fn the_algorithm_is_the_apps_and_never_the_messages() {
    let old_app = App {
        sign_type: SignType::Rsa,
        ..with_key()
    };
    let ciphertext = key(1).encrypt(PHONE.as_bytes()).unwrap();
    let sign = |sign_type| {
        let text = format!("\"{ciphertext}\"");
        alipay_key().sign(sign_type, text.as_bytes()).unwrap()
    };
    let data = |signed_as, stated: &str| FrontEndData {
        response: ciphertext.clone(),
        sign: Some(sign(signed_as)),
        sign_type: Some(stated.to_owned()),
        ..FrontEndData::default()
    };
    assert!(
        data(SignType::Rsa, "RSA")
            .open(&old_app, SystemTime::now())
            .is_ok()
    );
    for (data, app) in [
        (data(SignType::Rsa, "RSA"), &with_key()),
        (data(SignType::Rsa2, "RSA"), &with_key()),
        (data(SignType::Rsa2, "RSA2"), &old_app),
        (data(SignType::Rsa2, "none"), &with_key()),
    ] {
        let error = data.open(app, SystemTime::now()).unwrap_err();
        assert!(matches!(error, FrontEndDataError::OtherSignType), "{error}");
    }
    let error = refused(data(SignType::Rsa, "RSA2"));
    assert!(matches!(error, FrontEndDataError::Unopenable(_)), "{error}");
}

#[test]
fn whatever_is_wrong_with_ciphertext_or_signature_the_error_is_the_same() {
    let good = handed_over(PHONE.as_bytes());
    let with_response = |response: String| FrontEndData {
        response,
        ..good.clone()
    };
    let with_sign = |sign: String| FrontEndData {
        sign: Some(sign),
        ..good.clone()
    };
    let sign = good.sign.clone().unwrap();
    let foreign_key = signed_by(alipay_key(), key(2).encrypt(PHONE.as_bytes()).unwrap());
    let mut cut_short = STANDARD.decode(&good.response).unwrap();
    cut_short.pop();
    let mut wrong: Vec<(&str, FrontEndData)> = vec![
        (
            "another app's signature",
            signed_by(app_key(), good.response.clone()),
        ),
        (
            "signature of another text",
            with_sign(handed_over(b"{}").sign.unwrap()),
        ),
        ("signature that is no base64", with_sign("!".to_owned())),
        ("signature with a line end", with_sign(format!("{sign}\n"))),
        (
            "ciphertext with a space",
            with_response(format!("{} ", good.response)),
        ),
        ("another AES key", foreign_key),
        (
            "ciphertext that is no base64",
            signed_by(alipay_key(), "!".to_owned()),
        ),
        (
            "half a block",
            signed_by(alipay_key(), STANDARD.encode(cut_short)),
        ),
        ("no block", signed_by(alipay_key(), String::new())),
        ("no JSON", handed_over(b"13800138000")),
        ("no object", handed_over(b"[1]")),
        ("no text", handed_over(b"{\"a\":\"\xff\"}")),
        ("a member twice", handed_over(br#"{"a":{"b":1,"b":2}}"#)),
        (
            "one kind of AES for the other",
            FrontEndData {
                encrypt_type: Some("AES_V2".to_owned()),
                ..good.clone()
            },
        ),
    ];
    for position in 0..good.response.len() {
        let mut bytes = good.response.clone().into_bytes();
        bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
        wrong.push((
            "a changed ciphertext",
            with_response(String::from_utf8(bytes).unwrap()),
        ));
    }
    for position in (0..sign.len()).step_by(7) {
        let mut bytes = sign.clone().into_bytes();
        bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
        wrong.push((
            "a changed signature",
            with_sign(String::from_utf8(bytes).unwrap()),
        ));
    }
    let expected = FrontEndDataError::Unopenable(OpeningFault::Signature).to_string();
    for (name, data) in wrong {
        for data in [whole(&data), data] {
            // An empty ciphertext has another name in the whole answer: no data at all.
            let error = refused(data);
            if name == "no block" && matches!(error, FrontEndDataError::Misbuilt) {
                continue;
            }
            assert!(
                matches!(error, FrontEndDataError::Unopenable(_)),
                "{name}: {error}"
            );
            assert_eq!(error.to_string(), expected, "{name}");
        }
    }
}

#[test]
fn the_log_can_tell_a_wrong_signature_from_a_wrong_aes_key() {
    let cause = |data| refused(data).source().expect("a cause").to_string();
    let signature = cause(signed_by(app_key(), "AAAA".to_owned()));
    let content = cause(signed_by(alipay_key(), "AAAA".to_owned()));
    assert!(signature.contains("alipayPublicKey"), "{signature}");
    assert!(content.contains("aesKey"), "{content}");
}

#[test]
fn without_a_signature_or_an_aes_key_nothing_is_opened() {
    let unsigned = FrontEndData {
        sign: None,
        ..handed_over(PHONE.as_bytes())
    };
    for data in [whole(&unsigned), unsigned] {
        assert!(matches!(refused(data), FrontEndDataError::Unsigned));
    }
    let error = handed_over(PHONE.as_bytes())
        .open(&app(), SystemTime::now())
        .unwrap_err();
    assert!(matches!(error, FrontEndDataError::NoContentKey));
    // Who has not Alipay's signature learns nothing of the configuration.
    let error = signed_by(app_key(), "AAAA".to_owned())
        .open(&app(), SystemTime::now())
        .unwrap_err();
    assert!(matches!(error, FrontEndDataError::Unopenable(_)));
}

#[test]
fn what_the_message_states_has_to_be_known() {
    for encrypt_type in ["aes", "DES", "AES_V3"] {
        let data = FrontEndData {
            encrypt_type: Some(encrypt_type.to_owned()),
            ..handed_over(PHONE.as_bytes())
        };
        assert!(matches!(
            refused(data),
            FrontEndDataError::UnknownEncryptType
        ));
    }
    let data = FrontEndData {
        charset: Some("latin1".to_owned()),
        ..handed_over(PHONE.as_bytes())
    };
    assert!(matches!(refused(data), FrontEndDataError::UnknownCharset));
}

#[test]
fn alipays_errors_are_refusals_in_the_clear_and_in_the_ciphertext_in_both_spellings() {
    for (text, sub_msg) in [
        (
            r#"{"code":"40003","msg":"m","subCode":"isv.invalid-auth-relations","subMsg":"s"}"#,
            Some("s"),
        ),
        (
            r#"{"code":40003,"msg":"m","sub_code":"isv.invalid-auth-relations","sub_msg":"s"}"#,
            Some("s"),
        ),
        (
            r#"{"code":"40003","msg":"m","subCode":"isv.invalid-auth-relations"}"#,
            None,
        ),
    ] {
        for data in [
            in_the_clear(text),
            whole(&in_the_clear(text)),
            handed_over(text.as_bytes()),
        ] {
            let FrontEndDataError::Refused(refusal) = refused(data) else {
                panic!("{text}: no refusal");
            };
            assert_eq!(refusal.code, "40003");
            assert_eq!(
                refusal.sub_code.as_deref(),
                Some("isv.invalid-auth-relations")
            );
            assert_eq!((&*refusal.msg, refusal.sub_msg.as_deref()), ("m", sub_msg));
        }
    }
}

#[test]
fn an_unsigned_error_cannot_fill_answers_and_logs() {
    let long = "x".repeat(60_000);
    let text =
        json!({"code": "40003", "msg": long, "subCode": long, "subMsg": format!("a\nb{long}")});
    let FrontEndDataError::Refused(refusal) = refused(in_the_clear(&text.to_string())) else {
        panic!("no refusal");
    };
    assert_eq!(refusal.sub_code, None);
    assert_eq!(refusal.msg.len(), 256);
    assert!(refusal.sub_msg.unwrap().starts_with("abx"));
    for code in [json!(long), json!("a b"), json!(null), json!({}), json!("")] {
        let text = json!({ "code": code }).to_string();
        assert!(
            matches!(refused(in_the_clear(&text)), FrontEndDataError::Misbuilt),
            "{text}"
        );
    }
}

#[test]
fn a_success_in_the_clear_is_never_taken_not_even_a_signed_one() {
    let sign = alipay_key().sign(SignType::Rsa2, PHONE.as_bytes()).unwrap();
    let signed = FrontEndData {
        sign: Some(sign),
        ..in_the_clear(PHONE)
    };
    for data in [
        in_the_clear(PHONE),
        whole(&signed),
        signed,
        in_the_clear("{}"),
    ] {
        assert!(matches!(refused(data), FrontEndDataError::NotEncrypted));
    }
}

#[test]
fn what_is_no_answer_of_a_front_end_api_is_refused() {
    for text in [
        "{",
        "{}x",
        r#"{"response":7}"#,
        r#"{"response":""}"#,
        r#"{"response":{"response":"x"}}"#,
        r#"{"response":"a","response":"b"}"#,
        r#"{"response":"a","sign":"b","s\u0069gn":"c"}"#,
        r#"{"response":"a","sign":["b"]}"#,
        r#"{"response":"{"}"#,
    ] {
        let error = refused(in_the_clear(text));
        assert!(
            matches!(error, FrontEndDataError::Misbuilt),
            "{text}: {error}"
        );
    }
}

#[test]
fn nothing_of_a_content_is_shown() {
    let data = FrontEndData {
        sign: Some("canary".to_owned()),
        ..in_the_clear("canary")
    };
    let shown = format!("{data:?} {:?}", opened(handed_over(PHONE.as_bytes())));
    assert!(!shown.contains("canary"), "{shown}");
    let error = refused(handed_over(br#"{"mobile":"canary","mobile":"canary"}"#));
    let shown = format!("{error} {error:?} {:?}", error.source());
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn outside_samples_of_phone_numbers_are_judged_as_their_file_says() {
    #[derive(Deserialize)]
    struct Key {
        public_spki_b64: String,
    }
    #[derive(Deserialize)]
    struct Sample {
        id: String,
        aes_key_b64: Option<String>,
        alipay_key: Option<String>,
        frontend_response: String,
        plaintext: String,
    }
    #[derive(Deserialize)]
    struct File {
        phone: Vec<Sample>,
    }
    let (Some(file), Some(keys)) = (
        vectors::<File>("synthetic.json"),
        vectors::<HashMap<String, serde_json::Value>>("keys.json"),
    ) else {
        return;
    };
    let mut opened = 0;
    for sample in file.phone {
        let app = match (&sample.alipay_key, &sample.aes_key_b64) {
            (Some(name), Some(aes_key)) => {
                let key: Key = serde_json::from_value(keys[name].clone()).unwrap();
                App {
                    alipay_key: VerifyingKey::from_text(&key.public_spki_b64).unwrap(),
                    content_key: Some(ContentKey::from_text(aes_key).unwrap()),
                    ..app()
                }
            }
            _ => with_key(),
        };
        let result = in_the_clear(&sample.frontend_response).open(&app, SystemTime::now());
        if sample.plaintext.contains(r#""code":"10000""#) {
            let content = result.unwrap_or_else(|error| panic!("{}: {error}", sample.id));
            assert_eq!(content.as_str(), sample.plaintext, "{}", sample.id);
            opened += 1;
        } else {
            let error = result.unwrap_err();
            assert!(
                matches!(&error, FrontEndDataError::Refused(refusal) if sample.plaintext.contains(&refusal.code)),
                "{}: {error}",
                sample.id
            );
        }
    }
    assert!(opened > 0);
}
