//! What tokens say: claims that are written, and claims that were read.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use table_rows::WallTime;

use crate::Uid;
use crate::jwt::TokenRefused;
use crate::strict_json::Node;

/// How far the clocks of two machines may differ.
pub(crate) const LEEWAY: Duration = Duration::from_secs(60);

/// Latest moment that a claim may name, in seconds: the year 9999. Later ones overflow somewhere.
const LATEST_SECOND: u64 = 253_402_300_799;

/// What an id_token is to say, beside what every token does (`iss`, `iat`, `exp`, `jti`).
#[derive(Debug, Clone, Copy, Serialize)]
pub struct IdTokenClaims<'a> {
    /// Whose login it is (`sub`).
    #[serde(rename = "sub")]
    pub uid: &'a Uid,
    /// The client that it is for (`aud`).
    #[serde(rename = "aud")]
    pub audience: &'a str,
    /// The Alipay app that the person logged in to.
    pub app_id: &'a str,
    /// Alipay's id of the person under that app.
    pub openid: &'a str,
    /// The merchant's app, where `app_id` is an ISV's that acts for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_app_id: Option<&'a str>,
    /// The `nonce` of the authorization request; without it a client that sent one refuses the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<&'a str>,
    /// When the person logged in (`auth_time`).
    #[serde(rename = "auth_time", serialize_with = "seconds")]
    pub authenticated_at: WallTime,
    /// How long it is valid, in whole seconds.
    #[serde(skip)]
    pub life: Duration,
}

/// What an access token is to say, beside what every token does.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct AccessTokenClaims<'a> {
    /// Whose it is (`sub`): a uid, or the client's own id where no person is involved.
    #[serde(rename = "sub")]
    pub subject: &'a str,
    /// What it opens (`aud`), such as `<issuer>/userinfo`.
    #[serde(rename = "aud")]
    pub audience: &'a str,
    /// The client that it was given to.
    pub client_id: &'a str,
    /// What it permits: words with spaces between.
    pub scope: &'a str,
    /// The Alipay app that the person logged in to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_id: Option<&'a str>,
    /// Alipay's id of the person under that app.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub openid: Option<&'a str>,
    /// The merchant's app, where `app_id` is an ISV's that acts for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_app_id: Option<&'a str>,
}

fn seconds<S: serde::Serializer>(time: &WallTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(time.as_millis() / 1000)
}

/// What a valid id_token said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedInClaims {
    /// Whose login it is.
    pub uid: Uid,
    /// The client that it is for.
    pub audience: String,
    /// The Alipay app that the person logged in to.
    pub app_id: String,
    /// Alipay's id of the person under that app.
    pub openid: String,
    /// The merchant's app, where `app_id` is an ISV's that acts for it.
    pub auth_app_id: Option<String>,
    /// The `nonce` of the authorization request.
    pub nonce: Option<String>,
    /// When the person logged in.
    pub authenticated_at: WallTime,
    /// When it was made.
    pub issued_at: WallTime,
    /// When its time is over.
    pub expires_at: WallTime,
    /// Its own name (`jti`), for logs.
    pub token_id: String,
}

/// What a valid access token said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessTokenClaimsOwned {
    /// Whose it is: a uid, or the client's own id where no person is involved.
    pub subject: String,
    /// The client that it was given to.
    pub client_id: String,
    /// What it permits: words with spaces between.
    pub scope: String,
    /// The Alipay app that the person logged in to.
    pub app_id: Option<String>,
    /// Alipay's id of the person under that app.
    pub openid: Option<String>,
    /// The merchant's app, where `app_id` is an ISV's that acts for it.
    pub auth_app_id: Option<String>,
    /// When its time is over.
    pub expires_at: WallTime,
    /// Its own name (`jti`), for logs.
    pub token_id: String,
}

impl SignedInClaims {
    pub(crate) fn read(mut received: Received) -> Result<Self, TokenRefused> {
        let claims = &mut received.claims;
        Ok(Self {
            uid: Uid::try_from(text(claims, "sub")?).map_err(|_| TokenRefused::Claim("sub"))?,
            app_id: text(claims, "app_id")?,
            openid: text(claims, "openid")?,
            auth_app_id: optional_text(claims, "auth_app_id")?,
            nonce: optional_text(claims, "nonce")?,
            authenticated_at: moment(claims, "auth_time")?,
            token_id: text(claims, "jti")?,
            audience: received.audience,
            issued_at: received.issued_at,
            expires_at: received.expires_at,
        })
    }
}

impl AccessTokenClaimsOwned {
    pub(crate) fn read(mut received: Received) -> Result<Self, TokenRefused> {
        let claims = &mut received.claims;
        Ok(Self {
            subject: text(claims, "sub")?,
            client_id: text(claims, "client_id")?,
            scope: text(claims, "scope")?,
            app_id: optional_text(claims, "app_id")?,
            openid: optional_text(claims, "openid")?,
            auth_app_id: optional_text(claims, "auth_app_id")?,
            token_id: text(claims, "jti")?,
            expires_at: received.expires_at,
        })
    }
}

/// The claims of a token whose signature, issuer, audience and times are right.
pub(crate) struct Received {
    claims: BTreeMap<String, Node>,
    audience: String,
    issued_at: WallTime,
    expires_at: WallTime,
}

impl Received {
    pub(crate) fn checked(
        mut claims: BTreeMap<String, Node>,
        issuer: &str,
        audience: &[&str],
        now: WallTime,
    ) -> Result<Self, TokenRefused> {
        if text(&mut claims, "iss")? != issuer {
            return Err(TokenRefused::Issuer);
        }
        // One text: a token for two would be as good for the other.
        let found = text(&mut claims, "aud")?;
        if !audience.contains(&found.as_str()) {
            return Err(TokenRefused::Audience);
        }
        let issued_at = moment(&mut claims, "iat")?;
        let expires_at = moment(&mut claims, "exp")?;
        let valid_from = match claims.contains_key("nbf") {
            true => moment(&mut claims, "nbf")?,
            false => issued_at,
        };
        if now >= expires_at.plus(LEEWAY) {
            return Err(TokenRefused::Expired);
        }
        if issued_at.max(valid_from) > now.plus(LEEWAY) {
            return Err(TokenRefused::NotYetValid);
        }
        if expires_at < issued_at {
            return Err(TokenRefused::Claim("exp"));
        }
        Ok(Self {
            claims,
            audience: found,
            issued_at,
            expires_at,
        })
    }
}

type Claims = BTreeMap<String, Node>;

fn text(claims: &mut Claims, name: &'static str) -> Result<String, TokenRefused> {
    optional_text(claims, name)?.ok_or(TokenRefused::Claim(name))
}

fn optional_text(claims: &mut Claims, name: &'static str) -> Result<Option<String>, TokenRefused> {
    match claims.remove(name) {
        None => Ok(None),
        Some(Node::Text(text)) if !text.is_empty() => Ok(Some(text.to_string())),
        Some(_) => Err(TokenRefused::Claim(name)),
    }
}

/// A NumericDate (RFC 7519, section 2); whole seconds, as this library writes them.
fn moment(claims: &mut Claims, name: &'static str) -> Result<WallTime, TokenRefused> {
    match claims.remove(name) {
        Some(Node::Whole(seconds)) if seconds <= LATEST_SECOND => Ok(WallTime::from_secs(seconds)),
        _ => Err(TokenRefused::Claim(name)),
    }
}
