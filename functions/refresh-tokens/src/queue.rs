//! The queues, as far as this function writes to them. Lambda itself reads them.

use std::error::Error;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{QueueAttributeName, SendMessageBatchRequestEntry};
use function_tokens::{
    Because, RefreshMessage, RefreshRequest, RescueQueue, RescuedPair, TokenKey,
};

/// The most messages that SQS takes at once.
pub(crate) const MOST_AT_ONCE: usize = 10;

type BoxError = Box<dyn Error + Send + Sync>;

/// One queue of SQS.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    client: Client,
    url: String,
}

impl Queue {
    pub(crate) fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }

    /// About how many messages wait in it.
    pub(crate) async fn waiting(&self) -> Result<u64, BoxError> {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        let reply = self
            .client
            .get_queue_attributes()
            .queue_url(&self.url)
            .attribute_names(name.clone())
            .send()
            .await?;
        let waiting = reply
            .attributes()
            .and_then(|attributes| attributes.get(&name));
        Ok(waiting.and_then(|count| count.parse().ok()).unwrap_or(0))
    }

    /// Asks for a refresh of each row of `keys`, ten at most. How many SQS took; the rest is for the next sweep.
    pub(crate) async fn send_due(&self, keys: &[TokenKey]) -> usize {
        let mut request = self.client.send_message_batch().queue_url(&self.url);
        for (number, key) in keys.iter().enumerate() {
            match entry(number, key) {
                Ok(entry) => request = request.entries(entry),
                Err(error) => tracing::error!(%error, "a message could not be written"),
            }
        }
        match request.send().await {
            Ok(reply) => {
                for failed in &reply.failed {
                    tracing::warn!(
                        code = failed.code,
                        "the queue did not take a message; the next sweep sends it again"
                    );
                }
                reply.successful.len()
            }
            Err(error) => {
                let error = error.into_service_error();
                tracing::warn!(%error, "the queue took no message; the next sweep sends them again");
                0
            }
        }
    }

    async fn send(&self, message: &RefreshMessage) -> Result<(), BoxError> {
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_body(serde_json::to_string(message)?)
            .send()
            .await?;
        Ok(())
    }
}

fn entry(number: usize, key: &TokenKey) -> Result<SendMessageBatchRequestEntry, BoxError> {
    let message = RefreshMessage::Refresh(RefreshRequest::new(key.clone(), Because::Due));
    Ok(SendMessageBatchRequestEntry::builder()
        .id(number.to_string())
        .message_body(serde_json::to_string(&message)?)
        .build()?)
}

/// The rescue queue, where there is one.
pub(crate) struct Rescue<'a>(pub(crate) Option<&'a Queue>);

impl RescueQueue for Rescue<'_> {
    async fn put(&self, pair: &RescuedPair) -> Result<(), BoxError> {
        let Some(queue) = self.0 else {
            return Err("RESCUE_QUEUE_URL is not set".into());
        };
        queue
            .send(&RefreshMessage::Rescue(Box::new(pair.clone())))
            .await
    }
}
