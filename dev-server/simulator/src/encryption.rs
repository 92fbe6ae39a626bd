//! Content encryption: AES-128, CBC, an initialisation vector of zeros, PKCS#7 padding, base64 (Alipay's document of
//! the encryption of an interface's content). Done with another library than what is under test.

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const BLOCK: usize = 16;
const ZEROS: [u8; BLOCK] = [0; BLOCK];

/// An app's AES key.
#[derive(Clone, Copy)]
pub(crate) struct AesKey([u8; BLOCK]);

impl AesKey {
    pub(crate) fn random() -> Self {
        Self(rand::random())
    }

    /// As the console shows it.
    pub(crate) fn base64(self) -> String {
        STANDARD.encode(self.0)
    }

    /// The ciphertext in base64.
    pub(crate) fn encrypt(self, plaintext: &[u8]) -> String {
        let encryptor = cbc::Encryptor::<Aes128>::new(&self.0.into(), &ZEROS.into());
        STANDARD.encode(encryptor.encrypt_padded_vec::<Pkcs7>(plaintext))
    }

    /// A ciphertext in base64 whose last block has a padding that none has.
    pub(crate) fn encrypt_with_wrong_padding(self, plaintext: &[u8]) -> String {
        let mut padded = plaintext.to_vec();
        padded.resize(plaintext.len().next_multiple_of(BLOCK) + BLOCK, 0);
        let encryptor = cbc::Encryptor::<Aes128>::new(&self.0.into(), &ZEROS.into());
        let mut ciphertext = encryptor.encrypt_padded_vec::<Pkcs7>(&padded);
        // What is left ends in a block of zeros.
        ciphertext.truncate(padded.len());
        STANDARD.encode(ciphertext)
    }

    /// The plaintext, or `None` where base64, length or padding is wrong.
    pub(crate) fn decrypt(self, ciphertext: &str) -> Option<Vec<u8>> {
        let bytes = STANDARD.decode(ciphertext).ok()?;
        cbc::Decryptor::<Aes128>::new(&self.0.into(), &ZEROS.into())
            .decrypt_padded_vec::<Pkcs7>(&bytes)
            .ok()
    }
}

/// The ciphertext with one bit of its first block changed.
pub(crate) fn changed(ciphertext: &str) -> String {
    let mut bytes = STANDARD.decode(ciphertext).unwrap_or_default();
    if let Some(first) = bytes.first_mut() {
        *first ^= 1;
    }
    STANDARD.encode(bytes)
}

/// Whether the text looks like a ciphertext: base64 of whole blocks.
pub(crate) fn looks_encrypted(text: &str) -> bool {
    STANDARD
        .decode(text)
        .is_ok_and(|bytes| !bytes.is_empty() && bytes.len() % BLOCK == 0)
}

#[cfg(test)]
mod tests {
    use super::{AesKey, changed, looks_encrypted};

    #[test]
    fn what_is_encrypted_can_be_read_again_by_the_same_key_alone() {
        let key = AesKey::random();
        for text in ["", "{}", "0123456789abcdef", "{\"code\":\"你好\"}"] {
            let ciphertext = key.encrypt(text.as_bytes());
            assert!(looks_encrypted(&ciphertext));
            assert_eq!(key.decrypt(&ciphertext).as_deref(), Some(text.as_bytes()));
            assert_ne!(
                key.decrypt(&changed(&ciphertext)).as_deref(),
                Some(text.as_bytes())
            );
            assert_eq!(
                key.decrypt(&key.encrypt_with_wrong_padding(text.as_bytes())),
                None
            );
        }
        assert_eq!(key.decrypt("no base64!"), None);
        assert_eq!(key.decrypt("AAAA"), None);
        assert!(!looks_encrypted("{}"));
    }

    /// With a vector of zeros the first block is AES of the block itself: the standard's own example (FIPS 197, C.1).
    #[test]
    fn the_cipher_is_aes_128() {
        let key = AesKey(std::array::from_fn(|index| index as u8));
        let block: Vec<u8> = (0..16).map(|index| index * 0x11).collect();
        let ciphertext = key.encrypt(&block);
        assert!(
            ciphertext.starts_with("acTg2Gp7BDDYzbeAcLTF"),
            "{ciphertext}"
        );
    }
}
