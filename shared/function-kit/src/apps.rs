//! The document of apps: which Alipay apps this deployment speaks for, with their keys.

mod certificates;
mod entry;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use alipay_gateway::App;
use alipay_signing::certificate::Certificate;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::Failure;
use crate::content_check::ContentCheck;
use crate::typed_json::{self, Misfit};
pub(crate) use certificates::is_alipays_sandbox;
use entry::{AppEntry, Place};

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
    /// The app's own certificate in certificate mode; absent in key mode.
    pub app_certificate: Option<Certificate>,
    /// Whether calls that say nothing about it have their contents encrypted.
    pub need_encrypt: bool,
    /// The merchant's partner id (PID): 16 digits that begin with 2088.
    pub pid: Option<String>,
    /// The page that a mini code opens when the call names none.
    pub home_page: Option<String>,
    /// Which methods `request` may call for this app: names, or prefixes ending in `.*`.
    pub request_methods: Vec<String>,
    /// How texts and images are checked.
    pub content_check: ContentCheck,
}

impl AppSettings {
    /// The page that a code opens: `page`, or the app's home page where the call names none.
    ///
    /// # Errors
    /// `invalid_argument` when there is neither.
    pub fn page_or_home<'a>(&'a self, page: Option<&'a str>) -> Result<&'a str, Failure> {
        page.or(self.home_page.as_deref()).ok_or_else(|| {
            Failure::invalid(
                "page",
                "is required, because the app has no homePage configured",
            )
        })
    }

    /// The merchant's partner id, for a call that Alipay takes with it alone.
    ///
    /// # Errors
    /// `invalid_argument` when none is configured.
    pub fn required_pid(&self) -> Result<&str, Failure> {
        self.pid.as_deref().ok_or_else(|| {
            Failure::invalid(
                "appid",
                "this app has no pid configured; set its pid in the document of apps: the merchant's partner id (合作伙伴身份), 16 digits that begin with 2088",
            )
        })
    }

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

    /// The app that calls are for that name none.
    pub fn default_app(&self) -> &AppSettings {
        &self.default
    }

    /// All apps: the default one first, the others in the order of their ids.
    pub fn in_order(&self) -> Vec<&AppSettings> {
        let default = &self.default.app.app_id;
        let mut others: Vec<&AppSettings> = self
            .by_id
            .values()
            .map(AsRef::as_ref)
            .filter(|app| app.app.app_id != *default)
            .collect();
        others.sort_unstable_by_key(|app| app.app.app_id.as_str());
        std::iter::once(self.default.as_ref())
            .chain(others)
            .collect()
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
            let settings = Arc::new(entry.build(Place {
                path: &path,
                folder,
            })?);
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
