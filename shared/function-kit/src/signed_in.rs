//! Who is signed in. API Gateway's JWT authorizer verified the id_token before the function was invoked; what it established stands
//! in the event, and nothing else that a request says is believed.

use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::checked::{OpenId, Text};

/// Who may call a function over HTTP. Who may invoke it directly is decided by IAM alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody: who logs in is not signed in yet.
    Public,
    /// A user with one of our id_tokens as bearer.
    SignedIn,
    /// The owner's own servers, which IAM knows.
    ServerSide,
}

/// The user who calls, by the claims of a verified id_token.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The account, `sub`.
    pub uid: String,
    /// The configured app that the user logged in with.
    pub app_id: String,
    /// The user's id for that app, as the login answered it.
    pub openid: OpenId,
    /// The merchant's app that the user logged in to, where the configured app is an ISV's.
    pub auth_app_id: Option<String>,
    /// The client that the id_token was made for, `aud`.
    pub client_id: String,
}

/// Users' ids are personal data and are not logged.
impl fmt::Debug for SignedIn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SignedIn")
            .field("app_id", &self.app_id)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

impl SignedIn {
    /// The user of `authorizer`, the event's `requestContext.authorizer`; `None` unless a JWT authorizer was asked and every claim
    /// that a login of ours writes is there.
    pub(crate) fn by(authorizer: &RawValue) -> Option<Self> {
        let Authorizer { jwt } = serde_json::from_str(authorizer.get()).ok()?;
        let claims = jwt?.claims;
        Some(Self {
            uid: claims.sub.to_string(),
            app_id: claims.app_id.to_string(),
            openid: claims.openid,
            auth_app_id: claims.auth_app_id.map(|id| id.to_string()),
            client_id: claims.aud.to_string(),
        })
    }
}

#[derive(Deserialize)]
struct Authorizer {
    #[serde(default)]
    jwt: Option<Jwt>,
}

#[derive(Deserialize)]
struct Jwt {
    claims: Claims,
}

/// Every claim is a text, whatever it was in the token.
#[derive(Deserialize)]
struct Claims {
    sub: Text<128>,
    aud: Text<128>,
    app_id: Text<64>,
    openid: OpenId,
    #[serde(default)]
    auth_app_id: Option<Text<64>>,
}
