use std::net::IpAddr;

use alipay_signing::certificate::{Certificate, RootCertificates};
use alipay_signing::content_encryption::ContentKey;
use alipay_signing::{Charset, SignType, SigningKey, VerifyingKey};
use url::{Host, Url};

/// The production gateway, as Alipay's SDKs name it.
pub const PRODUCTION: &str = "https://openapi.alipay.com/gateway.do";

/// The current sandbox. The older one (`openapi.alipaydev.com`) is another system with other keys; give its URL to use it.
pub const SANDBOX: &str = "https://openapi-sandbox.dl.alipaydev.com/gateway.do";

/// What is needed to speak for one Alipay app.
#[derive(Debug, Clone)]
pub struct App {
    /// The app id, 16 digits as a rule.
    pub app_id: String,
    /// The app's private key.
    pub signing_key: SigningKey,
    /// Alipay's public key for this app: in key mode what the console shows after the app's own public key was uploaded, in
    /// certificate mode the key in Alipay's certificate.
    pub alipay_key: VerifyingKey,
    /// Present in certificate mode (公钥证书), absent in key mode (密钥).
    pub certificates: Option<AppCertificates>,
    /// The AES key of content encryption (接口内容加密方式), where the app has one.
    pub content_key: Option<ContentKey>,
    /// How requests are built and replies verified.
    pub protocol: Protocol,
    /// RSA2 unless the app is an old one that is configured for RSA in Alipay's console.
    pub sign_type: SignType,
    /// The charset that requests are signed and sent in.
    pub charset: Charset,
    /// Where requests go.
    pub gateway: Url,
}

/// What certificate mode needs beside the keys.
#[derive(Debug, Clone)]
pub struct AppCertificates {
    /// Alipay's serial number of the app's own certificate: `app_cert_sn`.
    pub app_serial_number: String,
    /// Alipay's certificate: its key verifies replies that carry its serial number as `alipay_cert_sn`.
    pub alipay: Certificate,
    /// The roots that a newer certificate of Alipay's has to come from, and whose serial numbers are sent.
    pub roots: RootCertificates,
}

/// The two protocols of Alipay's OpenAPI. Both know the same methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// Form parameters to `/gateway.do`, a signature over the sorted parameters.
    #[default]
    V2,
    /// JSON to a path of the method's own, a signature in the header `Authorization`.
    V3,
}

impl App {
    /// An app in key mode with what nearly every app has: RSA2, UTF-8, protocol V2, no content encryption.
    pub fn new(
        app_id: impl Into<String>,
        signing_key: SigningKey,
        alipay_key: VerifyingKey,
        gateway: Url,
    ) -> Self {
        Self {
            app_id: app_id.into(),
            signing_key,
            alipay_key,
            certificates: None,
            content_key: None,
            protocol: Protocol::V2,
            sign_type: SignType::Rsa2,
            charset: Charset::Utf8,
            gateway,
        }
    }
}

/// A gateway setting that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum GatewayAddressError {
    /// Neither a preset's name nor a URL.
    #[error("must be \"production\", \"sandbox\" or a full https:// URL")]
    NotAnAddress,
    /// Plain http to another machine would show tokens and signed requests to the network.
    #[error("must be https; http is allowed only for a loopback address such as 127.0.0.1")]
    PlainHttp,
    /// User name, password, query or fragment in the URL.
    #[error("must be a plain address without user, query or fragment")]
    NotPlain,
}

/// Reads a `gateway` setting: `production`, `sandbox` or a URL.
///
/// # Errors
/// Says which rule the setting breaks; a start-up error for whoever wrote the configuration.
pub fn gateway_address(setting: &str) -> Result<Url, GatewayAddressError> {
    let address = match setting {
        "production" => PRODUCTION,
        "sandbox" => SANDBOX,
        other => other,
    };
    let url = Url::parse(address).map_err(|_| GatewayAddressError::NotAnAddress)?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => return Err(GatewayAddressError::PlainHttp),
        _ => return Err(GatewayAddressError::NotAnAddress),
    }
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if plain {
        Ok(url)
    } else {
        Err(GatewayAddressError::NotPlain)
    }
}

/// Whether the URL leads to this machine by its text alone; no name is looked up.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_and_urls_are_addresses() {
        for (setting, expected) in [
            ("production", PRODUCTION),
            ("sandbox", SANDBOX),
            (
                "https://globalopenapi.alipay.com/gateway.do",
                "https://globalopenapi.alipay.com/gateway.do",
            ),
            (
                "http://127.0.0.1:8080/gateway.do",
                "http://127.0.0.1:8080/gateway.do",
            ),
            (
                "http://[::1]:8080/gateway.do",
                "http://[::1]:8080/gateway.do",
            ),
        ] {
            assert_eq!(gateway_address(setting).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn plain_http_is_for_loopback_only() {
        for setting in [
            "http://openapi.alipay.com/gateway.do",
            "http://10.0.0.1/gateway.do",
            "http://127.0.0.1.example.com/",
        ] {
            assert_eq!(
                gateway_address(setting),
                Err(GatewayAddressError::PlainHttp),
                "{setting}"
            );
        }
    }

    #[test]
    fn what_is_no_plain_address_is_refused() {
        for setting in [
            "",
            "prod",
            "ftp://127.0.0.1/",
            "file:///etc/passwd",
            "openapi.alipay.com",
        ] {
            assert_eq!(
                gateway_address(setting),
                Err(GatewayAddressError::NotAnAddress),
                "{setting}"
            );
        }
        for setting in [
            "https://user:secret@example.com/",
            "https://example.com/?a=1",
            "https://example.com/#a",
        ] {
            assert_eq!(
                gateway_address(setting),
                Err(GatewayAddressError::NotPlain),
                "{setting}"
            );
        }
    }
}
