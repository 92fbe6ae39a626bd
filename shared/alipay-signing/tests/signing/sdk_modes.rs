//! Certificate mode, content encryption and V3 as the official SDK has them with our own keys and certificates, kept in
//! `tests/vectors` with the scripts that make it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use alipay_signing::certificate::{Certificate, RootCertificates};
use alipay_signing::content_encryption::ContentKey;
use alipay_signing::v3::{SCHEME, auth_string, request_text};
use alipay_signing::{SignType, SigningKey, canonical_string};
use serde::Deserialize;

#[derive(Deserialize)]
struct Made {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    kind: String,
    mode: String,
    key: String,
    app_cert_sn: Option<String>,
    alipay_cert_sn: Option<String>,
    alipay_root_cert_sn: Option<String>,
    aes_key: Option<String>,
    plaintext: Option<String>,
    #[serde(default)]
    params: BTreeMap<String, String>,
    #[serde(default)]
    http_method: String,
    #[serde(default)]
    target: String,
    body: String,
    app_auth_token: Option<String>,
    #[serde(default)]
    authorization: String,
    root_cert_sn_header: Option<String>,
    signed_text: String,
    signature: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors")
}

fn text(file: &str) -> String {
    std::fs::read_to_string(folder().join(file)).expect("a readable file")
}

fn cases() -> Vec<Case> {
    let made: Made = serde_json::from_str(&text("node-modes.json")).expect("the documented form");
    made.cases
}

impl Case {
    fn encrypted(&self) -> Option<(ContentKey, &str)> {
        let key = ContentKey::from_text(self.aes_key.as_deref()?).expect("a key");
        Some((key, self.plaintext.as_deref()?))
    }

    fn is_signed_by_us_alike(&self) {
        let key = text(&format!("keys/{}.pkcs8.pem", self.key));
        let signature = SigningKey::from_text(&key)
            .expect("a private key")
            .sign(SignType::Rsa2, self.signed_text.as_bytes());
        assert_eq!(signature.as_ref(), Ok(&self.signature), "{}", self.id);
    }
}

#[test]
fn serial_numbers_of_our_certificates_are_those_that_the_official_sdk_computes() {
    let app = Certificate::from_text(&text("keys/app-2048.crt")).expect("a certificate");
    let alipay = Certificate::from_text(&text("keys/alipay-2048.crt")).expect("a certificate");
    let roots = RootCertificates::from_text(&text("keys/roots.crt")).expect("roots");
    let mut count = 0;
    for case in cases() {
        let expected = (case.mode == "certificate").then_some((
            app.serial_number(),
            alipay.serial_number(),
            roots.serial_numbers(),
        ));
        let computed = case.app_cert_sn.as_deref().and_then(|app| {
            let alipay = case.alipay_cert_sn.as_deref()?;
            Some((app, alipay, case.alipay_root_cert_sn.as_deref()?))
        });
        assert_eq!(computed, expected, "{}", case.id);
        count += usize::from(computed.is_some());
    }
    assert_eq!(count, 7);
}

#[test]
fn our_certificates_are_in_their_places() {
    let app = Certificate::from_text(&text("keys/app-2048.crt")).expect("a certificate");
    let alipay = Certificate::from_text(&text("keys/alipay-2048.crt")).expect("a certificate");
    let roots = RootCertificates::from_text(&text("keys/roots.crt")).expect("roots");
    let key = SigningKey::from_text(&text("keys/app-2048.pkcs8.pem")).expect("a private key");
    assert_eq!(app.verifying_key(), &key.verifying_key());
    let name = app.subject_common_name();
    assert_eq!(name.as_deref(), Some("2088000000000001-2021000000000001"));
    assert_eq!((app.issuer_count(), alipay.issuer_count()), (0, 1));
    assert!(!app.is_authority() && !alipay.is_authority());
    let verdict = alipay.check_chain(&roots, alipay.not_before());
    assert_eq!(verdict, Ok(()));
}

#[test]
fn requests_in_every_mode_are_signed_as_the_official_sdk_signs_them() {
    let mut count = 0;
    for case in cases().iter().filter(|case| case.kind == "v2") {
        let id = &case.id;
        let mut params = case.params.clone();
        if let Some((key, plaintext)) = case.encrypted() {
            let ciphertext = key.encrypt(plaintext.as_bytes()).expect("a ciphertext");
            assert_eq!(
                params.insert("biz_content".to_owned(), ciphertext),
                case.params.get("biz_content").cloned(),
                "{id}"
            );
            assert_eq!(params["encrypt_type"], "AES", "{id}");
        }
        assert_eq!(params.get("app_cert_sn"), case.app_cert_sn.as_ref(), "{id}");
        assert_eq!(
            params.get("alipay_root_cert_sn"),
            case.alipay_root_cert_sn.as_ref(),
            "{id}"
        );
        let pairs = params
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        assert_eq!(canonical_string(pairs), case.signed_text, "{id}");
        case.is_signed_by_us_alike();
        count += 1;
    }
    assert_eq!(count, 3);
}

#[test]
fn v3_requests_are_signed_as_the_official_sdk_signs_them() {
    let mut count = 0;
    for case in cases().iter().filter(|case| case.kind == "v3") {
        let id = &case.id;
        if let Some((key, plaintext)) = case.encrypted() {
            assert_eq!(
                key.encrypt(plaintext.as_bytes()).as_ref(),
                Ok(&case.body),
                "{id}"
            );
            let decrypted = key.decrypt(&case.body);
            assert_eq!(decrypted.as_deref(), Ok(plaintext.as_bytes()), "{id}");
        }
        let (auth, _) = case.signed_text.split_once('\n').expect("lines");
        let (before, timestamp) = auth.rsplit_once(",timestamp=").expect("a time");
        let (_, nonce) = before.rsplit_once(",nonce=").expect("a nonce");
        let ours = auth_string(
            "2021000000000001",
            case.app_cert_sn.as_deref(),
            nonce,
            timestamp.parse().expect("milliseconds"),
        );
        let token = case.app_auth_token.as_deref();
        let signed = request_text(&ours, &case.http_method, &case.target, &case.body, token);
        assert_eq!(signed, case.signed_text, "{id}");
        case.is_signed_by_us_alike();
        let header = format!("{SCHEME} {ours},sign={}", case.signature);
        assert_eq!(header, case.authorization, "{id}");
        assert_eq!(case.root_cert_sn_header, case.alipay_root_cert_sn, "{id}");
        count += 1;
    }
    assert_eq!(count, 10);
}
