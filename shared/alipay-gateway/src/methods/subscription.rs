use serde::{Deserialize, Serialize};

use crate::{Call, GatewayError};

/// Whose subscriptions are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Subscriber<'a> {
    /// A `user_id`: 16 digits beginning 2088.
    #[serde(rename = "user_id")]
    UserId(&'a str),
    /// An `open_id`, which is valid for one app only.
    #[serde(rename = "open_id")]
    OpenId(&'a str),
}

/// `alipay.open.app.messagetemplate.subscribe.query`: what a user has subscribed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SubscriptionQuery<'a> {
    /// Whose.
    #[serde(flatten)]
    pub subscriber: Subscriber<'a>,
    /// One to three templates of the same app.
    pub template_id_list: Vec<&'a str>,
}

/// The state of a user's subscriptions.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Subscriptions {
    /// Whether the panel that asks for a subscription would be shown.
    pub show_component: Option<bool>,
    /// One for each template; Alipay leaves the list out for a user who subscribed to none.
    #[serde(default)]
    pub subscribe_relations: Vec<SubscribeRelation>,
}

/// A user's relation to one template. The words are Alipay's and not documented in full.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct SubscribeRelation {
    /// The template's id.
    pub template_id: String,
    /// Whether the user subscribed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscribe_state: Option<String>,
    /// For one message, or for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscribe_type: Option<String>,
    /// What the user chose to be kept without being asked again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_state: Option<String>,
    /// Whether the template is shown in the panel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub show: Option<bool>,
}

impl SubscriptionQuery<'_> {
    /// As a call. It only reads, so it is repeatable.
    ///
    /// # Errors
    /// Never for these fields; the signature is that of every typed call.
    pub fn call(&self) -> Result<Call, GatewayError> {
        Ok(Call::new("alipay.open.app.messagetemplate.subscribe.query")
            .with_biz_content(super::biz_content(self)?)
            .repeatable())
    }
}
