//! Refreshing one row. The numbered steps are on [`TokenStore`].

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::because::Because;
use super::commit::Committed;
use super::outcome::RefreshOutcome;
use super::standing::{QUARANTINE, SKEW, Task, lease_runs_at, task};
use super::{Grant, RefreshFailure, Refresher, RescueQueue, TokenStore};
use crate::address::TokenKey;
use crate::change::{Change, Changed};
use crate::crash_points::crash_point;
use crate::dynamo::{number, text};
use crate::error::StoreError;
use crate::record::{Lineage, State, TokenRecord, attribute, optional_text, optional_time, time};
use table_rows::{Clock, WallTime};

/// How long one refresh may keep others from trying.
const LEASE: Duration = Duration::from_secs(20);
/// The part of the lease in which no gateway call may be running any more.
const LEASE_TAIL: Duration = Duration::from_secs(3);
/// What one gateway call may take.
const GATEWAY_BUDGET: Duration = Duration::from_secs(5);
/// What storing the new pair may take, with its retries.
pub(super) const COMMIT_BUDGET: Duration = Duration::from_secs(3);
/// For the answer, once everything is stored.
const ANSWER_BUDGET: Duration = Duration::from_secs(1);
/// The longest first pause after a refresh without an answer; doubles with each one.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);
/// From this many tries without an answer on, the log says so as an error.
const MANY_ATTEMPTS: u32 = 10;
/// What a caller is told to wait who has too little time left.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What a refresh works with.
pub struct RefreshWith<'a, R, Q> {
    /// The wall clock.
    pub clock: &'a dyn Clock,
    /// When the caller must be done. A gateway call is begun only if 9 s are left: 5 s for it, 3 s for storing the new pair, 1 s
    /// for the answer.
    pub deadline: WallTime,
    /// Exchanges refresh tokens.
    pub gateway: &'a R,
    /// Takes a pair that the table does not.
    pub rescue: &'a Q,
}

/// What trying to take the lease came to.
enum Acquired {
    /// The lease is ours. With the moment from which the quarantine counts, if the refresh token was refused before.
    Yes {
        refused_since: Option<WallTime>,
    },
    Stop(RefreshOutcome),
}

impl TokenStore {
    /// Refreshes the pair under `key` if that is to be done, by the numbered steps of [`TokenStore`].
    ///
    /// The future must be run to its end: dropped between the gateway's answer and the commit it takes the new pair with it.
    /// Give it a deadline instead.
    ///
    /// # Errors
    /// - [`StoreError::Busy`]: too little time is left.
    /// - [`StoreError::Unavailable`], [`StoreError::Rejected`]: the table.
    /// - [`StoreError::Corrupt`]: the row does not open; no gateway call was made. The schedule looks at it again after a day.
    /// - [`StoreError::Misconfigured`]: this process has no keys for refresh tokens.
    pub async fn refresh<R: Refresher, Q: RescueQueue>(
        &self,
        key: &TokenKey,
        because: Because,
        with: &RefreshWith<'_, R, Q>,
    ) -> Result<RefreshOutcome, StoreError> {
        let address = key.address()?;
        let Some(item) = self.table.get(&address).await? else {
            return Ok(RefreshOutcome::Gone);
        };
        let now = with.clock.now();
        let record = match TokenRecord::from_item(&address, &item) {
            Ok(record) => record,
            Err(error) => {
                self.set_aside(&address, now).await;
                return Err(error);
            }
        };
        let retry_after = |until: WallTime| until.since(now);
        match task(&record, because, now) {
            Task::Refresh if lease_runs_at(&record, now) => Ok(busy(&record, now)),
            Task::Refresh => self.refresh_leased(&record, with).await,
            Task::Suspect if lease_runs_at(&record, now) => Ok(busy(&record, now)),
            Task::Suspect => self.suspect(&record, now).await,
            Task::Nothing => {
                self.repair_due(&record, now).await;
                Ok(RefreshOutcome::Fresh)
            }
            Task::Spent => {
                self.repair_due(&record, now).await;
                Ok(RefreshOutcome::Reauthorize)
            }
            Task::Wait { until } => {
                self.repair_due(&record, now).await;
                Ok(RefreshOutcome::BackedOff {
                    retry_after: retry_after(until),
                })
            }
            Task::Doubt { until } => {
                self.repair_due(&record, now).await;
                Ok(RefreshOutcome::Suspect {
                    retry_after: retry_after(until),
                })
            }
        }
    }

    /// Steps 2 to 8.
    async fn refresh_leased<R: Refresher, Q: RescueQueue>(
        &self,
        record: &TokenRecord,
        with: &RefreshWith<'_, R, Q>,
    ) -> Result<RefreshOutcome, StoreError> {
        let keyring = self.table.refresh_keyring()?;
        let refresh_tokens = match record.open_refresh_tokens(keyring, &self.table.name) {
            Ok(tokens) => tokens,
            Err(error) => {
                self.set_aside(&record.address, with.clock.now()).await;
                return Err(error);
            }
        };
        let now = with.clock.now();
        if !has_time_for_a_call(with.deadline, now) {
            return Err(StoreError::Busy {
                retry_after: RETRY_AFTER,
            });
        }
        crash_point("before-acquire").await;
        let lease_owner = Uuid::new_v4().to_string();
        let refused_since = match self.acquire(record, &lease_owner, now).await? {
            Acquired::Yes { refused_since } => refused_since,
            Acquired::Stop(outcome) => return Ok(outcome),
        };
        crash_point("after-acquire").await;
        let lease = Lease {
            owner: &lease_owner,
            until: now.plus(LEASE),
            refused_since,
        };
        self.call_and_settle(record, &lease, refresh_tokens, with)
            .await
    }

    /// Calls the gateway with each refresh token until one is taken, and writes down what came of it.
    async fn call_and_settle<R: Refresher, Q: RescueQueue>(
        &self,
        record: &TokenRecord,
        lease: &Lease<'_>,
        refresh_tokens: Vec<SecretString>,
        with: &RefreshWith<'_, R, Q>,
    ) -> Result<RefreshOutcome, StoreError> {
        let mut to_try = refresh_tokens.into_iter();
        let mut current = to_try.next();
        let mut verdict = None;
        let mut superseded = false;
        while let Some(token) = current {
            if !has_time_for_a_call(with.deadline.min(lease.until), with.clock.now()) {
                let reason = "too little time is left for another call";
                verdict = Some(RefreshFailure::Transient(reason));
                break;
            }
            let answer = self.call(&token, lease, with).await;
            crash_point("after-call").await;
            match answer {
                Ok(grant) => {
                    let grant = completed_from(record, grant, token);
                    return self.store_pair(record, &grant, with).await;
                }
                // Once is enough: a gateway that answers so again, or names the same token, has no end.
                Err(RefreshFailure::Superseded(newer))
                    if !superseded && newer.expose_secret() != token.expose_secret() =>
                {
                    superseded = true;
                    self.save_sibling(record, lease, &newer).await?;
                    crash_point("after-sibling").await;
                    current = Some(newer);
                }
                // Somebody may hold the pair that this one was spent for, whatever is said of the others.
                Err(RefreshFailure::Superseded(_) | RefreshFailure::Refused) => {
                    verdict = Some(RefreshFailure::Refused);
                    current = to_try.next();
                }
                Err(RefreshFailure::Ended) => {
                    verdict.get_or_insert(RefreshFailure::Ended);
                    current = to_try.next();
                }
                Err(failure) => {
                    verdict = Some(failure);
                    break;
                }
            }
        }
        let now = with.clock.now();
        match verdict.unwrap_or(RefreshFailure::Refused) {
            RefreshFailure::Transient(reason) => {
                let retry_after = self.back_off(record, lease, reason, now).await;
                Ok(RefreshOutcome::BackedOff { retry_after })
            }
            RefreshFailure::Misconfigured(reason) => {
                tracing::error!(
                    outcome = "misconfigured",
                    reason,
                    "tokens of this app cannot be refreshed until its configuration is mended"
                );
                let retry_after = self.back_off(record, lease, reason, now).await;
                Ok(RefreshOutcome::Misconfigured { retry_after })
            }
            RefreshFailure::Ended => self.reauthorize(record, lease).await,
            RefreshFailure::Refused | RefreshFailure::Superseded(_) => {
                self.refused(record, lease, now).await
            }
        }
    }

    async fn call<R: Refresher, Q>(
        &self,
        token: &SecretString,
        lease: &Lease<'_>,
        with: &RefreshWith<'_, R, Q>,
    ) -> Result<Grant, RefreshFailure> {
        let latest = lease
            .until
            .minus(LEASE_TAIL)
            .min(with.deadline.minus(COMMIT_BUDGET + ANSWER_BUDGET));
        tokio::time::timeout(latest.since(with.clock.now()), with.gateway.refresh(token))
            .await
            .unwrap_or(Err(RefreshFailure::Transient("no answer in time")))
    }

    async fn acquire(
        &self,
        record: &TokenRecord,
        lease_owner: &str,
        now: WallTime,
    ) -> Result<Acquired, StoreError> {
        // Whoever had the lease and was taken over may hold a pair that nobody knows of: a refusal that comes now cannot confirm
        // an earlier one, and the quarantine begins again.
        let refused_since = match record.lease_until {
            Some(_) if record.refused_since.is_some() => Some(now),
            _ => record.refused_since,
        };
        let change = Change::of_lineage(&self.table, record);
        let change = match record.lease_until {
            None => change.only_if("attribute_not_exists(#lease_until)"),
            Some(until) => change
                .only_if("#lease_until = :seen_lease AND #lease_until < :run_out")
                .with(":seen_lease", time(until))
                .with(":run_out", time(now.minus(SKEW))),
        };
        let changed = change
            .in_states(&[State::Active, State::Suspect])
            .put(attribute::REFUSED_SINCE, refused_since.map(time))
            .only_if("attribute_not_exists(#not_before) OR #not_before <= :now")
            .named(attribute::NOT_BEFORE)
            .with(":now", time(now))
            .set(attribute::LEASE_OWNER, text(lease_owner))
            .set(attribute::LEASE_UNTIL, time(now.plus(LEASE)))
            .set(
                attribute::ATTEMPTS,
                number(u64::from(record.attempts.saturating_add(1))),
            )
            .send()
            .await?;
        let found = match changed {
            Changed::Yes => return Ok(Acquired::Yes { refused_since }),
            Changed::No(None) => return Ok(Acquired::Stop(RefreshOutcome::Gone)),
            Changed::No(Some(found)) => found,
        };
        // Our own, then an earlier reply was lost.
        if optional_text(&found, attribute::LEASE_OWNER)? == Some(lease_owner) {
            return Ok(Acquired::Yes { refused_since });
        }
        let lineage = Lineage::from_item(&found)?;
        let moved = lineage.generation != record.generation || lineage.grant_id != record.grant_id;
        if let Some(until) = optional_time(&found, attribute::LEASE_UNTIL)? {
            warn_of_clocks(until, now);
        }
        Ok(Acquired::Stop(if moved {
            RefreshOutcome::Fresh
        } else {
            RefreshOutcome::Busy
        }))
    }

    /// Step 5 and what follows it.
    async fn store_pair<R, Q: RescueQueue>(
        &self,
        record: &TokenRecord,
        grant: &Grant,
        with: &RefreshWith<'_, R, Q>,
    ) -> Result<RefreshOutcome, StoreError> {
        let pair = self.seal_next(record, grant, with.clock.now())?;
        crash_point("before-commit").await;
        match self.commit_within_budget(record, &pair).await {
            Ok(Committed::Yes) => {
                crash_point("after-commit").await;
                self.set_due(&record.address, &pair).await;
                crash_point("after-due").await;
                Ok(RefreshOutcome::Refreshed)
            }
            Ok(Committed::Superseded(found)) => {
                crash_point("after-superseded").await;
                let kept = self.keep_sibling(
                    &record.address,
                    &record.grant_id,
                    found,
                    grant.refresh_token.as_ref(),
                );
                match kept.await {
                    Ok(()) => Ok(RefreshOutcome::Fresh),
                    // The row has a good pair all the same.
                    Err(error) => self
                        .rescue(record, pair, error, with)
                        .await
                        .or(Ok(RefreshOutcome::Fresh)),
                }
            }
            Err(error) => self.rescue(record, pair, error, with).await,
        }
    }

    /// Step 6: no answer about the token. The next try is after a pause of random length, which grows with each try.
    async fn back_off(
        &self,
        record: &TokenRecord,
        lease: &Lease<'_>,
        reason: &'static str,
        now: WallTime,
    ) -> Duration {
        let attempts = record.attempts.saturating_add(1);
        let longest = FIRST_PAUSE
            .saturating_mul(2_u32.saturating_pow(attempts.saturating_sub(1)))
            .min(LONGEST_PAUSE);
        let pause = longest.mul_f64(rand::random_range(0.0..1.0));
        if attempts >= MANY_ATTEMPTS {
            tracing::error!(attempts, reason, "a token could not be refreshed for long");
        }
        let not_before = now.plus(pause);
        let in_index = record.due.is_some() || record.due_at().is_some();
        let mut change = Change::of_row(&self.table, &record.address)
            .only_if("#lease_owner = :lease_owner")
            .with(":lease_owner", text(lease.owner))
            .set(attribute::NOT_BEFORE, time(not_before))
            .remove(&[attribute::LEASE_OWNER, attribute::LEASE_UNTIL]);
        if in_index {
            change = self.with_due(change, &record.address, not_before);
        }
        if let Err(error) = change.send().await {
            tracing::warn!(%error, "a back-off could not be noted; the lease will run out");
        }
        pause
    }

    /// Step 7: the refresh token was refused. Not at once `reauthorize`: a paused worker may still hold the pair that this
    /// token was spent for.
    async fn refused(
        &self,
        record: &TokenRecord,
        lease: &Lease<'_>,
        now: WallTime,
    ) -> Result<RefreshOutcome, StoreError> {
        if lease
            .refused_since
            .is_some_and(|since| since.plus(QUARANTINE) <= now)
        {
            return self.reauthorize(record, lease).await;
        }
        let settled_at = now.plus(QUARANTINE);
        let change = Change::of_lineage(&self.table, record)
            .in_states(&[State::Active, State::Suspect])
            .set(attribute::STATE, text(State::Suspect.as_str()))
            .set(
                attribute::SUSPECT_SINCE,
                time(record.suspect_since.unwrap_or(now)),
            )
            .set(
                attribute::REFUSED_SINCE,
                time(lease.refused_since.unwrap_or(now)),
            )
            .set(attribute::NOT_BEFORE, time(settled_at))
            .remove(&[
                attribute::LEASE_OWNER,
                attribute::LEASE_UNTIL,
                attribute::ATTEMPTS,
            ]);
        match self
            .with_due(change, &record.address, settled_at)
            .send()
            .await?
        {
            Changed::Yes => {
                tracing::warn!(
                    outcome = "suspect",
                    "a refresh token was refused; it is tried once more after the quarantine"
                );
                Ok(RefreshOutcome::Suspect {
                    retry_after: QUARANTINE,
                })
            }
            // A late pair, or a login.
            Changed::No(_) => Ok(RefreshOutcome::Fresh),
        }
    }

    /// The end of a grant, if no pair was stored meanwhile and nobody has taken the lease over, who may know better.
    async fn reauthorize(
        &self,
        record: &TokenRecord,
        lease: &Lease<'_>,
    ) -> Result<RefreshOutcome, StoreError> {
        let changed = Change::of_lineage(&self.table, record)
            .in_states(&[State::Active, State::Suspect])
            .only_if("#lease_owner = :lease_owner")
            .with(":lease_owner", text(lease.owner))
            .set(attribute::STATE, text(State::Reauthorize.as_str()))
            .remove(&[
                attribute::LEASE_OWNER,
                attribute::LEASE_UNTIL,
                attribute::NOT_BEFORE,
                attribute::DUE_SHARD,
                attribute::DUE_AT,
            ])
            .send()
            .await?;
        Ok(match changed {
            Changed::Yes => {
                tracing::warn!(
                    outcome = "reauthorize",
                    "a grant has ended; the user has to log in again"
                );
                RefreshOutcome::Reauthorize
            }
            Changed::No(_) => RefreshOutcome::Fresh,
        })
    }

    /// Alipay refused the access token at its use. Whether the grant is over, only a refresh can say; the schedule makes it.
    async fn suspect(
        &self,
        record: &TokenRecord,
        now: WallTime,
    ) -> Result<RefreshOutcome, StoreError> {
        let change = Change::of_lineage(&self.table, record)
            .in_states(&[State::Active])
            .set(attribute::STATE, text(State::Suspect.as_str()))
            .set(attribute::SUSPECT_SINCE, time(now));
        match self
            .with_due(change, &record.address, now.plus(QUARANTINE))
            .send()
            .await?
        {
            Changed::Yes => {
                tracing::warn!(
                    outcome = "suspect",
                    "an access token was refused at its use"
                );
                Ok(RefreshOutcome::Suspect {
                    retry_after: QUARANTINE,
                })
            }
            Changed::No(_) => Ok(RefreshOutcome::Fresh),
        }
    }
}

/// The right to refresh a row.
pub(super) struct Lease<'a> {
    pub(super) owner: &'a str,
    pub(super) until: WallTime,
    /// From when the quarantine counts, if the refresh token was refused before.
    pub(super) refused_since: Option<WallTime>,
}

fn busy(record: &TokenRecord, now: WallTime) -> RefreshOutcome {
    if let Some(until) = record.lease_until {
        warn_of_clocks(until, now);
    }
    RefreshOutcome::Busy
}

/// A lease that ends later than one that begins now was taken by a clock that is ahead of ours.
fn warn_of_clocks(lease_until: WallTime, now: WallTime) {
    let ahead = lease_until.since(now.plus(LEASE));
    if ahead > SKEW {
        tracing::error!(
            outcome = "clock_skew",
            ahead_ms = u64::try_from(ahead.as_millis()).unwrap_or(u64::MAX),
            "two workers' clocks differ by more than is allowed for"
        );
    }
}

fn has_time_for_a_call(end: WallTime, now: WallTime) -> bool {
    end.since(now) >= GATEWAY_BUDGET + COMMIT_BUDGET + ANSWER_BUDGET
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
