//! From the bytes of a reply to a node whose signature holds. Pure.

mod charset;
mod ciphertext;
mod echo;
mod newer_refresh_token;
mod signature;
mod status;
mod unverified;

pub(crate) use ciphertext::decrypted;
pub(crate) use echo::{check_echo, text_or_number};
pub(crate) use signature::verify_node;
pub use unverified::UnverifiedReply;

use serde::de::DeserializeOwned;

use crate::GatewayError;

/// A verified success.
#[derive(Clone)]
pub struct Reply {
    node: String,
    trace_id: Option<String>,
}

impl Reply {
    /// Only for a node that was verified.
    pub(crate) fn new(node: String, trace_id: Option<String>) -> Self {
        Self { node, trace_id }
    }

    /// The response node (in V3 the body): exactly the text whose signature was verified, or what that text decrypts to.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// The header `trace_id` (in V3 `alipay-trace-id`), which Alipay's support asks for.
    pub fn trace_id(&self) -> Option<&str> {
        self.trace_id.as_deref()
    }

    /// The node as a `T`.
    ///
    /// # Errors
    /// [`GatewayError::Malformed`] when a member is missing or has another type.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, GatewayError> {
        serde_json::from_str(&self.node).map_err(|error| GatewayError::Malformed {
            reason: shape(&error),
        })
    }
}

/// What is wrong with a node, without quoting it: serde's messages may hold the value.
fn shape(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.split_once('`') {
        Some((missing @ "missing field ", rest)) => format!(
            "{missing}`{}",
            rest.split(" at line").next().unwrap_or_default()
        ),
        _ => format!(
            "a member has another type than documented (column {})",
            error.column()
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[test]
    fn a_type_error_never_quotes_the_value() {
        #[derive(Deserialize, Debug)]
        #[expect(dead_code, reason = "only its shape matters")]
        struct Expected {
            name: u32,
        }
        let reply = |node: &str| Reply::new(node.to_owned(), None);
        let wrong = reply(r#"{"name":"canary"}"#)
            .parse::<Expected>()
            .unwrap_err()
            .to_string();
        assert!(
            wrong.contains("another type") && !wrong.contains("canary"),
            "{wrong}"
        );
        let missing = reply("{}").parse::<Expected>().unwrap_err().to_string();
        assert!(missing.contains("missing field `name`"), "{missing}");
    }
}
