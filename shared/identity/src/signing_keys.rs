//! The RSA keys that tokens are signed with, and when each does.

use std::fmt;
use std::time::Duration;

use alipay_signing::private_key_der;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use jsonwebtoken::DecodingKey;
use table_rows::WallTime;

/// Longest name of a key in bytes.
pub(crate) const KEY_ID_BYTES: usize = 64;

/// The rule for the name of a key, which becomes the `kid` of tokens.
pub(crate) const KEY_ID_RULE: &str =
    "a key's name must be 1 to 64 letters, digits, dots, hyphens or underscores";

pub(crate) fn is_key_id(id: &str) -> bool {
    (1..=KEY_ID_BYTES).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

/// The public half of a key.
pub(crate) struct PublicKey {
    pub(crate) id: String,
    /// Big endian, without leading zeros.
    pub(crate) modulus: Vec<u8>,
    pub(crate) exponent: Vec<u8>,
    pub(crate) decoding: DecodingKey,
}

impl PublicKey {
    pub(crate) fn new(id: String, modulus: &[u8], exponent: &[u8]) -> Self {
        Self {
            id,
            decoding: DecodingKey::from_rsa_raw_components(modulus, exponent),
            modulus: modulus.to_vec(),
            exponent: exponent.to_vec(),
        }
    }
}

/// A key and the moment from which it signs. `Debug` shows its name and nothing of the key.
pub(crate) struct SigningKey {
    pub(crate) public: PublicKey,
    /// Kept as it was read: jsonwebtoken would parse and check the key for each token, which takes longer than the signature.
    private: KeyPair,
    pub(crate) sign_from: WallTime,
}

impl SigningKey {
    /// Reads a private key in any of the usual forms of an RSA key.
    ///
    /// # Errors
    /// What is wrong with it and how to mend it, never its text.
    pub(crate) fn from_text(id: String, text: &str, sign_from: WallTime) -> Result<Self, String> {
        let der = private_key_der(text).map_err(|error| error.to_string())?;
        let pair =
            KeyPair::from_der(&der).map_err(|_| alipay_signing::KeyError::Malformed.to_string())?;
        let public = pair.public_key();
        let public = PublicKey::new(
            id,
            public.modulus().big_endian_without_leading_zero(),
            public.exponent().big_endian_without_leading_zero(),
        );
        Ok(Self {
            public,
            private: pair,
            sign_from,
        })
    }

    /// The RS256 signature of `text`; `None` where the system gives no random bytes.
    pub(crate) fn signature(&self, text: &str) -> Option<Vec<u8>> {
        let mut signature = vec![0; self.private.public_modulus_len()];
        self.private
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                text.as_bytes(),
                &mut signature,
            )
            .ok()?;
        Some(signature)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SigningKey")
            .field("id", &self.public.id)
            .field("sign_from", &self.sign_from)
            .finish_non_exhaustive()
    }
}

/// All keys of a document, in the order in which they sign; at least one.
#[derive(Debug)]
pub(crate) struct SigningKeys {
    first: SigningKey,
    later: Vec<SigningKey>,
}

impl SigningKeys {
    /// `None` without a key.
    pub(crate) fn new(mut keys: Vec<SigningKey>) -> Option<Self> {
        keys.sort_by_key(|key| key.sign_from);
        let mut keys = keys.into_iter();
        Some(Self {
            first: keys.next()?,
            later: keys.collect(),
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &SigningKey> {
        std::iter::once(&self.first).chain(&self.later)
    }

    /// The key that signs at `now`: the latest whose time has come. Before the first one's time that one signs, so that there always is one.
    pub(crate) fn signing(&self, now: WallTime) -> &SigningKey {
        self.later
            .iter()
            .rev()
            .find(|key| key.sign_from <= now)
            .unwrap_or(&self.first)
    }

    /// The public key of this name. A name that is not among them is looked for nowhere else.
    pub(crate) fn public(&self, id: &str) -> Option<&PublicKey> {
        self.iter()
            .map(|key| &key.public)
            .find(|public| public.id == id)
    }

    /// When each signs, and from when it is not needed any more where no token lives longer than `longest_life`.
    pub(crate) fn schedule(&self, longest_life: Duration) -> Vec<KeyTimes> {
        let ends = self
            .later
            .iter()
            .map(|next| Some(next.sign_from.plus(longest_life)))
            .chain([None]);
        self.iter()
            .zip(ends)
            .map(|(key, removable_from)| KeyTimes {
                id: key.public.id.clone(),
                signs_from: key.sign_from,
                removable_from,
            })
            .collect()
    }
}

/// When a key of the login document signs tokens, and until when it is needed to verify them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTimes {
    /// Its name in the document, the `kid` of tokens.
    pub id: String,
    /// From when it signs, until the next one does.
    pub signs_from: WallTime,
    /// From when no token that it signed is taken any more, so that it may leave the document; `None` for the last one.
    pub removable_from: Option<WallTime>,
}
