use serde::Serialize;

use crate::{Call, GatewayError};

/// Who receives a message. Alipay has two kinds of user ids, and an app may know its users by either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Recipient<'a> {
    /// A `user_id`: 16 digits beginning 2088.
    #[serde(rename = "to_user_id")]
    UserId(&'a str),
    /// An `open_id`, which is valid for one app only.
    #[serde(rename = "to_open_id")]
    OpenId(&'a str),
}

/// `alipay.open.app.mini.templatemessage.send`: one message from a template of the console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TemplateMessage<'a> {
    /// Who receives it.
    #[serde(flatten)]
    pub recipient: Recipient<'a>,
    /// The form id, or the number of a payment; absent for subscription messages. At most 64 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub form_id: Option<&'a str>,
    /// The template's id, at most 64 characters.
    pub user_template_id: &'a str,
    /// The page that a tap opens, at most 128 characters, may carry `?k=v`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<&'a str>,
    /// JSON text of `{"keyword1":{"value":"…"},…}`: Alipay documents a text here, not an object. At most 2048 characters.
    pub data: &'a str,
}

impl TemplateMessage<'_> {
    /// As a call. Never repeatable: Alipay documents no idempotency key, so a second sending is a second message.
    ///
    /// # Errors
    /// Never for these fields; the signature is that of every typed call.
    pub fn call(&self) -> Result<Call, GatewayError> {
        Ok(Call::new("alipay.open.app.mini.templatemessage.send")
            .with_biz_content(super::biz_content(self)?))
    }
}
