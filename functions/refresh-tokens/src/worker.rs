//! Working off messages of the queues.

use std::collections::BTreeMap;

use alipay_gateway::Deadline;
use function_tokens::RefreshMessage;
use futures_util::future::join_all;
use serde::Serialize;
use token_store::{RefreshOutcome, StoreError};

use crate::RefreshTokens;
use crate::event::Record;

/// The messages that the queue is to deliver again, in the form that Lambda reads (`ReportBatchItemFailures`).
#[derive(Serialize)]
pub(crate) struct BatchFailures {
    #[serde(rename = "batchItemFailures")]
    failures: Vec<BatchFailure>,
}

#[derive(Serialize)]
struct BatchFailure {
    #[serde(rename = "itemIdentifier")]
    message_id: String,
}

/// Why a message was not worked off. It is delivered again, and after some times put into the dead-letter queue.
#[derive(Debug)]
enum GivenBack {
    /// It is none of ours. Its body may hold anything and is not logged.
    Unreadable,
    Store(StoreError),
}

impl RefreshTokens {
    /// Works off all messages at once: they are of different rows, and each waits for Alipay most of its time. One that fails
    /// does not touch the others.
    pub(crate) async fn work_off(&self, records: Vec<Record>, deadline: Deadline) -> BatchFailures {
        let count = records.len();
        let done = join_all(records.into_iter().map(|record| async move {
            let outcome = self.work(&record, deadline).await;
            (record.message_id, outcome)
        }))
        .await;
        let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
        let mut failures = Vec::new();
        for (message_id, outcome) in done {
            match outcome {
                Ok(outcome) => *outcomes.entry(outcome.as_str()).or_default() += 1,
                Err(reason) => {
                    match &reason {
                        GivenBack::Unreadable => tracing::error!(
                            message_id,
                            "a message is none of this function's; it is given back"
                        ),
                        GivenBack::Store(error) => {
                            tracing::error!(message_id, %error, "a message could not be worked off; it is given back");
                        }
                    }
                    failures.push(BatchFailure { message_id });
                }
            }
        }
        tracing::info!(
            outcome = "worked_off",
            messages = count,
            given_back = failures.len(),
            ?outcomes,
            "a batch was worked off"
        );
        BatchFailures { failures }
    }

    async fn work(&self, record: &Record, deadline: Deadline) -> Result<RefreshOutcome, GivenBack> {
        let message = serde_json::from_str(&record.body).map_err(|_| GivenBack::Unreadable)?;
        let outcome = match message {
            RefreshMessage::Refresh(request) => {
                self.tokens
                    .refresh(&self.alipay, &request, deadline, &self.rescue())
                    .await
            }
            RefreshMessage::Rescue(pair) => self.tokens.store().store_rescued(&pair).await,
        };
        outcome.map_err(GivenBack::Store)
    }
}
