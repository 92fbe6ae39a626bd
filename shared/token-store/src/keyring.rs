//! Sealing of stored values with AES-256-GCM.
//!
//! A sealed value is `format (1 byte) ‖ nonce (12 bytes, random) ‖ ciphertext ‖ tag (16 bytes)`.
//! Its additional authenticated data name the place it belongs to, see [`Place`]: moved anywhere
//! else, it does not open.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use crate::error::StoreError;
use crate::sealed_pair::SealedText;

/// Version of the sealed form; the first byte of every sealed value and a part of what is
/// authenticated.
const FORMAT: u8 = 1;

/// Length of an AES-256 key in bytes.
const KEY_BYTES: usize = 32;

/// Longest key id in bytes.
const KEY_ID_BYTES: usize = 64;

/// The keys that stored values are sealed with: one seals, all can open.
///
/// Loaded from the `TOKEN_KEYS` document:
///
/// ```json
/// {"active":"2026-11","keys":{"2026-11":"<base64 of 32 bytes>","2026-10":"<base64 of 32 bytes>"}}
/// ```
///
/// To rotate, first add a key wherever the document is used, then make it active: a process that has not the new key yet cannot open
/// what another has sealed with it. Rows are sealed anew at their next write. Remove the old key when no row names it any more. Nonces are random, so replace a key long before it has
/// sealed 2³² values.
///
/// Cloning is cheap; `Debug` shows the key ids and nothing else.
#[derive(Clone)]
pub struct Keyring {
    inner: Arc<Keys>,
}

struct Keys {
    active: String,
    keys: BTreeMap<String, RandomizedNonceKey>,
}

/// What is wrong with a `TOKEN_KEYS` document. The text names the field, never its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct KeyringError {
    field: String,
    problem: &'static str,
}

impl KeyringError {
    fn new(field: impl Into<String>, problem: &'static str) -> Self {
        Self {
            field: field.into(),
            problem,
        }
    }

    /// The field at fault, such as `keys.2026-11`.
    pub fn field(&self) -> &str {
        &self.field
    }
}

impl Keyring {
    /// Reads a `TOKEN_KEYS` document.
    ///
    /// # Errors
    /// Not JSON, a missing or wrong field, a key that is not 32 bytes in base64, a key id given
    /// twice, an active key that is not among the keys.
    pub fn from_json(document: &SecretString) -> Result<Self, KeyringError> {
        const KEY_ID: &str =
            "a key id must be 1 to 64 letters, digits, dots, hyphens or underscores";
        let node: Node = serde_json::from_str(document.expose_secret())
            .map_err(|_| KeyringError::new("TOKEN_KEYS", "must be a JSON object"))?;
        let Node::Object(fields) = node else {
            return Err(KeyringError::new("TOKEN_KEYS", "must be a JSON object"));
        };
        let mut active = None;
        let mut entries = None;
        for (name, value) in fields {
            match (name.as_str(), value) {
                ("active", Node::Text(id)) if active.is_none() => active = Some(id),
                ("active", Node::Text(_)) => {
                    return Err(KeyringError::new("active", "is given twice"));
                }
                ("active", _) => return Err(KeyringError::new("active", "must be a text")),
                ("keys", Node::Object(map)) if entries.is_none() => entries = Some(map),
                ("keys", Node::Object(_)) => {
                    return Err(KeyringError::new("keys", "is given twice"));
                }
                ("keys", _) => return Err(KeyringError::new("keys", "must be an object")),
                _ => {}
            }
        }
        let active = active.ok_or_else(|| KeyringError::new("active", "is missing"))?;
        let entries = entries.ok_or_else(|| KeyringError::new("keys", "is missing"))?;

        let mut keys = BTreeMap::new();
        for (id, value) in entries {
            if !is_key_id(&id) {
                return Err(KeyringError::new("keys", KEY_ID));
            }
            let field = format!("keys.{id}");
            let Node::Text(encoded) = value else {
                return Err(KeyringError::new(field, "must be 32 bytes in base64"));
            };
            let Some(key) = decode_key(&encoded) else {
                return Err(KeyringError::new(field, "must be 32 bytes in base64"));
            };
            if keys.insert(id, key).is_some() {
                return Err(KeyringError::new(field, "is given twice"));
            }
        }
        if !keys.contains_key(active.as_str()) {
            return Err(KeyringError::new(
                "active",
                "must be the id of one of `keys`",
            ));
        }
        Ok(Self {
            inner: Arc::new(Keys {
                active: active.to_string(),
                keys,
            }),
        })
    }

    /// Seals `plaintext` for `place` with the active key.
    pub(crate) fn seal(&self, place: &Place<'_>, plaintext: &[u8]) -> Result<Sealed, SealFailed> {
        let key = self.inner.keys.get(&self.inner.active).ok_or(SealFailed)?;
        let mut in_out = Vec::with_capacity(plaintext.len() + AES_256_GCM.tag_len());
        in_out.extend_from_slice(plaintext);
        let nonce = key
            .seal_in_place_append_tag(Aad::from(place.authenticated()), &mut in_out)
            .map_err(|_| SealFailed)?;
        let mut bytes = Vec::with_capacity(1 + NONCE_LEN + in_out.len());
        bytes.push(FORMAT);
        bytes.extend_from_slice(nonce.as_ref());
        bytes.append(&mut in_out);
        Ok(Sealed {
            key_id: self.inner.active.clone(),
            bytes,
        })
    }

    /// Seals a token for `place`.
    pub(crate) fn seal_text(
        &self,
        place: &Place<'_>,
        token: &SecretString,
    ) -> Result<SealedText, StoreError> {
        self.seal(place, token.expose_secret().as_bytes())
            .map(|sealed| SealedText {
                key_id: sealed.key_id,
                bytes: sealed.bytes,
            })
            .map_err(|_| StoreError::Sealing)
    }

    /// Opens what was sealed for `place` under `key_id`.
    pub(crate) fn open(
        &self,
        place: &Place<'_>,
        key_id: &str,
        sealed: &[u8],
    ) -> Result<SecretString, OpenFailed> {
        let Some(key) = self.inner.keys.get(key_id) else {
            return Err(if is_key_id(key_id) {
                OpenFailed::UnknownKey(key_id.to_owned())
            } else {
                OpenFailed::Refused
            });
        };
        let (&format, rest) = sealed.split_first().ok_or(OpenFailed::Refused)?;
        if format != FORMAT {
            return Err(OpenFailed::UnknownFormat(format));
        }
        let (nonce, ciphertext) = rest
            .split_at_checked(NONCE_LEN)
            .ok_or(OpenFailed::Refused)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| OpenFailed::Refused)?;
        let mut in_out = Zeroizing::new(ciphertext.to_vec());
        let plaintext = key
            .open_in_place(nonce, Aad::from(place.authenticated()), &mut in_out)
            .map_err(|_| OpenFailed::Refused)?;
        str::from_utf8(plaintext)
            .map(SecretString::from)
            .map_err(|_| OpenFailed::Refused)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("active", &self.inner.active)
            .field("keys", &self.inner.keys.keys())
            .finish()
    }
}

fn is_key_id(id: &str) -> bool {
    (1..=KEY_ID_BYTES).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

fn decode_key(encoded: &str) -> Option<RandomizedNonceKey> {
    let bytes = Zeroizing::new(STANDARD.decode(encoded.trim()).ok()?);
    if bytes.len() != KEY_BYTES {
        return None;
    }
    RandomizedNonceKey::new(&AES_256_GCM, &bytes).ok()
}

/// A sealed value and the id of the key that sealed it.
pub(crate) struct Sealed {
    pub(crate) key_id: String,
    pub(crate) bytes: Vec<u8>,
}

/// The cipher or the operating system's randomness failed.
#[derive(Debug)]
pub(crate) struct SealFailed;

/// Why a sealed value does not open.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OpenFailed {
    #[error("sealed with the key {0}, which this process does not have")]
    UnknownKey(String),
    #[error("sealed in the unknown format {0}")]
    UnknownFormat(u8),
    #[error("was changed, moved from another place, or sealed with another key of the same id")]
    Refused,
}

/// Where a sealed value belongs. All of it is authenticated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) table: &'a str,
    pub(crate) pk: &'a str,
    pub(crate) sk: &'a str,
    pub(crate) field: &'a str,
    pub(crate) generation: u64,
    pub(crate) grant_id: &'a str,
}

impl Place<'_> {
    /// Every part stands behind its length (8 bytes, big endian), so that no two places have the
    /// same text.
    fn authenticated(&self) -> Vec<u8> {
        let generation = self.generation.to_be_bytes();
        let parts: [&[u8]; 7] = [
            &[FORMAT],
            self.table.as_bytes(),
            self.pk.as_bytes(),
            self.sk.as_bytes(),
            self.field.as_bytes(),
            &generation,
            self.grant_id.as_bytes(),
        ];
        let mut text = Vec::with_capacity(parts.iter().map(|part| 8 + part.len()).sum());
        for part in parts {
            text.extend_from_slice(&(part.len() as u64).to_be_bytes());
            text.extend_from_slice(part);
        }
        text
    }
}

/// Just enough of JSON for the document: repeated names are kept, and texts are wiped when
/// dropped.
enum Node {
    Text(Zeroizing<String>),
    Object(Vec<(String, Node)>),
    Other,
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NodeVisitor;

        impl<'de> Visitor<'de> for NodeVisitor {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON value")
            }

            fn visit_str<E>(self, text: &str) -> Result<Node, E> {
                Ok(Node::Text(Zeroizing::new(text.to_owned())))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Node::Object(entries))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Node::Other)
            }

            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Other)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
                Ok(Node::Other)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
                Ok(Node::Other)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
                Ok(Node::Other)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
                Ok(Node::Other)
            }
        }

        deserializer.deserialize_any(NodeVisitor)
    }
}

#[cfg(test)]
mod tests;
