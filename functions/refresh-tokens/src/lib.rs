//! `refresh-tokens`: keeps stored tokens fresh.
//!
//! Its events:
//! - the schedule's: a *sweep* looks for the rows that are due and puts them into a queue;
//! - the queue's: each message names a row, which is refreshed; pairs out of the rescue queue are stored;
//! - a direct invoke, by a function that may not open refresh tokens, or by hand.
//!
//! How a row is refreshed without ever losing a token stands on [`TokenStore`](token_store::TokenStore).

mod event;
mod queue;
mod settings;
mod sweep;
mod worker;

use std::time::SystemTime;

use alipay_gateway::Deadline;
use function_kit::{Alipay, Failure, Handler, Handling, Invocation, Success, answer_directly};
use function_tokens::{RefreshOutcome, RefreshRequest, Tokens, store_failure};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use token_store::StoreError;
use tracing::Instrument;

use event::Event;
use queue::Rescue;

pub use settings::Settings;
pub use sweep::{Sweep, SweepSummary};

/// The name of its folder, package and binary.
pub const NAME: &str = "refresh-tokens";

/// The function.
#[derive(Debug, Clone)]
pub struct RefreshTokens {
    alipay: Alipay,
    tokens: Tokens,
    settings: Settings,
}

/// What a direct invoke is answered.
#[derive(Serialize)]
#[serde(untagged)]
enum Fields {
    Sweep { sweep: SweepSummary },
    Refresh(RefreshOutcome),
}

impl RefreshTokens {
    /// Refreshes the tokens of the apps of `alipay` in `tokens`, which must hold the keys for refresh tokens.
    pub fn new(alipay: Alipay, tokens: Tokens, settings: Settings) -> Self {
        Self {
            alipay,
            tokens,
            settings,
        }
    }

    async fn answer(&self, event: &str, invocation: &Invocation) -> Box<RawValue> {
        let started = SystemTime::now();
        let answer = match Event::read(event) {
            Ok(Event::Records(records)) => {
                let failures = self.work_off(records, invocation.deadline).await;
                // Lambda takes an answer that it cannot read for a batch that failed as a whole.
                return to_raw_value(&failures).unwrap_or_default();
            }
            Ok(Event::Sweep(sweep)) => self
                .sweep(sweep, invocation.deadline)
                .await
                .map(|sweep| Fields::Sweep { sweep })
                .map_err(store_failure),
            Ok(Event::Refresh(request)) => self
                .refresh(&request, invocation.deadline)
                .await
                .map(Fields::Refresh)
                .map_err(refresh_failure),
            Err(failure) => Err(failure),
        };
        let answer = answer.map(|fields| Success::new("ok", fields));
        answer_directly(answer, &invocation.request_id, started)
    }

    async fn refresh(
        &self,
        request: &RefreshRequest,
        deadline: Deadline,
    ) -> Result<RefreshOutcome, StoreError> {
        let outcome = self
            .tokens
            .refresh(&self.alipay, request, deadline, &self.rescue())
            .await?;
        tracing::info!(refreshed = outcome.as_str(), "a row was looked at");
        Ok(outcome)
    }

    fn rescue(&self) -> Rescue<'_> {
        Rescue(self.settings.rescue_queue.as_ref())
    }

    fn now(&self) -> SystemTime {
        self.alipay.now()
    }
}

/// Here the parts of the key are the caller's own words.
fn refresh_failure(error: StoreError) -> Failure {
    match error {
        StoreError::InvalidKey { field, limit } => Failure::invalid(
            format!("refresh.{field}"),
            format!("must be 1 to {limit} bytes long"),
        ),
        error => store_failure(error),
    }
}

impl Handler for RefreshTokens {
    fn name(&self) -> &'static str {
        NAME
    }

    fn handle<'a>(&'a self, event: &'a str, invocation: Invocation) -> Handling<'a> {
        let span = tracing::error_span!(
            "invocation",
            function = NAME,
            request_id = %invocation.request_id,
        );
        Box::pin(async move { self.answer(event, &invocation).await }.instrument(span))
    }
}
