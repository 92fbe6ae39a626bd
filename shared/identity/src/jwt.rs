//! The parts of a JSON Web Token (RFC 7519), and reading one that this library signed and nothing else.
//!
//! The token chooses nothing: one algorithm, a closed list of header members, keys that are at hand. All that is cheap is checked before the
//! signature, and the claims are looked at only behind it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde::Serialize;

use crate::signing_keys::{KEY_ID_BYTES, PublicKey};
use crate::strict_json::{self, Node};

/// Longest token in bytes, of those that are made as of those that are read.
pub(crate) const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Why a token is not valid. For the log and for metrics: whoever presented it learns nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefused {
    /// It is longer than 8 KiB.
    #[error("too long")]
    TooLong,
    /// It is not three parts in strict base64url, of which the first two hold a JSON object with no name twice.
    #[error("malformed")]
    Malformed,
    /// Its header has members that ours never have, such as `jwk`, `crit` or `b64`.
    #[error("header")]
    Header,
    /// It is not signed with RS256.
    #[error("algorithm")]
    Algorithm,
    /// It is a token for another purpose.
    #[error("type")]
    Type,
    /// It names a key that this issuer does not have.
    #[error("unknown key")]
    UnknownKey,
    /// Its signature is not valid.
    #[error("signature")]
    Signature,
    /// Another issuer made it.
    #[error("issuer")]
    Issuer,
    /// It is for somebody else.
    #[error("audience")]
    Audience,
    /// Its time is over.
    #[error("expired")]
    Expired,
    /// It says that it was made in the future, or is not valid before then.
    #[error("not yet valid")]
    NotYetValid,
    /// This claim is missing or of another form.
    #[error("claim {0}")]
    Claim(&'static str),
}

/// The bytes that one of our keys signed as a token of the type `typ` (`None`: a header without a type, which none of ours is).
pub(crate) fn verified_payload<'k>(
    token: &str,
    typ: Option<&str>,
    key_of: impl FnOnce(&str) -> Option<&'k PublicKey>,
) -> Result<Vec<u8>, TokenRefused> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(TokenRefused::TooLong);
    }
    let mut parts = token.split('.');
    let (Some(header), Some(payload), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(TokenRefused::Malformed);
    };
    let key = key_of_header(&object(&decoded(header)?)?, typ, key_of)?;
    let payload_bytes = decoded(payload)?;
    decoded(signature)?;

    let signed = token
        .get(..header.len() + 1 + payload.len())
        .ok_or(TokenRefused::Malformed)?;
    match jsonwebtoken::crypto::verify(
        signature,
        signed.as_bytes(),
        &key.decoding,
        Algorithm::RS256,
    ) {
        Ok(true) => Ok(payload_bytes),
        Ok(false) | Err(_) => Err(TokenRefused::Signature),
    }
}

fn key_of_header<'k>(
    header: &BTreeMap<String, Node>,
    typ: Option<&str>,
    key_of: impl FnOnce(&str) -> Option<&'k PublicKey>,
) -> Result<&'k PublicKey, TokenRefused> {
    let text = |name| match header.get(name) {
        None => Ok(None),
        Some(Node::Text(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(TokenRefused::Header),
    };
    // Whatever else a header can say is a way to have a token verified otherwise than we sign.
    if header
        .keys()
        .any(|name| !matches!(name.as_str(), "alg" | "kid" | "typ"))
    {
        return Err(TokenRefused::Header);
    }
    if text("alg")? != Some("RS256") {
        return Err(TokenRefused::Algorithm);
    }
    if text("typ")? != typ {
        return Err(TokenRefused::Type);
    }
    let id = text("kid")?
        .filter(|id| id.len() <= KEY_ID_BYTES)
        .ok_or(TokenRefused::Header)?;
    key_of(id).ok_or(TokenRefused::UnknownKey)
}

/// `contents` as one part of a token; `None` where it is no JSON.
pub(crate) fn part(contents: &impl Serialize) -> Option<String> {
    serde_json::to_vec(contents)
        .ok()
        .map(|json| URL_SAFE_NO_PAD.encode(json))
}

/// The bytes of one part. One text stands for them: no padding, no white space, no bits behind the last byte.
fn decoded(part: &str) -> Result<Vec<u8>, TokenRefused> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| TokenRefused::Malformed)
}

/// The members of the JSON object that `bytes` are.
pub(crate) fn object(bytes: &[u8]) -> Result<BTreeMap<String, Node>, TokenRefused> {
    let text = str::from_utf8(bytes).map_err(|_| TokenRefused::Malformed)?;
    match strict_json::parse(text) {
        Ok(Node::Object(members)) => Ok(members),
        Ok(_) | Err(_) => Err(TokenRefused::Malformed),
    }
}
