//! One app of the document, from what is written to what is used.

use std::path::{Path, PathBuf};

use alipay_gateway::{App, Protocol, gateway_address};
use alipay_signing::content_encryption::ContentKey;
use alipay_signing::{Charset, SignType, SigningKey, VerifyingKey};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::certificates::{AppsCertificates, CertificateTexts};
use super::{AppSettings, AppsError};
use crate::checked::PagePath;
use crate::content_check::ContentCheck;

/// One app as written. Unknown members are refused, so that a misspelt one is not taken for absent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AppEntry {
    pub(super) appid: Option<String>,
    private_key: Option<TextSource>,
    alipay_public_key: Option<TextSource>,
    app_cert: Option<TextSource>,
    alipay_cert: Option<TextSource>,
    alipay_root_cert: Option<TextSource>,
    aes_key: Option<TextSource>,
    need_encrypt: Option<bool>,
    gateway: Option<String>,
    protocol: Option<String>,
    sign_type: Option<String>,
    charset: Option<String>,
    pid: Option<String>,
    home_page: Option<String>,
    content_check: Option<ContentCheck>,
    #[serde(default)]
    request_methods: Vec<String>,
    /// uni-id names the key's encoding; every encoding loads without it.
    #[serde(rename = "keyType")]
    _key_type: Option<serde::de::IgnoredAny>,
}

/// A key or certificate inline, or `{"file":"path"}`.
#[derive(Deserialize)]
#[serde(untagged, expecting = "must be a text or {\"file\":\"path\"}")]
enum TextSource {
    Inline(SecretString),
    File { file: PathBuf },
}

/// Certificate files have two or four members of 2 KiB; keys are smaller.
const MAX_FILE_BYTES: u64 = 256 * 1024;

impl TextSource {
    fn text(&self, folder: Option<&Path>) -> Result<SecretString, String> {
        match self {
            Self::Inline(text) => Ok(text.clone()),
            Self::File { file } => {
                let folder = folder.ok_or("a file can be named only in a local document; put the text itself into the secret")?;
                let path = folder.join(file);
                let unreadable =
                    |error: std::io::Error| format!("the file cannot be read: {error}");
                if std::fs::metadata(&path).map_err(unreadable)?.len() > MAX_FILE_BYTES {
                    return Err("the file is larger than 256 KiB".to_owned());
                }
                std::fs::read_to_string(path)
                    .map(SecretString::from)
                    .map_err(unreadable)
            }
        }
    }
}

/// Where the entry stands, and what `{"file":…}` in it is relative to.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) path: &'a str,
    pub(super) folder: Option<&'a Path>,
}

impl Place<'_> {
    pub(super) fn wrong(&self, field: &str, problem: impl Into<String>) -> AppsError {
        AppsError::new(format!("{}.{field}", self.path), problem)
    }

    fn text(
        &self,
        field: &str,
        source: Option<TextSource>,
    ) -> Result<Option<SecretString>, AppsError> {
        source
            .map(|source| source.text(self.folder))
            .transpose()
            .map_err(|problem| self.wrong(field, problem))
    }
}

/// How Alipay's replies are verified: by its public key, or by certificates.
enum Trust {
    Key(VerifyingKey),
    Certificates(Box<AppsCertificates>),
}

impl AppEntry {
    pub(super) fn build(self, place: Place<'_>) -> Result<AppSettings, AppsError> {
        let app_id = app_id(place, self.appid)?;
        let signing_key = private_key(place, self.private_key)?;
        let gateway = gateway_address(self.gateway.as_deref().unwrap_or("production"))
            .map_err(|error| place.wrong("gateway", error.to_string()))?;
        let certificates = CertificateTexts {
            app: place.text("appCert", self.app_cert)?,
            alipay: place.text("alipayCert", self.alipay_cert)?,
            roots: place.text("alipayRootCert", self.alipay_root_cert)?,
        };
        let alipay_public_key = place.text("alipayPublicKey", self.alipay_public_key)?;
        let trust = match (alipay_public_key, certificates.are_absent()) {
            (Some(key), true) => Trust::Key(alipay_key(place, &key, &signing_key)?),
            (None, false) => Trust::Certificates(Box::new(certificates.read(
                place,
                &app_id,
                &signing_key,
                &gateway,
            )?)),
            (Some(_), false) => {
                return Err(place.wrong(
                    "alipayPublicKey",
                    "stands beside appCert, alipayCert or alipayRootCert: an app is in key mode (密钥) or in certificate mode (证书), as its console says; leave out the one or the other",
                ));
            }
            (None, true) => {
                return Err(place.wrong(
                    "alipayPublicKey",
                    "is missing; it is Alipay's public key (支付宝公钥), shown in the console after the app's own public key is uploaded. An app in certificate mode (证书) needs appCert, alipayCert and alipayRootCert in its place. Without them no reply can be verified",
                ));
            }
        };

        let sign_type = sign_type(place, self.sign_type.as_deref())?;
        let charset = charset(place, self.charset.as_deref())?;
        let protocol = protocol(place, self.protocol.as_deref(), sign_type, charset)?;
        let content_key = content_key(place, self.aes_key)?;
        let need_encrypt = self.need_encrypt.unwrap_or_default();
        if need_encrypt && content_key.is_none() {
            return Err(place.wrong(
                "needEncrypt",
                "needs aesKey, which is missing: it is the AES key of the app's content encryption (接口内容加密方式) in the console",
            ));
        }
        check_request_methods(place, &self.request_methods)?;
        check_home_page(place, self.home_page.as_deref())?;
        check_pid(place, self.pid.as_deref())?;

        let (alipay_key, certificates, app_certificate) = match trust {
            Trust::Key(key) => (key, None, None),
            Trust::Certificates(read) => (
                read.for_calls.alipay.verifying_key().clone(),
                Some(read.for_calls),
                Some(read.app),
            ),
        };
        Ok(AppSettings {
            app: App {
                certificates,
                content_key,
                protocol,
                sign_type,
                charset,
                ..App::new(app_id, signing_key, alipay_key, gateway)
            },
            app_certificate,
            need_encrypt,
            pid: self.pid,
            home_page: self.home_page,
            request_methods: self.request_methods,
            content_check: self.content_check.unwrap_or_default(),
        })
    }
}

fn app_id(place: Place<'_>, app_id: Option<String>) -> Result<String, AppsError> {
    let app_id = app_id
        .filter(|id| !id.is_empty())
        .ok_or_else(|| place.wrong("appid", "is missing"))?;
    if app_id.len() > 32 || !app_id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(place.wrong(
            "appid",
            "must be Alipay's app id: at most 32 letters and digits, 16 digits as a rule",
        ));
    }
    Ok(app_id)
}

fn private_key(place: Place<'_>, source: Option<TextSource>) -> Result<SigningKey, AppsError> {
    let text = place.text("privateKey", source)?.ok_or_else(|| {
        place.wrong(
            "privateKey",
            "is missing; it is the app's own private key (应用私钥)",
        )
    })?;
    SigningKey::from_text(text.expose_secret())
        .map_err(|error| place.wrong("privateKey", error.to_string()))
}

fn alipay_key(
    place: Place<'_>,
    text: &SecretString,
    signing_key: &SigningKey,
) -> Result<VerifyingKey, AppsError> {
    let key = VerifyingKey::from_text(text.expose_secret())
        .map_err(|error| place.wrong("alipayPublicKey", error.to_string()))?;
    if key == signing_key.verifying_key() {
        return Err(place.wrong(
            "alipayPublicKey",
            "is the app's own public key (应用公钥); give Alipay's (支付宝公钥), which the console shows beside it",
        ));
    }
    Ok(key)
}

fn content_key(
    place: Place<'_>,
    source: Option<TextSource>,
) -> Result<Option<ContentKey>, AppsError> {
    place
        .text("aesKey", source)?
        .map(|text| ContentKey::from_text(text.expose_secret()))
        .transpose()
        .map_err(|error| place.wrong("aesKey", error.to_string()))
}

fn sign_type(place: Place<'_>, text: Option<&str>) -> Result<SignType, AppsError> {
    text.map_or(Ok(SignType::Rsa2), |text| {
        text.parse()
            .map_err(|_| place.wrong("signType", "must be RSA2, or RSA for an old app"))
    })
}

fn charset(place: Place<'_>, text: Option<&str>) -> Result<Charset, AppsError> {
    text.map_or(Ok(Charset::Utf8), |text| {
        text.parse()
            .map_err(|_| place.wrong("charset", "must be utf-8, GBK or GB2312"))
    })
}

/// V3 knows one sign type and one charset, so that a setting of another one would be a setting without effect.
fn protocol(
    place: Place<'_>,
    text: Option<&str>,
    sign_type: SignType,
    charset: Charset,
) -> Result<Protocol, AppsError> {
    match text {
        None => Ok(Protocol::V2),
        Some(text) if text.eq_ignore_ascii_case("v2") => Ok(Protocol::V2),
        Some(text) if !text.eq_ignore_ascii_case("v3") => {
            Err(place.wrong("protocol", "must be v2 or v3"))
        }
        Some(_) if sign_type != SignType::Rsa2 => Err(place.wrong(
            "signType",
            "must be RSA2 where protocol is v3; make the app's key RSA2 in the console, or use v2",
        )),
        Some(_) if charset != Charset::Utf8 => Err(place.wrong(
            "charset",
            "must be utf-8 where protocol is v3; leave it out, or use v2",
        )),
        Some(_) => Ok(Protocol::V3),
    }
}

fn check_request_methods(place: Place<'_>, methods: &[String]) -> Result<(), AppsError> {
    match methods
        .iter()
        .position(|method| !is_method_pattern(method))
    {
        None => Ok(()),
        Some(index) => Err(place.wrong(
            &format!("requestMethods[{index}]"),
            "must be a method such as alipay.trade.query, or a prefix ending in .* such as alipay.trade.*",
        )),
    }
}

fn is_method_pattern(pattern: &str) -> bool {
    let name = pattern.strip_suffix(".*").unwrap_or(pattern);
    !name.is_empty()
        && name.split('.').all(|part| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        })
}

fn check_home_page(place: Place<'_>, page: Option<&str>) -> Result<(), AppsError> {
    match page.map(|page| PagePath::try_from(page.to_owned())) {
        Some(Err(_)) => Err(place.wrong(
            "homePage",
            "must be a page's path such as pages/index/index, without leading / and without ?",
        )),
        _ => Ok(()),
    }
}

fn check_pid(place: Place<'_>, pid: Option<&str>) -> Result<(), AppsError> {
    match pid {
        Some(pid)
            if pid.len() != 16
                || !pid.starts_with("2088")
                || !pid.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            Err(place.wrong(
                "pid",
                "must be the merchant's partner id (合作伙伴身份, PID): 16 digits that begin with 2088",
            ))
        }
        _ => Ok(()),
    }
}
