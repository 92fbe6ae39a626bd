use std::time::{Duration, SystemTime};

use alipay_gateway::Deadline;
use aws_sdk_dynamodb::Client as DynamoDb;
use function_kit::{StartUpError, aws_settings, required};
use payments::{
    Due, Finding, Message, Messages, Order, OrderTable, Orders, Outbox, PaymentError, Unpublished,
};
use serde::Serialize;
use table_rows::WallTime;

use crate::Publisher;

const TABLE: &str = "ORDER_TABLE";

/// Rows of one partition of the index that a run takes at once.
const ROWS_AT_ONCE: i32 = 25;

/// Kept of an invocation's time for the answer.
const RESERVE: Duration = Duration::from_millis(500);

/// Orders, messages, and the bus that their events go to. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Payments {
    orders: Orders,
    messages: Messages,
    outbox: Outbox,
    publisher: Publisher,
}

/// What came of publishing what was due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PublishSummary {
    /// Rows that were due.
    pub due: usize,
    /// Events that got out.
    pub published: usize,
    /// Rows of which something did not get out; they are due again in a minute.
    pub failed: usize,
    /// How long the oldest has been due, in seconds.
    pub oldest_seconds: u64,
}

impl Payments {
    /// With the rows in `table`.
    pub fn new(client: DynamoDb, table: impl Into<String>, publisher: Publisher) -> Self {
        let table = OrderTable::new(client, table);
        Self {
            orders: Orders::new(table.clone()),
            messages: Messages::new(table.clone()),
            outbox: Outbox::new(table),
            publisher,
        }
    }

    /// From the environment: `ORDER_TABLE`, `EVENT_BUS`, and the AWS SDKs' own names.
    ///
    /// # Errors
    /// Names the setting that is wrong.
    pub async fn from_environment() -> Result<Self, StartUpError> {
        let table = required(TABLE)?;
        let client = DynamoDb::new(&aws_settings("AWS_ENDPOINT_URL_DYNAMODB")?);
        Ok(Self::new(client, table, Publisher::from_environment()?))
    }

    /// The orders.
    pub fn orders(&self) -> &Orders {
        &self.orders
    }

    /// Records what Alipay has answered about `order`, and publishes what there is to tell of it. What does not get out now is published by
    /// the schedule, so that is no failure.
    ///
    /// # Errors
    /// As [`Orders::record`].
    pub async fn record(
        &self,
        order: &Order,
        finding: &Finding,
        notice_id: Option<&str>,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Order, PaymentError> {
        let recorded = self
            .orders
            .record(order, finding, notice_id, WallTime::from(now))
            .await?;
        if let Some(unpublished) = &recorded.unpublished {
            self.publish_now(unpublished, deadline).await;
        }
        Ok(recorded.order)
    }

    /// Records a message of Alipay's and publishes it; `false` where it was recorded before.
    ///
    /// # Errors
    /// As [`Messages::record`].
    pub async fn receive(
        &self,
        message: &Message<'_>,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<bool, PaymentError> {
        let recorded = self.messages.record(message, WallTime::from(now)).await?;
        if let Some(unpublished) = &recorded {
            self.publish_now(unpublished, deadline).await;
        }
        Ok(recorded.is_some())
    }

    async fn publish_now(&self, unpublished: &Unpublished, deadline: Deadline) {
        let patience = deadline
            .remaining(SystemTime::now())
            .saturating_sub(RESERVE);
        if tokio::time::timeout(patience, self.publish(unpublished))
            .await
            .is_err()
        {
            tracing::warn!(
                outcome = "event_delayed",
                "no time was left to publish an event; the schedule will"
            );
        }
    }

    /// Whether all of it got out.
    async fn publish(&self, unpublished: &Unpublished) -> bool {
        for event in &unpublished.events {
            if let Err(error) = self.publisher.publish(event).await {
                tracing::error!(outcome = "event_refused", %error, event_id = event.id, "an event is recorded and was not published; the schedule tries again");
                return false;
            }
            tracing::info!(event_id = event.id, "an event was published");
        }
        if let Err(error) = self.outbox.published(unpublished).await {
            tracing::warn!(%error, "published events could not be taken out of the outbox; they will be published again under the same ids");
        }
        true
    }

    /// Publishes what was recorded and should have got out by `now`, until nothing is left or `deadline` is near.
    ///
    /// # Errors
    /// [`PaymentError::Table`] where the index cannot be read.
    pub async fn publish_due(
        &self,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<PublishSummary, PaymentError> {
        let now = WallTime::from(now);
        let due = self.outbox.due(now, ROWS_AT_ONCE).await?;
        let mut summary = PublishSummary {
            due: due.len(),
            oldest_seconds: due.first().map_or(0, |row| now.since(row.since).as_secs()),
            ..PublishSummary::default()
        };
        for row in &due {
            if deadline.remaining(SystemTime::now()) < 10 * RESERVE {
                break;
            }
            match self.take_over(row, now).await {
                Ok(events) => summary.published += events,
                Err(()) => summary.failed += 1,
            }
        }
        Ok(summary)
    }

    /// How many events got out.
    async fn take_over(&self, row: &Due, now: WallTime) -> Result<usize, ()> {
        match self.outbox.claim(row, now).await {
            Ok(None) => Ok(0),
            Ok(Some(unpublished)) if self.publish(&unpublished).await => {
                Ok(unpublished.events.len())
            }
            Ok(Some(_)) => Err(()),
            Err(error) => {
                tracing::error!(%error, "a row of the outbox could not be taken over");
                Err(())
            }
        }
    }
}
