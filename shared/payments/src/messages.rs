//! Messages that Alipay sends to an app (应用网关): authorisations, subscriptions, orders of the service market.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use table_rows::{WallTime, failed, number, text};

use crate::event::rfc3339;
use crate::outbox::{GRACE, Unpublished};
use crate::row::attribute;
use crate::table::{
    ORDER_TTL_ATTRIBUTE, OrderTable, PK, PUBLISH_AT, UNPUBLISHED_SHARD, message_pk, shard_of,
};
use crate::{Event, EventKind, PaymentError};

/// How long a message's id is remembered, and its event kept if it cannot be published. Alipay repeats a notice for about 25 hours.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// Longest id of a notice.
const LONGEST_ID: usize = 128;

/// A message, verified, without its signature.
#[derive(Clone)]
pub struct Message<'a> {
    /// The app that it was sent to.
    pub app_id: &'a str,
    /// The same in every repeat.
    pub notify_id: &'a str,
    /// Such as `open_app_auth_notify`.
    pub notify_type: Option<&'a str>,
    /// Such as `alipay.open.servicemarket.order.notify`.
    pub method: Option<&'a str>,
    /// All its members that may be told.
    pub fields: &'a BTreeMap<String, String>,
}

/// They may hold personal data.
impl fmt::Debug for Message<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Message")
    }
}

#[derive(Serialize)]
struct Detail<'a> {
    event_id: &'a str,
    app_id: &'a str,
    notify_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    notify_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
    message: &'a BTreeMap<String, String>,
    occurred_at: String,
}

/// The messages in a table. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Messages {
    table: OrderTable,
}

impl Messages {
    /// The messages in `table`.
    pub fn new(table: OrderTable) -> Self {
        Self { table }
    }

    /// Records `message` with its event; `None` where it was recorded before, be it by this very call, whose write was answered too late:
    /// then the schedule publishes the event.
    ///
    /// # Errors
    /// [`PaymentError::TooLarge`] for an id or a message that is too long; [`PaymentError::Table`], after which it may have been recorded.
    pub async fn record(
        &self,
        message: &Message<'_>,
        now: WallTime,
    ) -> Result<Option<Unpublished>, PaymentError> {
        if message.notify_id.is_empty() || message.notify_id.len() > LONGEST_ID {
            return Err(PaymentError::TooLarge {
                field: "notify_id",
                limit: LONGEST_ID,
            });
        }
        let id = format!(
            "{}/{}/{}",
            EventKind::Message.as_str(),
            message.app_id,
            message.notify_id
        );
        let detail = Detail {
            event_id: &id,
            app_id: message.app_id,
            notify_id: message.notify_id,
            notify_type: message.notify_type,
            method: message.method,
            message: message.fields,
            occurred_at: rfc3339(now),
        };
        let event = Event::of_message(id.clone(), &detail)?;
        let pk = message_pk(message.app_id, message.notify_id);
        let pending = HashMap::from([(event.id.clone(), text(&event.detail))]);
        let sent = self
            .table
            .client
            .put_item()
            .table_name(&self.table.name)
            .item(PK, text(&pk))
            .item(attribute::VERSION, number(1))
            .item(attribute::PENDING, AttributeValue::M(pending))
            .item(UNPUBLISHED_SHARD, text(shard_of(&pk)))
            .item(PUBLISH_AT, number(now.plus(GRACE).as_millis()))
            .item(attribute::UNPUBLISHED_SINCE, number(now.as_millis()))
            .item(
                ORDER_TTL_ATTRIBUTE,
                number(now.plus(KEPT).as_secs_rounded_up()),
            )
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await;
        match sent {
            Ok(_) => Ok(Some(Unpublished::of_new_row(pk, event, now))),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(PutItemError::is_conditional_check_failed_exception) =>
            {
                Ok(None)
            }
            Err(error) => Err(failed(error).into()),
        }
    }
}
