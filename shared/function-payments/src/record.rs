use std::time::{Duration, SystemTime};

use alipay_gateway::Deadline;
use aws_sdk_dynamodb::Client as DynamoDb;
use function_kit::{StartUpError, dynamodb_settings, required};
use payments::{
    Finding, Message, Messages, Order, OrderTable, Orders, Outbox, PaymentError, Unpublished,
};
use table_rows::WallTime;

use crate::Publisher;

const TABLE: &str = "ORDER_TABLE";

/// How long a caller waits for the bus. After that the schedule publishes.
const PATIENCE: Duration = Duration::from_secs(2);

/// Kept of an invocation's time for the answer.
const RESERVE: Duration = Duration::from_millis(500);

/// Orders, messages, and the bus that their events go to. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Payments {
    orders: Orders,
    messages: Messages,
    pub(crate) outbox: Outbox,
    publisher: Publisher,
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
        let client = DynamoDb::new(&dynamodb_settings().await?);
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
            .saturating_sub(RESERVE)
            .min(PATIENCE);
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

    /// Publishes events, one after the other, and takes those that got out of the outbox. How many that are; with the first that does
    /// not get out it ends, since what is told of an order has an order.
    pub(crate) async fn publish(&self, unpublished: &Unpublished) -> usize {
        let mut published = 0;
        for event in &unpublished.events {
            if let Err(error) = self.publisher.publish(event).await {
                tracing::error!(outcome = "event_refused", %error, event_id = event.id, "an event is recorded and was not published; the schedule tries again");
                break;
            }
            tracing::info!(event_id = event.id, "an event was published");
            published += 1;
        }
        if published == 0 {
            return 0;
        }
        let mut done = unpublished.clone();
        done.events.truncate(published);
        if let Err(error) = self.outbox.published(&done).await {
            tracing::warn!(%error, "published events could not be taken out of the outbox; they will be published again under the same ids");
        }
        published
    }
}
