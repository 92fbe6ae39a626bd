//! The stored tokens: put on login, read, refreshed on use.

mod login;
mod refresh;
mod refresh_now;
mod single_flight;

use std::future::Future;
use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use secrecy::SecretString;

use crate::address::Address;
use crate::error::StoreError;
use crate::first_answer::FirstAnswers;
use crate::keyring::Keyring;
use crate::record::{Generation, TokenRecord};
use crate::sealed_table::SealedTable;
use crate::wall_time::WallTime;

use single_flight::SingleFlight;

/// A pair of tokens as the gateway gave it.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The access token.
    pub access_token: SecretString,
    /// The refresh token. A refresh whose reply has none keeps the one it used.
    pub refresh_token: Option<SecretString>,
    /// When the access token ends: the moment **before** the request was sent plus its lifetime.
    pub expires_at: WallTime,
    /// When the refresh token ends, reckoned the same way. A refresh whose reply says nothing keeps
    /// the end that was known.
    pub refresh_expires_at: Option<WallTime>,
}

/// An access token that may be used now.
#[derive(Clone, Debug)]
pub struct AccessToken {
    /// The token.
    pub token: SecretString,
    /// When it ends.
    pub expires_at: WallTime,
    /// The generation it was stored as.
    pub generation: Generation,
}

/// Exchanges a refresh token for a new pair at the gateway.
///
/// The call should end by itself within five seconds. It must not repeat a request whose outcome is
/// unknown: at Alipay a user's refresh token is spent by its first use.
pub trait Refresher: Send + Sync {
    /// One refresh call.
    fn refresh(
        &self,
        refresh_token: &SecretString,
    ) -> impl Future<Output = Result<Grant, RefreshFailure>> + Send;
}

/// Why a refresh gave no new pair. The texts must hold nothing secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefreshFailure {
    /// No reply, an overloaded gateway, a reply whose signature does not verify: may pass.
    Transient(&'static str),
    /// The refresh token is invalid or has timed out (`isv.refresh-token-invalid`,
    /// `isv.refresh-token-time-out`).
    Refused,
    /// The app is at fault, not the token (`isv.unmatched-app-id`, a wrong key).
    Misconfigured(&'static str),
}

/// The access tokens of users and merchants, one row each, values sealed.
///
/// Cloning is cheap; clones share the in-process locks. Two stores made separately behave like two
/// processes.
///
/// # Protocol
///
/// A user's refresh token at Alipay works **once**, and the old pair dies with it. So what must
/// never happen is that a pair received from the gateway is thrown away. Rows therefore change by
/// *lineage*: a commit is conditional on the generation and the grant that its refresh token came
/// from, not on the lease. The lease only keeps several callers from calling the gateway at once.
///
/// Login ([`put_login`](Self::put_login)):
///
/// 1. Write the whole row with a new grant id, as generation 1, if there is no row. If there is
///    one, the refused write hands it back.
/// 2. Write it as the generation after the one seen, if that one is still there; else look again.
///
/// Reading ([`access_token`](Self::access_token)), with refresh on use:
///
/// 1. Read the row consistently. Serve the access token if it has more than 60 s to live (or a fifth
///    of its whole life, if that is less). From then until 5 s before its end, try steps 2 to 6
///    without waiting for anybody, and serve it if they bring nothing. After that it is not served.
/// 2. Within the process, one caller at a time goes on; it takes what the one before it got, or reads
///    again.
/// 3. Before anything else, open the refresh token, and see that 8 s are left until the deadline:
///    5 s for the gateway, 3 s for the commit.
/// 4. Take the lease for 20 s, if generation and grant are those read, the state is `active`, and
///    no lease is running (one that ended less than 2 s ago counts as running: clocks differ). A
///    refused write hands back the row: if the lease is our own, an earlier reply was lost, and we
///    go on. Otherwise poll with jitter until the generation moves, the lease ends, or 2 s have
///    passed.
/// 5. Call the [`Refresher`], for no longer than until 3 s before the lease ends.
/// 6. What it answered:
///    - a new pair → **commit**: store it sealed as the next generation, state `active`, if
///      generation and grant are those of step 1 (whoever holds the lease by now, and even if the
///      grant was marked `suspect` meanwhile). Refused: with our own commit id, an earlier reply was
///      lost and all is well; otherwise a login or another refresh was first, and theirs is used.
///      Not reachable: tried again for 3 s.
///    - refused → mark `suspect`, if generation and grant are unchanged; nothing is deleted.
///    - transient or misconfigured → release the lease; generation and state stay.
///
/// Invariants:
///
/// - At most one lease runs at a time; a second call with the same refresh token begins only after
///   the lease was released or has run out. A paused holder may overlap and is harmless: the gateway
///   takes the token once, and the commit goes by lineage.
/// - The generation grows by one with each stored pair, and the pair of generation *n + 1* came from
///   the refresh token of generation *n* of the same grant, or from a login.
/// - No user's access token within 5 s of its end is served, nor any of a grant that is `reauthorize`
///   or `revoked`, whether or not DynamoDB has removed the row. A merchant's
///   ([`TokenKind::Isv`](crate::TokenKind::Isv)) is served past its time until its refresh token was
///   refused.
/// - A transient failure changes neither generation nor state.
/// - A sealed value opens only in its own table, row, field, generation and grant.
///
/// The future of `access_token` should be run to its end: dropped between steps 5 and 6 it takes the
/// new pair with it. Give it a deadline instead.
#[derive(Clone)]
pub struct TokenStore {
    table: Arc<SealedTable>,
    flights: Arc<SingleFlight>,
}

impl TokenStore {
    /// A store over `table`, which must have the shape that [`create_table`](crate::create_table)
    /// makes. Time limits and retries are those of `client`.
    pub fn new(client: Client, table: impl Into<String>, keyring: Keyring) -> Self {
        Self {
            table: Arc::new(SealedTable {
                client,
                name: table.into(),
                keyring,
            }),
            flights: Arc::default(),
        }
    }

    /// The first answers kept in the same table, for a [`Completion`](crate::Completion) that is
    /// written together with a login.
    pub fn first_answers(&self) -> FirstAnswers {
        FirstAnswers::in_table(Arc::clone(&self.table))
    }

    async fn read(&self, address: &Address) -> Result<TokenRecord, StoreError> {
        let item = self.table.get(address).await?.ok_or(StoreError::NotFound)?;
        TokenRecord::from_item(address, &item)
    }

    fn open(&self, record: &TokenRecord) -> Result<AccessToken, StoreError> {
        Ok(AccessToken {
            token: record.open_access_token(&self.table.keyring, &self.table.name)?,
            expires_at: record.expires_at,
            generation: record.generation,
        })
    }
}

impl std::fmt::Debug for TokenStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenStore").finish_non_exhaustive()
    }
}
