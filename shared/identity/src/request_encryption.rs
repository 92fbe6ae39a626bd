//! The RSA key that callers encrypt to.

use std::fmt;
use std::sync::Arc;

use alipay_signing::{KeyError, private_key_der};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{
    KeyPair, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey,
};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use zeroize::Zeroizing;

/// Characters in a line of a PEM file (RFC 7468, section 2).
const PEM_LINE: usize = 64;

/// What callers encrypt parts of a request with, and we decrypt: RSA-OAEP with SHA-256, also in MGF1, and without a label.
///
/// Cheap to clone; `Debug` shows nothing of the key.
#[derive(Clone)]
pub struct RequestEncryption {
    inner: Arc<Key>,
}

struct Key {
    private: OaepPrivateDecryptingKey,
    public_pem: String,
    /// Big endian, without leading zeros.
    modulus: Vec<u8>,
}

impl RequestEncryption {
    /// Reads a private key in any of the usual forms of an RSA key.
    ///
    /// # Errors
    /// What is wrong with it and how to mend it, never its text.
    pub(crate) fn from_text(text: &str) -> Result<Self, KeyError> {
        let pkcs1 = private_key_der(text)?;
        let pair = KeyPair::from_der(&pkcs1).map_err(|_| KeyError::Malformed)?;
        let pkcs8: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyError::Malformed)?;
        let key =
            PrivateDecryptingKey::from_pkcs8(pkcs8.as_ref()).map_err(|_| KeyError::Malformed)?;
        let public: PublicKeyX509Der<'_> =
            key.public_key().as_der().map_err(|_| KeyError::Malformed)?;
        let private = OaepPrivateDecryptingKey::new(key).map_err(|_| KeyError::Malformed)?;
        Ok(Self {
            inner: Arc::new(Key {
                private,
                public_pem: public_pem(public.as_ref()),
                modulus: pair
                    .public_key()
                    .modulus()
                    .big_endian_without_leading_zero()
                    .to_vec(),
            }),
        })
    }

    pub(crate) fn modulus(&self) -> &[u8] {
        &self.inner.modulus
    }

    /// What to encrypt with: a `SubjectPublicKeyInfo` in PEM.
    pub fn public_key(&self) -> &str {
        &self.inner.public_pem
    }

    /// The text that was encrypted; `encrypted` is standard base64.
    ///
    /// `None` for all that can be wrong: whoever learnt what it is, and did not encrypt the text, could find the text out.
    pub fn decrypt(&self, encrypted: &str) -> Option<SecretString> {
        let key = &self.inner.private;
        // Four characters for every three bytes begun: nothing longer is decoded.
        if encrypted.len() != key.key_size_bytes().div_ceil(3) * 4 {
            return None;
        }
        let encrypted = STANDARD.decode(encrypted).ok()?;
        let mut decrypted = Zeroizing::new(vec![0; key.min_output_size()]);
        let decrypted = key
            .decrypt(&OAEP_SHA256_MGF1SHA256, &encrypted, &mut decrypted, None)
            .ok()?;
        std::str::from_utf8(decrypted).ok().map(SecretString::from)
    }
}

impl fmt::Debug for RequestEncryption {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RequestEncryption")
            .finish_non_exhaustive()
    }
}

fn public_pem(der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let mut rest = base64.as_str();
    let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(PEM_LINE));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str("-----END PUBLIC KEY-----\n");
    pem
}
