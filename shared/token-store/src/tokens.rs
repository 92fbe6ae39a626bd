//! The stored tokens: put on login, read, refreshed.

mod because;
mod commit;
mod due_rows;
mod login;
mod memory;
mod outcome;
mod read;
mod refresh;
mod rescue;
mod single_flight;
mod standing;

use std::future::Future;
use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use secrecy::SecretString;

use crate::address::Address;
use crate::due::DueShards;
use crate::error::StoreError;
use crate::first_answer::FirstAnswers;
use crate::keys::TokenKeys;
use crate::record::{Generation, TokenRecord};
use crate::sealed_table::SealedTable;
use table_rows::WallTime;

use memory::Memory;
use single_flight::SingleFlight;

pub use because::Because;
pub use due_rows::{DuePage, DuePosition, DueRow};
pub use login::Seen;
pub use outcome::RefreshOutcome;
pub use read::{InProcess, Renewal, Replacement};
pub use refresh::RefreshWith;
pub use rescue::{NoRescueQueue, RescueQueue, RescuedPair};
pub(crate) use standing::QUARANTINE;

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
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RefreshFailure {
    /// No reply, an overloaded gateway, a reply whose signature does not verify: may pass.
    Transient(&'static str),
    /// The refresh token is invalid (`isv.refresh-token-invalid`): spent, or the grant has ended.
    Refused,
    /// The refresh token is too old (`isv.refresh-token-time-out`): the grant has ended.
    Ended,
    /// Alipay has refreshed this token before and names the one that is good now (`isv.refreshed-token-invalid`).
    Superseded(SecretString),
    /// The app is at fault, not the token (`isv.unmatched-app-id`, a wrong key).
    Misconfigured(&'static str),
}

/// The access tokens of users and merchants, one row each, values sealed.
///
/// Cloning is cheap; clones share the in-process locks and copies. Two stores made separately behave like two
/// processes.
///
/// # Protocol
///
/// A user's refresh token at Alipay works **once**, and the old pair dies with it. So what must
/// never happen is that a pair received from the gateway is thrown away. Rows therefore change by
/// *lineage*: a commit is conditional on the generation and the grant that its refresh token came
/// from, not on the lease. The lease only keeps several callers from calling the gateway at once.
///
/// Login ([`look`](Self::look), [`put_login`](Self::put_login)):
///
/// - Look what is there, while something else is waited for. The read need not be consistent, may fail and may be left out:
///   it is a hint, and the writes below are conditional on what it saw.
/// - Nothing seen: write the whole row with a new grant id, as generation 1, if there is no row. A row
///   seen: write it as the generation after that one, if generation and grant are still there.
/// - A refused write hands back the row that is there instead: with our own grant id, an earlier reply was lost and all is well;
///   else that one is seen now. None handed back: read the row consistently. Write again.
///
/// Refresh ([`refresh`](Self::refresh)), by whoever has the keys for refresh tokens:
///
/// 0. Read the row consistently. If it is not due, or has another generation than the caller saw, or the grant has ended: put
///    its place in the index right and stop. If a refresh was refused or remained without an answer a moment ago, stop.
/// 1. Before anything else, open the refresh token and its sibling, and see that 9 s are left until the deadline:
///    5 s for the gateway, 3 s for the commit, 1 s for the answer.
/// 2. Take the lease for 20 s, if generation and grant are those read, the state is `active` or `suspect`, no pause is
///    prescribed, and the lease is the one read, which must not be running (one that ended less than 2 s ago counts as running:
///    clocks differ). A refused write hands back the row: if the lease is our own, an earlier reply was lost, and we
///    go on. Otherwise somebody else works: stop. Taking over a lease that has run out, after a refusal, lets the quarantine of
///    step 7 begin again: whoever had it may hold a pair that nobody knows of.
/// 3. Call the [`Refresher`], for no longer than until 3 s before the lease ends. If it names a newer refresh token, save that
///    as the row's *sibling* and call again with it, under the same lease. If it refuses the refresh token and the row has a
///    sibling, call again with that.
/// 4. A new pair: seal it as the next generation.
/// 5. **Commit**: store it, state `active`, if generation and grant are those of step 0, whoever holds the lease by now, and even
///    if the grant was marked `suspect` or `reauthorize` meanwhile. Refused: with our own commit id, an earlier reply was
///    lost and all is well; otherwise a login or another refresh was first, and theirs is used (after another refresh of the
///    same grant ours leaves its refresh token as sibling). Not reachable: tried again for 3 s, then put into the
///    [`RescueQueue`], whose consumer makes the same commit ([`store_rescued`](Self::store_rescued)).
/// 6. No answer about the token: release the lease and prescribe a pause of random length, which doubles with each try up to 15
///    minutes. Generation and state stay.
/// 7. Refused: mark `suspect` and prescribe the quarantine of 120 s, which is longer than any worker can hold a pair that it has
///    not stored. Refused again after it, with generation and grant unchanged and the lease still ours: `reauthorize`. A refresh
///    token that is too old (`isv.refresh-token-time-out`) is `reauthorize` at once, if no sibling was refused for another reason.
/// 8. After a commit, note in the index when the pair is due. Lost, the row is found due too early, and step 0 puts it right.
///
/// Reading ([`access_token`](Self::access_token)):
///
/// - Serve the copy in memory, if it is less than 60 s old and not near its end. Else read the row consistently.
/// - Serve the access token if it has more than 180 s to live (or a fifth of its whole life, if that is less). From then until 5 s
///   before its end have it refreshed ([`Renewal`]) without waiting for anybody, and serve it if that brings nothing. After that it
///   is not served.
/// - Within the process, one caller at a time goes on; the others take what it got, or read again.
/// - Have it refreshed; if somebody else is at it, poll with jitter until the generation moves, the lease ends, or 2 s have passed.
///
/// A token that Alipay refuses at its use ([`invalidate`](Self::invalidate)): read the row consistently. Another token is in it:
/// use that, once. The same: a merchant's is refreshed; a user's grant is marked `suspect`, and the schedule settles it.
///
/// Invariants:
///
/// - At most one lease runs at a time; a second call with the same refresh token begins only after
///   the lease was released or has run out. A paused holder may overlap and is harmless: the gateway
///   takes the token once, and the commit goes by lineage.
/// - The generation grows by one with each stored pair, and the pair of generation *n + 1* came from
///   the refresh token of generation *n* of the same grant or its sibling, or from a login.
/// - A pair that was received is stored, in the rescue queue, superseded by a login, or lost with its process and nothing else.
/// - No user's access token within 5 s of its end is served, nor any of a grant that is `reauthorize`
///   or `revoked` (by a copy in memory for 60 s at most), whether or not DynamoDB has removed the row. A merchant's
///   ([`TokenKind::Isv`](crate::TokenKind::Isv)) is served past its time until its grant has ended.
/// - `reauthorize` is written only after two refusals with the quarantine between them and no commit, or at Alipay's word that the
///   refresh token is too old.
/// - A transient failure changes neither generation nor state.
/// - A row that the schedule can gain something for is in the index, at its true due time or earlier.
/// - A sealed value opens only in its own table, row, field, generation and grant.
///
/// `tests/model` explores all of this with three workers, pauses, crashes and lost replies.
#[derive(Clone)]
pub struct TokenStore {
    table: Arc<SealedTable>,
    flights: Arc<SingleFlight>,
    memory: Arc<Memory>,
    shards: Arc<DueShards>,
}

impl TokenStore {
    /// A store over `table`, which must have the shape that [`create_table`](crate::create_table)
    /// makes. Time limits and retries are those of `client`.
    pub fn new(
        client: Client,
        table: impl Into<String>,
        keys: TokenKeys,
        shards: DueShards,
    ) -> Self {
        Self {
            table: Arc::new(SealedTable {
                client,
                name: table.into(),
                keys,
            }),
            flights: Arc::default(),
            memory: Arc::default(),
            shards: Arc::new(shards),
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
            token: record.open_access_token(&self.table.keys.access, &self.table.name)?,
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
