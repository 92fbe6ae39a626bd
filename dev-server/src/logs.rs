//! What the program logs, on stderr.

use std::io::{IsTerminal, stderr};

use dev_server::SCHEDULE_SPAN;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt, dynamic_filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

/// Without `RUST_LOG`: one line for each call, and what is wrong.
const USUAL: &str = "warn,function_kit=info,dev_server=info";

pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(USUAL));
    lines(filter, stderr().is_terminal(), stderr).init();
}

fn lines<W>(filter: EnvFilter, terminal: bool, out: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = fmt::layer()
        .with_ansi(terminal)
        .with_writer(out)
        .with_filter(filter.and(dynamic_filter_fn(is_news)));
    tracing_subscriber::registry().with(lines)
}

/// That a sweep of the schedule was answered is none, every minute; what it found is.
fn is_news<S>(line: &Metadata<'_>, context: &Context<'_, S>) -> bool
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let of_the_schedule = || {
        context
            .lookup_current()
            .is_some_and(|span| span.scope().any(|span| span.name() == SCHEDULE_SPAN))
    };
    let passing = *line.level() > Level::WARN && line.target().starts_with("function_kit");
    line.is_span() || !passing || !of_the_schedule()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn of_the_schedule_only_news_is_logged_and_of_others_every_answer() {
        let written = Written::default();
        let out = written.clone();
        let subscriber = lines(EnvFilter::new(USUAL), false, move || out.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(target: "function_kit::function", "a call was answered");
            let schedule = tracing::error_span!("schedule");
            schedule.in_scope(|| {
                let invocation =
                    tracing::error_span!(target: "function_kit::function", "invocation");
                invocation.in_scope(|| {
                    tracing::info!(target: "function_kit::function", "a sweep was answered");
                    tracing::warn!(target: "function_kit::function", "a sweep was refused");
                    tracing::warn!(target: "token_store", "a refresh token was refused");
                });
            });
            tracing::info!(target: "dev_server::schedule", "the schedule refreshed what was due");
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        for line in [
            "a call was answered",
            "a sweep was refused",
            "a refresh token was refused",
            "the schedule refreshed what was due",
        ] {
            assert!(text.contains(line), "no {line:?} in\n{text}");
        }
        assert!(!text.contains("a sweep was answered"), "{text}");
    }
}
