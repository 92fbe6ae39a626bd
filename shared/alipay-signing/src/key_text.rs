//! From what a user pastes into a configuration to the key that it holds.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use crate::der::{self, Reader};
use crate::flawed_chip;

/// Why a text is not a key that can be used. The text itself is never part of it; each message
/// says what is wrong and how to mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing but white space, or a PEM block with nothing in it.
    #[error("the key is empty: paste the base64 text or the PEM file of the RSA key")]
    Empty,
    /// Characters that base64 has not, or a text that was cut.
    #[error(
        "the key is not base64: paste it whole, with nothing before or after it (PEM lines may stay)"
    )]
    NotBase64,
    /// A `BEGIN` line without its `END` line or the reverse.
    #[error("the PEM text is cut off: it needs its BEGIN line and the END line that goes with it")]
    PemCutOff,
    /// More than one PEM block.
    #[error("there are several PEM blocks: leave the one key that belongs here")]
    SeveralPemBlocks,
    /// A private key under a passphrase.
    #[error(
        "the private key is encrypted with a passphrase: decrypt it first (openssl pkey -in key.pem -out plain.pem)"
    )]
    Encrypted,
    /// An X.509 certificate, or a request for one.
    #[error(
        "this is a certificate, not a key: put it into the certificate settings, or paste the key itself"
    )]
    Certificate,
    /// An elliptic-curve key, SM2 among them.
    #[error("this is an elliptic-curve (EC or SM2) key: make an RSA key of 2048 bits or more")]
    EllipticCurve,
    /// A key of some other algorithm, or an RSA key that is limited to PSS.
    #[error("this is not a plain RSA key: make an RSA key of 2048 bits or more")]
    OtherAlgorithm,
    /// A private key in a public key's place.
    #[error(
        "this is a private key where a public key belongs: paste Alipay's public key from the console, and replace the private key if others can read this setting"
    )]
    PrivateInPublicPlace,
    /// A public key in a private key's place.
    #[error("this is a public key where the private key belongs: paste the app's private key")]
    PublicInPrivatePlace,
    /// A modulus under 2048 bits.
    #[error("the RSA key has {bits} bits: 2048 is the least, make a new one")]
    TooSmall {
        /// Length of the modulus in bits.
        bits: usize,
    },
    /// A modulus over 8192 bits.
    #[error("the RSA key has {bits} bits: 8192 is the most, and Alipay's tools make 2048")]
    TooLarge {
        /// Length of the modulus in bits.
        bits: usize,
    },
    /// A public exponent that is even, under 65537 (3 is the common one), or over 32 bits.
    #[error("the RSA key has a weak or unusual public exponent: make a new one with e = 65537")]
    WeakExponent,
    /// A key that a flawed chip made (CVE-2017-15361): whoever has its public half can compute the private one.
    #[error(
        "the RSA key was made by a chip whose keys can be computed (ROCA): make a new one with openssl or Alipay's key tool"
    )]
    FlawedChip,
    /// Base64 of something that is no key, or of a key with a mistake in it.
    #[error("the key is damaged or is no RSA key: export it again and paste it whole")]
    Malformed,
}

/// The structures that hold a usable key.
pub(crate) enum KeyStructure<'a> {
    /// `RSAPrivateKey` of PKCS#1, also when it came inside PKCS#8.
    Private(&'a [u8]),
    /// `RSAPublicKey` of PKCS#1, also when it came inside `SubjectPublicKeyInfo`.
    Public(&'a [u8]),
}

/// The bytes of a key given as PEM or as bare base64. White space and line ends are free, also
/// when they were written as the two characters `\n`, as happens to keys in JSON and environment
/// variables. A PEM label is not trusted: many tools write the wrong one.
pub(crate) fn decode_text(text: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    decode_base64(without_pem_lines(text)?)
}

/// The bytes of base64 with free white space, line ends (also written as `\n`) and padding.
pub(crate) fn decode_base64(body: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    // Reserved whole, so that growing leaves no copy of a key behind.
    let mut compact = Zeroizing::new(Vec::with_capacity(body.len()));
    let mut characters = body.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\\'
            && characters
                .next_if(|&next| matches!(next, 'n' | 'r' | 't'))
                .is_some()
        {
            continue;
        }
        if character.is_whitespace() || character == '\u{feff}' {
            continue;
        }
        if !character.is_ascii() {
            return Err(KeyError::NotBase64);
        }
        compact.push(character as u8);
    }
    if compact.is_empty() {
        return Err(KeyError::Empty);
    }
    let mut der = Zeroizing::new(vec![0; base64::decoded_len_estimate(compact.len())]);
    let length = LENIENT_PADDING
        .decode_slice(compact.as_slice(), &mut der)
        .map_err(|_| KeyError::NotBase64)?;
    der.truncate(length);
    Ok(der)
}

/// The final `=` is easily lost when copying, and DER states its own length.
const LENIENT_PADDING: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

fn without_pem_lines(text: &str) -> Result<&str, KeyError> {
    const BEGIN: &str = "-----BEGIN ";
    const END: &str = "-----END ";
    const DASHES: &str = "-----";

    let Some((_, after_begin)) = text.split_once(BEGIN) else {
        return if text.contains(END) {
            Err(KeyError::PemCutOff)
        } else {
            Ok(text)
        };
    };
    let (label, rest) = after_begin.split_once(DASHES).ok_or(KeyError::PemCutOff)?;
    // The label decides nothing that the content can; openssl writes this block before an EC key.
    if label == "EC PARAMETERS" {
        return Err(KeyError::EllipticCurve);
    }
    let (body, after_end) = rest.split_once(END).ok_or(KeyError::PemCutOff)?;
    if body.contains("Proc-Type:") {
        return Err(KeyError::Encrypted);
    }
    let (_, after) = after_end.split_once(DASHES).ok_or(KeyError::PemCutOff)?;
    if after.contains(BEGIN) || after.contains(END) {
        return Err(if label.contains("CERTIFICATE") {
            KeyError::Certificate
        } else {
            KeyError::SeveralPemBlocks
        });
    }
    Ok(body)
}

/// 1.2.840.113549.1.1.1, `rsaEncryption`.
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// 1.2.840.10045.2.1, `id-ecPublicKey`. SM2 keys carry it too.
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

/// Tells by its structure what `der` is.
pub(crate) fn recognise(der: &[u8]) -> Result<KeyStructure<'_>, KeyError> {
    let mut document = Reader::new(der);
    let mut outer = document.sequence().ok_or(KeyError::Malformed)?;
    if !document.is_at_end() {
        return Err(KeyError::Malformed);
    }

    if let Some(first) = outer.take(der::INTEGER) {
        // PKCS#8: version, algorithm, key. PKCS#1 private: version, n, e, d … PKCS#1 public: n, e.
        if let Some(mut algorithm) = outer.sequence() {
            require_rsa(&mut algorithm)?;
            let key = outer.take(der::OCTET_STRING).ok_or(KeyError::Malformed)?;
            return Ok(KeyStructure::Private(key));
        }
        if first == [1] && outer.take(der::OCTET_STRING).is_some() {
            return Err(KeyError::EllipticCurve);
        }
        outer.take(der::INTEGER).ok_or(KeyError::Malformed)?;
        return if outer.is_at_end() {
            Ok(KeyStructure::Public(der))
        } else {
            Ok(KeyStructure::Private(der))
        };
    }

    let mut first = outer.sequence().ok_or(KeyError::Malformed)?;
    match outer.element() {
        // SubjectPublicKeyInfo: algorithm, key.
        Some((der::BIT_STRING, key)) if outer.is_at_end() => {
            require_rsa(&mut first)?;
            // The first byte counts the unused bits: none in a key.
            let key = key.strip_prefix(&[0]).ok_or(KeyError::Malformed)?;
            Ok(KeyStructure::Public(key))
        }
        // EncryptedPrivateKeyInfo: algorithm, ciphertext.
        Some((der::OCTET_STRING, _)) if outer.is_at_end() => Err(KeyError::Encrypted),
        // Certificate: content, algorithm, signature.
        Some((der::SEQUENCE, _)) if outer.take(der::BIT_STRING).is_some() => {
            Err(KeyError::Certificate)
        }
        _ => Err(KeyError::Malformed),
    }
}

fn require_rsa(algorithm: &mut Reader<'_>) -> Result<(), KeyError> {
    match algorithm.take(der::OBJECT_IDENTIFIER) {
        Some(RSA_ENCRYPTION) => Ok(()),
        Some(EC_PUBLIC_KEY) => Err(KeyError::EllipticCurve),
        Some(_) => Err(KeyError::OtherAlgorithm),
        None => Err(KeyError::Malformed),
    }
}

/// Refuses moduli and exponents outside what this crate works with. Both without leading zeros.
pub(crate) fn check_strength(modulus: &[u8], exponent: &[u8]) -> Result<(), KeyError> {
    let bits = bit_length(modulus);
    if bits < 2048 {
        return Err(KeyError::TooSmall { bits });
    }
    if bits > 8192 {
        return Err(KeyError::TooLarge { bits });
    }
    let value = exponent
        .iter()
        .fold(0_u64, |sum, &byte| sum << 8 | u64::from(byte));
    if exponent.len() > 4 || value < 65537 || value % 2 == 0 {
        return Err(KeyError::WeakExponent);
    }
    if flawed_chip::has_mark(modulus) {
        return Err(KeyError::FlawedChip);
    }
    Ok(())
}

fn bit_length(magnitude: &[u8]) -> usize {
    magnitude.first().map_or(0, |first| {
        magnitude.len() * 8 - first.leading_zeros() as usize
    })
}
