//! The sweep: finds the rows that are due, the oldest first, and has them refreshed no faster than each app may.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use alipay_gateway::Deadline;
use function_kit::Failure;
use function_tokens::{Because, DueRow, DueShard, RefreshRequest, TokenKey};
use futures_util::stream::{StreamExt, iter};
use serde::{Deserialize, Serialize};
use token_store::{DuePosition, StoreError, WallTime};

use crate::RefreshTokens;
use crate::queue::{MOST_AT_ONCE, Queue};

/// How often the schedule sweeps, so how many seconds one sweep's share of the rate is for.
const SECONDS_BETWEEN_SWEEPS: u64 = 60;
/// Rows that are read at once from a partition.
const PAGE: i32 = 500;
/// Partitions that are read, batches that are sent, or rows that are refreshed at the same time.
const AT_ONCE: usize = 8;
/// After so many rounds of rows that are all over their app's rate the sweep ends: reading on costs, and brings little.
const FRUITLESS_ROUNDS: usize = 2;
/// Kept before the deadline, for the refreshes that are running (9 s each) and the answer.
const RESERVE: Duration = Duration::from_secs(12);

/// Which part of the partitions to sweep. `{}` is all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Sweep {
    /// From 0 on.
    pub part: usize,
    /// Into how many parts the partitions are divided.
    pub of: usize,
}

impl Default for Sweep {
    fn default() -> Self {
        Self { part: 0, of: 1 }
    }
}

impl Sweep {
    pub(crate) fn check(self) -> Result<(), Failure> {
        if self.part < self.of {
            Ok(())
        } else {
            Err(Failure::invalid(
                "sweep.part",
                "must be less than sweep.of, counted from 0",
            ))
        }
    }

    fn shards(self, all: Vec<DueShard>) -> Vec<DueShard> {
        all.into_iter()
            .enumerate()
            .filter(|(number, _)| number % self.of == self.part)
            .map(|(_, shard)| shard)
            .collect()
    }
}

/// What a sweep did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SweepSummary {
    /// Partitions that were read.
    pub shards: usize,
    /// Rows that were found due.
    pub due: usize,
    /// Rows that were put into the queue.
    pub queued: usize,
    /// Rows that were refreshed here, by what came of it; empty where there is a queue.
    pub refreshed: BTreeMap<&'static str, usize>,
    /// Rows that were found due and left for the next sweep: over an app's rate, or the queue did not take them.
    pub left: usize,
    /// Whether there are more due rows than were looked at.
    pub more: bool,
    /// How long the oldest row has been due, in seconds.
    pub oldest_lateness_seconds: u64,
}

/// A partition on the way through its due rows.
struct Reading {
    shard: DueShard,
    from: Option<DuePosition>,
}

impl RefreshTokens {
    /// One sweep.
    ///
    /// # Errors
    /// As [`TokenStore::due_rows`](token_store::TokenStore::due_rows), when no partition could be read.
    pub(crate) async fn sweep(
        &self,
        sweep: Sweep,
        deadline: Deadline,
    ) -> Result<SweepSummary, StoreError> {
        let now = WallTime::from(self.now());
        let until = WallTime::from_millis(deadline.unix_millis()).minus(RESERVE);
        let shards = sweep.shards(self.tokens.store().due_shards().all());
        let mut budget = Budget::new(self.settings.rate, self.waiting().await, sweep);
        let mut summary = SweepSummary {
            shards: shards.len(),
            ..SweepSummary::default()
        };
        let mut readings: Vec<Reading> = shards
            .into_iter()
            .map(|shard| Reading { shard, from: None })
            .collect();
        // Round by round, one page of each partition, so that the oldest rows of all of them come first. The first round is read in
        // any case, because it tells how late we are.
        let mut fruitless = 0;
        while !readings.is_empty() {
            let (rows, next) = self.read_round(readings, now).await?;
            readings = next;
            if let Some(oldest) = rows.first() {
                let lateness = now.since(oldest.due_at).as_secs();
                summary.oldest_lateness_seconds = summary.oldest_lateness_seconds.max(lateness);
            }
            summary.due += rows.len();
            let (granted, over): (Vec<_>, Vec<_>) =
                rows.into_iter().partition(|row| budget.grant(&row.key));
            summary.left += over.len();
            fruitless = if granted.is_empty() { fruitless + 1 } else { 0 };
            self.dispatch(granted, until, deadline, &mut summary).await;
            if fruitless >= FRUITLESS_ROUNDS || WallTime::from(self.now()) >= until {
                summary.more = !readings.is_empty();
                break;
            }
        }
        tracing::info!(
            outcome = "swept",
            shards = summary.shards,
            due = summary.due,
            queued = summary.queued,
            left = summary.left,
            more = summary.more,
            oldest_lateness_seconds = summary.oldest_lateness_seconds,
            refreshed = ?summary.refreshed,
            "the due rows were looked for"
        );
        Ok(summary)
    }

    /// How many rows already wait in the queue: those that the last sweeps sent and nobody has worked off. They are still due and
    /// would be sent again.
    async fn waiting(&self) -> u64 {
        let Some(queue) = &self.settings.refresh_queue else {
            return 0;
        };
        queue.waiting().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "how many messages wait is not known");
            0
        })
    }

    /// The next page of each partition together, the oldest row first, and the partitions that have more.
    async fn read_round(
        &self,
        readings: Vec<Reading>,
        now: WallTime,
    ) -> Result<(Vec<DueRow>, Vec<Reading>), StoreError> {
        let store = self.tokens.store();
        let pages: Vec<_> = iter(readings)
            .map(|Reading { shard, from }| async move {
                (shard, store.due_rows(shard, now, PAGE, from).await)
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let (mut rows, mut next, mut failed) = (Vec::new(), Vec::new(), None);
        let mut any_read = false;
        for (shard, page) in pages {
            match page {
                Ok(page) => {
                    any_read = true;
                    if page.unreadable > 0 {
                        tracing::error!(%shard, count = page.unreadable, "rows in the index of due rows are none of tokens; remove their due_shard");
                    }
                    rows.extend(page.rows);
                    next.extend(page.next.map(|from| Reading {
                        shard,
                        from: Some(from),
                    }));
                }
                Err(error) => {
                    tracing::warn!(%shard, %error, "a partition could not be read; the next sweep reads it");
                    failed = Some(error);
                }
            }
        }
        match failed {
            Some(error) if !any_read => Err(error),
            _ => {
                rows.sort_by_key(|row| row.due_at);
                Ok((rows, next))
            }
        }
    }

    async fn dispatch(
        &self,
        rows: Vec<DueRow>,
        until: WallTime,
        deadline: Deadline,
        summary: &mut SweepSummary,
    ) {
        let keys: Vec<TokenKey> = rows.into_iter().map(|row| row.key).collect();
        match &self.settings.refresh_queue {
            Some(queue) => {
                let queued = send_all(queue, &keys).await;
                summary.queued += queued;
                summary.left += keys.len() - queued;
            }
            None => self.refresh_all(keys, until, deadline, summary).await,
        }
    }

    /// Refreshes the rows in this process, as long as there is time to begin another.
    async fn refresh_all(
        &self,
        keys: Vec<TokenKey>,
        until: WallTime,
        deadline: Deadline,
        summary: &mut SweepSummary,
    ) {
        let rescue = self.rescue();
        let mut refreshing = iter(keys)
            .map(|key| {
                let rescue = &rescue;
                async move {
                    if WallTime::from(self.now()) >= until {
                        return None;
                    }
                    let request = RefreshRequest::new(key, Because::Due);
                    let refreshed = self
                        .tokens
                        .refresh(&self.alipay, &request, deadline, rescue)
                        .await;
                    Some(refreshed)
                }
            })
            .buffer_unordered(AT_ONCE);
        while let Some(refreshed) = refreshing.next().await {
            match refreshed {
                None => summary.left += 1,
                Some(Ok(outcome)) => {
                    *summary.refreshed.entry(outcome.as_str()).or_default() += 1;
                }
                Some(Err(error)) => {
                    tracing::error!(%error, "a due row could not be refreshed");
                    *summary.refreshed.entry("failed").or_default() += 1;
                }
            }
        }
    }
}

async fn send_all(queue: &Queue, keys: &[TokenKey]) -> usize {
    let batches: Vec<Vec<TokenKey>> = keys.chunks(MOST_AT_ONCE).map(<[_]>::to_vec).collect();
    iter(batches)
        .map(|batch| async move { queue.send_due(&batch).await })
        .buffer_unordered(AT_ONCE)
        .fold(0, |sum, sent| async move { sum + sent })
        .await
}

/// How many rows a sweep may let through: of each app its rate until the next sweep, less what still waits in the queue, of
/// whichever app that is. Of both, a sweep of a part of the partitions has that part.
struct Budget {
    of_each_app: u64,
    waiting: u64,
    let_through: HashMap<String, u64>,
}

impl Budget {
    fn new(rate: u32, waiting: u64, sweep: Sweep) -> Self {
        let parts = u64::try_from(sweep.of).unwrap_or(u64::MAX).max(1);
        Self {
            of_each_app: (u64::from(rate) * SECONDS_BETWEEN_SWEEPS).div_ceil(parts),
            waiting: waiting.div_ceil(parts),
            let_through: HashMap::new(),
        }
    }

    fn grant(&mut self, key: &TokenKey) -> bool {
        // Rows of a merchant's users are refreshed by the ISV's app.
        let app_id = key.app_id.split('@').next().unwrap_or_default();
        let of_each_app = self.of_each_app.saturating_sub(self.waiting);
        let so_far = self.let_through.entry(app_id.to_owned()).or_default();
        if *so_far >= of_each_app {
            return false;
        }
        *so_far += 1;
        true
    }
}
