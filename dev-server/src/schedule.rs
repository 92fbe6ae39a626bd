//! The schedules that on AWS are EventBridge's: `refresh-tokens` sweeps again and again, and `publish-events` publishes what is left.

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

/// How often `publish-events` runs here. On AWS it is every minute; here somebody waits for it.
pub const PUBLISHING: Duration = Duration::from_secs(10);

/// The span that runs of the schedules log in, so that who shows logs can leave out that each was answered.
pub const SPAN: &str = "schedule";

/// Has `refresh_tokens` sweep every `interval`, first after one, until the task is ended. Sweeps never overlap.
pub(crate) async fn sweep_every(interval: Duration, refresh_tokens: Arc<dyn Handler>) {
    let tell = |answer: &RawValue| tell_of_sweep(Swept::read(answer));
    run_every(interval, refresh_tokens, r#"{"sweep":{}}"#, tell).await;
}

/// Has `publish_events` run every `interval`, in the same way.
pub(crate) async fn publish_every(interval: Duration, publish_events: Arc<dyn Handler>) {
    let tell = |answer: &RawValue| tell_of_publishing(Published::read(answer));
    run_every(interval, publish_events, "{}", tell).await;
}

async fn run_every(
    interval: Duration,
    handler: Arc<dyn Handler>,
    event: &str,
    tell: impl Fn(&RawValue),
) {
    let mut ticks = interval_at(Instant::now() + interval, interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let request_id = Uuid::new_v4().to_string();
        let answer = invoke(Arc::clone(&handler), event.to_owned(), request_id);
        match answer.instrument(tracing::error_span!("schedule")).await {
            Ok(answer) => tell(&answer),
            Err(crash) => {
                let function = handler.name();
                tracing::error!(
                    function,
                    ?crash,
                    "a run of the schedule ended without an answer"
                );
            }
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

fn tell_of_sweep(swept: Swept) {
    match swept {
        Swept::Refreshed(tokens) => tracing::info!(tokens, "the schedule refreshed what was due"),
        Swept::Nothing => {}
        Swept::Failed(reason) => tracing::warn!(reason, "the schedule's sweep failed"),
    }
}

/// What came of a run of `publish-events`.
#[derive(Debug, PartialEq, Eq)]
enum Published {
    /// How many events got out, and how many rows keep some.
    Counted {
        published: u64,
        failed: u64,
    },
    Nothing,
    Failed(String),
}

impl Published {
    fn read(answer: &RawValue) -> Self {
        #[derive(Deserialize)]
        struct Answer {
            msg: String,
            published: Option<u64>,
            failed: Option<u64>,
        }
        match serde_json::from_str(answer.get()) {
            Ok(Answer {
                published: Some(0),
                failed: Some(0),
                ..
            }) => Self::Nothing,
            Ok(Answer {
                published: Some(published),
                failed: Some(failed),
                ..
            }) => Self::Counted { published, failed },
            Ok(Answer { msg, .. }) => Self::Failed(msg),
            Err(_) => Self::Failed("its answer is none of publish-events".to_owned()),
        }
    }
}

fn tell_of_publishing(published: Published) {
    match published {
        Published::Counted { published, failed } => {
            tracing::info!(published, failed, "the schedule published what was left");
        }
        Published::Nothing => {}
        Published::Failed(reason) => tracing::warn!(reason, "the schedule could not publish"),
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

    #[tokio::test(start_paused = true)]
    async fn publishing_is_asked_for_by_an_empty_event() {
        let noting = Noting::taking(Duration::ZERO);
        let publishing = tokio::spawn(publish_every(PUBLISHING, noting.clone()));
        sleep(Duration::from_secs(25)).await;
        publishing.abort();
        assert_eq!(noting.moments(), [10, 20]);
        assert_eq!(noting.seen.lock().unwrap()[0].1, "{}");
    }

    #[test]
    fn publishing_tells_what_got_out_and_what_did_not_and_else_nothing() {
        let read = |text: &str| Published::read(&RawValue::from_string(text.to_owned()).unwrap());
        assert_eq!(
            read(r#"{"code":0,"msg":"ok","due":3,"published":2,"failed":1,"oldest_seconds":31}"#),
            Published::Counted {
                published: 2,
                failed: 1
            }
        );
        assert_eq!(
            read(r#"{"code":0,"msg":"ok","due":0,"published":0,"failed":0,"oldest_seconds":0}"#),
            Published::Nothing
        );
        assert_eq!(
            read(r#"{"code":-1,"msg":"the order table is temporarily unavailable"}"#),
            Published::Failed("the order table is temporarily unavailable".to_owned())
        );
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
