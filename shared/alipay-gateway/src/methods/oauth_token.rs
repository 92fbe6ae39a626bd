use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use crate::{Call, GatewayError, Reply};

const METHOD: &str = "alipay.system.oauth.token";

/// Longer lives are taken as this long (ten years), so that no arithmetic on them overflows.
const LONGEST_LIFE_SECONDS: u64 = 10 * 365 * 24 * 60 * 60;

/// What a user granted: who it is, and the tokens to act for them.
#[derive(Debug, Clone)]
pub struct UserGrant {
    /// 16 digits beginning 2088; absent for apps that Alipay moved to open ids.
    pub user_id: Option<String>,
    /// Valid for this app only; absent for apps that still have user ids.
    pub open_id: Option<String>,
    /// The same in all apps of one group, where the group is configured.
    pub union_id: Option<String>,
    /// For calls in the user's name (`auth_token`).
    pub access_token: SecretString,
    /// For a new pair when the access token has expired. A refresh ends the old pair at once.
    pub refresh_token: Option<SecretString>,
    /// Life of the access token in seconds from the exchange; `None` for permanent tokens.
    pub expires_in: Option<u64>,
    /// Life of the refresh token in seconds from the login. A refresh does not extend it.
    pub re_expires_in: Option<u64>,
    /// `yyyy-MM-dd HH:mm:ss` as Alipay sends it, UTC+8 as far as is known.
    pub auth_start: Option<String>,
}

impl UserGrant {
    /// vk's `openid`: the user id where there is one, else the open id.
    pub fn openid(&self) -> Option<&str> {
        self.user_id.as_deref().or(self.open_id.as_deref())
    }
}

/// Exchanges the code of `my.getAuthCode` (or of the openauth page). The call spends the code, whether it succeeds or not, so it
/// is never repeated.
pub fn exchange_code(code: &SecretString) -> Call {
    Call::new(METHOD)
        .with_field("grant_type", "authorization_code")
        .with_field("code", code.expose_secret())
}

/// Asks for a new pair of tokens. Never repeated: if the first request did arrive, the token in it is spent.
pub fn refresh_token(refresh_token: &SecretString) -> Call {
    Call::new(METHOD)
        .with_field("grant_type", "refresh_token")
        .with_field("refresh_token", refresh_token.expose_secret())
}

/// Reads the reply to either call. It has no `code` member.
///
/// # Errors
/// [`GatewayError::Malformed`] when there is no access token, nobody it belongs to, or a life that is no number of seconds.
pub fn user_grant(reply: &Reply) -> Result<UserGrant, GatewayError> {
    #[derive(Deserialize)]
    struct Node {
        user_id: Option<String>,
        open_id: Option<String>,
        union_id: Option<String>,
        access_token: SecretString,
        refresh_token: Option<SecretString>,
        #[serde(default, deserialize_with = "seconds")]
        expires_in: Option<u64>,
        #[serde(default, deserialize_with = "seconds")]
        re_expires_in: Option<u64>,
        auth_start: Option<String>,
        auth_token_type: Option<String>,
    }
    let node: Node = reply.parse()?;
    let present = |text: Option<String>| text.filter(|text| !text.is_empty());
    let permanent = node.auth_token_type.as_deref() == Some("permanent");
    let grant = UserGrant {
        user_id: present(node.user_id),
        open_id: present(node.open_id),
        union_id: present(node.union_id),
        access_token: node.access_token,
        refresh_token: node
            .refresh_token
            .filter(|token| !token.expose_secret().is_empty()),
        // A token of unknown life is treated as used up: the refresh token serves the next call.
        expires_in: if permanent {
            None
        } else {
            Some(node.expires_in.unwrap_or(0))
        },
        re_expires_in: if permanent { None } else { node.re_expires_in },
        auth_start: present(node.auth_start),
    };
    if grant.access_token.expose_secret().is_empty() {
        return Err(GatewayError::Malformed {
            reason: "access_token is empty".to_owned(),
        });
    }
    if grant.openid().is_none() {
        return Err(GatewayError::Malformed {
            reason: "neither user_id nor open_id".to_owned(),
        });
    }
    Ok(grant)
}

/// A number of seconds: a JSON number in real replies, a text in Alipay's documents.
pub(super) fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    struct Seconds;

    impl Visitor<'_> for Seconds {
        type Value = Option<u64>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a number of seconds")
        }

        fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
            Ok(Some(value.min(LONGEST_LIFE_SECONDS)))
        }

        fn visit_str<E: de::Error>(self, value: &str) -> Result<Self::Value, E> {
            if value.is_empty() {
                return Ok(None);
            }
            value
                .parse::<u64>()
                .map_err(|_| E::custom("not a number of seconds"))
                .and_then(|value| self.visit_u64(value))
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }

    deserializer.deserialize_any(Seconds)
}
