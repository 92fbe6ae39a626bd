//! One invocation of a function, as Lambda makes it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use alipay_gateway::Deadline;
use function_kit::{Handler, Invocation};
use serde_json::value::RawValue;
use tracing::Instrument;

use crate::functions::timeout_of;

/// An invocation that ended without an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    /// The function ran longer than it may, and was ended.
    TimedOut(Duration),
    /// The function's process would have ended.
    Panicked,
}

/// Has `handler` answer `event`, within the time that its function has.
///
/// It runs on when the caller goes away, as on Lambda: a refresh that ends between the gateway's answer and its commit would take
/// the only pair of tokens with it.
pub(crate) async fn invoke(
    handler: Arc<dyn Handler>,
    event: String,
    request_id: String,
) -> Result<Box<RawValue>, Crash> {
    let limit = timeout_of(handler.name());
    let answering = async move {
        // A millisecond less than the limit, as a runtime sees it after the event has travelled.
        let seen = limit.saturating_sub(Duration::from_millis(1));
        let invocation = Invocation {
            request_id,
            deadline: Deadline::after(SystemTime::now(), seen),
        };
        tokio::time::timeout(limit, handler.handle(&event, invocation)).await
    };
    match tokio::spawn(answering.in_current_span()).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err(Crash::TimedOut(limit)),
        Err(_) => Err(Crash::Panicked),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use function_kit::Handling;
    use tokio::sync::Notify;
    use tokio::time::{Instant, timeout};

    use super::*;

    struct Stuck(&'static str);

    impl Handler for Stuck {
        fn name(&self) -> &'static str {
            self.0
        }

        fn handle<'a>(&'a self, _: &'a str, _: Invocation) -> Handling<'a> {
            Box::pin(std::future::pending())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_function_that_does_not_end_is_ended_after_its_own_time() {
        for (name, seconds) in [("decrypt", 15), ("refresh-tokens", 30)] {
            let started = Instant::now();
            let ended = invoke(Arc::new(Stuck(name)), "{}".into(), "id".into()).await;
            let limit = Duration::from_secs(seconds);
            assert_eq!(ended.unwrap_err(), Crash::TimedOut(limit));
            assert!(started.elapsed() >= limit && started.elapsed() < limit * 2);
        }
    }

    #[derive(Default)]
    struct Slow {
        started: Notify,
        may_end: Notify,
        ended: Notify,
        ran_to_its_end: AtomicBool,
    }

    impl Handler for Slow {
        fn name(&self) -> &'static str {
            "slow"
        }

        fn handle<'a>(&'a self, _: &'a str, _: Invocation) -> Handling<'a> {
            Box::pin(async {
                self.started.notify_one();
                self.may_end.notified().await;
                self.ran_to_its_end.store(true, Ordering::SeqCst);
                self.ended.notify_one();
                Box::default()
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_who_goes_away_does_not_end_the_function() {
        let slow = Arc::new(Slow::default());
        let calling = tokio::spawn(invoke(slow.clone(), "{}".into(), "id".into()));
        slow.started.notified().await;
        calling.abort();
        assert!(calling.await.unwrap_err().is_cancelled());
        slow.may_end.notify_one();
        let ended = timeout(Duration::from_secs(1), slow.ended.notified());
        ended.await.unwrap();
        assert!(slow.ran_to_its_end.load(Ordering::SeqCst));
    }
}
