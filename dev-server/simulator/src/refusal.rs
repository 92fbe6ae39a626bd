//! Refusals: gateway code, its fixed message, sub_code and sub_msg.

use serde_json::{Map, Value};

/// Why a call was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    pub(crate) sub_code: String,
    pub(crate) sub_msg: String,
    /// What it says beside the four members that every refusal has. Boxed, because every answer carries the space for a refusal.
    members: Option<Box<Map<String, Value>>>,
}

impl Refusal {
    pub(crate) fn new(code: &str, sub_code: &str, sub_msg: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            sub_code: sub_code.to_owned(),
            sub_msg: sub_msg.into(),
            members: None,
        }
    }

    /// What a refresh becomes that Alipay had made of its own accord: of the new pair in `node` only the refresh token is told.
    pub(crate) fn already_refreshed(mut node: Map<String, Value>) -> Self {
        node.retain(|name, _| matches!(name.as_str(), "refresh_token" | "app_refresh_token"));
        Self {
            members: Some(Box::new(node)),
            ..Self::invalid(
                "isv.refreshed-token-invalid",
                "刷新令牌refresh_token已被刷新",
            )
        }
    }

    /// 20001: the user's token does not allow it.
    pub(crate) fn token(sub_code: &str, sub_msg: &str) -> Self {
        Self::new("20001", sub_code, sub_msg)
    }

    /// 40001: a public parameter is absent.
    pub(crate) fn missing(sub_code: &str, sub_msg: &str) -> Self {
        Self::new("40001", sub_code, sub_msg)
    }

    /// 40002: a parameter is wrong.
    pub(crate) fn invalid(sub_code: &str, sub_msg: impl Into<String>) -> Self {
        Self::new("40002", sub_code, sub_msg)
    }

    /// 40004: the method's own rules refuse it.
    pub(crate) fn business(sub_code: &str, sub_msg: &str) -> Self {
        Self::new("40004", sub_code, sub_msg)
    }

    /// 40006: the app lacks a permission.
    pub(crate) fn permission(sub_code: &str, sub_msg: &str) -> Self {
        Self::new("40006", sub_code, sub_msg)
    }

    /// What it says beside what every refusal says.
    pub(crate) fn further_members(&self) -> Map<String, Value> {
        self.members.as_deref().cloned().unwrap_or_default()
    }

    /// The node's members, in the gateway's order.
    pub(crate) fn node(&self) -> Map<String, Value> {
        [
            ("code", self.code.as_str()),
            ("msg", message(&self.code)),
            ("sub_code", &self.sub_code),
            ("sub_msg", &self.sub_msg),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Value::from(value)))
        .chain(self.further_members())
        .collect()
    }
}

/// The `msg` of each gateway code.
pub(crate) fn message(code: &str) -> &'static str {
    match code {
        "10000" => "Success",
        "20000" => "Service Currently Unavailable",
        "20001" => "Insufficient Token Permissions",
        "40001" => "Missing Required Arguments",
        "40002" => "Invalid Arguments",
        "40003" => "Insufficient Conditions",
        "40005" => "Call Limited",
        "40006" => "Insufficient Permissions",
        _ => "Business Failed",
    }
}

/// The node of a success: `code`, `msg`, then the method's members.
pub(crate) fn success(
    members: impl IntoIterator<Item = (&'static str, Value)>,
) -> Map<String, Value> {
    [
        ("code", Value::from("10000")),
        ("msg", Value::from("Success")),
    ]
    .into_iter()
    .chain(members)
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// The gateway writes texts that echo a request with HTML entities.
pub(crate) fn with_html_entities(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
