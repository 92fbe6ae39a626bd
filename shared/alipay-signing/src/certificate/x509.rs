//! The parts of an X.509 certificate (RFC 5280) that are needed to name it and to judge a chain.

use std::fmt;

use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RsaParameters, RsaPublicKeyComponents,
};

use super::CertificateError;
use super::name;
use super::validity::Validity;
use crate::VerifyingKey;
use crate::der::{self, Reader};
use crate::key_text::{self, KeyError, KeyStructure};
use crate::verifying_key::modulus_and_exponent;

const NULL: &[u8] = &[0x05, 0x00];
/// `[0]`, `[1]`, `[2]`, `[3]` of `TBSCertificate`: version, the two unique identifiers, extensions.
const VERSION: u8 = 0xa0;
const ISSUER_UNIQUE_ID: u8 = 0x81;
const SUBJECT_UNIQUE_ID: u8 = 0x82;
const EXTENSIONS: u8 = 0xa3;

/// Bytes of a serial. RFC 5280 allows 20; writing it in decimal takes the square of its length.
const MAX_SERIAL_BYTES: usize = 64;

/// 1.2.840.113549.1.1, the arc of the RSA algorithms.
const RSA_ALGORITHMS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
/// The last arcs of RSASSA-PKCS1-v1_5 with SHA-256, SHA-384 and SHA-512.
const WITH_SHA256: &[u8] = &[0x0b];
const WITH_SHA384: &[u8] = &[0x0c];
const WITH_SHA512: &[u8] = &[0x0d];

/// 2.5.29.15
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
/// 2.5.29.19
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];

/// One certificate. Its key is only looked at when it is used: a file may hold issuers of other algorithms.
#[derive(Clone)]
pub(super) struct X509 {
    /// What the issuer signed.
    signed: Vec<u8>,
    signature_algorithm: SignatureAlgorithm,
    signature: Vec<u8>,
    /// Magnitude, without leading zeros.
    pub(super) serial: Vec<u8>,
    /// The DER of the issuer's name.
    pub(super) issuer: Vec<u8>,
    /// The DER of the subject's name.
    pub(super) subject: Vec<u8>,
    pub(super) validity: Validity,
    public_key_info: Vec<u8>,
    pub(super) extensions: Extensions,
}

#[derive(Clone, Copy)]
enum SignatureAlgorithm {
    /// RSA with a hash that is still safe.
    Rsa(&'static RsaParameters),
    /// RSA with SHA-1, MD5 and the like, or PSS.
    OtherRsa,
    /// ECDSA, SM2.
    Other,
}

/// What a certificate's extensions say about its right to issue others.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extensions {
    /// Basic constraints: it may issue certificates.
    pub(super) is_authority: bool,
    /// Basic constraints: how many more issuers may stand between it and the end of the path.
    pub(super) path_length: Option<u64>,
    /// Key usage: it may sign certificates. `None` where key usage is absent.
    pub(super) signs_certificates: Option<bool>,
    /// There is a critical extension that this crate does not know.
    pub(super) has_unknown_critical: bool,
}

impl X509 {
    /// Reads one certificate; the error says what `der` is instead.
    pub(super) fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        Self::read(der).ok_or_else(|| what_else(der))
    }

    fn read(der: &[u8]) -> Option<Self> {
        let mut document = Reader::new(der);
        let mut certificate = document.sequence()?;
        let signed = certificate.whole_element()?;
        let algorithm = certificate.whole_element()?;
        let signature = certificate.take(der::BIT_STRING)?.strip_prefix(&[0])?;
        if !certificate.is_at_end() || !document.is_at_end() {
            return None;
        }

        let mut fields = Reader::new(signed).sequence()?;
        let has_extensions = match fields.take(VERSION) {
            None => false,
            Some([der::INTEGER, 1, version @ 0..=2]) => *version == 2,
            Some(_) => return None,
        };
        let serial = fields.positive_integer()?;
        if serial.len() > MAX_SERIAL_BYTES {
            return None;
        }
        // The algorithm stands outside of what is signed and inside; they must be the same.
        if fields.whole_element()? != algorithm {
            return None;
        }
        let issuer = fields.whole_element()?;
        let validity = Validity::read(fields.sequence()?)?;
        let subject = fields.whole_element()?;
        let public_key_info = fields.whole_element()?;
        if public_key_info.first() != Some(&der::SEQUENCE)
            || !name::is_name(issuer)
            || !name::is_name(subject)
        {
            return None;
        }
        fields.take(ISSUER_UNIQUE_ID);
        fields.take(SUBJECT_UNIQUE_ID);
        let extensions = match fields.take(EXTENSIONS) {
            Some(list) if has_extensions => Extensions::read(list)?,
            Some(_) => return None,
            None => Extensions::default(),
        };
        if !fields.is_at_end() {
            return None;
        }
        Some(Self {
            signed: signed.to_vec(),
            signature_algorithm: SignatureAlgorithm::read(algorithm)?,
            signature: signature.to_vec(),
            serial: serial.to_vec(),
            issuer: issuer.to_vec(),
            subject: subject.to_vec(),
            validity,
            public_key_info: public_key_info.to_vec(),
            extensions,
        })
    }

    /// Its public key, checked for strength.
    pub(super) fn verifying_key(&self) -> Result<VerifyingKey, KeyError> {
        let (modulus, exponent) = self.rsa_key()?;
        key_text::check_strength(modulus, exponent)?;
        VerifyingKey::from_components(modulus, exponent)
    }

    fn rsa_key(&self) -> Result<(&[u8], &[u8]), KeyError> {
        match key_text::recognise(&self.public_key_info)? {
            KeyStructure::Public(pkcs1) => modulus_and_exponent(pkcs1),
            KeyStructure::Private(_) => Err(KeyError::Malformed),
        }
    }

    /// Whether it is signed by any RSA algorithm, by OID as the official Java SDK tells it.
    pub(super) fn has_rsa_signature(&self) -> bool {
        !matches!(self.signature_algorithm, SignatureAlgorithm::Other)
    }

    /// Whether its signature is by an algorithm that proves something.
    pub(super) fn has_safe_signature(&self) -> bool {
        matches!(self.signature_algorithm, SignatureAlgorithm::Rsa(_))
    }

    /// Whether `issuer`'s key made its signature.
    pub(super) fn is_signed_by(&self, issuer: &X509) -> bool {
        let SignatureAlgorithm::Rsa(algorithm) = self.signature_algorithm else {
            return false;
        };
        let Ok((n, e)) = issuer.rsa_key() else {
            return false;
        };
        key_text::check_strength(n, e).is_ok()
            && RsaPublicKeyComponents { n, e }
                .verify(algorithm, &self.signed, &self.signature)
                .is_ok()
    }

    /// Whether it names itself as its issuer.
    pub(super) fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }

    /// Whether it is the certificate of an issuer. Roots of version 1 say so by their names only.
    pub(super) fn is_authority(&self) -> bool {
        self.extensions.is_authority || self.is_self_issued()
    }
}

impl SignatureAlgorithm {
    fn read(algorithm: &[u8]) -> Option<Self> {
        let mut fields = Reader::new(algorithm).sequence()?;
        let oid = fields.take(der::OBJECT_IDENTIFIER)?;
        let Some(last) = oid.strip_prefix(RSA_ALGORITHMS) else {
            return Some(Self::Other);
        };
        let parameters = fields.whole_element();
        let has_plain_parameters = matches!(parameters, None | Some(NULL)) && fields.is_at_end();
        Some(match last {
            WITH_SHA256 if has_plain_parameters => Self::Rsa(&RSA_PKCS1_2048_8192_SHA256),
            WITH_SHA384 if has_plain_parameters => Self::Rsa(&RSA_PKCS1_2048_8192_SHA384),
            WITH_SHA512 if has_plain_parameters => Self::Rsa(&RSA_PKCS1_2048_8192_SHA512),
            _ => Self::OtherRsa,
        })
    }
}

impl Extensions {
    fn read(list: &[u8]) -> Option<Self> {
        let mut wrapper = Reader::new(list);
        let mut list = wrapper.sequence()?;
        let mut read = Self::default();
        let mut known = Vec::new();
        while !list.is_at_end() {
            let mut extension = list.sequence()?;
            let oid = extension.take(der::OBJECT_IDENTIFIER)?;
            let is_critical = extension.take(der::BOOLEAN).is_some_and(|flag| flag != [0]);
            let value = extension.take(der::OCTET_STRING)?;
            if !extension.is_at_end() || known.contains(&oid) {
                return None;
            }
            known.push(oid);
            match oid {
                BASIC_CONSTRAINTS => read.basic_constraints(value)?,
                KEY_USAGE => read.signs_certificates = Some(key_usage(value)?),
                _ => read.has_unknown_critical |= is_critical,
            }
        }
        wrapper.is_at_end().then_some(read)
    }

    fn basic_constraints(&mut self, value: &[u8]) -> Option<()> {
        let mut document = Reader::new(value);
        let mut fields = document.sequence()?;
        self.is_authority = match fields.take(der::BOOLEAN) {
            None | Some([0]) => false,
            Some([0xff]) => true,
            Some(_) => return None,
        };
        if !fields.is_at_end() {
            let length = fields.positive_integer()?;
            // Longer than eight bytes is as good as no limit.
            self.path_length = (length.len() <= 8).then(|| {
                length
                    .iter()
                    .fold(0, |sum, &byte| sum << 8 | u64::from(byte))
            });
        }
        (fields.is_at_end() && document.is_at_end()).then_some(())
    }
}

/// Whether the bit `keyCertSign` is set: the sixth, counted from the highest of the first byte.
fn key_usage(value: &[u8]) -> Option<bool> {
    let mut document = Reader::new(value);
    let (_unused_bits, bits) = document.take(der::BIT_STRING)?.split_first()?;
    document
        .is_at_end()
        .then(|| bits.first().is_some_and(|first| first & 0x04 != 0))
}

/// What a text is that is no certificate.
fn what_else(der: &[u8]) -> CertificateError {
    match key_text::recognise(der) {
        Ok(KeyStructure::Private(_)) | Err(KeyError::Encrypted) => CertificateError::PrivateKey,
        Ok(KeyStructure::Public(_)) => CertificateError::PublicKey,
        _ if is_request(der) => CertificateError::Request,
        _ => CertificateError::Malformed,
    }
}

/// `CertificationRequest` of PKCS#10: version 0 where a certificate has its serial, then a name.
fn is_request(der: &[u8]) -> bool {
    let Some(mut content) = Reader::new(der)
        .sequence()
        .and_then(|mut request| request.sequence())
    else {
        return false;
    };
    content.take(der::INTEGER) == Some(&[0]) && content.whole_element().is_some_and(name::is_name)
}

impl fmt::Debug for X509 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("X509")
            .field("validity", &self.validity)
            .field("extensions", &self.extensions)
            .finish_non_exhaustive()
    }
}
