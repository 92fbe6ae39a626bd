//! Typed calls: names and types over [`crate::Gateway::call`].

mod mini_code;
mod oauth_token;
mod template_message;

pub use mini_code::{MiniCode, MiniCodeRequest};
pub use oauth_token::{UserGrant, exchange_code, refresh_token, user_grant};
pub use template_message::{Recipient, TemplateMessage};

use serde::Serialize;

use crate::GatewayError;

fn biz_content(arguments: &impl Serialize) -> Result<String, GatewayError> {
    serde_json::to_string(arguments).map_err(|error| GatewayError::Malformed {
        reason: format!("biz_content: {error}"),
    })
}
