//! The texts that protocol V3 signs.

use std::collections::BTreeMap;

use alipay_signing::v3::{SCHEME, auth_string, request_text, response_text};
use alipay_signing::{SignType, SigningKey, VerifyingKey};
use serde::Deserialize;

use crate::{KEY, json};

#[derive(Deserialize)]
struct Case {
    id: String,
    key: String,
    http_method: String,
    request_target: String,
    body: String,
    headers: BTreeMap<String, String>,
    auth_string: String,
    sign_string: String,
    signature: String,
}

#[derive(Deserialize)]
struct Key {
    private_pkcs8_b64: Option<String>,
    public_spki_b64: String,
}

/// The members of an auth string.
fn members(text: &str) -> BTreeMap<&str, &str> {
    text.split(',')
        .filter_map(|member| member.split_once('='))
        .collect()
}

#[test]
fn requests_of_the_official_sdk_are_signed_byte_for_byte() {
    let (Some(keys), Some(cases)) = (
        json::<BTreeMap<String, Key>>("keys.json"),
        json::<Vec<Case>>("sign_v3.json"),
    ) else {
        return;
    };
    let (mut with_certificate, mut with_token) = (0, 0);
    for case in &cases {
        let id = &case.id;
        let auth = members(&case.auth_string);
        let certificate = auth.get("app_cert_sn").copied();
        let token = case.headers.get("alipay-app-auth-token");
        with_certificate += usize::from(certificate.is_some());
        with_token += usize::from(token.is_some());

        let timestamp = auth["timestamp"].parse().expect("milliseconds");
        let ours = auth_string(auth["app_id"], certificate, auth["nonce"], timestamp);
        assert_eq!(ours, case.auth_string, "{id}");
        let text = request_text(
            &ours,
            &case.http_method,
            &case.request_target,
            &case.body,
            token.map(String::as_str),
        );
        assert_eq!(text, case.sign_string, "{id}");

        let key = &keys[&case.key];
        let private = key.private_pkcs8_b64.as_deref().expect("a private key");
        let signature = SigningKey::from_text(private)
            .expect("a usable key")
            .sign(SignType::Rsa2, text.as_bytes());
        assert_eq!(signature.as_ref(), Ok(&case.signature), "{id}");
        let public = VerifyingKey::from_text(&key.public_spki_b64).expect("a usable key");
        let verdict = public.verify(SignType::Rsa2, text.as_bytes(), &case.signature);
        assert_eq!(verdict, Ok(()), "{id}");

        let header = format!("{SCHEME} {ours},sign={}", case.signature);
        assert_eq!(case.headers["authorization"], header, "{id}");
    }
    assert_eq!((cases.len(), with_certificate, with_token), (5, 1, 1));
}

#[test]
fn every_part_of_a_request_has_its_line() {
    assert_eq!(
        auth_string("2021", Some("5e1a"), "n0", 1_700_000_000_123),
        "app_id=2021,app_cert_sn=5e1a,nonce=n0,timestamp=1700000000123"
    );
    assert_eq!(
        request_text("auth", "GET", "/v3/a?b=c", "", None),
        "auth\nGET\n/v3/a?b=c\n\n"
    );
    assert_eq!(
        request_text("auth", "POST", "/v3/a", "{}", Some("token")),
        "auth\nPOST\n/v3/a\n{}\ntoken\n"
    );
    assert_eq!(response_text("123", "n0", "{}"), "123\nn0\n{}\n");
}

#[test]
fn a_reply_moved_to_another_time_or_nonce_does_not_verify() {
    let sign = KEY
        .sign(SignType::Rsa2, response_text("123", "n0", "{}").as_bytes())
        .expect("a signature");
    let verify = |text: String| {
        KEY.verifying_key()
            .verify(SignType::Rsa2, text.as_bytes(), &sign)
    };
    assert_eq!(verify(response_text("123", "n0", "{}")), Ok(()));
    for text in [
        response_text("124", "n0", "{}"),
        response_text("123", "n1", "{}"),
        response_text("123", "n0", "{} "),
        response_text("", "", ""),
    ] {
        assert!(verify(text).is_err());
    }
}
