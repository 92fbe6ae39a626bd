//! Keys of the tests, good ones and every kind of bad one.

use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A good pair.
pub struct Pair {
    /// PKCS#8.
    pub private: Vec<u8>,
    /// SPKI.
    pub public: Vec<u8>,
}

impl Pair {
    pub fn private_text(&self) -> String {
        STANDARD.encode(&self.private)
    }

    pub fn public_text(&self) -> String {
        STANDARD.encode(&self.public)
    }

    /// The key inside PKCS#8: what follows version, algorithm and header, which have one length for all 2048-bit keys.
    pub fn pkcs1(&self) -> &[u8] {
        &self.private[26..]
    }
}

/// The app's pair, made once.
pub fn app() -> &'static Pair {
    static PAIR: OnceLock<Pair> = OnceLock::new();
    PAIR.get_or_init(generate)
}

/// Alipay's pair, made once.
pub fn alipay() -> &'static Pair {
    static PAIR: OnceLock<Pair> = OnceLock::new();
    PAIR.get_or_init(generate)
}

fn generate() -> Pair {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    Pair {
        private: private.as_ref().to_vec(),
        public: public.as_ref().to_vec(),
    }
}

pub fn pem(label: &str, der: &[u8], line_end: &str) -> String {
    let body = STANDARD.encode(der);
    let lines: Vec<&str> = body
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN {label}-----{line_end}{}{line_end}-----END {label}-----{line_end}",
        lines.join(line_end)
    )
}

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x82, length[0], length[1]][..], content]
        .concat()
        .to_vec()
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    element(0x30, &parts.concat())
}

/// A positive integer.
fn integer(magnitude: &[u8]) -> Vec<u8> {
    element(0x02, &[&[0], magnitude].concat())
}

/// A modulus of that many bytes, its top bit set.
fn modulus(bytes: usize) -> Vec<u8> {
    (0..bytes)
        .map(|index| 0x80 | u8::try_from(index % 127).unwrap() | 1)
        .collect()
}

/// A public key (SPKI) of a modulus of `bytes` and the exponent.
pub fn public_of(bytes: usize, exponent: &[u8]) -> Vec<u8> {
    let key = sequence(&[integer(&modulus(bytes)), integer(exponent)]);
    let algorithm = sequence(&[element(0x06, RSA), element(0x05, &[])]);
    sequence(&[algorithm, element(0x03, &[&[0], &key[..]].concat())])
}

/// A private key (PKCS#1) of a modulus of `bytes` and the exponent. The rest of it is noise: nobody gets so far.
pub fn private_of(bytes: usize, exponent: &[u8]) -> Vec<u8> {
    let mut parts = vec![
        element(0x02, &[0]),
        integer(&modulus(bytes)),
        integer(exponent),
    ];
    parts.extend((0..6).map(|_| integer(&modulus(bytes / 2))));
    sequence(&parts)
}

pub fn ec_private() -> Vec<u8> {
    let random = aws_lc_rs::rand::SystemRandom::new();
    EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random)
        .unwrap()
        .as_ref()
        .to_vec()
}

pub fn ec_public() -> Vec<u8> {
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &ec_private()).unwrap();
    let point = pair.public_key().as_ref();
    let algorithm = sequence(&[element(0x06, EC), element(0x06, &[0x2a])]);
    sequence(&[algorithm, element(0x03, &[&[0], point].concat())])
}

/// `EncryptedPrivateKeyInfo`: what `openssl pkcs8 -topk8` writes when it is given a passphrase.
pub fn encrypted() -> Vec<u8> {
    sequence(&[
        sequence(&[element(0x06, &[0x2a])]),
        element(0x04, &modulus(1200)),
    ])
}

pub fn certificate() -> &'static [u8] {
    webpki_root_certs::TLS_SERVER_ROOT_CERTS[0].as_ref()
}
