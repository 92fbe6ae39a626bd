//! The keys of session tokens.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac::{HMAC_SHA256, Key};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::signing_keys::{KEY_ID_RULE, is_key_id};

/// Length of a key in bytes.
const KEY_BYTES: usize = 32;

/// Most keys at once. A rotation needs two; each more costs time at every token that is none of ours.
const MAX_KEYS: usize = 8;

/// The keys that session tokens are made and known by: one makes, all know.
///
/// To rotate, first add a key wherever the document is used, then make it active. A key can be removed when the last session that
/// was begun or rotated under it has expired; those that have not are over with it. Who has a key and no token can make no session:
/// a token also has to be the one whose hash is in the table.
///
/// Cloning is cheap; `Debug` shows the key ids and nothing else.
#[derive(Clone)]
pub struct SessionKeys {
    inner: Arc<Keys>,
}

struct Keys {
    active: String,
    maker: Key,
    /// By id; the active one is among them.
    known: BTreeMap<String, Key>,
}

/// What is wrong with the session keys. The text names the field, never its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct SessionKeysError {
    field: String,
    problem: &'static str,
}

impl SessionKeysError {
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

    /// What is wrong with it.
    pub fn problem(&self) -> &'static str {
        self.problem
    }
}

impl SessionKeys {
    /// `keys` by their ids, each 32 bytes in base64, of which `active` makes new tokens.
    ///
    /// # Errors
    /// A key id that is not 1 to 64 letters, digits, dots, hyphens or underscores; a key that is not 32 bytes; more than 8 keys;
    /// an active key that is not among the keys.
    pub fn new(
        active: String,
        keys: BTreeMap<String, SecretString>,
    ) -> Result<Self, SessionKeysError> {
        if keys.len() > MAX_KEYS {
            return Err(SessionKeysError::new(
                "keys",
                "must not be more than 8 keys",
            ));
        }
        let mut known = BTreeMap::new();
        for (id, encoded) in keys {
            if !is_key_id(&id) {
                return Err(SessionKeysError::new("keys", KEY_ID_RULE));
            }
            let Some(key) = decode_key(&encoded) else {
                return Err(SessionKeysError::new(
                    format!("keys.{id}"),
                    "must be 32 bytes in base64",
                ));
            };
            known.insert(id, key);
        }
        let Some(maker) = known.get(&active).cloned() else {
            return Err(SessionKeysError::new(
                "active",
                "must be the id of one of `keys`",
            ));
        };
        Ok(Self {
            inner: Arc::new(Keys {
                active,
                maker,
                known,
            }),
        })
    }

    /// The key that new tokens are made with.
    pub(crate) fn maker(&self) -> &Key {
        &self.inner.maker
    }

    /// Every key, in no order that means anything.
    pub(crate) fn known(&self) -> impl Iterator<Item = &Key> {
        self.inner.known.values()
    }
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SessionKeys")
            .field("active", &self.inner.active)
            .field("keys", &self.inner.known.keys())
            .finish()
    }
}

fn decode_key(encoded: &SecretString) -> Option<Key> {
    let bytes = Zeroizing::new(STANDARD.decode(encoded.expose_secret().trim()).ok()?);
    (bytes.len() == KEY_BYTES).then(|| Key::new(HMAC_SHA256, &bytes))
}
