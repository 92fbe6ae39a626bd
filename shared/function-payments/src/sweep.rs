//! What was recorded and did not get out.

use std::time::{Duration, SystemTime};

use alipay_gateway::Deadline;
use futures_util::stream::{StreamExt, iter};
use payments::{Due, PaymentError};
use serde::Serialize;
use table_rows::WallTime;

use crate::Payments;

/// Rows that are read at once from a partition of the index.
const PAGE: i32 = 25;

/// Rows whose events are published at the same time.
const ROWS_AT_ONCE: usize = 10;

/// Kept before the deadline, for the rows that are being published (the AWS SDK's limit is 4 s for each request) and the answer.
const RESERVE: Duration = Duration::from_secs(12);

/// What came of publishing what was due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PublishSummary {
    /// Rows that were due.
    pub due: usize,
    /// Events that got out.
    pub published: usize,
    /// Rows of which something did not get out; they are due again in a minute.
    pub failed: usize,
    /// How long ago the oldest event was recorded that had not got out when this began, in seconds; 0 where all had.
    pub oldest_seconds: u64,
}

/// What became of one row.
#[derive(Default)]
struct Row {
    published: usize,
    has_failed: bool,
    /// Since when it has had events that did not get out, as far as that is known; nothing where somebody else publishes them.
    since: Option<WallTime>,
}

impl Payments {
    /// Publishes what was recorded and should have got out by `now`, until nothing of it is left, nothing gets out, or `deadline` is
    /// 12 s away.
    ///
    /// # Errors
    /// [`PaymentError::Table`] where the index cannot be read.
    pub async fn publish_due(
        &self,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<PublishSummary, PaymentError> {
        let now = WallTime::from(now);
        let mut summary = PublishSummary::default();
        loop {
            let due = self.outbox.due(now, PAGE).await?;
            let round = self.publish_rows(due, now, deadline).await;
            let mut got_out = 0;
            for row in round {
                summary.due += 1;
                summary.failed += usize::from(row.has_failed);
                got_out += row.published;
                let age = row.since.map_or(0, |since| now.since(since).as_secs());
                summary.oldest_seconds = summary.oldest_seconds.max(age);
            }
            summary.published += got_out;
            // Where nothing gets out the bus is down, or others are at it: the next run sees.
            if got_out == 0 || !has_time(deadline) {
                return Ok(summary);
            }
        }
    }

    async fn publish_rows(&self, due: Vec<Due>, now: WallTime, deadline: Deadline) -> Vec<Row> {
        iter(due)
            .map(|due| async move {
                if has_time(deadline) {
                    self.take_over(&due, now).await
                } else {
                    Row {
                        since: Some(due.since),
                        ..Row::default()
                    }
                }
            })
            .buffer_unordered(ROWS_AT_ONCE)
            .collect()
            .await
    }

    async fn take_over(&self, due: &Due, now: WallTime) -> Row {
        match self.outbox.claim(due, now).await {
            Ok(None) => Row::default(),
            Ok(Some(claimed)) => {
                let published = self.publish(&claimed).await;
                Row {
                    published,
                    has_failed: published < claimed.events.len(),
                    since: Some(claimed.since),
                }
            }
            Err(error) => {
                tracing::error!(%error, "a row of the outbox could not be taken over");
                Row {
                    has_failed: true,
                    since: Some(due.since),
                    ..Row::default()
                }
            }
        }
    }
}

fn has_time(deadline: Deadline) -> bool {
    deadline.remaining(SystemTime::now()) > RESERVE
}
