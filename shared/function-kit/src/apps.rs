//! The document of apps: which Alipay apps this deployment speaks for, with their keys.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alipay_gateway::{App, gateway_address};
use alipay_signing::{Charset, SignType, SigningKey, VerifyingKey};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::content_check::ContentCheck;
use crate::typed_json::{self, Misfit};

/// A document of apps that cannot be used. Names the field and the mend, never a value.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the document of apps: {field}: {problem}")]
pub struct AppsError {
    /// The field's path, such as `apps[0].privateKey`.
    pub field: String,
    /// What is wrong and how to mend it.
    pub problem: String,
}

impl AppsError {
    fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            problem: problem.into(),
        }
    }
}

impl From<Misfit> for AppsError {
    fn from(misfit: Misfit) -> Self {
        match misfit.path.as_str() {
            "" => Self::new("document", misfit.rule),
            path => Self::new(path, misfit.rule),
        }
    }
}

/// One configured app.
#[derive(Debug)]
pub struct AppSettings {
    /// What the gateway calls need.
    pub app: App,
    /// The page that a mini code opens when the call names none.
    pub home_page: Option<String>,
    /// Which methods `request` may call for this app: names, or prefixes ending in `.*`.
    pub request_methods: Vec<String>,
    /// How texts and images are checked.
    pub content_check: ContentCheck,
}

impl AppSettings {
    /// Whether `request` may call `method` for this app.
    pub fn allows(&self, method: &str) -> bool {
        self.request_methods
            .iter()
            .any(|allowed| match allowed.strip_suffix('*') {
                Some(prefix) => method.starts_with(prefix),
                None => method == allowed,
            })
    }
}

/// All configured apps.
#[derive(Debug)]
pub struct Apps {
    default: Arc<AppSettings>,
    by_id: HashMap<String, Arc<AppSettings>>,
}

impl Apps {
    /// The app of that id, or the default app where none is named.
    pub fn get(&self, app_id: Option<&str>) -> Option<&Arc<AppSettings>> {
        match app_id {
            None => Some(&self.default),
            Some(app_id) => self.by_id.get(app_id),
        }
    }

    /// The configured app ids, in no particular order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.by_id.keys().map(String::as_str)
    }

    /// Reads the document: our own form, or the uni-id documents. `folder` is what `{"file":…}` entries are relative to; without
    /// one (a secret) such entries are refused.
    ///
    /// # Errors
    /// Names the first field that is wrong.
    pub fn from_document(text: &SecretString, folder: Option<&Path>) -> Result<Self, AppsError> {
        let text = text.expose_secret();
        // serde would take an array for an object whose members it lists. uni-id's file may be one, of several apps.
        if text.trim_start().starts_with('[') {
            return Err(AppsError::new(
                "document",
                "must be an object; of a list of several uni-id documents, give the one that this deployment serves",
            ));
        }
        let document: Document = typed_json::parse(text)?;
        let mut entries: Vec<(String, AppEntry)> = Vec::new();
        let mut default = document.default;
        if let Some(app) = document
            .mp_alipay
            .and_then(|platform| platform.oauth)
            .and_then(|oauth| oauth.alipay)
        {
            default = default.or_else(|| app.appid.clone());
            entries.push(("mp-alipay.oauth.alipay".to_owned(), app));
        }
        let further = document
            .vk
            .and_then(|vk| vk.oauth)
            .and_then(|oauth| oauth.alipay)
            .map(|alipay| alipay.list)
            .unwrap_or_default();
        entries.extend(
            further
                .into_iter()
                .enumerate()
                .map(|(index, app)| (format!("vk.oauth.alipay.list[{index}]"), app)),
        );
        for (index, app) in document.apps.unwrap_or_default().into_iter().enumerate() {
            entries.push((format!("apps[{index}]"), app));
        }

        let mut by_id = HashMap::new();
        let mut only = None;
        for (path, entry) in entries {
            let settings = Arc::new(entry.build(&path, folder)?);
            let id = settings.app.app_id.clone();
            only.get_or_insert_with(|| settings.clone());
            if by_id.insert(id, settings).is_some() {
                return Err(AppsError::new(
                    format!("{path}.appid"),
                    "stands twice; give every app once",
                ));
            }
        }
        let only = only
            .ok_or_else(|| AppsError::new("apps", "is missing or empty; give at least one app"))?;
        let default = match default {
            Some(id) => by_id
                .get(&id)
                .cloned()
                .ok_or_else(|| AppsError::new("default", "must be the appid of one of the apps"))?,
            None if by_id.len() == 1 => only,
            None => {
                return Err(AppsError::new(
                    "default",
                    "is missing; say which of the apps is used when a call names none",
                ));
            }
        };
        Ok(Self { default, by_id })
    }
}

/// Both forms at once: their members do not overlap. The uni-id documents hold much else, which is ignored.
#[derive(Deserialize)]
struct Document {
    default: Option<String>,
    apps: Option<Vec<AppEntry>>,
    #[serde(rename = "mp-alipay")]
    mp_alipay: Option<MpAlipay>,
    vk: Option<Vk>,
}

#[derive(Deserialize)]
struct MpAlipay {
    oauth: Option<MpAlipayOauth>,
}

#[derive(Deserialize)]
struct MpAlipayOauth {
    alipay: Option<AppEntry>,
}

#[derive(Deserialize)]
struct Vk {
    oauth: Option<VkOauth>,
}

#[derive(Deserialize)]
struct VkOauth {
    alipay: Option<VkAlipay>,
}

#[derive(Deserialize)]
struct VkAlipay {
    #[serde(default)]
    list: Vec<AppEntry>,
}

/// One app as written. Unknown members are refused, so that a misspelt one is not taken for absent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AppEntry {
    appid: Option<String>,
    private_key: Option<KeySource>,
    alipay_public_key: Option<KeySource>,
    app_cert: Option<KeySource>,
    alipay_cert: Option<KeySource>,
    alipay_root_cert: Option<KeySource>,
    aes_key: Option<SecretString>,
    gateway: Option<String>,
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

/// A key inline, or `{"file":"path"}`.
#[derive(Deserialize)]
#[serde(untagged, expecting = "must be a text or {\"file\":\"path\"}")]
enum KeySource {
    Inline(SecretString),
    File { file: PathBuf },
}

impl KeySource {
    fn text(&self, folder: Option<&Path>) -> Result<SecretString, String> {
        match self {
            Self::Inline(text) => Ok(text.clone()),
            Self::File { file } => {
                let folder = folder.ok_or("a file can be named only in a local document; put the key itself into the secret")?;
                std::fs::read_to_string(folder.join(file))
                    .map(SecretString::from)
                    .map_err(|error| format!("the file cannot be read: {error}"))
            }
        }
    }
}

impl AppEntry {
    fn build(self, path: &str, folder: Option<&Path>) -> Result<AppSettings, AppsError> {
        let wrong =
            |field: &str, problem: String| AppsError::new(format!("{path}.{field}"), problem);

        let app_id = self
            .appid
            .filter(|id| !id.is_empty())
            .ok_or_else(|| wrong("appid", "is missing".to_owned()))?;
        if app_id.len() > 32 || !app_id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(wrong(
                "appid",
                "must be Alipay's app id: at most 32 letters and digits, 16 digits as a rule"
                    .to_owned(),
            ));
        }
        // They are read so that a document written for certificate mode says what is wrong with it instead of being half used.
        if self.app_cert.is_some() || self.alipay_cert.is_some() || self.alipay_root_cert.is_some()
        {
            let field = if self.app_cert.is_some() {
                "appCert"
            } else if self.alipay_cert.is_some() {
                "alipayCert"
            } else {
                "alipayRootCert"
            };
            return Err(wrong(field, "certificate mode is not supported by this version; use key mode (密钥) with alipayPublicKey".to_owned()));
        }
        let _ = (self.aes_key, self.pid);

        let key_text = |field: &str, source: Option<KeySource>, missing: &str| {
            source
                .ok_or_else(|| wrong(field, missing.to_owned()))
                .and_then(|source| source.text(folder).map_err(|problem| wrong(field, problem)))
        };
        let private_key = key_text(
            "privateKey",
            self.private_key,
            "is missing; it is the app's own private key (应用私钥)",
        )?;
        let signing_key = SigningKey::from_text(private_key.expose_secret())
            .map_err(|error| wrong("privateKey", error.to_string()))?;
        let alipay_key = key_text(
            "alipayPublicKey",
            self.alipay_public_key,
            "is missing; it is Alipay's public key (支付宝公钥), shown in the console after the app's own public key is uploaded. Without it no reply can be verified",
        )?;
        let alipay_key = VerifyingKey::from_text(alipay_key.expose_secret())
            .map_err(|error| wrong("alipayPublicKey", error.to_string()))?;
        if alipay_key == signing_key.verifying_key() {
            return Err(wrong(
                "alipayPublicKey",
                "is the app's own public key (应用公钥); give Alipay's (支付宝公钥), which the console shows beside it".to_owned(),
            ));
        }

        let gateway = gateway_address(self.gateway.as_deref().unwrap_or("production"))
            .map_err(|error| wrong("gateway", error.to_string()))?;
        let sign_type = match self.sign_type.as_deref() {
            None => SignType::Rsa2,
            Some(text) => text
                .parse()
                .map_err(|_| wrong("signType", "must be RSA2, or RSA for an old app".to_owned()))?,
        };
        let charset = match self.charset.as_deref() {
            None => Charset::Utf8,
            Some(text) => text
                .parse()
                .map_err(|_| wrong("charset", "must be utf-8, GBK or GB2312".to_owned()))?,
        };
        if let Some(index) = self
            .request_methods
            .iter()
            .position(|method| !is_method_pattern(method))
        {
            return Err(wrong(
                &format!("requestMethods[{index}]"),
                "must be a method such as alipay.trade.query, or a prefix ending in .* such as alipay.trade.*".to_owned(),
            ));
        }
        if self
            .home_page
            .as_deref()
            .is_some_and(|page| page.starts_with('/') || page.contains('?') || page.is_empty())
        {
            return Err(wrong(
                "homePage",
                "must be a page's path such as pages/index/index, without leading / and without ?"
                    .to_owned(),
            ));
        }
        Ok(AppSettings {
            app: App {
                sign_type,
                charset,
                ..App::new(app_id, signing_key, alipay_key, gateway)
            },
            home_page: self.home_page,
            request_methods: self.request_methods,
            content_check: self.content_check.unwrap_or_default(),
        })
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
