//! The app's private key.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::der::Reader;
use crate::key_text::{self, KeyError, KeyStructure};
use crate::verifying_key::VerifyingKey;
use crate::{SignType, legacy_sha1};

/// The app's RSA private key, checked when it was read. Cloning shares the key.
///
/// `Debug` shows nothing of it, and nothing in this crate writes it out again.
#[derive(Clone)]
pub struct SigningKey {
    pair: KeyPair,
    verifying_key: VerifyingKey,
}

/// The signature could not be made. With a key that was read without an error this does not
/// happen, short of memory running out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the private key could not make a signature")]
pub struct SignError;

impl SigningKey {
    /// Reads a private key in any of the usual forms: PKCS#1 or PKCS#8, PEM or bare base64, with
    /// any line ends and spaces, under the right PEM label or a wrong one.
    ///
    /// # Errors
    /// [`KeyError`] says what the text is instead and how to mend it, never the text.
    pub fn from_text(text: &str) -> Result<Self, KeyError> {
        Self::from_pkcs1(&private_key_der(text)?)
    }

    /// Takes what aws-lc takes, weak exponents too.
    pub(crate) fn from_pkcs1(pkcs1: &[u8]) -> Result<Self, KeyError> {
        let pair = KeyPair::from_der(pkcs1).map_err(|_| KeyError::Malformed)?;
        let public = VerifyingKey::from_pkcs1(pair.public_key().as_ref())?;
        Ok(SigningKey {
            pair,
            verifying_key: public,
        })
    }

    /// The signature over `message`, in standard base64 on one line: the value of `sign`.
    /// The same key and message always give the same signature.
    ///
    /// # Errors
    /// [`SignError`], which a key that was read does not give.
    pub fn sign(&self, sign_type: SignType, message: &[u8]) -> Result<String, SignError> {
        let signature = match sign_type {
            SignType::Rsa2 => {
                let mut signature = vec![0; self.pair.public_modulus_len()];
                self.pair
                    .sign(
                        &RSA_PKCS1_SHA256,
                        &SystemRandom::new(),
                        message,
                        &mut signature,
                    )
                    .map_err(|_| SignError)?;
                signature
            }
            SignType::Rsa => {
                // The buffer of `Pkcs8V1Der` is zeroized when it is dropped.
                let pkcs8: Pkcs8V1Der<'_> = self.pair.as_der().map_err(|_| SignError)?;
                match key_text::recognise(pkcs8.as_ref()) {
                    Ok(KeyStructure::Private(pkcs1)) => legacy_sha1::sign(pkcs1, message)?,
                    _ => return Err(SignError),
                }
            }
        };
        Ok(STANDARD.encode(signature))
    }

    /// Makes what the first signature would otherwise wait for (the factors that blind the key against timing, a third of that
    /// signature's work), by signing nothing of anybody's. For a cold start, while the CPU is whole.
    pub fn warm_up(&self) {
        // A key that could not sign says so when it is used.
        let _ = self.sign(SignType::Rsa2, b"");
    }

    /// The public half: what is uploaded to Alipay's console as the app's public key. It is not
    /// the key that checks Alipay's replies; a configuration in which the two are equal is wrong.
    pub fn verifying_key(&self) -> VerifyingKey {
        self.verifying_key.clone()
    }
}

/// The `RSAPrivateKey` of PKCS#1 (RFC 8017, A.1.2) that `text` holds, in any of the forms that [`SigningKey::from_text`] takes and after the
/// same checks: for who signs with such a key for somebody other than Alipay. Whether its numbers belong together is the reader's to check,
/// as aws-lc does.
///
/// # Errors
/// [`KeyError`], as there.
pub fn private_key_der(text: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let der = key_text::decode_text(text)?;
    let KeyStructure::Private(pkcs1) = key_text::recognise(&der)? else {
        return Err(KeyError::PublicInPrivatePlace);
    };
    let mut document = Reader::new(pkcs1);
    let mut fields = document.sequence().ok_or(KeyError::Malformed)?;
    if !document.is_at_end() {
        return Err(KeyError::Malformed);
    }
    let _version = fields.positive_integer().ok_or(KeyError::Malformed)?;
    let modulus = fields.positive_integer().ok_or(KeyError::Malformed)?;
    let exponent = fields.positive_integer().ok_or(KeyError::Malformed)?;
    key_text::check_strength(modulus, exponent)?;
    Ok(Zeroizing::new(pkcs1.to_vec()))
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SigningKey").finish_non_exhaustive()
    }
}
