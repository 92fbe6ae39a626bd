//! AES encryption of contents (接口内容加密): of `biz_content` and of the gateway's replies to it, and decryption of what
//! `my.getPhoneNumber` and its like hand to the front end.
//!
//! AES-128-CBC with PKCS#7 padding and, as Alipay's document of content encryption has it, an initialisation vector of
//! sixteen zero bytes. CBC protects nothing against change, so a ciphertext is decrypted only after its signature was
//! verified.

use std::fmt;

use aws_lc_rs::cipher::{
    AES_128, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey,
    PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::iv::FixedLength;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::key_text::{self, KeyError};

/// Bytes of the key that the console shows (接口内容加密方式).
const KEY_BYTES: usize = 16;
const BLOCK_BYTES: usize = 16;

/// An app's AES key. Cloning copies it; `Debug` shows nothing of it, and it is overwritten when it is dropped.
#[derive(Clone)]
pub struct ContentKey(Zeroizing<[u8; KEY_BYTES]>);

/// Why a text is not an AES key that can be used. Never holds the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ContentKeyError {
    /// Nothing but white space.
    #[error("the AES key is empty: copy it from the console (接口内容加密方式)")]
    Empty,
    /// Characters that base64 has not, or a text that was cut.
    #[error("the AES key is not base64: copy it whole from the console (接口内容加密方式)")]
    NotBase64,
    /// Another length than AES-128 has.
    #[error(
        "the AES key has {bytes} bytes and must have 16: copy it whole from the console (接口内容加密方式)"
    )]
    WrongLength {
        /// Its length in bytes.
        bytes: usize,
    },
}

/// The text could not be encrypted. With a key that was read without an error this does not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the content could not be encrypted")]
pub struct EncryptError;

/// The text is no ciphertext of this key. Whatever is wrong (base64, length, padding), the error is the same one, so that
/// nothing about the plaintext can be learnt from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the content could not be decrypted with this app's AES key")]
pub struct DecryptError;

impl ContentKey {
    /// Reads the key as the console shows it: 16 bytes in base64. As with the RSA keys, white space and line ends (also written
    /// as the two characters `\n`) are free, and the final `=` may be missing.
    ///
    /// # Errors
    /// [`ContentKeyError`] says what is wrong, never the text.
    pub fn from_text(text: &str) -> Result<Self, ContentKeyError> {
        let bytes = match key_text::decode_base64(text) {
            Err(KeyError::Empty) => return Err(ContentKeyError::Empty),
            decoded => decoded.map_err(|_| ContentKeyError::NotBase64)?,
        };
        if bytes.len() != KEY_BYTES {
            return Err(ContentKeyError::WrongLength { bytes: bytes.len() });
        }
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        key.copy_from_slice(&bytes);
        Ok(Self(key))
    }

    /// The ciphertext of `plaintext` in standard base64 on one line: what is sent as `biz_content` with `encrypt_type=AES`.
    /// The same key and text always give the same ciphertext, as Alipay's scheme has a fixed initialisation vector.
    ///
    /// # Errors
    /// [`EncryptError`], which a key that was read does not give.
    pub fn encrypt(&self, plaintext: &[u8]) -> Result<String, EncryptError> {
        let cipher =
            PaddedBlockEncryptingKey::cbc_pkcs7(self.unbound().map_err(|()| EncryptError)?)
                .map_err(|_| EncryptError)?;
        let mut text = plaintext.to_vec();
        cipher
            .less_safe_encrypt(&mut text, EncryptionContext::Iv128(zero_vector()))
            .map_err(|_| EncryptError)?;
        Ok(STANDARD.encode(text))
    }

    /// The plaintext of a ciphertext in standard base64 (`encrypt_type` `AES`). Verify the ciphertext's signature first.
    ///
    /// # Errors
    /// [`DecryptError`], the same for every cause.
    pub fn decrypt(&self, ciphertext_base64: &str) -> Result<Vec<u8>, DecryptError> {
        let bytes = STANDARD
            .decode(ciphertext_base64)
            .map_err(|_| DecryptError)?;
        self.decrypt_blocks(bytes, [0; BLOCK_BYTES])
    }

    /// As [`ContentKey::decrypt`] for `encrypt_type` `AES_V2` of the official Java SDK, where the first sixteen bytes are the
    /// initialisation vector.
    ///
    /// # Errors
    /// [`DecryptError`], the same for every cause.
    pub fn decrypt_with_leading_vector(
        &self,
        ciphertext_base64: &str,
    ) -> Result<Vec<u8>, DecryptError> {
        let bytes = STANDARD
            .decode(ciphertext_base64)
            .map_err(|_| DecryptError)?;
        let (vector, blocks) = bytes
            .split_first_chunk::<BLOCK_BYTES>()
            .ok_or(DecryptError)?;
        self.decrypt_blocks(blocks.to_vec(), *vector)
    }

    fn decrypt_blocks(
        &self,
        mut blocks: Vec<u8>,
        vector: [u8; BLOCK_BYTES],
    ) -> Result<Vec<u8>, DecryptError> {
        let cipher =
            PaddedBlockDecryptingKey::cbc_pkcs7(self.unbound().map_err(|()| DecryptError)?)
                .map_err(|_| DecryptError)?;
        let vector = DecryptionContext::Iv128(FixedLength::from(vector));
        let plaintext = cipher
            .decrypt(&mut blocks, vector)
            .map_err(|_| DecryptError)?;
        Ok(plaintext.to_vec())
    }

    fn unbound(&self) -> Result<UnboundCipherKey, ()> {
        UnboundCipherKey::new(&AES_128, self.0.as_slice()).map_err(|_| ())
    }
}

fn zero_vector() -> FixedLength<BLOCK_BYTES> {
    FixedLength::from([0; BLOCK_BYTES])
}

impl PartialEq for ContentKey {
    fn eq(&self, other: &Self) -> bool {
        verify_slices_are_equal(self.0.as_slice(), other.0.as_slice()).is_ok()
    }
}

impl Eq for ContentKey {}

impl fmt::Debug for ContentKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ContentKey").finish_non_exhaustive()
    }
}
