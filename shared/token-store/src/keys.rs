//! Which keys a process has, and so which stored values it can open.

use secrecy::SecretString;

use crate::keyring::{Keyring, KeyringError};

/// The keyrings by purpose.
///
/// Who only uses access tokens is given no key for refresh tokens, and so cannot open one, whatever rows it can read.
/// `Debug` shows key ids and nothing else.
#[derive(Clone, Debug)]
pub struct TokenKeys {
    /// Seals access tokens and first answers.
    pub(crate) access: Keyring,
    /// Seals refresh tokens.
    pub(crate) refresh: Option<Keyring>,
}

impl TokenKeys {
    /// The keys of a process that only reads access tokens: it can neither store a pair nor refresh one.
    pub fn for_reading(access: Keyring) -> Self {
        Self {
            access,
            refresh: None,
        }
    }

    /// The keys of a process that stores pairs and refreshes them.
    pub fn for_keeping(access: Keyring, refresh: Keyring) -> Self {
        Self {
            access,
            refresh: Some(refresh),
        }
    }

    /// From the texts of one document or two, see [`Keyring`].
    ///
    /// # Errors
    /// As [`Keyring::from_json`].
    pub fn from_json(
        access: &SecretString,
        refresh: Option<&SecretString>,
    ) -> Result<Self, KeyringError> {
        Ok(Self {
            access: Keyring::from_json(access)?,
            refresh: refresh.map(Keyring::from_json).transpose()?,
        })
    }
}
