//! Certificate mode (公钥证书): serial numbers of the app's, Alipay's and the root certificates, the public key out of a
//! certificate, and the chain from Alipay's certificate to a root.

use std::time::SystemTime;

use crate::{KeyError, VerifyingKey};

/// Why a text is not a certificate that can be used, with the mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not the text of a certificate file.
    #[error("this is no certificate: give the whole .crt file as downloaded from the console")]
    Malformed,
    /// The certificate's key cannot be used.
    #[error("the certificate's public key: {0}")]
    Key(#[from] KeyError),
}

/// Why a certificate is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// No path to a configured root.
    #[error("the certificate was not issued under the configured root certificates")]
    NotIssuedByRoot,
}

/// A certificate file of one subject: its own certificate (the first of the file), and those of its issuers that follow.
#[derive(Debug, Clone)]
pub struct Certificate {
    serial_number: String,
    verifying_key: VerifyingKey,
    not_before: SystemTime,
    not_after: SystemTime,
}

impl Certificate {
    /// Reads a `.crt` file's text.
    ///
    /// # Errors
    /// [`CertificateError`] says what the text is instead and how to mend it.
    pub fn from_text(_text: &str) -> Result<Self, CertificateError> {
        Err(CertificateError::Malformed)
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
        self.not_before
    }

    /// When it ends to be valid.
    pub fn not_after(&self) -> SystemTime {
        self.not_after
    }

    /// Checks at `now` that a path of signatures leads to one of `roots` and that every certificate on it is valid.
    ///
    /// # Errors
    /// [`ChainError`] names what is wrong.
    pub fn check_chain(
        &self,
        _roots: &RootCertificates,
        _now: SystemTime,
    ) -> Result<(), ChainError> {
        Err(ChainError::NotIssuedByRoot)
    }
}

/// Alipay's root certificates: the file `alipayRootCert.crt`.
#[derive(Debug, Clone)]
pub struct RootCertificates {
    serial_numbers: String,
}

impl RootCertificates {
    /// Reads the file's text. Members that do not parse (Alipay's file has one) are skipped.
    ///
    /// # Errors
    /// When no RSA member is in it.
    pub fn from_text(_text: &str) -> Result<Self, CertificateError> {
        Err(CertificateError::Malformed)
    }

    /// The value of `alipay_root_cert_sn`: the serial numbers of the RSA members in the file's order, joined by `_`.
    pub fn serial_numbers(&self) -> &str {
        &self.serial_numbers
    }
}
