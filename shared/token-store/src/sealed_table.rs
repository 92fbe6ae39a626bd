//! The table together with the keys that its values are sealed with.

use std::time::Duration;

use aws_sdk_dynamodb::Client;

use crate::address::Address;
use crate::dynamo::{Item, failed};
use crate::error::StoreError;
use crate::keyring::Keyring;
use crate::keys::TokenKeys;
use crate::record::attribute;

pub(crate) struct SealedTable {
    pub(crate) client: Client,
    pub(crate) name: String,
    pub(crate) keys: TokenKeys,
}

impl SealedTable {
    /// The keys for refresh tokens, which a process that only reads has not.
    pub(crate) fn refresh_keyring(&self) -> Result<&Keyring, StoreError> {
        self.keys.refresh.as_ref().ok_or(StoreError::Misconfigured(
            "this process has no keys for refresh tokens",
        ))
    }

    /// The keys for first answers: the strictest ones at hand, since the answer of a login may hold its tokens.
    pub(crate) fn answer_keyring(&self) -> &Keyring {
        self.keys.refresh.as_ref().unwrap_or(&self.keys.access)
    }

    /// Reads a row consistently: every read here leads to a decision.
    pub(crate) async fn get(&self, address: &Address) -> Result<Option<Item>, StoreError> {
        let reply = self
            .client
            .get_item()
            .table_name(&self.name)
            .key(attribute::PK, address.pk())
            .key(attribute::SK, address.sk())
            .consistent_read(true)
            .send()
            .await
            .map_err(failed)?;
        Ok(reply.item)
    }
}

/// A pause of random length around `middle`, so that those who wait do not return together.
pub(crate) fn jittered(middle: Duration) -> Duration {
    middle.mul_f64(rand::random_range(0.5..1.5))
}
