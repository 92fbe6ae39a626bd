//! Reading a token, and having it refreshed first where that is needed.

use std::future::Future;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::because::Because;
use super::outcome::RefreshOutcome;
use super::refresh::{RETRY_AFTER, RefreshWith};
use super::standing::{SERVE_MARGIN, Standing, lease_runs_at, refresh_margin, standing};
use super::{AccessToken, Refresher, RescueQueue, TokenStore};
use crate::address::TokenKey;
use crate::error::StoreError;
use crate::record::{State, TokenRecord};
use crate::sealed_table::jittered;
use table_rows::{Clock, WallTime};

/// How long a reader waits for somebody else's refresh.
const PATIENCE: Duration = Duration::from_secs(2);
/// The pause between two looks at somebody else's refresh, on average.
const POLL: Duration = Duration::from_millis(60);

/// Has rows refreshed, for those who may not do it themselves.
pub trait Renewal: Send + Sync {
    /// Has the row of `key` refreshed, and waits for what comes of it until `deadline` at the latest.
    ///
    /// # Errors
    /// [`StoreError::RefreshUnavailable`] when nobody could be asked; what [`TokenStore::refresh`] failed with.
    fn renew(
        &self,
        key: &TokenKey,
        because: Because,
        deadline: WallTime,
    ) -> impl Future<Output = Result<RefreshOutcome, StoreError>> + Send;
}

/// Refreshes in this process: for one that has the keys for refresh tokens itself.
pub struct InProcess<'a, R, Q> {
    /// The store of this process.
    pub store: &'a TokenStore,
    /// The wall clock.
    pub clock: &'a dyn Clock,
    /// Exchanges refresh tokens.
    pub gateway: &'a R,
    /// Takes a pair that the table does not.
    pub rescue: &'a Q,
}

impl<R: Refresher, Q: RescueQueue> Renewal for InProcess<'_, R, Q> {
    async fn renew(
        &self,
        key: &TokenKey,
        because: Because,
        deadline: WallTime,
    ) -> Result<RefreshOutcome, StoreError> {
        let with = RefreshWith {
            clock: self.clock,
            deadline,
            gateway: self.gateway,
            rescue: self.rescue,
        };
        self.store.refresh(key, because, &with).await
    }
}

/// What a refused access token is replaced by.
#[derive(Clone, Debug)]
pub enum Replacement {
    /// Another token: the call may be made once more with it.
    Token(AccessToken),
    /// None: the user or the merchant has to agree again.
    Reauthorize,
}

impl TokenStore {
    /// The access token stored under `key`, refreshed first if it has expired or is about to.
    ///
    /// `deadline` is when the caller must have its answer.
    ///
    /// # Errors
    /// - [`StoreError::NotFound`], [`StoreError::Reauthorize`]: the user has to log in (again).
    /// - [`StoreError::Busy`], [`StoreError::Unavailable`], [`StoreError::RefreshUnavailable`]: try
    ///   later.
    /// - [`StoreError::Misconfigured`]: the gateway holds the app to be at fault.
    /// - [`StoreError::Corrupt`]: the row does not open. It is not served.
    pub async fn access_token<N: Renewal>(
        &self,
        key: &TokenKey,
        clock: &dyn Clock,
        deadline: WallTime,
        renewal: &N,
    ) -> Result<AccessToken, StoreError> {
        let address = key.address()?;
        if let Some(copy) = self.memory.get(&address, clock.now()) {
            return Ok(copy);
        }
        let record = self.read(&address).await?;
        match standing(&record, clock.now()) {
            Standing::Fresh => self.serve(&record, clock.now()),
            Standing::Ageing => {
                self.renew_ageing(key, record, clock, deadline, renewal)
                    .await
            }
            Standing::Expired => {
                self.renew_expired(key, &record, clock, deadline, renewal)
                    .await
            }
            Standing::Blocked { until } => Err(StoreError::Busy {
                retry_after: until.since(clock.now()),
            }),
            Standing::Spent => Err(StoreError::Reauthorize),
        }
    }

    /// Has a new pair made, whatever the age of the stored one.
    ///
    /// # Errors
    /// As [`access_token`](Self::access_token).
    pub async fn renew_now<N: Renewal>(
        &self,
        key: &TokenKey,
        clock: &dyn Clock,
        deadline: WallTime,
        renewal: &N,
    ) -> Result<AccessToken, StoreError> {
        let seen = self.read(&key.address()?).await?;
        let outcome = renewal.renew(key, Because::Asked, deadline).await?;
        self.memory.forget(&seen.address);
        if let Some(error) = failure_of(outcome) {
            return Err(error);
        }
        let found = self.read(&seen.address).await?;
        match found.state {
            State::Active | State::Suspect if found.generation > seen.generation => {
                self.serve(&found, clock.now())
            }
            State::Active | State::Suspect => Err(busy()),
            State::Reauthorize | State::Revoked => Err(StoreError::Reauthorize),
        }
    }

    /// Alipay did not accept `refused` at its use (`aop.invalid-auth-token`): what to use instead, if anything.
    ///
    /// The row is read once more. If it holds another token by now, that is given. If not, a merchant's token is refreshed,
    /// and a user's grant is marked suspect: a user's token does not fail before its time unless the grant has ended.
    ///
    /// # Errors
    /// As [`access_token`](Self::access_token); [`StoreError::Busy`] while somebody is refreshing the row.
    pub async fn invalidate<N: Renewal>(
        &self,
        key: &TokenKey,
        refused: &AccessToken,
        clock: &dyn Clock,
        deadline: WallTime,
        renewal: &N,
    ) -> Result<Replacement, StoreError> {
        let address = key.address()?;
        self.memory.forget(&address);
        let patience = deadline.since(clock.now()).min(PATIENCE);
        let mut waited = Duration::ZERO;
        let (mut asked, mut outrun) = (false, false);
        loop {
            let record = self.read(&address).await?;
            if matches!(record.state, State::Reauthorize | State::Revoked) {
                return Ok(Replacement::Reauthorize);
            }
            let stored = self.open(&record)?;
            if stored.token.expose_secret() != refused.token.expose_secret() {
                let servable = matches!(
                    standing(&record, clock.now()),
                    Standing::Fresh | Standing::Ageing
                );
                return if servable {
                    Ok(Replacement::Token(stored))
                } else {
                    let live = self.access_token(key, clock, deadline, renewal).await?;
                    Ok(Replacement::Token(live))
                };
            }
            // The refresh that ended `refused` may not be stored yet.
            if lease_runs_at(&record, clock.now()) {
                if waited >= patience {
                    return Err(busy());
                }
                waited += pause().await;
                continue;
            }
            if outrun {
                return Err(busy());
            }
            if asked {
                return Ok(Replacement::Reauthorize);
            }
            asked = true;
            match renewal
                .renew(key, Because::Refused(record.generation), deadline)
                .await?
            {
                RefreshOutcome::Suspect { .. }
                | RefreshOutcome::Reauthorize
                | RefreshOutcome::Gone => return Ok(Replacement::Reauthorize),
                RefreshOutcome::BackedOff { retry_after } => {
                    return Err(StoreError::Busy { retry_after });
                }
                RefreshOutcome::Misconfigured { .. } => return Err(misconfigured()),
                // Whoever was at it may have ended in vain, which says nothing about the token.
                RefreshOutcome::Busy => outrun = true,
                RefreshOutcome::Refreshed | RefreshOutcome::Fresh | RefreshOutcome::Rescued => {}
            }
        }
    }

    /// One try; whoever cannot have it refreshed now uses the old token while it lives.
    async fn renew_ageing<N: Renewal>(
        &self,
        key: &TokenKey,
        record: TokenRecord,
        clock: &dyn Clock,
        deadline: WallTime,
        renewal: &N,
    ) -> Result<AccessToken, StoreError> {
        let Some(mut turn) = self.flights.turn_if_free(&record.address) else {
            return self.open(&record);
        };
        if lease_runs_at(&record, clock.now()) {
            return self.open(&record);
        }
        let because = Because::Ageing(record.generation);
        if let Err(error) = renewal.renew(key, because, deadline).await {
            tracing::warn!(
                %error,
                "an ageing token could not be refreshed; the old one is used while it lives"
            );
        }
        let record = match self.read(&record.address).await {
            // What was read before is good as long as it lives.
            Err(error) if error.is_transient() => record,
            read => read?,
        };
        match standing(&record, clock.now()) {
            Standing::Fresh | Standing::Ageing => {
                let token = self.serve(&record, clock.now())?;
                *turn = Some(token.clone());
                Ok(token)
            }
            Standing::Expired | Standing::Blocked { .. } => Err(busy()),
            Standing::Spent => Err(StoreError::Reauthorize),
        }
    }

    /// Has it refreshed or waits until somebody else has.
    async fn renew_expired<N: Renewal>(
        &self,
        key: &TokenKey,
        seen: &TokenRecord,
        clock: &dyn Clock,
        deadline: WallTime,
        renewal: &N,
    ) -> Result<AccessToken, StoreError> {
        let address = &seen.address;
        let patience = deadline.since(clock.now()).min(PATIENCE);
        let give_up_at = clock.now().plus(patience);
        let mut turn = tokio::time::timeout(patience, self.flights.turn(address))
            .await
            .map_err(|_| busy())?;
        if let Some(token) = &*turn
            && token.generation > seen.generation
            && clock.now().plus(SERVE_MARGIN) < token.expires_at
        {
            return Ok(token.clone());
        }
        // Counted besides the clock, which may be set back.
        let mut waited = Duration::ZERO;
        let mut settled = false;
        loop {
            let record = self.read(address).await?;
            match standing(&record, clock.now()) {
                Standing::Fresh | Standing::Ageing => {
                    let token = self.serve(&record, clock.now())?;
                    *turn = Some(token.clone());
                    return Ok(token);
                }
                Standing::Spent => return Err(StoreError::Reauthorize),
                Standing::Blocked { until } => {
                    return Err(StoreError::Busy {
                        retry_after: until.since(clock.now()),
                    });
                }
                Standing::Expired => {}
            }
            // A new pair that is over already, or a row that is as good as it can be, but not by our clock: asking again would bring
            // no better one.
            if settled || waited >= patience || clock.now() >= give_up_at {
                return Err(busy());
            }
            if !lease_runs_at(&record, clock.now()) {
                let because = Because::Expired(record.generation);
                let outcome = renewal.renew(key, because, deadline).await?;
                if let Some(error) = failure_of(outcome) {
                    return Err(error);
                }
                if matches!(outcome, RefreshOutcome::Refreshed | RefreshOutcome::Fresh) {
                    settled = true;
                    continue;
                }
            }
            waited += pause().await;
        }
    }

    /// The token of a row that may be served, kept in memory for as long as nothing has to be done about it.
    fn serve(&self, record: &TokenRecord, now: WallTime) -> Result<AccessToken, StoreError> {
        let token = self.open(record)?;
        if standing(record, now) == Standing::Fresh {
            let fresh_until = record.expires_at.minus(refresh_margin(record));
            self.memory.keep(&record.address, &token, fresh_until, now);
        }
        Ok(token)
    }
}

/// What a reader ends with when this came of the refresh it wanted; `None` where it is to look at the row.
fn failure_of(outcome: RefreshOutcome) -> Option<StoreError> {
    match outcome {
        RefreshOutcome::Refreshed
        | RefreshOutcome::Fresh
        | RefreshOutcome::Busy
        | RefreshOutcome::Rescued => None,
        RefreshOutcome::BackedOff { retry_after } | RefreshOutcome::Suspect { retry_after } => {
            Some(StoreError::Busy { retry_after })
        }
        RefreshOutcome::Misconfigured { .. } => Some(misconfigured()),
        RefreshOutcome::Reauthorize => Some(StoreError::Reauthorize),
        RefreshOutcome::Gone => Some(StoreError::NotFound),
    }
}

fn busy() -> StoreError {
    StoreError::Busy {
        retry_after: RETRY_AFTER,
    }
}

fn misconfigured() -> StoreError {
    StoreError::Misconfigured("the gateway refused the refresh for a reason other than the token")
}

/// Waits a moment before another look; how long it was.
async fn pause() -> Duration {
    let pause = jittered(POLL);
    tokio::time::sleep(pause).await;
    pause
}
