//! Certificate mode (公钥证书): serial numbers of the app's, Alipay's and the root certificates, the public key out of a
//! certificate, and the chain from Alipay's certificate to a root.
//!
//! What Alipay calls a certificate's serial number (SN) is not the serial that stands in it: it is the MD5 of the issuer's name
//! and that serial, as Alipay's official SDKs compute it. It only names a certificate. What a certificate is worth, the chain says.

mod chain;
mod name;
mod pem;
mod validity;
mod x509;

use std::time::SystemTime;

use crate::key_text::KeyError;
use crate::{VerifyingKey, legacy_md5};
use x509::X509;

/// Certificates in the file of one subject: its own and its issuers'. Alipay's has two.
const MAX_CERTIFICATES: usize = 8;
/// Certificates in a file of roots. Alipay's has four.
const MAX_ROOTS: usize = 32;

/// Why a text is not a certificate that can be used, with the mend. Never holds the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Nothing but white space, or a PEM block with nothing in it.
    #[error("the certificate is empty: give the whole .crt file as downloaded from the console")]
    Empty,
    /// Not the text of a certificate file.
    #[error("this is no certificate: give the whole .crt file as downloaded from the console")]
    Malformed,
    /// A `BEGIN` line without its `END` line or the reverse.
    #[error(
        "the certificate is cut off: it needs its BEGIN line and the END line that goes with it"
    )]
    PemCutOff,
    /// More text, or more certificates, than any certificate file has.
    #[error(
        "this is too large for a certificate file: give the .crt file as downloaded from the console"
    )]
    TooLarge,
    /// A private key in a certificate's place.
    #[error(
        "this is a private key where a certificate belongs: give the .crt file, and replace the key if others can read this setting"
    )]
    PrivateKey,
    /// A public key in a certificate's place.
    #[error(
        "this is a public key, not a certificate: give the .crt file as downloaded from the console, or use key mode"
    )]
    PublicKey,
    /// A certificate signing request (CSR) in a certificate's place.
    #[error(
        "this is a certificate request (.csr): give the .crt file that the console made from it"
    )]
    Request,
    /// A certificate with an elliptic-curve key, SM2 among them.
    #[error(
        "this certificate has an elliptic-curve (EC or SM2) key: give the one for RSA2 from the console"
    )]
    EllipticCurve,
    /// The certificate's key cannot be used.
    #[error("the certificate's public key: {0}")]
    Key(KeyError),
    /// A file of roots in the place of one subject's certificate.
    #[error(
        "these are root certificates (alipayRootCert.crt) where the certificate of an app or Alipay's own belongs"
    )]
    Roots,
    /// A file of roots without a root that has an RSA signature.
    #[error("there is no RSA root certificate in it: give Alipay's alipayRootCert.crt whole")]
    NoRsaRoot,
    /// A certificate that issues nothing, among the roots.
    #[error(
        "it holds a certificate that is no root (that of an app, or Alipay's own): give Alipay's alipayRootCert.crt"
    )]
    NotARoot,
}

impl From<KeyError> for CertificateError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::EllipticCurve => Self::EllipticCurve,
            other => Self::Key(other),
        }
    }
}

/// Why a certificate is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// No path to a configured root: it was issued by somebody of a root's or issuer's name with another key, or by itself.
    #[error("the certificate was not issued under the configured root certificates")]
    NotIssuedByRoot,
    /// An issuer's certificate is neither in the certificate's own file nor among the roots. So it is with certificates of
    /// Alipay's sandbox, whose root Alipay does not publish.
    #[error(
        "the certificate's issuer is unknown: its file lacks the issuer's certificate, or the root certificates are of another system"
    )]
    IssuerMissing,
    /// A certificate on the path is no longer valid.
    #[error("the certificate or one of its issuers has expired")]
    Expired,
    /// A certificate on the path is not valid yet.
    #[error("the certificate or one of its issuers is not valid yet")]
    NotYetValid,
    /// An issuer on the path was not allowed to issue it.
    #[error("a certificate on the path was issued by one that may not issue certificates")]
    IssuerNotAuthority,
    /// An issuer's certificate where that of a single subject belongs.
    #[error("this is the certificate of an issuer, not one that signs replies")]
    AuthorityAsSubject,
    /// Signed by an algorithm that is not safe (MD5, SHA-1) or not RSA.
    #[error("a certificate on the path is not signed by RSA with SHA-256, SHA-384 or SHA-512")]
    SignatureAlgorithm,
    /// A certificate on the path has a rule marked as critical that this crate does not know.
    #[error("a certificate on the path has a critical extension that is not understood")]
    CriticalExtension,
    /// More issuers than a path may have.
    #[error("the path to the root certificates is too long")]
    TooLong,
}

/// A certificate file of one subject: its own certificate (the first of the file), and those of its issuers that follow.
#[derive(Debug, Clone)]
pub struct Certificate {
    subject: X509,
    issuers: Vec<X509>,
    serial_number: String,
    verifying_key: VerifyingKey,
}

impl Certificate {
    /// Reads a `.crt` file's text: PEM, with any line ends (also written as the two characters `\n`), stray spaces and text
    /// between the certificates; or one certificate as bare base64. At most 8 certificates and 128 KiB.
    ///
    /// # Errors
    /// [`CertificateError`] says what the text is instead and how to mend it.
    pub fn from_text(text: &str) -> Result<Self, CertificateError> {
        let documents = pem::documents(text, MAX_CERTIFICATES)?;
        let mut certificates = documents.iter().map(|der| X509::parse(der));
        let subject = certificates.next().ok_or(CertificateError::Empty)??;
        let verifying_key = match subject.verifying_key() {
            // Alipay's file of roots begins with one for SM2.
            Err(KeyError::EllipticCurve) if subject.is_authority() => {
                return Err(CertificateError::Roots);
            }
            key => key?,
        };
        // Only now: one member of Alipay's file of roots does not parse, and that it is that file says more.
        let issuers = certificates.collect::<Result<_, _>>()?;
        Ok(Self {
            serial_number: serial_number(&subject),
            subject,
            issuers,
            verifying_key,
        })
    }

    /// Alipay's serial number of it (`app_cert_sn`, `alipay_cert_sn`): 32 lower-case hexadecimal digits, the MD5 of the
    /// issuer's name and the serial in decimal.
    pub fn serial_number(&self) -> &str {
        &self.serial_number
    }

    /// The public key in it.
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying_key
    }

    /// When it begins to be valid.
    pub fn not_before(&self) -> SystemTime {
        self.subject.validity.not_before
    }

    /// When it ends to be valid: the last second in which it is.
    pub fn not_after(&self) -> SystemTime {
        self.subject.validity.not_after
    }

    /// Whether it is an issuer's certificate (a root or an intermediate one), and so neither an app's nor Alipay's own.
    pub fn is_authority(&self) -> bool {
        self.subject.is_authority()
    }

    /// How many certificates of issuers follow it in its file.
    pub fn issuer_count(&self) -> usize {
        self.issuers.len()
    }

    /// The subject's common name (CN). Of an app's certificate it ends in the app id, of Alipay's own in the account's id.
    pub fn subject_common_name(&self) -> Option<String> {
        name::common_name(&self.subject.subject)
    }

    /// Checks at `now` that a path of signatures leads to one of `roots` and that every certificate on it, the root too, is
    /// valid. An issuer must be marked as one (basic constraints, and key usage where it is there). Signatures are RSA with
    /// SHA-256, SHA-384 or SHA-512; that of a root over itself does not count.
    ///
    /// # Errors
    /// [`ChainError`] names what is wrong.
    pub fn check_chain(&self, roots: &RootCertificates, now: SystemTime) -> Result<(), ChainError> {
        chain::check(&self.subject, &self.issuers, &roots.roots, now)
    }
}

/// Alipay's root certificates: the file `alipayRootCert.crt`.
#[derive(Debug, Clone)]
pub struct RootCertificates {
    roots: Vec<X509>,
    serial_numbers: String,
}

impl RootCertificates {
    /// Reads the file's text. Members that do not parse are skipped: Alipay's file has one that is not strict DER. At most 32
    /// certificates and 128 KiB.
    ///
    /// # Errors
    /// [`CertificateError::NoRsaRoot`] when no member has an RSA signature, [`CertificateError::NotARoot`] when one is the
    /// certificate of an app or Alipay's own, and what the text is instead when nothing in it is a certificate.
    pub fn from_text(text: &str) -> Result<Self, CertificateError> {
        let documents = pem::documents(text, MAX_ROOTS)?;
        let mut first_error = None;
        let mut roots = Vec::new();
        for der in &documents {
            match X509::parse(der) {
                Ok(root) => roots.push(root),
                Err(error) => {
                    first_error.get_or_insert(error);
                }
            }
        }
        if let (true, Some(error)) = (roots.is_empty(), first_error) {
            return Err(error);
        }
        roots.retain(X509::has_rsa_signature);
        if roots.is_empty() {
            return Err(CertificateError::NoRsaRoot);
        }
        if !roots.iter().all(X509::is_authority) {
            return Err(CertificateError::NotARoot);
        }
        let serial_numbers: Vec<String> = roots.iter().map(serial_number).collect();
        Ok(Self {
            roots,
            serial_numbers: serial_numbers.join("_"),
        })
    }

    /// The value of `alipay_root_cert_sn`: the serial numbers of the RSA members in the file's order, joined by `_`.
    pub fn serial_numbers(&self) -> &str {
        &self.serial_numbers
    }
}

/// The issuer's name as RFC 2253 writes it, followed by the serial in decimal, hashed.
fn serial_number(certificate: &X509) -> String {
    let mut text = name::rfc2253(&certificate.issuer);
    text.push_str(&decimal(&certificate.serial));
    legacy_md5::hexadecimal(text.as_bytes())
}

/// A magnitude of any length (serials have up to 160 bits) in decimal digits.
fn decimal(magnitude: &[u8]) -> String {
    // Least significant digit first.
    let mut digits = vec![0_u8];
    for &byte in magnitude {
        let mut carry = u32::from(byte);
        for digit in &mut digits {
            carry += u32::from(*digit) << 8;
            *digit = (carry % 10) as u8;
            carry /= 10;
        }
        while carry > 0 {
            digits.push((carry % 10) as u8);
            carry /= 10;
        }
    }
    digits
        .iter()
        .rev()
        .map(|digit| char::from(b'0' + digit))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn serials_of_any_length_are_written_in_decimal() {
        assert_eq!(decimal(&[]), "0");
        assert_eq!(decimal(&[0, 10]), "10");
        assert_eq!(decimal(&[0xff; 8]), u64::MAX.to_string());
        assert_eq!(decimal(&[0xff; 16]), u128::MAX.to_string());
        assert_eq!(
            decimal(&[
                0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
            ]),
            "730750818665451459101842416358141509827966271488"
        );
    }
}
