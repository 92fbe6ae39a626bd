//! Events that are recorded and not published yet. They lie in the row of what they tell of.

use std::time::Duration;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use table_rows::{Item, WallTime, failed, number, text};

use crate::order::Change;
use crate::row::{attribute, pending_of, required_number, required_text};
use crate::table::{
    OrderTable, PK, PUBLISH_AT, UNPUBLISHED_INDEX, UNPUBLISHED_SHARD, order_pk, shards,
};
use crate::{Event, PaymentError};

/// How long who recorded an event has for publishing it before others do.
pub(crate) const GRACE: Duration = Duration::from_secs(30);

/// How long who took over a row has.
const CLAIM: Duration = Duration::from_secs(60);

/// The outbox of a table. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outbox {
    table: OrderTable,
}

/// A row with events whose publication is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pk: String,
    /// Since when.
    pub since: WallTime,
}

/// Events that the holder is to publish, and then to report as published.
#[derive(Debug, Clone)]
pub struct Unpublished {
    pk: String,
    /// The events, by id.
    pub events: Vec<Event>,
}

impl Unpublished {
    pub(crate) fn of_change(change: &Change) -> Option<Self> {
        (!change.events.is_empty()).then(|| Self {
            pk: order_pk(&change.order.app_id, &change.order.out_trade_no),
            events: change.events.clone(),
        })
    }

    pub(crate) fn of_new_row(pk: String, event: Event) -> Self {
        Self {
            pk,
            events: vec![event],
        }
    }
}

impl Outbox {
    /// The outbox of `table`.
    pub fn new(table: OrderTable) -> Self {
        Self { table }
    }

    /// The rows whose events should have been published by `now`, longest due first, `limit` of each partition of the index at most.
    ///
    /// # Errors
    /// [`PaymentError::Table`].
    pub async fn due(&self, now: WallTime, limit: i32) -> Result<Vec<Due>, PaymentError> {
        let mut due = Vec::new();
        for shard in shards() {
            let reply = self
                .table
                .client
                .query()
                .table_name(&self.table.name)
                .index_name(UNPUBLISHED_INDEX)
                .key_condition_expression("#shard = :shard AND #publish_at <= :now")
                .expression_attribute_names("#shard", UNPUBLISHED_SHARD)
                .expression_attribute_names("#publish_at", PUBLISH_AT)
                .expression_attribute_values(":shard", text(shard))
                .expression_attribute_values(":now", number(now.as_millis()))
                .limit(limit)
                .send()
                .await
                .map_err(failed)?;
            for row in reply.items() {
                due.push(Due {
                    pk: required_text(row, PK)?.to_owned(),
                    since: WallTime::from_millis(required_number(row, PUBLISH_AT)?),
                });
            }
        }
        due.sort_by_key(|row| row.since);
        Ok(due)
    }

    /// Takes over the events of a row; `None` where somebody else has, or they are published.
    ///
    /// # Errors
    /// [`PaymentError::Table`], after which nobody takes them over for a minute; [`PaymentError::Corrupt`].
    pub async fn claim(
        &self,
        due: &Due,
        now: WallTime,
    ) -> Result<Option<Unpublished>, PaymentError> {
        let sent = self
            .table
            .client
            .update_item()
            .table_name(&self.table.name)
            .key(PK, text(&due.pk))
            .update_expression("SET #publish_at = :later")
            .condition_expression("#publish_at = :seen")
            .expression_attribute_names("#publish_at", PUBLISH_AT)
            .expression_attribute_values(":seen", number(due.since.as_millis()))
            .expression_attribute_values(":later", number(now.plus(CLAIM).as_millis()))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        let row = match sent {
            Ok(reply) => reply.attributes.unwrap_or_default(),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => return Ok(None),
                _ => return Err(failed(error).into()),
            },
        };
        let claimed = Unpublished {
            pk: due.pk.clone(),
            events: pending_of(&row)?,
        };
        if claimed.events.is_empty() {
            self.leave_index(&claimed.pk).await?;
            return Ok(None);
        }
        Ok(Some(claimed))
    }

    /// Takes published events out of the outbox.
    ///
    /// # Errors
    /// [`PaymentError::Table`]: they will be published again, under the same ids.
    pub async fn published(&self, published: &Unpublished) -> Result<(), PaymentError> {
        let row = self.remove(published).await?;
        if row.is_some_and(|row| pending_of(&row).is_ok_and(|pending| pending.is_empty())) {
            self.leave_index(&published.pk).await?;
        }
        Ok(())
    }

    /// The row afterwards; `None` where it is gone.
    async fn remove(&self, published: &Unpublished) -> Result<Option<Item>, PaymentError> {
        let mut update = self
            .table
            .client
            .update_item()
            .table_name(&self.table.name)
            .key(PK, text(&published.pk))
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#pending", attribute::PENDING)
            .return_values(ReturnValue::AllNew);
        let mut removed = Vec::new();
        for (index, event) in published.events.iter().enumerate() {
            removed.push(format!("#pending.#e{index}"));
            update = update.expression_attribute_names(format!("#e{index}"), &event.id);
        }
        let sent = update
            .update_expression(format!("REMOVE {}", removed.join(", ")))
            .send()
            .await;
        match sent {
            Ok(reply) => Ok(reply.attributes),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(None),
                _ => Err(failed(error).into()),
            },
        }
    }

    /// Takes a row without events out of the index. One that got another event meanwhile stays.
    async fn leave_index(&self, pk: &str) -> Result<(), PaymentError> {
        let sent = self
            .table
            .client
            .update_item()
            .table_name(&self.table.name)
            .key(PK, text(pk))
            .update_expression("REMOVE #shard, #publish_at")
            .condition_expression("attribute_exists(pk) AND size(#pending) = :none")
            .expression_attribute_names("#shard", UNPUBLISHED_SHARD)
            .expression_attribute_names("#publish_at", PUBLISH_AT)
            .expression_attribute_names("#pending", attribute::PENDING)
            .expression_attribute_values(":none", AttributeValue::N("0".to_owned()))
            .send()
            .await;
        match sent {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
                _ => Err(failed(error).into()),
            },
        }
    }
}
