//! The primitives against Project Wycheproof, below the loader, which refuses the weak exponents
//! that some of these keys have on purpose. Read where they lie; absent outside the project's own
//! machines.

use std::io::Write;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::key_text::{KeyStructure, recognise};
use crate::{SignType, SigningKey, VerifyingKey};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    number_of_tests: usize,
    test_groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    sha: String,
    public_key_der: Option<String>,
    private_key_pkcs8: Option<String>,
    tests: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    tc_id: usize,
    msg: String,
    sig: String,
    result: String,
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

fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex"))
        .collect()
}

fn only_valid_signatures_pass(name: &str) {
    let Some(file) = read(name) else { return };
    let mut count = 0;
    let mut valid = 0;
    for group in &file.test_groups {
        assert_eq!(group.sha, "SHA-256");
        let der = from_hex(group.public_key_der.as_deref().expect("a public key"));
        let Ok(KeyStructure::Public(pkcs1)) = recognise(&der) else {
            panic!("{name}: a public key was not recognised");
        };
        let key = VerifyingKey::from_pkcs1(pkcs1).expect("a usable public key");
        for case in &group.tests {
            let verdict = key.verify(
                SignType::Rsa2,
                &from_hex(&case.msg),
                &STANDARD.encode(from_hex(&case.sig)),
            );
            // `acceptable` (a missing NULL) is refused as well.
            let expected = case.result == "valid";
            assert_eq!(verdict.is_ok(), expected, "{name} case {}", case.tc_id);
            count += 1;
            valid += usize::from(expected);
        }
    }
    assert_eq!(count, file.number_of_tests);
    assert!(valid > 0 && valid < count);
}

#[test]
fn of_the_2048_bit_signatures_only_the_valid_ones_pass() {
    only_valid_signatures_pass("rsa_signature_2048_sha256_test.json");
}

#[test]
fn of_the_3072_bit_signatures_only_the_valid_ones_pass() {
    only_valid_signatures_pass("rsa_signature_3072_sha256_test.json");
}

#[test]
fn of_the_4096_bit_signatures_only_the_valid_ones_pass() {
    only_valid_signatures_pass("rsa_signature_4096_sha256_test.json");
}

#[test]
fn signatures_with_sha_256_and_sha_1_are_made_byte_for_byte() {
    let name = "rsa_pkcs1_2048_sig_gen_test.json";
    let Some(file) = read(name) else { return };
    let mut made = (0, 0);
    for group in &file.test_groups {
        let sign_type = match group.sha.as_str() {
            "SHA-256" => SignType::Rsa2,
            "SHA-1" => SignType::Rsa,
            _ => continue,
        };
        let der = from_hex(group.private_key_pkcs8.as_deref().expect("a private key"));
        let Ok(KeyStructure::Private(pkcs1)) = recognise(&der) else {
            panic!("{name}: a private key was not recognised");
        };
        let key = SigningKey::from_pkcs1(pkcs1).expect("a usable private key");
        for case in &group.tests {
            let message = from_hex(&case.msg);
            let expected = STANDARD.encode(from_hex(&case.sig));
            let signature = key.sign(sign_type, &message).expect("a signature");
            assert_eq!(signature, expected, "{name} case {}", case.tc_id);
            assert_eq!(
                key.verifying_key().verify(sign_type, &message, &signature),
                Ok(())
            );
            match sign_type {
                SignType::Rsa2 => made.0 += 1,
                SignType::Rsa => made.1 += 1,
            }
        }
    }
    assert_eq!(made, (10, 8));
}
