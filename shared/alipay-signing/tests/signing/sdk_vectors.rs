//! What the official SDKs sign with our own keys, kept in `tests/vectors` with the scripts that make it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use alipay_signing::{SigningKey, VerifyingKey, canonical_string, form_encode};
use serde::Deserialize;

use crate::form_decode;

#[derive(Deserialize)]
struct Made {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    key: String,
    sign_type: String,
    charset: String,
    params: BTreeMap<String, String>,
    signed_text: String,
    signature: String,
    #[serde(default)]
    query: String,
    #[serde(default)]
    body: String,
    #[serde(default)]
    order_string: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors")
}

fn cases() -> Vec<Case> {
    ["node-sdk.json", "python-sdk.json"]
        .iter()
        .flat_map(|file| {
            let text = std::fs::read(folder().join(file)).expect("a readable file");
            let made: Made = serde_json::from_slice(&text).expect("the documented form");
            made.cases
        })
        .collect()
}

fn key(name: &str, form: &str) -> String {
    std::fs::read_to_string(folder().join("keys").join(format!("{name}.{form}.pem")))
        .expect("a key")
}

#[test]
fn our_canonical_text_and_signature_are_those_of_the_official_sdks() {
    let cases = cases();
    assert!(cases.iter().any(|case| case.charset == "GBK"));
    assert!(cases.iter().any(|case| case.sign_type == "RSA"));
    for case in &cases {
        let pairs = || {
            case.params
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
        };
        assert_eq!(canonical_string(pairs()), case.signed_text, "{}", case.id);
        let charset: alipay_signing::Charset = case.charset.parse().expect("a charset");
        let sign_type = case.sign_type.parse().expect("a sign type");
        let message = charset
            .encode(&case.signed_text)
            .expect("text of that charset");
        for form in ["pkcs1", "pkcs8"] {
            let signing = SigningKey::from_text(&key(&case.key, form)).expect("a private key");
            let signature = signing.sign(sign_type, &message).expect("a signature");
            assert_eq!(signature, case.signature, "{} {form}", case.id);
        }
        let verifying = VerifyingKey::from_text(&key(&case.key, "public")).expect("a public key");
        verifying
            .verify(sign_type, &message, &case.signature)
            .expect("a valid signature");
    }
}

#[test]
fn what_the_official_sdks_send_and_what_we_send_decode_to_the_same_parameters() {
    for case in cases() {
        let charset: alipay_signing::Charset = case.charset.parse().expect("a charset");
        let sent: BTreeMap<String, String> = [&case.query, &case.body, &case.order_string]
            .into_iter()
            .filter(|text| !text.is_empty())
            .flat_map(|text| form_decode(text, charset))
            .collect();
        let mut signed = case.params.clone();
        signed.insert("sign".to_owned(), case.signature.clone());
        assert_eq!(sent, signed, "{}", case.id);
        let pairs = signed
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let ours = form_encode(pairs, charset).expect("text of that charset");
        let decoded: BTreeMap<String, String> = form_decode(&ours, charset).into_iter().collect();
        assert_eq!(decoded, signed, "{}", case.id);
    }
}
