//! RSA keys: the pool that tests draw from, and the simulator's own signing and verifying.
//!
//! Everything here is done with the `rsa` crate, on purpose: what is under test signs with another library, so a
//! mistake made once cannot hide on both sides.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rsa::pkcs1::{DecodeRsaPrivateKey as _, EncodeRsaPrivateKey as _};
use rsa::pkcs1v15::{Signature, SigningKey, VerifyingKey};
use rsa::pkcs8::{
    DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _,
    LineEnding,
};
use rsa::signature::{SignatureEncoding as _, Signer as _, Verifier as _};
use rsa::{RsaPrivateKey, RsaPublicKey};
use sha1::Sha1;
use sha2::Sha256;

/// Alipay's names for RSASSA-PKCS1-v1_5 with SHA-256 and with SHA-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum SignType {
    /// SHA-256.
    #[serde(rename = "RSA2")]
    Rsa2,
    /// SHA-1: only for apps that were made so long ago.
    #[serde(rename = "RSA")]
    Rsa,
}

impl SignType {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "RSA2" => Some(Self::Rsa2),
            "RSA" => Some(Self::Rsa),
            _ => None,
        }
    }
}

/// How many different app keys one process makes; further apps share them in turn.
const APP_KEYS: usize = 3;
/// How many different keys Alipay's renewed certificates have; further renewals take them in turn.
const RENEWALS: usize = 2;
const KEY_BITS: usize = 2048;

static ALIPAY_KEY: OnceLock<RsaPrivateKey> = OnceLock::new();
static FOREIGN_KEY: OnceLock<RsaPrivateKey> = OnceLock::new();
static RENEWED_KEYS: [OnceLock<RsaPrivateKey>; RENEWALS] = [const { OnceLock::new() }; RENEWALS];
static APP_KEY_POOL: [OnceLock<RsaPrivateKey>; APP_KEYS] = [const { OnceLock::new() }; APP_KEYS];

/// The key that signs this process' replies.
pub(crate) fn alipay_key() -> &'static RsaPrivateKey {
    ALIPAY_KEY.get_or_init(generate)
}

/// A key that is nobody's: replies signed by it must be refused.
pub(crate) fn foreign_key() -> &'static RsaPrivateKey {
    FOREIGN_KEY.get_or_init(generate)
}

/// The key of Alipay's certificate after `renewals` changes of it.
pub(crate) fn renewed_key(renewals: usize) -> &'static RsaPrivateKey {
    match RENEWED_KEYS.get(renewals % RENEWALS) {
        Some(slot) => slot.get_or_init(generate),
        None => alipay_key(),
    }
}

/// The key of the `index`th app of a simulator.
pub(crate) fn app_key(index: usize) -> &'static RsaPrivateKey {
    match APP_KEY_POOL.get(index % APP_KEYS) {
        Some(slot) => slot.get_or_init(generate),
        None => alipay_key(),
    }
}

#[expect(
    clippy::expect_used,
    reason = "2048 bits is a size that the crate supports"
)]
pub(crate) fn generate() -> RsaPrivateKey {
    RsaPrivateKey::new(&mut rand::rng(), KEY_BITS).expect("2048-bit RSA keys can be generated")
}

/// Signs with the `rsa` crate; standard base64 with padding.
pub(crate) fn sign(key: &RsaPrivateKey, sign_type: SignType, message: &[u8]) -> String {
    STANDARD.encode(sign_bytes(key, sign_type, message))
}

/// The signature as bytes.
pub(crate) fn sign_bytes(key: &RsaPrivateKey, sign_type: SignType, message: &[u8]) -> Vec<u8> {
    match sign_type {
        SignType::Rsa2 => SigningKey::<Sha256>::new(key.clone())
            .sign(message)
            .to_vec(),
        SignType::Rsa => SigningKey::<Sha1>::new(key.clone()).sign(message).to_vec(),
    }
}

/// Whether the standard base64 text (padding required, nothing around it) is this key's signature of the message.
pub(crate) fn verify(
    key: &RsaPublicKey,
    sign_type: SignType,
    message: &[u8],
    signature: &str,
) -> bool {
    let Ok(bytes) = STANDARD.decode(signature) else {
        return false;
    };
    let Ok(signature) = Signature::try_from(bytes.as_slice()) else {
        return false;
    };
    match sign_type {
        SignType::Rsa2 => VerifyingKey::<Sha256>::new(key.clone())
            .verify(message, &signature)
            .is_ok(),
        SignType::Rsa => VerifyingKey::<Sha1>::new(key.clone())
            .verify(message, &signature)
            .is_ok(),
    }
}

/// A private key from PKCS#8 or PKCS#1, PEM or bare base64.
pub(crate) fn private_key_from_text(text: &str) -> Result<RsaPrivateKey, String> {
    let der = der_from_text(text)?;
    RsaPrivateKey::from_pkcs8_der(&der)
        .or_else(|_| RsaPrivateKey::from_pkcs1_der(&der))
        .map_err(|_| "not an RSA private key in PKCS#8 or PKCS#1".to_owned())
}

/// A public key from SPKI, PEM or bare base64.
pub(crate) fn public_key_from_text(text: &str) -> Result<RsaPublicKey, String> {
    let der = der_from_text(text)?;
    RsaPublicKey::from_public_key_der(&der).map_err(|_| "not an RSA public key in SPKI".to_owned())
}

fn der_from_text(text: &str) -> Result<Vec<u8>, String> {
    let bare: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("-----"))
        .flat_map(str::chars)
        .filter(|character| !character.is_whitespace())
        .collect();
    STANDARD.decode(bare).map_err(|_| "not base64".to_owned())
}

#[expect(
    clippy::expect_used,
    reason = "a key that was generated or parsed can be written again"
)]
pub(crate) fn private_key_pem(key: &RsaPrivateKey) -> String {
    key.to_pkcs8_pem(LineEnding::LF)
        .expect("an RSA key can be written as PKCS#8")
        .to_string()
}

#[expect(
    clippy::expect_used,
    reason = "a key that was generated or parsed can be written again"
)]
pub(crate) fn private_key_pkcs1_base64(key: &RsaPrivateKey) -> String {
    STANDARD.encode(
        key.to_pkcs1_der()
            .expect("an RSA key can be written as PKCS#1")
            .as_bytes(),
    )
}

#[expect(
    clippy::expect_used,
    reason = "a key that was generated or parsed can be written again"
)]
pub(crate) fn public_key_base64(key: &RsaPublicKey) -> String {
    STANDARD.encode(
        key.to_public_key_der()
            .expect("an RSA key can be written as SPKI")
            .as_bytes(),
    )
}
