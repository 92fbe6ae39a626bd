//! The key that callers encrypt to.

use std::path::Path;

use identity::{LoginDocument, RequestEncryption};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::forge::{KEY, Key, document, read};

#[derive(Deserialize)]
struct Made {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    key: String,
    encrypted: String,
    /// None where it must be refused.
    text: Option<String>,
}

fn file(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn made() -> Vec<Case> {
    let made: Made = serde_json::from_str(&file("node-x-signature.json")).unwrap();
    made.cases
}

fn with_encryption(private_key: &str) -> Value {
    let mut document = document(&[(KEY, &Key::new(), "2026-11-01T00:00:00Z")]);
    document["requestEncryption"] = json!({"privateKey": private_key});
    document
}

fn encryption(key: &str) -> RequestEncryption {
    let document = read(&with_encryption(&file(&format!("keys/{key}.pkcs8.pem"))));
    document.request_encryption().unwrap().clone()
}

fn decrypted(key: &RequestEncryption, encrypted: &str) -> Option<String> {
    key.decrypt(encrypted)
        .map(|text| text.expose_secret().to_owned())
}

/// See `tests/vectors/README.md` of the project.
#[test]
fn what_node_decrypts_is_decrypted_and_what_it_refuses_is_refused() {
    for name in ["app-2048", "app-3072"] {
        let key = encryption(name);
        let cases: Vec<_> = made().into_iter().filter(|case| case.key == name).collect();
        assert!(cases.iter().any(|case| case.text.is_some()));
        assert!(cases.iter().any(|case| case.text.is_none()));
        for case in cases {
            assert_eq!(decrypted(&key, &case.encrypted), case.text, "{}", case.id);
        }
    }
}

#[test]
fn what_was_encrypted_to_another_key_or_changed_on_the_way_is_refused() {
    let key = encryption("app-2048");
    let case = |name: &str| {
        let case = made().into_iter().find(|case| case.id.ends_with(name));
        case.unwrap().encrypted
    };
    let right = case("app-2048-right");
    assert!(decrypted(&key, &right).is_some());
    let mut changed = right.clone().into_bytes();
    changed[100] = if changed[100] == b'A' { b'B' } else { b'A' };
    for wrong in [
        String::from_utf8(changed).unwrap(),
        case("app-3072-right"),
        String::new(),
        "c2Vzc2lvbl90b2tlbj0=".to_owned(),
        right[..right.len() - 4].to_owned(),
        right.trim_end_matches('=').to_owned(),
        format!("{right}AAAA"),
        format!(" {}", &right[1..]),
        right.replace('+', "-").replace('/', "_"),
        "\u{0}".repeat(right.len()),
        "用".repeat(right.len() / 3),
    ] {
        assert_eq!(decrypted(&key, &wrong), None, "{wrong}");
    }
}

#[test]
fn the_public_key_is_published_as_node_writes_it() {
    for name in ["app-2048", "app-3072"] {
        let expected = file(&format!("keys/{name}.public.pem"));
        assert_eq!(encryption(name).public_key(), expected);
    }
}

#[test]
fn a_document_needs_no_such_key_and_has_no_other_kind_of_it() {
    let without = document(&[(KEY, &Key::new(), "2026-11-01T00:00:00Z")]);
    assert!(read(&without).request_encryption().is_none());

    let key = Key::new();
    let mut same = document(&[(KEY, &key, "2026-11-01T00:00:00Z")]);
    same["requestEncryption"] = json!({"privateKey": key.text()});
    let mut more = with_encryption(&Key::new().text());
    more["requestEncryption"]["canary"] = json!("canary");
    let mut text = without.clone();
    text["requestEncryption"] = json!("canary");
    let public = with_encryption(&file("keys/app-2048.public.pem"));
    let private = "requestEncryption.privateKey";
    for (document, field, problem) in [
        (same, private, "must not decrypt"),
        (with_encryption("canary"), private, "base64"),
        (public, private, "public key"),
        (more, "requestEncryption.canary", "known"),
        (text, "requestEncryption", "object"),
    ] {
        let error = LoginDocument::from_json(&document.to_string().into()).unwrap_err();
        assert_eq!(error.field(), field);
        assert!(error.problem().contains(problem), "{error}");
        assert!(!error.problem().contains("canary"), "{error}");
    }
}

#[test]
fn debug_shows_nothing_of_the_key() {
    assert_eq!(
        format!("{:?}", encryption("app-2048")),
        "RequestEncryption { .. }"
    );
}
