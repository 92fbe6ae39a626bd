use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::life::seconds;
use crate::{Call, GatewayError, Reply};

const METHOD: &str = "alipay.system.oauth.token";

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
    /// For a new pair when the access token has expired. A refresh ends the old pair at once. `None`, and never empty, where the
    /// reply names none; whoever asked for a refresh then keeps the one that was sent.
    pub refresh_token: Option<SecretString>,
    /// Life of the access token in seconds from the exchange, ten years at most; 0, which is used up at once, where Alipay names
    /// none; `None` for permanent tokens.
    pub expires_in: Option<u64>,
    /// Life of the refresh token in seconds from the login, ten years at most; `None` where it is not known. A refresh does not
    /// extend it, so it may end before the access token does.
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

/// Reads the reply to [`exchange_code`]. It has no `code` member.
///
/// # Errors
/// [`GatewayError::Malformed`] when there is no access token or nobody it belongs to. Never for a life: one that is no number of
/// seconds counts as unknown.
pub fn user_grant(reply: &Reply) -> Result<UserGrant, GatewayError> {
    let grant = refreshed_user_grant(reply)?;
    if grant.openid().is_none() {
        return Err(GatewayError::Malformed {
            reason: "neither user_id nor open_id".to_owned(),
        });
    }
    Ok(grant)
}

/// Reads the reply to [`refresh_token`]. Whose tokens they are is known already, so a reply that does not say it is taken as well:
/// the old pair has ended by now.
///
/// # Errors
/// [`GatewayError::Malformed`] when there is no access token.
pub fn refreshed_user_grant(reply: &Reply) -> Result<UserGrant, GatewayError> {
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
    Ok(grant)
}
