//! The reader of tokens and the loader of keys against Project Wycheproof's JSON Web Signatures and Keys: form and signature, below the type
//! and the claims that only our own tokens have. Read where they lie; absent outside the project's own machines.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use table_rows::WallTime;

use crate::jwt::verified_payload;
use crate::signing_keys::SigningKey;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    number_of_tests: usize,
    test_groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    private: OneOrMore,
    tests: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    More { keys: Vec<Jwk> },
    One(Jwk),
}

#[derive(Deserialize)]
struct Jwk {
    kid: String,
    kty: String,
    alg: Option<String>,
    #[serde(rename = "use")]
    used_for: Option<String>,
    key_ops: Option<Vec<String>>,
    #[serde(flatten)]
    others: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    tc_id: usize,
    comment: String,
    /// A text, or an object in the form that is not compact.
    #[serde(alias = "jwe")]
    jws: serde_json::Value,
    result: String,
}

impl Jwk {
    /// Whether it says of itself that it makes signatures as ours do. One of the files' keys has its operations in one text.
    fn is_of_rs256(&self) -> bool {
        self.kty == "RSA"
            && self.alg.as_deref() == Some("RS256")
            && self
                .used_for
                .as_deref()
                .is_none_or(|used_for| used_for == "sig")
            && self
                .key_ops
                .as_ref()
                .is_none_or(|operations| operations.join(",").contains("verify"))
    }

    /// `RSAPrivateKey` of PKCS#1, in base64.
    fn pkcs1(&self) -> String {
        let mut body = integer(&[0]);
        for name in ["n", "e", "d", "p", "q", "dp", "dq", "qi"] {
            let text = self.others[name].as_str().expect("a text");
            body.extend(integer(&URL_SAFE_NO_PAD.decode(text).expect("base64url")));
        }
        STANDARD.encode(element(0x30, &body))
    }
}

/// A positive integer in its shortest form.
fn integer(magnitude: &[u8]) -> Vec<u8> {
    let zeros = magnitude.iter().take_while(|&&byte| byte == 0).count();
    let digits = &magnitude[zeros..];
    // Without it the number would be negative, or none.
    let sign: &[u8] = match digits.first() {
        Some(first) if first & 0x80 == 0 => &[],
        _ => &[0],
    };
    element(0x02, &[sign, digits].concat())
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len())
        .expect("a short element")
        .to_be_bytes();
    let header: &[u8] = match length {
        [0, low @ ..=0x7f] => &[tag, low],
        [0, low] => &[tag, 0x81, low],
        [high, low] => &[tag, 0x82, high, low],
    };
    [header, content].concat()
}

fn read(name: &str) -> Option<File> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/vectors/wycheproof")
        .join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).expect("a Wycheproof file")),
        Err(_) => {
            // Written past the test runner, which shows what a passing test prints to nobody.
            let _ = writeln!(std::io::stderr(), "skipped: there is no {name} here");
            None
        }
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    /// Valid, RS256: taken.
    taken: usize,
    /// Invalid, with a key of RS256: refused.
    refused: usize,
    /// Of a key that is too weak to be loaded, or of a flawed chip: refused.
    weak: usize,
    /// Of another algorithm, valid or not: refused.
    foreign: usize,
}

fn judged(name: &str) -> Option<Counts> {
    let file = read(name)?;
    let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key");
    let own: Pkcs8V1Der<'_> = pair.as_der().expect("PKCS#8");
    let own = STANDARD.encode(own.as_ref());
    let mut counts = Counts::default();
    for group in &file.test_groups {
        let jwks = match &group.private {
            OneOrMore::One(key) => std::slice::from_ref(key),
            OneOrMore::More { keys } => keys,
        };
        let is_ours = jwks.iter().all(Jwk::is_of_rs256);
        let loaded = |jwk: &Jwk| {
            // A key of another kind has no way in; one of ours stands under its name.
            let text = if is_ours { jwk.pkcs1() } else { own.clone() };
            SigningKey::from_text(jwk.kid.clone(), &text, WallTime::from_secs(0)).ok()
        };
        let keys: Vec<SigningKey> = jwks.iter().filter_map(loaded).collect();
        let key_of = |id: &str| keys.iter().map(|key| &key.public).find(|key| key.id == id);
        for case in &group.tests {
            let place = format!("{name} case {} ({})", case.tc_id, case.comment);
            let token = match &case.jws {
                serde_json::Value::String(text) => text.clone(),
                object => object.to_string(),
            };
            let is_taken = verified_payload(&token, None, key_of).is_ok();
            assert!(
                verified_payload(&token, Some("JWT"), key_of).is_err(),
                "{place}: is no id_token"
            );
            let (count, expected) = match case.result.as_str() {
                _ if !is_ours => (&mut counts.foreign, false),
                _ if keys.is_empty() => (&mut counts.weak, false),
                "valid" => (&mut counts.taken, true),
                _ => (&mut counts.refused, false),
            };
            assert_eq!(is_taken, expected, "{place}");
            *count += 1;
        }
    }
    let all = counts.taken + counts.refused + counts.weak + counts.foreign;
    assert_eq!(all, file.number_of_tests);
    Some(counts)
}

#[test]
fn of_the_signatures_only_the_valid_ones_of_rs256_are_taken() {
    let Some(counts) = judged("json_web_signature_test.json") else {
        return;
    };
    let expected = Counts {
        taken: 8,
        refused: 225,
        foreign: 168,
        ..Counts::default()
    };
    assert_eq!(counts, expected);
}

#[test]
fn of_the_keys_only_strong_ones_of_rs256_verify() {
    let Some(counts) = judged("json_web_key_test.json") else {
        return;
    };
    let expected = Counts {
        taken: 1,
        weak: 3,
        foreign: 22,
        ..Counts::default()
    };
    assert_eq!(counts, expected);
}

#[test]
fn of_the_mixed_file_only_the_valid_signature_of_rs256_is_taken() {
    let Some(counts) = judged("json_web_crypto_test.json") else {
        return;
    };
    let expected = Counts {
        taken: 1,
        refused: 12,
        weak: 1,
        foreign: 69,
    };
    assert_eq!(counts, expected);
}
