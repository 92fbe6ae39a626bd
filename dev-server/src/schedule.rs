//! The schedule that on AWS is EventBridge's: `refresh-tokens` sweeps again and again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use function_kit::Handler;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tracing::Instrument;
use uuid::Uuid;

use crate::invocation::invoke;

/// How often `template.yaml` has `refresh-tokens` sweep.
pub const SCHEDULE: Duration = Duration::from_secs(60);

/// The span that sweeps of the schedule log in, so that who shows logs can leave out that each was answered.
pub const SPAN: &str = "schedule";

/// Has `refresh_tokens` sweep every `interval`, first after one, until the task is ended. Sweeps never overlap.
pub(crate) async fn sweep_every(interval: Duration, refresh_tokens: Arc<dyn Handler>) {
    let mut ticks = interval_at(Instant::now() + interval, interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let event = r#"{"sweep":{}}"#.to_owned();
        let request_id = Uuid::new_v4().to_string();
        let answer = invoke(Arc::clone(&refresh_tokens), event, request_id);
        match answer.instrument(tracing::error_span!("schedule")).await {
            Ok(answer) => tell(Swept::read(&answer)),
            Err(crash) => tracing::error!(?crash, "the schedule's sweep ended without an answer"),
        }
    }
}

/// What came of a sweep.
#[derive(Debug, PartialEq, Eq)]
enum Swept {
    /// Rows by what came of each.
    Refreshed(String),
    Nothing,
    Failed(String),
}

impl Swept {
    fn read(answer: &RawValue) -> Self {
        #[derive(Deserialize)]
        struct Answer {
            msg: String,
            sweep: Option<Sweep>,
        }
        #[derive(Deserialize)]
        struct Sweep {
            refreshed: BTreeMap<String, u64>,
        }
        match serde_json::from_str(answer.get()) {
            Ok(Answer {
                sweep: Some(Sweep { refreshed }),
                ..
            }) if refreshed.is_empty() => Self::Nothing,
            Ok(Answer {
                sweep: Some(Sweep { refreshed }),
                ..
            }) => {
                let counts: Vec<_> = refreshed
                    .iter()
                    .map(|(outcome, count)| format!("{outcome} {count}"))
                    .collect();
                Self::Refreshed(counts.join(", "))
            }
            Ok(Answer { msg, .. }) => Self::Failed(msg),
            Err(_) => Self::Failed("its answer is none of a sweep".to_owned()),
        }
    }
}

fn tell(swept: Swept) {
    match swept {
        Swept::Refreshed(tokens) => tracing::info!(tokens, "the schedule refreshed what was due"),
        Swept::Nothing => {}
        Swept::Failed(reason) => tracing::warn!(reason, "the schedule's sweep failed"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use function_kit::{Handling, Invocation};
    use tokio::time::sleep;

    use super::*;

    /// Notes when it was invoked and with what, and takes as long as it is told.
    struct Noting {
        seen: Mutex<Vec<(Duration, String)>>,
        since: Instant,
        takes: Duration,
    }

    impl Noting {
        fn taking(takes: Duration) -> Arc<Self> {
            Arc::new(Self {
                seen: Mutex::default(),
                since: Instant::now(),
                takes,
            })
        }

        fn moments(&self) -> Vec<u64> {
            let seen = self.seen.lock().unwrap();
            seen.iter().map(|(moment, _)| moment.as_secs()).collect()
        }
    }

    impl Handler for Noting {
        fn name(&self) -> &'static str {
            "refresh-tokens"
        }

        fn handle<'a>(&'a self, event: &'a str, _: Invocation) -> Handling<'a> {
            let entry = (self.since.elapsed(), event.to_owned());
            self.seen.lock().unwrap().push(entry);
            Box::pin(async {
                sleep(self.takes).await;
                Box::default()
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_sweep_is_after_one_interval_and_the_others_follow() {
        let noting = Noting::taking(Duration::ZERO);
        let sweeping = tokio::spawn(sweep_every(SCHEDULE, noting.clone()));
        sleep(Duration::from_secs(59)).await;
        assert!(noting.moments().is_empty());
        sleep(Duration::from_secs(122)).await;
        sweeping.abort();
        assert_eq!(noting.moments(), [60, 120, 180]);
        assert_eq!(noting.seen.lock().unwrap()[0].1, r#"{"sweep":{}}"#);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_sweep_is_not_joined_by_another() {
        let noting = Noting::taking(Duration::from_secs(25));
        let sweeping = tokio::spawn(sweep_every(Duration::from_secs(10), noting.clone()));
        sleep(Duration::from_secs(91)).await;
        sweeping.abort();
        let moments = noting.moments();
        assert!(
            moments.windows(2).all(|two| two[1] - two[0] >= 25),
            "{moments:?}"
        );
        assert!(moments.len() >= 3, "{moments:?}");
    }

    #[test]
    fn a_sweep_tells_what_came_of_the_rows_and_else_nothing() {
        let read = |text: &str| Swept::read(&RawValue::from_string(text.to_owned()).unwrap());
        assert_eq!(
            read(
                r#"{"code":0,"msg":"ok","sweep":{"due":4,"refreshed":{"backed_off":1,"refreshed":3}}}"#
            ),
            Swept::Refreshed("backed_off 1, refreshed 3".to_owned())
        );
        assert_eq!(
            read(r#"{"code":0,"msg":"ok","sweep":{"due":0,"refreshed":{}}}"#),
            Swept::Nothing
        );
        assert_eq!(
            read(r#"{"code":-1,"msg":"the token table is temporarily unavailable"}"#),
            Swept::Failed("the token table is temporarily unavailable".to_owned())
        );
    }
}
