//! A refresh that somebody asks for, whatever the age of what is stored.

use secrecy::{ExposeSecret, SecretString};

use super::refresh::{RETRY_AFTER, Refreshed, lease_runs_at};
use super::{AccessToken, Refresher, TokenStore};
use crate::address::TokenKey;
use crate::error::StoreError;
use crate::record::State;
use crate::wall_time::{Clock, WallTime};

impl TokenStore {
    /// A new pair, whatever the age of the stored one. With `refused`, an access token that the gateway did not accept, only that
    /// one is replaced: where another is stored by now, it is given and nothing refreshed, since a refresh would end a good one.
    ///
    /// # Errors
    /// As [`access_token`](Self::access_token); [`StoreError::Busy`] while somebody else is refreshing.
    pub async fn refresh_now<R: Refresher>(
        &self,
        key: &TokenKey,
        refused: Option<&SecretString>,
        clock: &dyn Clock,
        deadline: WallTime,
        refresher: &R,
    ) -> Result<AccessToken, StoreError> {
        let busy = || StoreError::Busy {
            retry_after: RETRY_AFTER,
        };
        let seen = self.read(&key.address()?).await?;
        if seen.state != State::Active {
            return Err(StoreError::Reauthorize);
        }
        if let Some(refused) = refused {
            let stored = self.open(&seen)?;
            if stored.token.expose_secret() != refused.expose_secret() {
                return Ok(stored);
            }
        }
        let mut turn = self.flights.turn_if_free(&seen.address).ok_or_else(busy)?;
        if lease_runs_at(&seen, clock.now()) {
            return Err(busy());
        }
        if let Refreshed::Stored(token) =
            self.refresh_once(&seen, clock, deadline, refresher).await?
        {
            *turn = Some(token.clone());
            return Ok(token);
        }
        let found = self.read(&seen.address).await?;
        match found.state {
            State::Active if found.generation > seen.generation => self.open(&found),
            State::Active => Err(busy()),
            _ => Err(StoreError::Reauthorize),
        }
    }
}
