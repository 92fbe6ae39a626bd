use std::time::{Duration, SystemTime};

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::config::{Builder, Config};
use aws_sdk_lambda::operation::invoke::InvokeOutput;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use function_kit::{StartUpError, aws_settings, required};
use serde::Deserialize;
use token_store::{RefreshOutcome, StoreError, WallTime};

use crate::RefreshMessage;

const REFRESH_FUNCTION: &str = "REFRESH_FUNCTION";
/// The longest that a refresh takes, from the lease to the commit, with a cold start before it.
const PATIENCE: Duration = Duration::from_secs(12);
/// Left to the caller after it has waited, for its own answer.
const RESERVE: Duration = Duration::from_secs(1);
/// The longest that Lambda may take to note an event; nothing depends on it.
const PATIENCE_OF_A_HINT: Duration = Duration::from_secs(1);

const FAILED: StoreError =
    StoreError::RefreshUnavailable("the refresh function failed; its own log says why");

/// The function that may open refresh tokens, for those that may not: `refresh-tokens`, invoked through Lambda's API.
#[derive(Clone, Debug)]
pub struct RefreshFunction {
    client: Client,
    name: String,
}

/// The members of its answer that matter here.
#[derive(Deserialize)]
struct Answer {
    #[serde(flatten)]
    outcome: RefreshOutcome,
}

impl RefreshFunction {
    /// The function `name` (or its ARN), invoked by `client`.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self {
            client,
            name: name.into(),
        }
    }

    /// From `REFRESH_FUNCTION` and the AWS SDKs' own names (`AWS_ENDPOINT_URL_LAMBDA`).
    ///
    /// # Errors
    /// Names the setting that is wrong.
    pub fn from_environment() -> Result<Self, StartUpError> {
        let name = required(REFRESH_FUNCTION)?;
        let client = Client::new(&aws_settings("AWS_ENDPOINT_URL_LAMBDA")?);
        Ok(Self::new(client, name))
    }

    /// Has a row refreshed, and waits for what comes of it.
    pub(crate) async fn refresh(
        &self,
        message: &RefreshMessage,
        deadline: WallTime,
        now: SystemTime,
    ) -> Result<RefreshOutcome, StoreError> {
        let patience = deadline.since(WallTime::from(now)).saturating_sub(RESERVE);
        let reply = self
            .invoke(message, InvocationType::RequestResponse, patience)
            .await?;
        if let Some(error) = reply.function_error {
            tracing::warn!(
                error,
                function = self.name,
                "the refresh function ended without an answer"
            );
            return Err(FAILED);
        }
        let payload = reply.payload.unwrap_or_else(|| Blob::new([]));
        serde_json::from_slice::<Answer>(payload.as_ref())
            .map(|answer| answer.outcome)
            .map_err(|_| FAILED)
    }

    /// Asks for a refresh, and does not wait for it.
    pub(crate) async fn hint(
        &self,
        message: &RefreshMessage,
        deadline: WallTime,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let patience = deadline.since(WallTime::from(now)).min(PATIENCE_OF_A_HINT);
        self.invoke(message, InvocationType::Event, patience)
            .await
            .map(drop)
    }

    async fn invoke(
        &self,
        message: &RefreshMessage,
        kind: InvocationType,
        patience: Duration,
    ) -> Result<InvokeOutput, StoreError> {
        let payload = serde_json::to_vec(message)
            .map_err(|_| StoreError::RefreshUnavailable("the request has no JSON form"))?;
        let sent = self
            .client
            .invoke()
            .function_name(&self.name)
            .invocation_type(kind)
            .payload(Blob::new(payload))
            .customize()
            .config_override(waiting_for(patience.min(PATIENCE)))
            .send()
            .await;
        sent.map_err(|error| {
            let error = error.into_service_error();
            tracing::warn!(%error, function = self.name, "the refresh function could not be invoked");
            StoreError::RefreshUnavailable("the refresh function could not be invoked")
        })
    }
}

/// One attempt: whoever asks again asks anew.
fn waiting_for(patience: Duration) -> Builder {
    Config::builder()
        .retry_config(RetryConfig::disabled())
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(1))
                .operation_attempt_timeout(patience)
                .operation_timeout(patience)
                .build(),
        )
}
