//! An issuer whose private key the tests have, to sign with it whatever they like.

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use identity::{Issuer, LoginDocument, SignedInClaims, TokenRefused};
use serde_json::{Value, json};
use table_rows::WallTime;

pub const ISSUER: &str = "https://login.example.com";
pub const KEY: &str = "2026-11-01";
pub const CLIENT: &str = "shop";
pub const APP: &str = "2021000000000001";
pub const UID: &str = "0123456789abcdef0123456789abcdef";
/// 2026-11-22T00:00:00Z, in seconds.
pub const NOON: u64 = 1_795_305_600;

pub fn now() -> WallTime {
    WallTime::from_secs(NOON)
}

/// An RSA key of 2048 bits.
pub struct Key(KeyPair);

impl Key {
    pub fn new() -> Self {
        Self(KeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    pub fn pair(&self) -> &KeyPair {
        &self.0
    }

    /// PKCS#8 in base64 on one line.
    pub fn text(&self) -> String {
        let der: Pkcs8V1Der<'_> = self.0.as_der().unwrap();
        STANDARD.encode(der.as_ref())
    }

    /// `header.claims` of any two texts, with a right signature.
    pub fn token(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = self.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                message,
                &mut signature,
            )
            .unwrap();
        signature
    }
}

pub fn encode(text: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

pub fn decode(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// A document with these keys and their `signFrom`, and one client.
pub fn document(keys: &[(&str, &Key, &str)]) -> Value {
    let signing: serde_json::Map<String, Value> = keys
        .iter()
        .map(|(id, key, from)| {
            let key = json!({"privateKey": key.text(), "signFrom": from});
            ((*id).to_owned(), key)
        })
        .collect();
    json!({
        "signing": signing,
        "sessions": {"active": "a", "keys": {"a": STANDARD.encode([7; 32])}},
        "clients": [{"clientId": CLIENT, "appid": APP, "clientSecret": "a-secret-of-the-shop"}],
    })
}

pub fn read(document: &Value) -> LoginDocument {
    LoginDocument::from_json(&document.to_string().into()).unwrap()
}

pub struct Forge {
    pub key: Key,
    pub issuer: Issuer,
}

/// The one that all tests share: making a key takes a while.
pub fn forge() -> &'static Forge {
    static FORGE: LazyLock<Forge> = LazyLock::new(|| {
        let key = Key::new();
        let document = read(&document(&[(KEY, &key, "2026-11-01T00:00:00Z")]));
        let issuer = Issuer::new(ISSUER, &document).unwrap();
        Forge { key, issuer }
    });
    &FORGE
}

impl Forge {
    /// What the issuer makes of an id_token with this header and these claims, rightly signed.
    pub fn id_token(&self, header: &str, claims: &str) -> Result<SignedInClaims, TokenRefused> {
        self.verified(&self.key.token(header, claims))
    }

    /// What the issuer makes of an id_token with these claims.
    pub fn id_token_saying(&self, claims: &Value) -> Result<SignedInClaims, TokenRefused> {
        self.id_token(&header().to_string(), &claims.to_string())
    }

    pub fn verified(&self, token: &str) -> Result<SignedInClaims, TokenRefused> {
        self.issuer.verify_id_token(token, &[CLIENT], now())
    }
}

pub fn header() -> Value {
    json!({"alg": "RS256", "typ": "JWT", "kid": KEY})
}

/// What an id_token says at the least.
pub fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": UID, "aud": CLIENT, "iat": NOON, "exp": NOON + 7200, "auth_time": NOON,
        "jti": "1", "app_id": APP, "openid": "o1",
    })
}

/// `claims` with one more, or another one under this name; without it where `value` is null.
pub fn with(mut claims: Value, name: &str, value: Value) -> Value {
    let members = claims.as_object_mut().unwrap();
    if value.is_null() {
        members.remove(name);
    } else {
        members.insert(name.to_owned(), value);
    }
    claims
}
