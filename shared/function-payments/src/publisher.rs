//! Events onto the bus.

use std::fmt;

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use function_kit::{StartUpError, aws_settings, required};
use payments::Event;

const EVENT_BUS: &str = "EVENT_BUS";

/// The `source` of every event.
const SOURCE: &str = "alipay-functions";

/// The bus that events are published to. Cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    client: Client,
    bus: String,
}

impl fmt::Debug for Publisher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Publisher").finish_non_exhaustive()
    }
}

/// EventBridge did not take an event, or did not say so.
#[derive(Debug, thiserror::Error)]
#[error("the event was not published: {code}")]
pub(crate) struct NotPublished {
    /// EventBridge's error code, or what happened instead of an answer.
    code: String,
}

impl Publisher {
    /// The bus of this name, or ARN.
    pub fn new(client: Client, bus: impl Into<String>) -> Self {
        Self {
            client,
            bus: bus.into(),
        }
    }

    /// From `EVENT_BUS` and the AWS SDKs' own names (`AWS_ENDPOINT_URL_EVENTBRIDGE`).
    ///
    /// # Errors
    /// Names the setting that is wrong.
    pub fn from_environment() -> Result<Self, StartUpError> {
        let bus = required(EVENT_BUS)?;
        let client = Client::new(&aws_settings("AWS_ENDPOINT_URL_EVENTBRIDGE")?);
        Ok(Self::new(client, bus))
    }

    /// Publishes one event. Nothing is known of it after an error: it may have got out.
    pub(crate) async fn publish(&self, event: &Event) -> Result<(), NotPublished> {
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(&self.bus)
            .source(SOURCE)
            .detail_type(event.kind.as_str())
            .detail(&event.detail)
            .build();
        let reply = self
            .client
            .put_events()
            .entries(entry)
            .send()
            .await
            .map_err(|error| {
                tracing::debug!(error = %DisplayErrorContext(&error), "EventBridge did not answer with a success");
                NotPublished {
                    code: error.code().unwrap_or("no answer").to_owned(),
                }
            })?;
        // A request can succeed whose entry was refused.
        let refused = reply.entries().iter().find_map(|entry| entry.error_code());
        match refused {
            None if reply.failed_entry_count() == 0 => Ok(()),
            refused => Err(NotPublished {
                code: refused.unwrap_or("unnamed").to_owned(),
            }),
        }
    }
}
