#![doc = include_str!("../README.md")]

mod charset;
mod der;
mod flawed_chip;
mod key_text;
mod legacy_md5;
mod legacy_sha1;
mod notice;
mod parameters;
mod signing_key;
mod verifying_key;
#[cfg(test)]
mod wycheproof;

pub mod certificate;
pub mod content_encryption;
pub mod v3;

pub use charset::{Charset, Undecodable, UnknownCharset, Unmappable};
pub use key_text::KeyError;
pub use notice::{EmptyValues, NoticeRule, notice_text};
pub use parameters::{canonical_string, form_encode};
pub use signing_key::{SignError, SigningKey, private_key_der};
pub use verifying_key::{SignatureInvalid, VerifyingKey};

use std::fmt;
use std::str::FromStr;

/// The signature algorithm of an app, as the console and the parameter `sign_type` name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignType {
    /// RSASSA-PKCS1-v1_5 with SHA-256. What every app should use.
    Rsa2,
    /// RSASSA-PKCS1-v1_5 with SHA-1, for apps that were set up so years ago and for nothing else.
    Rsa,
}

impl SignType {
    /// The value of the parameter `sign_type`: `"RSA2"` or `"RSA"`.
    pub fn as_str(self) -> &'static str {
        match self {
            SignType::Rsa2 => "RSA2",
            SignType::Rsa => "RSA",
        }
    }
}

impl fmt::Display for SignType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The text is neither `RSA2` nor `RSA`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown sign type: use RSA2 (or RSA, for an app that is still set to SHA-1)")]
pub struct UnknownSignType;

impl FromStr for SignType {
    type Err = UnknownSignType;

    /// Reads `RSA2` or `RSA`, whatever the case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case("RSA2") {
            Ok(SignType::Rsa2)
        } else if text.eq_ignore_ascii_case("RSA") {
            Ok(SignType::Rsa)
        } else {
            Err(UnknownSignType)
        }
    }
}
