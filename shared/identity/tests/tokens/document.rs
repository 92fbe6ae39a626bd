//! What a login document may say, and what is answered to one that is wrong.

use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use identity::{LoginDocument, LoginDocumentError};
use serde_json::{Value, json};

use crate::forge::{APP, CLIENT, KEY, Key, document, read};

fn right() -> Value {
    document(&[(KEY, &Key::new(), "2026-11-01T00:00:00Z")])
}

fn refused(document: &Value) -> LoginDocumentError {
    LoginDocument::from_json(&document.to_string().into()).unwrap_err()
}

/// The document with `value` at a JSON pointer; without what is there where `value` is null.
fn changed(document: &Value, pointer: &str, value: Value) -> Value {
    let mut document = document.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap();
    match parent {
        Value::Object(members) if value.is_null() => {
            members.remove(name);
        }
        Value::Object(members) => {
            members.insert(name.to_owned(), value);
        }
        _ => *parent.pointer_mut(&format!("/{name}")).unwrap() = value,
    }
    document
}

#[test]
fn a_client_is_what_the_document_says() {
    let key = Key::new();
    let mut document = document(&[(KEY, &key, "2026-11-01T00:00:00Z")]);
    document["clients"] = json!([{
        "clientId": "shop", "appid": APP, "clientSecret": "sixteen-or-more-characters",
        "redirectUris": ["https://shop.example.com/callback?a=1", "com.example.shop:/callback"],
        "returnTo": ["https://shop.example.com", "http://127.0.0.1:8080/"],
        "ssoFrom": ["shop"],
        "idTokenSeconds": 600, "sessionSeconds": 3600, "sessionMaxSeconds": 7200,
    }]);
    let document = read(&document);
    let client = document.client("shop").unwrap();
    assert_eq!(client.sso_from, ["shop"]);
    assert_eq!(client.id, "shop");
    assert_eq!(client.app_id.as_deref(), Some(APP));
    assert!(client.is_secret(&"sixteen-or-more-characters".into()));
    assert!(!client.is_secret(&"another-of-as-many-letters".into()));
    assert_eq!(
        client.redirect_uris,
        [
            "https://shop.example.com/callback?a=1",
            "com.example.shop:/callback"
        ]
    );
    assert_eq!(
        client.return_to,
        ["https://shop.example.com", "http://127.0.0.1:8080/"]
    );
    assert_eq!(client.id_token_life, Duration::from_secs(600));
    assert_eq!(client.session_life, Duration::from_secs(3600));
    assert_eq!(client.session_longest_life, Duration::from_secs(7200));
}

#[test]
fn a_client_needs_no_more_than_an_id() {
    let mut document = right();
    document["clients"] = json!([{"clientId": "page"}]);
    let document = read(&document);
    let client = document.client("page").unwrap();
    assert!(!client.has_secret());
    assert_eq!(client.app_id, None);
    assert!(client.redirect_uris.is_empty() && client.return_to.is_empty());
    assert_eq!(client.id_token_life, Duration::from_secs(7200));
    assert_eq!(client.session_life, Duration::from_secs(604_800));
    assert_eq!(client.session_longest_life, Duration::from_secs(7_776_000));
}

#[test]
fn a_disabled_client_is_as_one_that_does_not_exist() {
    let disabled = read(&changed(&right(), "/clients/0/disabled", json!(true)));
    assert!(disabled.client(CLIENT).is_none());
    assert!(disabled.clients().is_empty());
    assert!(disabled.client("nobody").is_none());
    assert_eq!(disabled.client_of_app(APP).id, APP);
}

#[test]
fn an_app_goes_by_its_first_client_or_by_its_own_id() {
    let mut document = right();
    document["clients"] = json!([
        {"clientId": "other", "appid": "2021000000000009"},
        {"clientId": "first", "appid": APP, "idTokenSeconds": 60},
        {"clientId": "second", "appid": APP},
    ]);
    let document = read(&document);
    assert_eq!(document.client_of_app(APP).id, "first");
    assert_eq!(
        document.client_of_app(APP).id_token_life,
        Duration::from_secs(60)
    );
    let unnamed = document.client_of_app("2021000000000002");
    assert_eq!(unnamed.id, "2021000000000002");
    assert_eq!(unnamed.app_id.as_deref(), Some("2021000000000002"));
    assert!(!unnamed.has_secret() && unnamed.return_to.is_empty());
    // It is made for the one who asked: nobody can name it.
    assert!(document.client("2021000000000002").is_none());
}

#[test]
fn a_signing_key_is_taken_in_all_the_usual_forms() {
    let key = Key::new();
    let base64 = key.text();
    let pem = |label: &str, line_end: &str| {
        let lines: Vec<&str> = base64
            .as_bytes()
            .chunks(64)
            .map(|line| str::from_utf8(line).unwrap())
            .collect();
        let body = lines.join(line_end);
        format!("-----BEGIN {label}-----{line_end}{body}{line_end}-----END {label}-----{line_end}")
    };
    for text in [
        base64.clone(),
        format!("  {base64}\n"),
        pem("PRIVATE KEY", "\n"),
        pem("PRIVATE KEY", "\r\n"),
        pem("RSA PRIVATE KEY", "\n"),
    ] {
        let pointer = format!("/signing/{KEY}/privateKey");
        let document = changed(&right(), &pointer, json!(text));
        assert_eq!(read(&document).key_times()[0].id, KEY);
    }
}

#[test]
fn what_is_no_good_signing_key_is_refused_with_what_it_is() {
    let key = Key::new();
    let spki: PublicKeyX509Der<'_> = key.pair().public_key().as_der().unwrap();
    let random = SystemRandom::new();
    let elliptic = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    // Version, modulus and exponent, as far as they are looked at before anything is computed.
    let rsa = |modulus_bytes: usize, exponent: &[u8]| {
        let integer = |bytes: &[u8]| {
            let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
            [&[0x02, 0x82][..], &length, bytes].concat()
        };
        let mut modulus = vec![0xff; modulus_bytes];
        modulus[0] = 0x7f;
        let body = [integer(&[0]), integer(&modulus), integer(exponent)].concat();
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        let der = [&[0x30, 0x82][..], &length, &body, &[]].concat();
        STANDARD.encode(der)
    };
    let field = format!("signing.{KEY}.privateKey");
    for (text, problem) in [
        (String::new(), "empty"),
        ("no key at all".to_owned(), "base64"),
        (STANDARD.encode(spki.as_ref()), "public key"),
        (STANDARD.encode(elliptic.as_ref()), "elliptic"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----"
                .to_owned(),
            "encrypted",
        ),
        (key.text()[..1000].to_owned(), "damaged"),
        (rsa(128, &[1, 0, 1]), "1023 bits"),
        (rsa(257, &[3]), "exponent"),
        (rsa(257, &[1, 0, 1]), "damaged"),
    ] {
        let pointer = format!("/signing/{KEY}/privateKey");
        let error = refused(&changed(&right(), &pointer, json!(text)));
        assert_eq!(error.field(), field);
        assert!(error.problem().contains(problem), "{problem}: {error}");
        assert!(text.is_empty() || !error.to_string().contains(&text));
    }
}

#[test]
fn each_fault_is_said_with_its_place_and_never_with_its_value() {
    const CANARY: &str = "canary-4f1d9c";
    let right = right();
    let long = format!("{CANARY}{}", "x".repeat(3000));
    for (pointer, value, field) in [
        ("/signing", json!(null), "signing"),
        ("/clients/0/ssoFrom", json!(CANARY), "clients[0].ssoFrom"),
        ("/clients/0/ssoFrom", json!([CANARY]), "clients[0].ssoFrom"),
        ("/signing", json!(CANARY), "signing"),
        ("/signing", json!({}), "signing"),
        ("/signing/a b", json!({}), "signing"),
        ("/signing/k", json!(CANARY), "signing.k"),
        (
            "/signing/2026-11-01/signFrom",
            json!(null),
            "signing.2026-11-01.signFrom",
        ),
        (
            "/signing/2026-11-01/signFrom",
            json!(CANARY),
            "signing.2026-11-01.signFrom",
        ),
        (
            "/signing/2026-11-01/signFrom",
            json!(1),
            "signing.2026-11-01.signFrom",
        ),
        (
            "/signing/2026-11-01/signFrom",
            json!("2026-11-22"),
            "signing.2026-11-01.signFrom",
        ),
        (
            "/signing/2026-11-01/signFrom",
            json!("1969-12-31T23:59:59Z"),
            "signing.2026-11-01.signFrom",
        ),
        (
            "/signing/2026-11-01/privateKey",
            json!(null),
            "signing.2026-11-01.privateKey",
        ),
        (
            "/signing/2026-11-01/privateKey",
            json!(CANARY),
            "signing.2026-11-01.privateKey",
        ),
        (
            "/signing/2026-11-01/key",
            json!(CANARY),
            "signing.2026-11-01.key",
        ),
        ("/sessions", json!(null), "sessions"),
        ("/sessions/active", json!(null), "sessions.active"),
        ("/sessions/active", json!(CANARY), "sessions.active"),
        ("/sessions/keys", json!(CANARY), "sessions.keys"),
        ("/sessions/keys/a", json!(CANARY), "sessions.keys.a"),
        ("/sessions/keys/a", json!(1), "sessions.keys.a"),
        ("/sessions/more", json!(CANARY), "sessions.more"),
        ("/clients", json!(CANARY), "clients"),
        ("/clients/0", json!(CANARY), "clients[0]"),
        ("/clients/0/clientId", json!(null), "clients[0].clientId"),
        ("/clients/0/clientId", json!(""), "clients[0].clientId"),
        (
            "/clients/0/clientId",
            json!(format!("{CANARY} ")),
            "clients[0].clientId",
        ),
        ("/clients/0/clientId", json!(long), "clients[0].clientId"),
        (
            "/clients/0/clientId",
            json!("2021000000000002"),
            "clients[0].clientId",
        ),
        ("/clients/0/appid", json!(CANARY), "clients[0].appid"),
        ("/clients/0/appid", json!(1), "clients[0].appid"),
        (
            "/clients/0/clientSecret",
            json!("canary"),
            "clients[0].clientSecret",
        ),
        (
            "/clients/0/clientSecret",
            json!(long),
            "clients[0].clientSecret",
        ),
        (
            "/clients/0/clientSecret",
            json!("canary-with-a-line\n-end"),
            "clients[0].clientSecret",
        ),
        ("/clients/0/disabled", json!("true"), "clients[0].disabled"),
        (
            "/clients/0/idTokenSeconds",
            json!("7200"),
            "clients[0].idTokenSeconds",
        ),
        (
            "/clients/0/idTokenSeconds",
            json!(59),
            "clients[0].idTokenSeconds",
        ),
        (
            "/clients/0/idTokenSeconds",
            json!(86_401),
            "clients[0].idTokenSeconds",
        ),
        (
            "/clients/0/sessionSeconds",
            json!(0),
            "clients[0].sessionSeconds",
        ),
        (
            "/clients/0/sessionSeconds",
            json!(-1),
            "clients[0].sessionSeconds",
        ),
        (
            "/clients/0/sessionMaxSeconds",
            json!(604_799),
            "clients[0].sessionMaxSeconds",
        ),
        (
            "/clients/0/redirectUris",
            json!(CANARY),
            "clients[0].redirectUris",
        ),
        (
            "/clients/0/redirectUris",
            json!([1]),
            "clients[0].redirectUris[0]",
        ),
        (
            "/clients/0/redirectUri",
            json!(CANARY),
            "clients[0].redirectUri",
        ),
        ("/canary", json!(1), "canary"),
    ] {
        let error = refused(&changed(&right, pointer, value.clone()));
        assert_eq!(error.field(), field, "{pointer} {value}: {error}");
        assert!(!error.to_string().contains(CANARY), "{error}");
    }
    let twice = changed(
        &right,
        "/clients",
        json!([{"clientId": "a"}, {"clientId": "a", "disabled": true}]),
    );
    assert_eq!(refused(&twice).field(), "clients[1].clientId");
}

#[test]
fn an_address_has_one_reading() {
    let right = right();
    let is_taken = |name: &str, address: &str| {
        let pointer = format!("/clients/0/{name}");
        let document = changed(&right, &pointer, json!(["https://fine.example", address]));
        match LoginDocument::from_json(&document.to_string().into()) {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.field(), format!("clients[0].{name}[1]"));
                false
            }
        }
    };
    for address in [
        "https://shop.example.com",
        "https://shop.example.com/",
        "https://shop.example.com:8443/a/b?c=d&e=%20",
        "http://localhost:3000/x",
        "http://[::1]/",
    ] {
        assert!(is_taken("redirectUris", address), "{address}");
        assert!(is_taken("returnTo", address), "{address}");
    }
    for address in [
        "",
        "/relative",
        "//evil.example",
        "/\\evil.example",
        "https:evil.example",
        "https:/evil.example",
        "https:///evil.example",
        "https:\\\\evil.example",
        "HTTPS://shop.example.com/",
        "https://SHOP.example.com/",
        "https://shop.example.com:443/",
        "https://shop.example.com/a/../b",
        "https://shop.example.com@evil.example/",
        "https://me:secret@shop.example.com/",
        "https://*.example.com/",
        "https://shop.example.com/#/login",
        "https://shop.example.com/ ",
        " https://shop.example.com/",
        "https://shop.example.com/\r\nSet-Cookie: a=b",
        "https://shop.example.com/ä",
        "http://shop.example.com/",
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "shop:/callback",
    ] {
        assert!(!is_taken("redirectUris", address), "{address}");
        assert!(!is_taken("returnTo", address), "{address}");
    }
    // Of an app: where it gets a code, and no page to go to.
    assert!(is_taken("redirectUris", "com.example.shop:/callback"));
    assert!(!is_taken("returnTo", "com.example.shop:/callback"));
}

#[test]
fn two_keys_are_two_keys() {
    let (one, other) = (Key::new(), Key::new());
    let same_key = document(&[
        ("a", &one, "2026-11-01T00:00:00Z"),
        ("b", &one, "2026-11-02T00:00:00Z"),
    ]);
    assert_eq!(refused(&same_key).field(), "signing.b.privateKey");
    let same_moment = document(&[
        ("a", &one, "2026-11-01T00:00:00Z"),
        ("b", &other, "2026-11-01T08:00:00+08:00"),
    ]);
    assert_eq!(refused(&same_moment).field(), "signing.b.signFrom");
}

#[test]
fn a_text_that_is_not_a_document_is_refused_by_place_alone() {
    let key = Key::new().text();
    for text in [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        format!("{{\"signing\": {key}}}"),
        format!("{{\"signing\": \"{key}\", \"signing\": \"{key}\"}}"),
        format!("{}x", right()),
    ] {
        let error = LoginDocument::from_json(&text.clone().into()).unwrap_err();
        assert_eq!(error.field(), "the login document");
        assert!(!error.to_string().contains(&key[..20]), "{error}");
    }
}

#[test]
fn debug_of_a_document_shows_names_and_no_secret() {
    let key = Key::new();
    let document = read(&document(&[(KEY, &key, "2026-11-01T00:00:00Z")]));
    let shown = format!("{document:?}");
    assert!(shown.contains(KEY) && shown.contains(CLIENT));
    let text = key.text();
    for secret in [
        &text[text.len() / 2..][..24],
        "a-secret-of",
        &STANDARD.encode([7; 32]),
    ] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(shown.len() < 1500, "{shown}");
}
