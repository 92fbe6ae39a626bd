use std::collections::BTreeMap;
use std::fmt;

use crate::{Protocol, v3};

/// One OpenAPI call: a method and its arguments.
///
/// The protocol's own parameters (app id, timestamp, signature …) are not part of it: [`crate::Gateway::call`] adds them.
#[derive(Clone, PartialEq, Eq)]
pub struct Call {
    /// Such as `alipay.open.app.qrcode.create`.
    pub method: String,
    /// The JSON text sent as `biz_content`; exactly these bytes are signed and sent.
    pub biz_content: Option<String>,
    /// Arguments that stand beside `biz_content`: `grant_type`, `code`, `auth_token`, `notify_url` … Empty values are not sent.
    pub fields: BTreeMap<String, String>,
    /// Whether Alipay may receive the call more than once without harm. Only then is it tried again after a failure that may
    /// pass. Never true for a code exchange (the code is spent) or a message (it would be sent twice).
    pub repeatable: bool,
    /// Whether `biz_content` is encrypted with the app's [`content_key`](crate::App::content_key).
    pub encrypted: bool,
}

impl Call {
    /// A call of `method` without arguments, sent once.
    pub fn new(method: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            biz_content: None,
            fields: BTreeMap::new(),
            repeatable: false,
            encrypted: false,
        }
    }

    /// With `text` as `biz_content`.
    #[must_use]
    pub fn with_biz_content(mut self, text: impl Into<String>) -> Self {
        self.biz_content = Some(text.into());
        self
    }

    /// With one more argument beside `biz_content`.
    #[must_use]
    pub fn with_field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.insert(name.into(), value.into());
        self
    }

    /// Marked as harmless to repeat.
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// With its `biz_content` encrypted. A call without `biz_content` has nothing that could be.
    #[must_use]
    pub fn encrypted(mut self) -> Self {
        self.encrypted = true;
        self
    }

    /// Whether there is something to encrypt in `protocol`: contents that are sent as a body.
    pub fn can_be_encrypted(&self, protocol: Protocol) -> bool {
        let has_body = protocol == Protocol::V2 || !v3::is_asked_by_get(&self.method);
        self.biz_content.is_some() && has_body
    }
}

/// Shows names only: the values hold codes, tokens and personal data.
impl fmt::Debug for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Call")
            .field("method", &self.method)
            .field("has_biz_content", &self.biz_content.is_some())
            .field("fields", &self.fields.keys().collect::<Vec<_>>())
            .field("repeatable", &self.repeatable)
            .field("encrypted", &self.encrypted)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_values() {
        let call = Call::new("alipay.system.oauth.token")
            .with_field("code", "canary-code")
            .with_biz_content("canary-content");
        let shown = format!("{call:?}");
        assert!(
            shown.contains("alipay.system.oauth.token") && shown.contains("code"),
            "{shown}"
        );
        assert!(!shown.contains("canary"), "{shown}");
    }
}
