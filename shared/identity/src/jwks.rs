//! What is published of the signing keys: a JSON Web Key Set (RFC 7517).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use crate::signing_keys::{PublicKey, SigningKeys};

/// The public keys of an issuer: those that signed, the one that signs, and those that will. To be published at `jwks_uri`.
#[derive(Debug, Clone, Serialize)]
pub struct Jwks {
    keys: Vec<Jwk>,
}

#[derive(Debug, Clone, Serialize)]
struct Jwk {
    kty: &'static str,
    #[serde(rename = "use")]
    used_for: &'static str,
    alg: &'static str,
    kid: String,
    n: String,
    e: String,
}

impl From<&SigningKeys> for Jwks {
    fn from(keys: &SigningKeys) -> Self {
        Self {
            keys: keys.iter().map(|key| Jwk::from(&key.public)).collect(),
        }
    }
}

impl From<&PublicKey> for Jwk {
    fn from(key: &PublicKey) -> Self {
        Self {
            kty: "RSA",
            used_for: "sig",
            alg: "RS256",
            kid: key.id.clone(),
            n: URL_SAFE_NO_PAD.encode(&key.modulus),
            e: URL_SAFE_NO_PAD.encode(&key.exponent),
        }
    }
}
