use alipay_signing::{KeyError, SigningKey, VerifyingKey};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use crate::der_writer::{self as der, RSA_ENCRYPTION};
use crate::{KEY, KEY_PKCS8, OTHER_KEY, vectors};

fn pem(label: &str, body: &str) -> String {
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

fn in_columns(base64: &str, columns: usize, line_end: &str) -> String {
    let lines: Vec<&str> = base64
        .as_bytes()
        .chunks(columns)
        .map(|line| str::from_utf8(line).expect("ASCII"))
        .collect();
    lines.join(line_end)
}

/// The forms in which one and the same key gets into a configuration.
fn spellings(der: &[u8], label: &str) -> Vec<(&'static str, String)> {
    let one_line = STANDARD.encode(der);
    let folded = in_columns(&one_line, 64, "\n");
    let armoured = pem(label, &folded);
    vec![
        ("bare, one line", one_line.clone()),
        ("bare, 64 columns", folded.clone()),
        ("bare, 76 columns, CRLF", in_columns(&one_line, 76, "\r\n")),
        ("bare, spaces around", format!("  \t{one_line} \n\n")),
        ("bare, spaces inside", in_columns(&one_line, 10, "  ")),
        (
            "bare, ideographic and no-break spaces",
            format!("\u{3000}{one_line}\u{a0}"),
        ),
        ("bare, byte order mark", format!("\u{feff}{one_line}")),
        (
            "bare, padding lost",
            one_line.trim_end_matches('=').to_owned(),
        ),
        (
            "bare, line ends written as \\n",
            in_columns(&one_line, 64, "\\n"),
        ),
        ("PEM", armoured.clone()),
        ("PEM, CRLF", armoured.replace('\n', "\r\n")),
        ("PEM, on one line", pem(label, &one_line)),
        ("PEM, lines joined by spaces", armoured.replace('\n', " ")),
        ("PEM, lines joined by nothing", armoured.replace('\n', "")),
        (
            "PEM, line ends written as \\n",
            armoured.replace('\n', "\\n"),
        ),
        (
            "PEM, line ends written as \\r\\n",
            armoured.replace('\n', "\\r\\n"),
        ),
        ("PEM, indented", armoured.replace('\n', "\n        ")),
        (
            "PEM, text before it",
            format!("Bag Attributes\n    localKeyID: 01\n{armoured}"),
        ),
        ("PEM, a wrong label", pem("RSA PRIVATE KEY", &folded)),
        ("PEM, another wrong label", pem("PUBLIC KEY", &folded)),
        ("PEM, a third wrong label", pem("CERTIFICATE", &folded)),
    ]
}

#[test]
fn a_private_key_loads_from_every_form_to_the_same_key() {
    let pkcs1 = der::pkcs1_of_pkcs8(&KEY_PKCS8);
    let forms = [
        ("PRIVATE KEY", KEY_PKCS8.as_slice()),
        ("RSA PRIVATE KEY", pkcs1.as_slice()),
    ];
    for (label, bytes) in forms {
        for (form, text) in spellings(bytes, label) {
            let key =
                SigningKey::from_text(&text).unwrap_or_else(|error| panic!("{form}: {error}"));
            assert_eq!(key.verifying_key(), KEY.verifying_key(), "{label}: {form}");
        }
    }
}

#[test]
fn a_public_key_loads_from_every_form_to_the_same_key() {
    let spki = STANDARD
        .decode(KEY.verifying_key().to_base64())
        .expect("base64");
    let pkcs1 = der::content(&spki)[15..].to_vec();
    let pkcs1 = der::content(&pkcs1)[1..].to_vec();
    for (label, bytes) in [("PUBLIC KEY", spki), ("RSA PUBLIC KEY", pkcs1)] {
        for (form, text) in spellings(&bytes, label) {
            let key =
                VerifyingKey::from_text(&text).unwrap_or_else(|error| panic!("{form}: {error}"));
            assert_eq!(key, KEY.verifying_key(), "{label}: {form}");
            assert_eq!(key.to_base64(), KEY.verifying_key().to_base64());
        }
    }
}

#[test]
fn two_keys_are_not_equal() {
    assert_ne!(KEY.verifying_key(), OTHER_KEY.verifying_key());
}

/// The texts that are wrong in either place.
#[track_caller]
fn both_refuse(text: &str, expected: KeyError) {
    assert_eq!(
        SigningKey::from_text(text).err(),
        Some(expected),
        "as a private key"
    );
    assert_eq!(
        VerifyingKey::from_text(text).err(),
        Some(expected),
        "as a public key"
    );
}

#[test]
fn nothing_is_called_empty() {
    for text in [
        "",
        "   ",
        "\r\n",
        "\u{feff}",
        "\\n",
        "-----BEGIN PRIVATE KEY----------END PRIVATE KEY-----",
    ] {
        both_refuse(text, KeyError::Empty);
    }
}

#[test]
fn what_is_not_base64_is_called_so() {
    let url_safe = base64::engine::general_purpose::URL_SAFE.encode([0xff; 300]);
    for text in [
        "your private key here",
        "MIIE…",
        "密钥",
        "MII=EvQ",
        url_safe.as_str(),
        "{\"kty\":\"RSA\"}",
    ] {
        both_refuse(text, KeyError::NotBase64);
    }
}

#[test]
fn half_a_pem_file_is_called_cut_off() {
    let whole = pem("PRIVATE KEY", &STANDARD.encode(&*KEY_PKCS8));
    both_refuse(
        whole.split("-----END").next().expect("a first part"),
        KeyError::PemCutOff,
    );
    both_refuse(
        whole.split("KEY-----\n").nth(1).expect("a second part"),
        KeyError::PemCutOff,
    );
    both_refuse("-----BEGIN PRIVATE KEY", KeyError::PemCutOff);
}

#[test]
fn two_keys_in_one_text_are_refused() {
    let one = pem("PRIVATE KEY", &STANDARD.encode(&*KEY_PKCS8));
    both_refuse(&format!("{one}{one}"), KeyError::SeveralPemBlocks);
}

#[test]
fn an_elliptic_curve_key_is_called_so() {
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new())
        .expect("a key");
    both_refuse(&STANDARD.encode(pkcs8.as_ref()), KeyError::EllipticCurve);

    let pair =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref()).expect("a pair");
    let spki: aws_lc_rs::encoding::PublicKeyX509Der<'_> =
        pair.public_key().as_der().expect("its DER");
    both_refuse(&STANDARD.encode(spki.as_ref()), KeyError::EllipticCurve);

    let sec1: aws_lc_rs::encoding::EcPrivateKeyRfc5915Der<'_> =
        pair.private_key().as_der().expect("its DER");
    both_refuse(&STANDARD.encode(sec1.as_ref()), KeyError::EllipticCurve);
    let file = pem("EC PARAMETERS", "BggqhkjOPQMBBw==")
        + &pem("EC PRIVATE KEY", &STANDARD.encode(sec1.as_ref()));
    both_refuse(&file, KeyError::EllipticCurve);
}

#[test]
fn a_key_of_another_algorithm_is_called_so() {
    let ed25519 = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).expect("a key");
    both_refuse(&STANDARD.encode(ed25519.as_ref()), KeyError::OtherAlgorithm);

    let pss_only = der::public_key_info(
        der::RSASSA_PSS,
        &der::rsa_public_key(&[0xff; 256], &[1, 0, 1]),
    );
    both_refuse(&STANDARD.encode(pss_only), KeyError::OtherAlgorithm);
}

#[test]
fn an_encrypted_key_is_called_so() {
    let encrypted = der::sequence(&[der::algorithm(der::PBES2), der::octet_string(&[7; 1200])]);
    let base64 = STANDARD.encode(encrypted);
    both_refuse(&base64, KeyError::Encrypted);
    both_refuse(&pem("ENCRYPTED PRIVATE KEY", &base64), KeyError::Encrypted);
    let old_style = pem(
        "RSA PRIVATE KEY",
        "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\nAAAA",
    );
    both_refuse(&old_style, KeyError::Encrypted);
}

#[test]
fn a_certificate_is_called_so() {
    let signed = der::sequence(&[
        der::sequence(&[der::integer(&[1]), der::algorithm(RSA_ENCRYPTION)]),
        der::algorithm(RSA_ENCRYPTION),
        der::bit_string(&[7; 256]),
    ]);
    let base64 = STANDARD.encode(signed);
    both_refuse(&base64, KeyError::Certificate);
    let certificate = pem("CERTIFICATE", &base64);
    both_refuse(&certificate, KeyError::Certificate);
    both_refuse(
        &format!("{certificate}{certificate}"),
        KeyError::Certificate,
    );
}

#[test]
fn real_certificates_are_called_so() {
    let Some(folder) = vectors("certs") else {
        return;
    };
    let mut count = 0;
    for file in std::fs::read_dir(folder).expect("a folder") {
        let text = std::fs::read_to_string(file.expect("a file").path()).expect("text");
        both_refuse(&text, KeyError::Certificate);
        count += 1;
    }
    assert!(count >= 10);
}

#[test]
fn a_private_key_and_a_public_key_are_not_taken_for_each_other() {
    let private = STANDARD.encode(&*KEY_PKCS8);
    let private_pkcs1 = STANDARD.encode(der::pkcs1_of_pkcs8(&KEY_PKCS8));
    let public = KEY.verifying_key().to_base64();
    for text in [private, private_pkcs1] {
        assert_eq!(
            VerifyingKey::from_text(&text).err(),
            Some(KeyError::PrivateInPublicPlace)
        );
    }
    assert_eq!(
        SigningKey::from_text(&public).err(),
        Some(KeyError::PublicInPrivatePlace)
    );
}

/// A private key of the right structure, with numbers that no check of the structure looks at.
fn private_key(modulus: &[u8], exponent: &[u8]) -> String {
    let mut fields = vec![
        der::integer(&[]),
        der::integer(modulus),
        der::integer(exponent),
    ];
    fields.extend((0..6).map(|_| der::integer(&[0x7f; 128])));
    STANDARD.encode(der::sequence(&fields))
}

fn public_key(modulus: &[u8], exponent: &[u8]) -> String {
    STANDARD.encode(der::public_key_info(
        RSA_ENCRYPTION,
        &der::rsa_public_key(modulus, exponent),
    ))
}

#[test]
fn a_short_key_is_refused_with_its_length() {
    // 2047 bits is under 2048 too, though it fills as many bytes.
    let mut almost = [0xff; 256];
    almost[0] = 0x7f;
    for (modulus, bits) in [
        (&[0xff; 64][..], 512),
        (&[0xff; 128], 1024),
        (&almost, 2047),
    ] {
        let expected = Some(KeyError::TooSmall { bits });
        assert_eq!(
            SigningKey::from_text(&private_key(modulus, &[1, 0, 1])).err(),
            expected
        );
        assert_eq!(
            VerifyingKey::from_text(&public_key(modulus, &[1, 0, 1])).err(),
            expected
        );
    }
}

#[test]
fn an_enormous_key_is_refused() {
    let expected = Some(KeyError::TooLarge { bits: 16384 });
    assert_eq!(
        VerifyingKey::from_text(&public_key(&[0xff; 2048], &[1, 0, 1])).err(),
        expected
    );
}

#[test]
fn a_weak_exponent_is_refused() {
    for exponent in [
        &[][..],
        &[1],
        &[3],
        &[17],
        &[1, 0, 0],
        &[1, 0, 2],
        &[1, 0, 0, 0, 1],
    ] {
        let expected = Some(KeyError::WeakExponent);
        assert_eq!(
            SigningKey::from_text(&private_key(&[0xff; 256], exponent)).err(),
            expected
        );
        assert_eq!(
            VerifyingKey::from_text(&public_key(&[0xff; 256], exponent)).err(),
            expected
        );
    }
}

#[test]
fn a_damaged_private_key_is_refused_and_not_shown() {
    let good = STANDARD.encode(&*KEY_PKCS8);
    let mut bytes = KEY_PKCS8.clone();
    // In the middle of the private exponent.
    bytes[600] ^= 1;
    let damaged = STANDARD.encode(&bytes);
    let cut = STANDARD.encode(&KEY_PKCS8[..KEY_PKCS8.len() - 30]);
    let with_more = STANDARD.encode([&KEY_PKCS8[..], &[0, 0, 0]].concat());
    for text in [damaged, cut, with_more] {
        let error = SigningKey::from_text(&text).expect_err("a damaged key");
        assert_eq!(error, KeyError::Malformed);
        for shown in [error.to_string(), format!("{error:?}")] {
            assert!((0..good.len() - 8).all(|at| !shown.contains(&good[at..at + 8])));
        }
    }
}

#[test]
fn debug_shows_nothing_of_a_private_key() {
    let shown = format!("{:?} {:#?}", *KEY, *KEY);
    assert!(shown.len() < 80, "{shown}");
    assert!(
        !shown.contains(|character: char| character.is_ascii_digit()),
        "{shown}"
    );
    assert!(format!("{:?}", KEY.verifying_key()).len() < 40);
}

#[test]
fn every_refusal_says_how_to_mend_it() {
    for error in [
        KeyError::Empty,
        KeyError::NotBase64,
        KeyError::PemCutOff,
        KeyError::SeveralPemBlocks,
        KeyError::Encrypted,
        KeyError::Certificate,
        KeyError::EllipticCurve,
        KeyError::OtherAlgorithm,
        KeyError::PrivateInPublicPlace,
        KeyError::PublicInPrivatePlace,
        KeyError::TooSmall { bits: 1024 },
        KeyError::TooLarge { bits: 16384 },
        KeyError::WeakExponent,
        KeyError::FlawedChip,
        KeyError::Malformed,
    ] {
        let text = error.to_string();
        let (_, mend) = text
            .split_once(": ")
            .or(text.split_once(", "))
            .expect("two halves");
        let starts = [
            "paste", "it needs", "leave", "decrypt", "put", "make", "2048", "8192", "export",
        ];
        assert!(
            starts.iter().any(|start| mend.starts_with(start)) || text.contains("make a new one"),
            "{text}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_text_makes_the_loader_panic(text in any::<String>()) {
        prop_assert!(SigningKey::from_text(&text).is_err());
        prop_assert!(VerifyingKey::from_text(&text).is_err());
    }

    #[test]
    fn no_damage_makes_the_loader_panic(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        length in any::<prop::sample::Index>(),
    ) {
        let mut bytes = KEY_PKCS8.clone();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        bytes.truncate(length.index(bytes.len()) + 1);
        let _ = SigningKey::from_text(&STANDARD.encode(&bytes));
        let _ = VerifyingKey::from_text(&STANDARD.encode(&bytes));
    }
}
