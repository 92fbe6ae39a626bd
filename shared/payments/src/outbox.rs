//! Events that are recorded and not published yet. They lie in the row of what they tell of.

use std::time::Duration;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValue;
use table_rows::{Item, WallTime, failed, number, required_number, required_text, text};

use crate::order::Change;
use crate::row::{attribute, has_pending, pending_of};
use crate::table::{
    OrderTable, PK, PUBLISH_AT, UNPUBLISHED_INDEX, UNPUBLISHED_SHARD, order_pk, shards,
};
use crate::{Event, PaymentError};

/// How long who recorded an event has for publishing it before others do.
pub(crate) const GRACE: Duration = Duration::from_secs(30);

/// How long who took over a row has.
const CLAIM: Duration = Duration::from_secs(60);

/// Most events that one write takes out together with the row's place in the index: an expression of DynamoDB's has 4 KiB at most. All that
/// an order can have fit into the one that only takes them out.
const MOST_TOGETHER: usize = 25;

/// The outbox of a table. Cheap to clone.
///
/// An event is put into the row of what it tells of, by the write that makes it true, and stays there until it is published. While a row has
/// such events it is in an index, with the time `publish_at` at which somebody else is to publish them:
///
/// 1. Who wrote them has 30 s (`publish_at` is that far off; if the row was waiting already, until then). It publishes and calls
///    [`published`](Self::published).
/// 2. From then on the row is in [`due`](Self::due). [`claim`](Self::claim) moves `publish_at` on by 60 s, on condition that it is what was
///    seen: of any number of claimants one gets the events.
/// 3. [`published`](Self::published) takes out the events that it is given, and the row out of the index once it has none left. Whoever
///    calls it, however late: an event is only taken out by somebody who has published it.
///
/// So nothing is lost while there is somebody to claim, and an event gets out twice only where a holder died between publishing and
/// reporting, or took longer than its time.
#[derive(Debug, Clone)]
pub struct Outbox {
    table: OrderTable,
}

/// A row with events whose publication is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pk: String,
    /// Since when. Every claim moves it, so it does not tell how old the events are: [`Unpublished::since`] does.
    pub since: WallTime,
}

/// Events that the holder is to publish, and then to report as published.
#[derive(Debug, Clone)]
pub struct Unpublished {
    pk: String,
    /// The events, by id. Who publishes only some of them takes the others out before reporting.
    pub events: Vec<Event>,
    /// Since when the row has had events that did not get out: what an alarm goes by.
    pub since: WallTime,
}

impl Unpublished {
    pub(crate) fn of_change(change: &Change, now: WallTime) -> Option<Self> {
        (!change.events.is_empty()).then(|| Self {
            pk: order_pk(&change.order.app_id, &change.order.out_trade_no),
            events: change.events.clone(),
            since: now,
        })
    }

    pub(crate) fn of_new_row(pk: String, event: Event, now: WallTime) -> Self {
        Self {
            pk,
            events: vec![event],
            since: now,
        }
    }
}

impl Outbox {
    /// The outbox of `table`.
    pub fn new(table: OrderTable) -> Self {
        Self { table }
    }

    /// The rows whose events should have been published by `now`, longest due first: of each of the index's four partitions the first `limit`
    /// (at least one). The others come once these are published or claimed, which puts them behind. The index lags a little behind the rows,
    /// so some may be claimed or published already. A row whose place in the index cannot be read is left out, and an error logged.
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
                match due_of(row) {
                    Ok(row) => due.push(row),
                    Err(error) => {
                        tracing::error!(%error, "a row of the outbox cannot be read and is left out");
                    }
                }
            }
        }
        due.sort_by_key(|row| row.since);
        Ok(due)
    }

    /// Takes over the events of a row, for 60 s from `now`; `None` where somebody else has, or they are published.
    ///
    /// # Errors
    /// [`PaymentError::Table`], after which perhaps nobody takes them over for a minute; [`PaymentError::Corrupt`] for a row with an event that
    /// cannot be read: it is due again in a minute and stands in nobody's way, but its events do not get out until somebody mends it.
    pub async fn claim(
        &self,
        due: &Due,
        now: WallTime,
    ) -> Result<Option<Unpublished>, PaymentError> {
        let update = self
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
            .return_values(ReturnValue::AllNew);
        let Some(row) = sent(update).await? else {
            return Ok(None);
        };
        let claimed = Unpublished {
            pk: due.pk.clone(),
            events: pending_of(&row)?,
            since: required_number(&row, attribute::UNPUBLISHED_SINCE)
                .map_or(due.since, WallTime::from_millis),
        };
        if claimed.events.is_empty() {
            self.leave_index(&claimed.pk).await?;
            return Ok(None);
        }
        Ok(Some(claimed))
    }

    /// Takes published events out of the outbox. Those that somebody else has taken out meanwhile are no matter.
    ///
    /// # Errors
    /// [`PaymentError::Table`]: they may be published again, under the same ids.
    pub async fn published(&self, published: &Unpublished) -> Result<(), PaymentError> {
        if published.events.is_empty() || self.remove_all(published).await? {
            return Ok(());
        }
        let row = self.remove(published).await?;
        if row.is_some_and(|row| !has_pending(&row)) {
            self.leave_index(&published.pk).await?;
        }
        Ok(())
    }

    /// The usual case, in one write: these are all that the row has. `false` where they are not.
    async fn remove_all(&self, published: &Unpublished) -> Result<bool, PaymentError> {
        let events = &published.events;
        if events.len() > MOST_TOGETHER {
            return Ok(false);
        }
        let all_there: String = (0..events.len())
            .map(|index| format!(" AND attribute_exists(#pending.#e{index})"))
            .collect();
        let update = self
            .removing(&published.pk, events)
            .update_expression(format!(
                "REMOVE {}, #shard, #publish_at, #since",
                paths(events)
            ))
            .condition_expression(format!("size(#pending) = :count{all_there}"))
            .expression_attribute_values(":count", number(events.len() as u64));
        let row = sent(leaving(update)).await?;
        Ok(row.is_some())
    }

    /// The row afterwards; `None` where it is gone.
    async fn remove(&self, published: &Unpublished) -> Result<Option<Item>, PaymentError> {
        let update = self
            .removing(&published.pk, &published.events)
            .update_expression(format!("REMOVE {}", paths(&published.events)))
            .condition_expression("attribute_exists(pk)")
            .return_values(ReturnValue::AllNew);
        sent(update).await
    }

    /// Takes a row without events out of the index. One that got another event meanwhile stays.
    async fn leave_index(&self, pk: &str) -> Result<(), PaymentError> {
        let update = self
            .removing(pk, &[])
            .update_expression("REMOVE #shard, #publish_at, #since")
            .condition_expression("attribute_exists(pk) AND size(#pending) = :none")
            .expression_attribute_values(":none", number(0));
        sent(leaving(update)).await.map(|_| ())
    }

    /// An update of the row `pk`, with names for `events`: `#pending.#e0`, `#pending.#e1` and so on.
    fn removing(&self, pk: &str, events: &[Event]) -> UpdateItemFluentBuilder {
        let update = self
            .table
            .client
            .update_item()
            .table_name(&self.table.name)
            .key(PK, text(pk))
            .expression_attribute_names("#pending", attribute::PENDING);
        events
            .iter()
            .enumerate()
            .fold(update, |update, (index, event)| {
                update.expression_attribute_names(format!("#e{index}"), &event.id)
            })
    }
}

fn paths(events: &[Event]) -> String {
    let paths: Vec<_> = (0..events.len())
        .map(|index| format!("#pending.#e{index}"))
        .collect();
    paths.join(", ")
}

/// With names for what puts a row into the index.
fn leaving(update: UpdateItemFluentBuilder) -> UpdateItemFluentBuilder {
    update
        .expression_attribute_names("#shard", UNPUBLISHED_SHARD)
        .expression_attribute_names("#publish_at", PUBLISH_AT)
        .expression_attribute_names("#since", attribute::UNPUBLISHED_SINCE)
}

/// What the row holds that was asked for; `None` where it does not meet the condition.
async fn sent(update: UpdateItemFluentBuilder) -> Result<Option<Item>, PaymentError> {
    match update.send().await {
        Ok(reply) => Ok(Some(reply.attributes.unwrap_or_default())),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(None),
            _ => Err(failed(error).into()),
        },
    }
}

fn due_of(row: &Item) -> Result<Due, PaymentError> {
    Ok(Due {
        pk: required_text(row, PK)?.to_owned(),
        since: WallTime::from_millis(required_number(row, PUBLISH_AT)?),
    })
}
