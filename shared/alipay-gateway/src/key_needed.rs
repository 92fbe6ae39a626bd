//! Whose key a reply's signature has to be checked with. Pure.

use std::time::SystemTime;

use alipay_signing::VerifyingKey;

use crate::{App, GatewayError};

/// The key that a reply's signature has to be checked with.
#[derive(Debug, Clone, Copy)]
pub enum KeyNeeded<'a> {
    /// One that the app is configured with.
    Configured(&'a VerifyingKey),
    /// The key in Alipay's certificate of this serial number, which is another one than the configured.
    OfCertificate(&'a str),
}

impl<'a> KeyNeeded<'a> {
    /// The key for a signed reply that names `serial_number` (`alipay_cert_sn` in V2, `alipay-sn` in V3). In key mode the name
    /// says nothing.
    pub(crate) fn of_signed(
        app: &'a App,
        serial_number: Option<&'a str>,
        now: SystemTime,
    ) -> Result<Self, GatewayError> {
        let Some(certificates) = &app.certificates else {
            return Ok(Self::Configured(&app.alipay_key));
        };
        let configured = &certificates.alipay;
        match serial_number {
            Some(other) if other != configured.serial_number() => {
                if !is_serial_number(other) {
                    return Err(GatewayError::unverified(
                        "the reply names no serial number of a certificate",
                    ));
                }
                Ok(Self::OfCertificate(other))
            }
            _ if now > configured.not_after() => Err(GatewayError::unverified(
                "alipayCert, the configured certificate of Alipay's, has expired; download it anew from the console",
            )),
            _ if now < configured.not_before() => Err(GatewayError::unverified(
                "alipayCert, the configured certificate of Alipay's, is not valid yet; the clock may be wrong",
            )),
            _ => Ok(Self::Configured(configured.verifying_key())),
        }
    }
}

/// An MD5 in lower-case hexadecimal. It goes into a request, so nothing else may.
fn is_serial_number(text: &str) -> bool {
    text.len() == 32
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
