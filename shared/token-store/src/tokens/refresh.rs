//! Reading a token and refreshing it on use. The numbered steps are on [`TokenStore`].

use std::time::Duration;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use secrecy::SecretString;
use uuid::Uuid;

use super::{AccessToken, Grant, RefreshFailure, Refresher, TokenStore};
use crate::address::TokenKey;
use crate::dynamo::{Item, failed, number, text};
use crate::error::StoreError;
use crate::record::{Lineage, NewPair, State, TokenRecord, attribute, optional_text, time};
use crate::sealed_table::jittered;
use crate::wall_time::{Clock, WallTime};

/// A token with less life than this is refreshed when it is read.
const REFRESH_MARGIN: Duration = Duration::from_secs(60);
/// The most of a token's whole life that the margin may be: a token that lives a minute is not
/// refreshed by everybody who reads it.
const REFRESH_MARGIN_PART: u32 = 5;
/// A token with less life than this is not served: it could end on its way to the gateway.
const SERVE_MARGIN: Duration = Duration::from_secs(5);
/// How long one refresh may keep others from trying.
const LEASE: Duration = Duration::from_secs(20);
/// How far the clocks of two machines may differ.
const SKEW: Duration = Duration::from_secs(2);
/// The part of the lease in which no gateway call may be running any more.
const LEASE_TAIL: Duration = Duration::from_secs(3);
/// What one gateway call may take.
const GATEWAY_BUDGET: Duration = Duration::from_secs(5);
/// What storing the new pair may take, with its retries.
const COMMIT_BUDGET: Duration = Duration::from_secs(3);
/// How long a reader waits for somebody else's refresh.
const PATIENCE: Duration = Duration::from_secs(2);
/// The pause between two looks at somebody else's refresh, on average.
const POLL: Duration = Duration::from_millis(60);
/// The first pause after a commit did not reach the table, at most; doubles up to a second.
const COMMIT_PAUSE: Duration = Duration::from_millis(50);
/// What a caller who found the token being refreshed is told to wait.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What may be done with a row at a given moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Serve the access token.
    Fresh,
    /// Serve it, but try to refresh it first.
    Ageing,
    /// Refresh it, then serve.
    Expired,
    /// Neither can be done: the user has to log in again.
    Spent,
}

fn standing(record: &TokenRecord, now: WallTime) -> Standing {
    if matches!(record.state, State::Reauthorize | State::Revoked) {
        return Standing::Spent;
    }
    let lives_longer_than = |margin| now.plus(margin) < record.expires_at;
    let whole_life = record.expires_at.since(record.committed_at);
    let refresh_margin = REFRESH_MARGIN.min(whole_life / REFRESH_MARGIN_PART);
    let refreshable = record.state == State::Active && record.is_refreshable_at(now);
    // What Alipay has not refused is served although its time is over, where the time is no certain end.
    let servable = lives_longer_than(SERVE_MARGIN)
        || (!record.ends_with_its_time() && record.state == State::Active);
    match (servable, refreshable) {
        (true, _) if lives_longer_than(refresh_margin) => Standing::Fresh,
        (true, true) => Standing::Ageing,
        (true, false) => Standing::Fresh,
        (false, true) => Standing::Expired,
        (false, false) => Standing::Spent,
    }
}

/// What trying to take the lease came to.
enum Acquired {
    Yes,
    /// The row is another than the one read, or somebody else has the lease.
    No,
}

/// What a refresh under the lease came to, where it did not fail.
pub(super) enum Refreshed {
    Stored(AccessToken),
    /// The row has changed meanwhile: read it again.
    LookAgain,
}

impl TokenStore {
    /// The access token stored under `key`, refreshed first if it has expired or is about to.
    ///
    /// `deadline` is when the caller must have its answer. A refresh is begun only if 8 s are left
    /// until then: 5 s for the gateway, 3 s for storing the new pair.
    ///
    /// # Errors
    /// - [`StoreError::NotFound`], [`StoreError::Reauthorize`]: the user has to log in (again).
    /// - [`StoreError::Busy`], [`StoreError::Unavailable`], [`StoreError::RefreshUnavailable`]: try
    ///   later.
    /// - [`StoreError::Misconfigured`]: the gateway holds the app to be at fault.
    /// - [`StoreError::Corrupt`]: the row does not open. It is not served.
    pub async fn access_token<R: Refresher>(
        &self,
        key: &TokenKey,
        clock: &dyn Clock,
        deadline: WallTime,
        refresher: &R,
    ) -> Result<AccessToken, StoreError> {
        let address = key.address()?;
        let record = self.read(&address).await?;
        match standing(&record, clock.now()) {
            Standing::Fresh => self.open(&record),
            Standing::Ageing => {
                self.refresh_ageing(record, clock, deadline, refresher)
                    .await
            }
            Standing::Expired => {
                self.refresh_expired(&record, clock, deadline, refresher)
                    .await
            }
            Standing::Spent => Err(StoreError::Reauthorize),
        }
    }

    /// One try; whoever cannot refresh now uses the old token while it lives.
    async fn refresh_ageing<R: Refresher>(
        &self,
        record: TokenRecord,
        clock: &dyn Clock,
        deadline: WallTime,
        refresher: &R,
    ) -> Result<AccessToken, StoreError> {
        let Some(mut turn) = self.flights.turn_if_free(&record.address) else {
            return self.open(&record);
        };
        let tried = if lease_runs_at(&record, clock.now()) {
            Ok(Refreshed::LookAgain)
        } else {
            self.refresh_once(&record, clock, deadline, refresher).await
        };
        match tried {
            Ok(Refreshed::Stored(token)) => {
                *turn = Some(token.clone());
                return Ok(token);
            }
            Ok(Refreshed::LookAgain) => {}
            Err(error) => tracing::warn!(
                %error,
                "an ageing token could not be refreshed; the old one is used while it lives"
            ),
        }
        let record = match self.read(&record.address).await {
            // What was read before is good as long as it lives.
            Err(error) if error.is_transient() => record,
            read => read?,
        };
        match standing(&record, clock.now()) {
            Standing::Fresh | Standing::Ageing => self.open(&record),
            Standing::Expired => Err(StoreError::Busy {
                retry_after: RETRY_AFTER,
            }),
            Standing::Spent => Err(StoreError::Reauthorize),
        }
    }

    /// Refreshes or waits until somebody else has.
    async fn refresh_expired<R: Refresher>(
        &self,
        seen: &TokenRecord,
        clock: &dyn Clock,
        deadline: WallTime,
        refresher: &R,
    ) -> Result<AccessToken, StoreError> {
        let address = &seen.address;
        let busy = || StoreError::Busy {
            retry_after: RETRY_AFTER,
        };
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
        loop {
            let record = self.read(address).await?;
            match standing(&record, clock.now()) {
                Standing::Fresh | Standing::Ageing => return self.open(&record),
                Standing::Spent => return Err(StoreError::Reauthorize),
                Standing::Expired => {}
            }
            if !lease_runs_at(&record, clock.now())
                && let Refreshed::Stored(token) = self
                    .refresh_once(&record, clock, deadline, refresher)
                    .await?
            {
                *turn = Some(token.clone());
                return Ok(token);
            }
            if waited >= patience || clock.now() >= give_up_at {
                // The last look may have been before the other's commit.
                let record = self.read(address).await?;
                return match standing(&record, clock.now()) {
                    Standing::Fresh | Standing::Ageing => self.open(&record),
                    Standing::Spent => Err(StoreError::Reauthorize),
                    Standing::Expired => Err(busy()),
                };
            }
            let pause = jittered(POLL);
            tokio::time::sleep(pause).await;
            waited += pause;
        }
    }

    /// Steps 3 to 6, once.
    pub(super) async fn refresh_once<R: Refresher>(
        &self,
        record: &TokenRecord,
        clock: &dyn Clock,
        deadline: WallTime,
        refresher: &R,
    ) -> Result<Refreshed, StoreError> {
        let refresh_token = record
            .open_refresh_token(&self.table.keyring, &self.table.name)?
            .ok_or(StoreError::Reauthorize)?;
        let now = clock.now();
        if deadline.since(now) < GATEWAY_BUDGET + COMMIT_BUDGET {
            tracing::warn!(
                left_ms = deadline.since(now).as_millis(),
                "too little time is left to refresh a token"
            );
            return Err(StoreError::Busy {
                retry_after: RETRY_AFTER,
            });
        }
        let lease_owner = Uuid::new_v4().to_string();
        match self.acquire(record, &lease_owner, now).await? {
            Acquired::No => return Ok(Refreshed::LookAgain),
            Acquired::Yes => {}
        }

        let now = clock.now();
        let latest = now
            .plus(LEASE.saturating_sub(LEASE_TAIL))
            .min(deadline.minus(COMMIT_BUDGET));
        let answer =
            tokio::time::timeout(latest.since(now), refresher.refresh(&refresh_token)).await;
        match answer {
            Ok(Ok(grant)) => {
                let grant = completed_from(record, grant, refresh_token);
                self.commit(record, &grant, clock).await
            }
            Ok(Err(RefreshFailure::Refused)) => {
                self.mark_suspect(record, &lease_owner, clock.now()).await?;
                Ok(Refreshed::LookAgain)
            }
            Ok(Err(RefreshFailure::Transient(reason))) => {
                self.release(record, &lease_owner).await;
                Err(StoreError::RefreshUnavailable(reason))
            }
            Ok(Err(RefreshFailure::Misconfigured(reason))) => {
                self.release(record, &lease_owner).await;
                Err(StoreError::Misconfigured(reason))
            }
            Err(_) => {
                self.release(record, &lease_owner).await;
                Err(StoreError::RefreshUnavailable("no answer in time"))
            }
        }
    }

    async fn acquire(
        &self,
        record: &TokenRecord,
        lease_owner: &str,
        now: WallTime,
    ) -> Result<Acquired, StoreError> {
        let request = self
            .update_of_lineage(record)
            .update_expression("SET lease_owner = :lease_owner, lease_until = :lease_until")
            .condition_expression(
                "generation = :seen_generation AND grant_id = :seen_grant AND #state = :active \
                 AND (attribute_not_exists(lease_until) OR lease_until < :run_out)",
            )
            .expression_attribute_names("#state", attribute::STATE)
            .expression_attribute_values(":active", text(State::Active.as_str()))
            .expression_attribute_values(":lease_owner", text(lease_owner))
            .expression_attribute_values(":lease_until", time(now.plus(LEASE)))
            .expression_attribute_values(":run_out", time(now.minus(SKEW)));
        match conditionally(request).await? {
            Ok(()) => Ok(Acquired::Yes),
            Err(found) => {
                let owner = found
                    .as_ref()
                    .map(|row| optional_text(row, attribute::LEASE_OWNER))
                    .transpose()?
                    .flatten();
                // Our own, then an earlier reply was lost.
                Ok(if owner == Some(lease_owner) {
                    Acquired::Yes
                } else {
                    Acquired::No
                })
            }
        }
    }

    /// Stores the new pair by lineage. Whoever has the lease by now is not asked.
    async fn commit(
        &self,
        record: &TokenRecord,
        grant: &Grant,
        clock: &dyn Clock,
    ) -> Result<Refreshed, StoreError> {
        let commit_id = Uuid::new_v4().to_string();
        let started_at = clock.now();
        let pair = NewPair {
            address: &record.address,
            generation: record.generation.next(),
            grant_id: &record.grant_id,
            commit_id: &commit_id,
            committed_at: started_at,
            grant,
        };
        let item = pair.item(&self.table.keyring, &self.table.name)?;
        let stored = || {
            Ok(Refreshed::Stored(AccessToken {
                token: grant.access_token.clone(),
                expires_at: grant.expires_at,
                generation: pair.generation,
            }))
        };
        let mut waited = Duration::ZERO;
        let mut longest = COMMIT_PAUSE;
        loop {
            match conditionally(self.commit_request(record, &item)).await {
                Ok(Ok(())) => return stored(),
                Ok(Err(found)) => {
                    let lineage = found.as_ref().map(Lineage::from_item).transpose()?;
                    if lineage.is_some_and(|lineage| lineage.commit_id == commit_id) {
                        return stored();
                    }
                    // For merchants' tokens the scheduled refresh will keep this refresh token as
                    // the previous one; for users' it died with the newer pair.
                    tracing::info!("a newer pair was stored first; the refreshed one is discarded");
                    return Ok(Refreshed::LookAgain);
                }
                Err(error) => {
                    let spent =
                        waited >= COMMIT_BUDGET || clock.now().since(started_at) >= COMMIT_BUDGET;
                    if !error.is_transient() || spent {
                        tracing::error!(%error, "a refreshed pair could not be stored and is lost");
                        return Err(error);
                    }
                }
            }
            let pause = longest.mul_f64(rand::random_range(0.0..1.0));
            tokio::time::sleep(pause).await;
            waited += pause;
            longest = (longest * 2).min(Duration::from_secs(1));
        }
    }

    fn commit_request(&self, record: &TokenRecord, item: &Item) -> UpdateItemFluentBuilder {
        let mut request = self.update_of_lineage(record);
        let mut assignments = Vec::with_capacity(item.len());
        for (name, value) in item {
            if name != attribute::PK && name != attribute::SK {
                assignments.push(format!("#{name} = :{name}"));
                request = request
                    .expression_attribute_names(format!("#{name}"), name)
                    .expression_attribute_values(format!(":{name}"), value.clone());
            }
        }
        request
            .update_expression(format!(
                "SET {} REMOVE lease_owner, lease_until, suspect_since",
                assignments.join(", ")
            ))
            .condition_expression(
                "generation = :seen_generation AND grant_id = :seen_grant \
                 AND #state IN (:active, :suspect, :reauthorize)",
            )
            .expression_attribute_values(":active", text(State::Active.as_str()))
            .expression_attribute_values(":suspect", text(State::Suspect.as_str()))
            .expression_attribute_values(":reauthorize", text(State::Reauthorize.as_str()))
    }

    /// Records that the refresh token was refused. Not at once `reauthorize`: a paused caller may
    /// still hold the pair that this token was spent for.
    async fn mark_suspect(
        &self,
        record: &TokenRecord,
        lease_owner: &str,
        now: WallTime,
    ) -> Result<(), StoreError> {
        let request = self
            .update_of_lineage(record)
            .update_expression("SET #state = :suspect, suspect_since = :now")
            .condition_expression(
                "generation = :seen_generation AND grant_id = :seen_grant AND #state = :active",
            )
            .expression_attribute_names("#state", attribute::STATE)
            .expression_attribute_values(":active", text(State::Active.as_str()))
            .expression_attribute_values(":suspect", text(State::Suspect.as_str()))
            .expression_attribute_values(":now", time(now));
        if conditionally(request).await?.is_ok() {
            tracing::warn!("a refresh token was refused; the grant is marked suspect");
        }
        self.release(record, lease_owner).await;
        Ok(())
    }

    /// Gives the lease back. A failure is only logged: the lease runs out by itself.
    async fn release(&self, record: &TokenRecord, lease_owner: &str) {
        let request = self
            .update_of_row(record)
            .update_expression("REMOVE lease_owner, lease_until")
            .condition_expression("lease_owner = :lease_owner")
            .expression_attribute_values(":lease_owner", text(lease_owner));
        if let Err(error) = conditionally(request).await {
            tracing::warn!(%error, "a lease could not be released and will run out");
        }
    }

    fn update_of_row(&self, record: &TokenRecord) -> UpdateItemFluentBuilder {
        self.table
            .client
            .update_item()
            .table_name(&self.table.name)
            .key(attribute::PK, record.address.pk())
            .key(attribute::SK, record.address.sk())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }

    fn update_of_lineage(&self, record: &TokenRecord) -> UpdateItemFluentBuilder {
        self.update_of_row(record)
            .expression_attribute_values(":seen_generation", number(record.generation.get()))
            .expression_attribute_values(":seen_grant", text(&record.grant_id))
    }
}

/// Sends an update; a refused condition is an inner error with the row that was found.
async fn conditionally(
    request: UpdateItemFluentBuilder,
) -> Result<Result<(), Option<Item>>, StoreError> {
    match request.send().await {
        Ok(_) => Ok(Ok(())),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refusal)) => {
                Ok(Err(refusal.item().cloned()))
            }
            _ => Err(failed(error)),
        },
    }
}

/// Whether somebody may still be refreshing this row.
pub(super) fn lease_runs_at(record: &TokenRecord, now: WallTime) -> bool {
    record
        .lease_until
        .is_some_and(|until| until >= now.minus(SKEW))
}

/// Fills what a refresh reply may leave out from what was stored: never a pair without a refresh
/// token where there was one.
fn completed_from(record: &TokenRecord, grant: Grant, used: SecretString) -> Grant {
    Grant {
        refresh_token: grant.refresh_token.or(Some(used)),
        refresh_expires_at: grant.refresh_expires_at.or(record.refresh_expires_at),
        ..grant
    }
}
