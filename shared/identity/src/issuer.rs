//! Who makes tokens and verifies them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Header};
use secrecy::SecretString;
use serde::Serialize;
use table_rows::WallTime;
use url::{Host, Url};
use uuid::Uuid;

use crate::claims::{
    AccessTokenClaims, AccessTokenClaimsOwned, IdTokenClaims, Received, SignedInClaims,
};
use crate::jwt::{self, MAX_TOKEN_BYTES, TokenRefused, verified_payload};
use crate::signing_keys::SigningKeys;
use crate::{IdentityError, Jwks, LoginDocument, LoginDocumentError, OpenIdConfiguration};

/// How long an access token lives.
pub const ACCESS_TOKEN_LIFE: Duration = Duration::from_secs(2 * 60 * 60);

/// `typ` of an id_token. OpenID Connect leaves it open; it keeps one kind of token from passing for another.
const ID_TOKEN: &str = "JWT";
/// `typ` of an access token (RFC 9068, section 2.1).
const ACCESS_TOKEN: &str = "at+jwt";

/// An issuer of tokens: its address and the signing keys of a [`LoginDocument`]. Cheap to clone; `Debug` shows no key.
///
/// The key whose `signFrom` came last signs. The keys of the document, and they alone, verify: a name in a token is compared with theirs and
/// looked up nowhere.
#[derive(Clone)]
pub struct Issuer {
    url: Arc<str>,
    keys: Arc<SigningKeys>,
}

impl Issuer {
    /// The issuer at `url`: `https` with host and, if need be, port, written as a browser's origin is and without a slash at its end, or
    /// `http` on this machine.
    ///
    /// # Errors
    /// [`LoginDocumentError`], field `LOGIN_ISSUER`, where it is anything else.
    pub fn new(url: &str, document: &LoginDocument) -> Result<Self, LoginDocumentError> {
        if !is_origin(url) {
            return Err(LoginDocumentError::new(
                "LOGIN_ISSUER",
                "must be the address that the login functions are reached at, such as https://login.example.com: https (http only on this machine), in small letters, without path, query and slash at its end",
            ));
        }
        Ok(Self {
            url: url.into(),
            keys: document.signing_keys(),
        })
    }

    /// Makes what the first signature at `now` would otherwise wait for: the key's blinding factors. For a cold start, while the CPU is
    /// whole.
    pub fn warm_up(&self, now: WallTime) {
        // A key that could not sign says so when it is used.
        let _ = self.keys.signing(now).signature("");
    }

    /// Its address: `iss` of its tokens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Signs an id_token that is valid from `now`.
    ///
    /// # Errors
    /// [`IdentityError::TooLarge`] where the claims make it longer than 8 KiB, [`IdentityError::Signing`].
    pub fn id_token(
        &self,
        claims: &IdTokenClaims<'_>,
        now: WallTime,
    ) -> Result<SecretString, IdentityError> {
        self.sign("id_token", ID_TOKEN, claims, claims.life, now)
    }

    /// Signs an access token that is valid for [`ACCESS_TOKEN_LIFE`] from `now`.
    ///
    /// # Errors
    /// As [`Self::id_token`].
    pub fn access_token(
        &self,
        claims: &AccessTokenClaims<'_>,
        now: WallTime,
    ) -> Result<SecretString, IdentityError> {
        let life = ACCESS_TOKEN_LIFE;
        self.sign("access_token", ACCESS_TOKEN, claims, life, now)
    }

    /// What an id_token of this issuer says that is for one of `audience` and valid at `now`, give or take a minute.
    ///
    /// # Errors
    /// [`TokenRefused`]; callers answer every reason alike.
    pub fn verify_id_token(
        &self,
        token: &str,
        audience: &[&str],
        now: WallTime,
    ) -> Result<SignedInClaims, TokenRefused> {
        SignedInClaims::read(self.received(token, ID_TOKEN, audience, now)?)
    }

    /// What an access token of this issuer says that is for `audience` and valid at `now`, give or take a minute.
    ///
    /// # Errors
    /// [`TokenRefused`]; callers answer every reason alike.
    pub fn verify_access_token(
        &self,
        token: &str,
        audience: &str,
        now: WallTime,
    ) -> Result<AccessTokenClaimsOwned, TokenRefused> {
        AccessTokenClaimsOwned::read(self.received(token, ACCESS_TOKEN, &[audience], now)?)
    }

    /// The public keys, to be published at `/.well-known/jwks.json`: also those that do not sign yet, so that every verifier has a key before
    /// it meets it, and those that signed before.
    pub fn jwks(&self) -> Jwks {
        Jwks::from(self.keys.as_ref())
    }

    /// The discovery document, to be published at `/.well-known/openid-configuration`.
    pub fn configuration(&self) -> OpenIdConfiguration {
        OpenIdConfiguration::of(&self.url)
    }

    fn sign<C: Serialize>(
        &self,
        field: &'static str,
        typ: &str,
        claims: &C,
        life: Duration,
        now: WallTime,
    ) -> Result<SecretString, IdentityError> {
        let key = self.keys.signing(now);
        let mut header = Header::new(Algorithm::RS256);
        header.typ = Some(typ.to_owned());
        header.kid = Some(key.public.id.clone());
        let issued_at = now.as_millis() / 1000;
        let payload = Payload {
            iss: &self.url,
            iat: issued_at,
            exp: issued_at.saturating_add(life.as_secs()),
            jti: Uuid::new_v4().simple().to_string(),
            claims,
        };
        let mut token = jwt::part(&header).ok_or(IdentityError::Signing)?;
        token.push('.');
        token += &jwt::part(&payload).ok_or(IdentityError::Signing)?;
        let signature = key.signature(&token).ok_or(IdentityError::Signing)?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        if token.len() > MAX_TOKEN_BYTES {
            return Err(IdentityError::TooLarge {
                field,
                limit: MAX_TOKEN_BYTES,
            });
        }
        Ok(token.into())
    }

    fn received(
        &self,
        token: &str,
        typ: &str,
        audience: &[&str],
        now: WallTime,
    ) -> Result<Received, TokenRefused> {
        let payload = verified_payload(token, Some(typ), |id| self.keys.public(id))?;
        Received::checked(jwt::object(&payload)?, &self.url, audience, now)
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Issuer")
            .field("url", &self.url)
            .field("keys", &self.keys)
            .finish()
    }
}

/// What every token says, and then what this kind of token does.
#[derive(Serialize)]
struct Payload<'a, C> {
    iss: &'a str,
    iat: u64,
    exp: u64,
    jti: String,
    #[serde(flatten)]
    claims: &'a C,
}

fn is_origin(text: &str) -> bool {
    Url::parse(text)
        .is_ok_and(|url| is_https_or_local(&url) && url.origin().ascii_serialization() == text)
}

/// Whether what is sent to `url` is read by nobody on the way.
pub(crate) fn is_https_or_local(url: &Url) -> bool {
    let is_local = || match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => url.has_host(),
        "http" => is_local(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_an_origin_and_nothing_more() {
        for url in [
            "https://login.example.com",
            "https://login.example.com:8443",
            "http://127.0.0.1:3000",
            "http://localhost:3000",
            "http://[::1]:3000",
        ] {
            assert!(is_origin(url), "{url}");
        }
        for url in [
            "",
            "login.example.com",
            "https://login.example.com/",
            "https://login.example.com/login",
            "https://login.example.com?",
            "https://login.example.com#",
            "https://LOGIN.example.com",
            "https://login.example.com:443",
            "https://me@login.example.com",
            "http://login.example.com",
            "http://127.0.0.1.example.com",
            "http://10.0.0.1",
            "ftp://127.0.0.1",
            " https://login.example.com",
            "https://login.example.com\n",
        ] {
            assert!(!is_origin(url), "{url}");
        }
    }
}
