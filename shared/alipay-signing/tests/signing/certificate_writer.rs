//! Writes the certificates that the tests need: right ones, and those that no authority would issue.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use alipay_signing::{SignType, SigningKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::der_writer::{RSA_ENCRYPTION, element, integer, octet_string, sequence};
use crate::new_key;

pub const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
pub const SHA256_WITH_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
pub const SHA1_WITH_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05];
pub const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];

/// Keys of the parts that a chain has, made once for a run.
pub static ROOT_KEY: LazyLock<SigningKey> = LazyLock::new(new_key);
pub static INTERMEDIATE_KEY: LazyLock<SigningKey> = LazyLock::new(new_key);
pub static SUBJECT_KEY: LazyLock<SigningKey> = LazyLock::new(new_key);

/// Seconds of the certificates' validity: from 2020-01-01 to 2029-12-31.
const FROM: u64 = 1_577_836_800;

/// A time at which every certificate is valid that does not say otherwise.
pub fn within() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(FROM + 1_000_000)
}

/// One certificate, before it is signed.
#[derive(Clone)]
pub struct Draft {
    pub serial: Vec<u8>,
    pub issuer: Vec<u8>,
    pub subject: Vec<u8>,
    pub not_before: &'static str,
    pub not_after: &'static str,
    /// SPKI.
    pub public_key: Vec<u8>,
    pub algorithm: &'static [u8],
    pub extensions: Vec<Vec<u8>>,
}

/// A name with a common name only.
pub fn name(common_name: &str) -> Vec<u8> {
    distinguished_name(&[(COMMON_NAME, element(0x0c, common_name.as_bytes()))])
}

/// A name of types and encoded values, in the order of the encoding.
pub fn distinguished_name(parts: &[(&[u8], Vec<u8>)]) -> Vec<u8> {
    let parts: Vec<Vec<u8>> = parts
        .iter()
        .map(|(oid, value)| element(0x31, &sequence(&[element(0x06, oid), value.clone()])))
        .collect();
    sequence(&parts)
}

pub fn public_key(key: &SigningKey) -> Vec<u8> {
    STANDARD
        .decode(key.verifying_key().to_base64())
        .expect("base64")
}

pub fn extension(oid: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let mut parts = vec![element(0x06, oid)];
    if critical {
        parts.push(element(0x01, &[0xff]));
    }
    parts.push(octet_string(value));
    sequence(&parts)
}

pub fn authority(path_length: Option<u8>) -> Vec<u8> {
    let mut fields = vec![element(0x01, &[0xff])];
    fields.extend(path_length.map(|length| integer(&[length])));
    extension(BASIC_CONSTRAINTS, true, &sequence(&fields))
}

/// Key usage with `keyCertSign` and `cRLSign`, or with `digitalSignature`.
pub fn key_usage(signs_certificates: bool) -> Vec<u8> {
    let bits: &[u8] = if signs_certificates {
        &[0x01, 0x06]
    } else {
        &[0x07, 0x80]
    };
    extension(KEY_USAGE, true, &element(0x03, bits))
}

impl Draft {
    pub fn new(subject: &str, key: &SigningKey, issuer: &str) -> Self {
        Self {
            serial: vec![1],
            issuer: name(issuer),
            subject: name(subject),
            not_before: "200101000000Z",
            not_after: "291231000000Z",
            public_key: public_key(key),
            algorithm: SHA256_WITH_RSA,
            extensions: Vec::new(),
        }
    }

    pub fn authority(subject: &str, key: &SigningKey, issuer: &str) -> Self {
        Self {
            extensions: vec![authority(None), key_usage(true)],
            ..Self::new(subject, key, issuer)
        }
    }

    pub fn der(&self, issuer_key: &SigningKey) -> Vec<u8> {
        let algorithm = sequence(&[element(0x06, self.algorithm), element(0x05, &[])]);
        let time = |text: &str| {
            let tag = if text.len() == 13 { 0x17 } else { 0x18 };
            element(tag, text.as_bytes())
        };
        let mut fields = vec![
            element(0xa0, &integer(&[2])),
            integer(&self.serial),
            algorithm.clone(),
            self.issuer.clone(),
            sequence(&[time(self.not_before), time(self.not_after)]),
            self.subject.clone(),
            self.public_key.clone(),
        ];
        if !self.extensions.is_empty() {
            fields.push(element(0xa3, &sequence(&self.extensions)));
        }
        let signed = sequence(&fields);
        let sign_type = if self.algorithm == SHA1_WITH_RSA {
            SignType::Rsa
        } else {
            SignType::Rsa2
        };
        let signature = issuer_key.sign(sign_type, &signed).expect("a signature");
        let signature = STANDARD.decode(signature).expect("base64");
        sequence(&[
            signed,
            algorithm,
            element(0x03, &[&[0], signature.as_slice()].concat()),
        ])
    }

    pub fn pem(&self, issuer_key: &SigningKey) -> String {
        pem("CERTIFICATE", &self.der(issuer_key))
    }
}

pub fn pem(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in STANDARD.encode(der).as_bytes().chunks(64) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text + &format!("-----END {label}-----\n")
}

/// A certificate request of PKCS#10.
pub fn request(key: &SigningKey) -> Vec<u8> {
    let content = sequence(&[
        integer(&[0]),
        name("an app"),
        public_key(key),
        element(0xa0, &[]),
    ]);
    let algorithm = sequence(&[element(0x06, SHA256_WITH_RSA), element(0x05, &[])]);
    sequence(&[content, algorithm, element(0x03, &[0; 257])])
}

/// The key of an elliptic curve as SPKI.
pub fn elliptic_curve_key() -> Vec<u8> {
    let curve = element(0x06, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]);
    let algorithm = sequence(&[
        element(0x06, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01]),
        curve,
    ]);
    sequence(&[
        algorithm,
        element(0x03, &[[0, 4].as_slice(), &[7; 64]].concat()),
    ])
}

/// An RSA key of 1024 bits as SPKI.
pub fn weak_key() -> Vec<u8> {
    let key = crate::der_writer::rsa_public_key(&[0xc1; 128], &[1, 0, 1]);
    crate::der_writer::public_key_info(RSA_ENCRYPTION, &key)
}

/// The usual chain: a root, an issuer under it, and a subject under that.
pub fn root() -> Draft {
    Draft::authority("root", &ROOT_KEY, "root")
}

pub fn intermediate() -> Draft {
    Draft::authority("intermediate", &INTERMEDIATE_KEY, "root")
}

pub fn subject() -> Draft {
    Draft {
        extensions: vec![key_usage(false)],
        ..Draft::new("subject", &SUBJECT_KEY, "intermediate")
    }
}
