//! `publish-events`: publishes events that were recorded and did not get out.
//!
//! Whoever records a payment, a refund or a message publishes its event at once. Where that fails, or nobody is left to do it, the
//! event stays in its row, and half a minute later it is this function's. A schedule starts it each minute; `{}` does too, by hand.
//! Two of it at once do no harm: one of them gets a row.
//!
//! It answers `{"code":0,"msg":"ok","due":…,"published":…,"failed":…,"oldest_seconds":…}`, and logs the same. What does not get out is
//! no failure of an invocation, because the next one takes it up; that `oldest_seconds` grows is what tells somebody.
//!
//! This function has no business with Alipay: it is given no keys of apps.

mod event;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use alipay_gateway::Clock;
use function_kit::{Failure, Handler, Handling, Invocation, Success, answer_directly};
use function_payments::{Payments, PublishSummary, payment_failure};
use serde_json::value::RawValue;
use tracing::Instrument;

/// The name of its folder, package and binary.
pub const NAME: &str = "publish-events";

/// The function.
#[derive(Clone)]
pub struct PublishEvents {
    payments: Payments,
    clock: Clock,
}

impl fmt::Debug for PublishEvents {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PublishEvents")
            .field("payments", &self.payments)
            .finish_non_exhaustive()
    }
}

impl PublishEvents {
    /// Publishes what `payments` has recorded, by the machine's clock.
    pub fn new(payments: Payments) -> Self {
        Self::with_clock(payments, Arc::new(SystemTime::now))
    }

    /// The same by `clock`.
    pub fn with_clock(payments: Payments, clock: Clock) -> Self {
        Self { payments, clock }
    }

    async fn answer(&self, event: &str, invocation: &Invocation) -> Box<RawValue> {
        let started = SystemTime::now();
        let answer = self.publish(event, invocation).await;
        let answer = answer.map(|summary| Success::new("ok", summary));
        answer_directly(answer, &invocation.request_id, started)
    }

    async fn publish(
        &self,
        event: &str,
        invocation: &Invocation,
    ) -> Result<PublishSummary, Failure> {
        event::check(event)?;
        let summary = self
            .payments
            .publish_due((self.clock)(), invocation.deadline)
            .await
            .map_err(payment_failure)?;
        let PublishSummary {
            due,
            published,
            failed,
            oldest_seconds,
        } = summary;
        tracing::info!(
            outcome = "swept",
            due,
            published,
            failed,
            oldest_seconds,
            "what had not got out was looked for"
        );
        Ok(summary)
    }
}

impl Handler for PublishEvents {
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
