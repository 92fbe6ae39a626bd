//! Alipay's public key.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::SignType;
use crate::der::Reader;
use crate::key_text::{self, KeyError, KeyStructure};

/// An RSA public key that checks signatures: Alipay's, as the console shows it after the app's
/// own public key was uploaded. Two are equal when they are the same key, in whatever form each
/// was given.
#[derive(Clone)]
pub struct VerifyingKey {
    parsed: ParsedPublicKey,
    /// `SubjectPublicKeyInfo`, written anew from modulus and exponent.
    spki: Vec<u8>,
}

/// The signature is not one over these bytes by this key: wrong, of another key or another
/// algorithm, or not in the one right form of base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not valid")]
pub struct SignatureInvalid;

impl VerifyingKey {
    /// Reads a public key in any of the usual forms: SPKI (X.509) or PKCS#1, PEM or bare base64,
    /// with any line ends and spaces, under the right PEM label or a wrong one.
    ///
    /// # Errors
    /// [`KeyError`] says what the text is instead and how to mend it, never the text.
    pub fn from_text(text: &str) -> Result<Self, KeyError> {
        let der = key_text::decode_text(text)?;
        let KeyStructure::Public(pkcs1) = key_text::recognise(&der)? else {
            return Err(KeyError::PrivateInPublicPlace);
        };
        let (modulus, exponent) = modulus_and_exponent(pkcs1)?;
        key_text::check_strength(modulus, exponent)?;
        Self::from_pkcs1(pkcs1)
    }

    /// Takes what aws-lc takes, weak exponents too.
    pub(crate) fn from_pkcs1(pkcs1: &[u8]) -> Result<Self, KeyError> {
        let (modulus, exponent) = modulus_and_exponent(pkcs1)?;
        Self::from_components(modulus, exponent)
    }

    /// Takes what aws-lc takes, both without leading zeros.
    pub(crate) fn from_components(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        let components = RsaPublicKeyComponents {
            n: modulus,
            e: exponent,
        };
        let parsed = components
            .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
            .map_err(|_| KeyError::Malformed)?;
        let spki: PublicKeyX509Der<'_> = components.as_der().map_err(|_| KeyError::Malformed)?;
        Ok(VerifyingKey {
            parsed,
            spki: spki.as_ref().to_vec(),
        })
    }

    /// Checks a signature over `message`. The base64 must be standard, padded, and without line
    /// ends or spaces: a second spelling of a signature is refused.
    ///
    /// # Errors
    /// [`SignatureInvalid`]; there is deliberately nothing more to learn from it.
    pub fn verify(
        &self,
        sign_type: SignType,
        message: &[u8],
        signature_base64: &str,
    ) -> Result<(), SignatureInvalid> {
        let signature = STANDARD
            .decode(signature_base64)
            .map_err(|_| SignatureInvalid)?;
        match sign_type {
            SignType::Rsa2 => self.parsed.verify_sig(message, &signature),
            SignType::Rsa => {
                let algorithm = &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY;
                UnparsedPublicKey::new(algorithm, &self.spki).verify(message, &signature)
            }
        }
        .map_err(|_| SignatureInvalid)
    }

    /// The key as SPKI in base64 on one line: the form that the console takes and shows.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(&self.spki)
    }
}

pub(crate) fn modulus_and_exponent(pkcs1: &[u8]) -> Result<(&[u8], &[u8]), KeyError> {
    let mut document = Reader::new(pkcs1);
    let mut fields = document.sequence().ok_or(KeyError::Malformed)?;
    let modulus = fields.positive_integer().ok_or(KeyError::Malformed)?;
    let exponent = fields.positive_integer().ok_or(KeyError::Malformed)?;
    if !fields.is_at_end() || !document.is_at_end() {
        return Err(KeyError::Malformed);
    }
    Ok((modulus, exponent))
}

impl PartialEq for VerifyingKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki == other.spki
    }
}

impl Eq for VerifyingKey {}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("VerifyingKey")
            .finish_non_exhaustive()
    }
}
