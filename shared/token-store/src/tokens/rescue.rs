//! Pairs that the table did not take.

use std::future::Future;

use aws_sdk_dynamodb::error::BoxError;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::address::{Address, TokenKey};
use crate::error::StoreError;
use crate::record::corrupt;
use crate::sealed_pair::SealedPair;
use crate::sealed_table::SealedTable;

/// A refreshed pair on its way to the table by the rescue queue, its tokens sealed: `Debug` and JSON show none.
#[derive(Clone, Serialize, Deserialize)]
pub struct RescuedPair {
    pk: String,
    sk: String,
    /// The generation whose refresh token the pair was exchanged for.
    pub(super) consumed_generation: u64,
    pub(super) pair: SealedPair,
}

impl RescuedPair {
    pub(super) fn new(address: &Address, consumed_generation: u64, pair: SealedPair) -> Self {
        Self {
            pk: address.pk.clone(),
            sk: address.sk.clone(),
            consumed_generation,
            pair,
        }
    }

    pub(super) fn address(&self) -> Result<Address, StoreError> {
        TokenKey::from_row(&self.pk, &self.sk)
            .map_err(|error| corrupt("rescue", error))?
            .address()
    }

    /// Opens the pair, and gives its refresh token, which every refreshed pair has. That it is sealed for the generation which
    /// follows the consumed one shows that somebody with the key for refresh tokens wrote the message: a reader could have
    /// sealed the rest itself, and the row has refresh tokens of its own generation only.
    pub(super) fn open(
        &self,
        table: &SealedTable,
        address: &Address,
    ) -> Result<SecretString, StoreError> {
        if self.pair.generation != self.consumed_generation.saturating_add(1) {
            return Err(corrupt("rescue", "is not of the generation that follows"));
        }
        self.pair
            .open(table, address)?
            .ok_or_else(|| corrupt("rescue", "has no refresh token"))
    }
}

impl std::fmt::Debug for RescuedPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RescuedPair").finish_non_exhaustive()
    }
}

/// Keeps refreshed pairs until the table takes them.
pub trait RescueQueue: Send + Sync {
    /// Puts `pair` into the queue; done when it is safe there.
    fn put(&self, pair: &RescuedPair) -> impl Future<Output = Result<(), BoxError>> + Send;
}

/// No queue: a pair that the table does not take within 3 s is lost. For one process on a laptop.
#[derive(Clone, Copy, Debug)]
pub struct NoRescueQueue;

impl RescueQueue for NoRescueQueue {
    async fn put(&self, _: &RescuedPair) -> Result<(), BoxError> {
        Err("there is no rescue queue".into())
    }
}
