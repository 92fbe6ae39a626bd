use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{Call, Refusal};

/// The only refusal that brings a token.
const REFRESHED_ALREADY: &str = "isv.refreshed-token-invalid";

/// Alipay's have 40 characters. What is longer is no token and has no place in a table.
const LONGEST_TOKEN_BYTES: usize = 512;

/// A user's token under the name that it has in a success, a merchant's under the one that it has there.
#[derive(Deserialize)]
struct Node<'a> {
    #[serde(borrow, default)]
    refresh_token: Option<&'a RawValue>,
    #[serde(borrow, default)]
    app_refresh_token: Option<&'a RawValue>,
}

impl Refusal {
    /// With the refresh token that the refusal's `node` names, where it is a refusal of `call` that may name one. A node that
    /// names none, or something that is no token, is as good a refusal without it.
    pub(crate) fn with_newer_refresh_token(mut self, call: &Call, node: &str) -> Self {
        let is_of_users = call.method == "alipay.system.oauth.token";
        let is_of_merchants = call.method == "alipay.open.auth.token.app";
        if self.sub_code.as_deref() != Some(REFRESHED_ALREADY) || !(is_of_users || is_of_merchants)
        {
            return self;
        }
        let Ok(node) = serde_json::from_str::<Node<'_>>(node) else {
            return self;
        };
        self.refresh_token = node
            .app_refresh_token
            .filter(|_| is_of_merchants)
            .and_then(token)
            .or_else(|| node.refresh_token.and_then(token))
            .map(Box::new);
        self
    }
}

fn token(raw: &RawValue) -> Option<SecretString> {
    let token: SecretString = serde_json::from_str(raw.get()).ok()?;
    let text = token.expose_secret();
    let is_token = (1..=LONGEST_TOKEN_BYTES).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_token.then_some(token)
}
