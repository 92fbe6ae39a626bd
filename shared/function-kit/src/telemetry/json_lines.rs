//! The log as CloudWatch reads it: a JSON object in each line, with the members of the event and, in `span`, those of the span that
//! it happened in.
//!
//! The lines are those of tracing-subscriber's JSON formatter, made otherwise: that one keeps a span's members as one text, which it
//! reads and writes again for each member that comes later, and once more for each line. From a direct event to its envelope that took
//! most of the instructions.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;

use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Most lines fit.
const LINE_BYTES: usize = 512;

/// Writes each event as a line.
pub(super) struct JsonLines<W> {
    writer: W,
}

impl<W> JsonLines<W> {
    pub(super) fn to(writer: W) -> Self {
        Self { writer }
    }
}

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    W: for<'writer> MakeWriter<'writer> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut members = SpanMembers::default();
            attributes.record(&mut Fields(&mut members));
            span.extensions_mut().insert(members);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(members) = span.extensions_mut().get_mut::<SpanMembers>()
        {
            values.record(&mut Fields(members));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let mut timestamp = String::new();
        // Writing to a String cannot fail.
        let _ = SystemTime.format_time(&mut Writer::new(&mut timestamp));

        let mut line = Vec::with_capacity(LINE_BYTES);
        line.push(b'{');
        line.member("timestamp", &timestamp);
        line.member("level", metadata.level().as_str());
        event.record(&mut Fields(&mut line));
        line.member("target", metadata.target());
        let parent = event.parent().and_then(|id| context.span(id));
        if let Some(span) = parent.or_else(|| context.lookup_current()) {
            push_name(&mut line, "span");
            line.push(b'{');
            if let Some(SpanMembers(members)) = span.extensions().get() {
                for (name, value) in members {
                    push_name(&mut line, name);
                    line.extend_from_slice(value);
                }
            }
            line.member("name", span.name());
            line.push(b'}');
        }
        line.extend_from_slice(b"}\n");
        // There is nowhere to say that the log cannot be written.
        let _ = self.writer.make_writer_for(metadata).write_all(&line);
    }
}

/// What fields are recorded in.
trait Members {
    /// Takes `name` with `value`.
    fn member<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T);
}

/// A span's, by their names, each value as JSON. One that is recorded again takes the place of the earlier one.
#[derive(Default)]
struct SpanMembers(BTreeMap<&'static str, Vec<u8>>);

impl Members for SpanMembers {
    fn member<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) {
        let mut json = Vec::new();
        push_json(&mut json, value);
        self.0.insert(name, json);
    }
}

/// An object's, of which the end is still to come.
impl Members for Vec<u8> {
    fn member<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) {
        push_name(self, name);
        push_json(self, value);
    }
}

fn push_name(object: &mut Vec<u8>, name: &str) {
    if !object.ends_with(b"{") {
        object.push(b',');
    }
    push_json(object, name);
    object.push(b':');
}

fn push_json<T: Serialize + ?Sized>(json: &mut Vec<u8>, value: &T) {
    // Texts, numbers and booleans always serialise.
    let _ = serde_json::to_writer(json, value);
}

/// Hands fields on to members.
struct Fields<'a, M>(&'a mut M);

impl<M: Members> Visit for Fields<'_, M> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.member(field.name(), &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.member(field.name(), &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.member(field.name(), &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.member(field.name(), &value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.member(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.member(field.name(), &format_args!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::{error, error_span, field, info, warn};
    use tracing_subscriber::fmt;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Lines {
        /// Each from its level on: before it stands the time.
        fn without_times(&self) -> Vec<String> {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            let rest = |line: &str| line.split_once(r#","level":"#).unwrap().1.to_owned();
            text.lines().map(rest).collect()
        }
    }

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// Logs `story` as tracing-subscriber writes it, and as it is written here.
    fn both(story: impl FnOnce()) -> (Lines, Lines) {
        let (theirs, ours) = (Lines::default(), Lines::default());
        let (for_theirs, for_ours) = (theirs.clone(), ours.clone());
        let subscriber = tracing_subscriber::registry()
            .with(
                fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_current_span(true)
                    .with_span_list(false)
                    .with_writer(move || for_theirs.clone()),
            )
            .with(JsonLines::to(move || for_ours.clone()));
        tracing::subscriber::with_default(subscriber, story);
        (theirs, ours)
    }

    #[test]
    fn the_lines_are_those_of_tracing_subscribers_own_formatter() {
        let (theirs, ours) = both(|| {
            error!("before any span");
            let invocation = error_span!(
                "invocation",
                request_id = %"r-1",
                function = "get-mini-code",
                appid = field::Empty,
                trace_id = field::Empty,
            );
            let entered = invocation.enter();
            info!(
                outcome = "ok",
                duration_ms = 7_u64,
                status = None::<u16>,
                "answered"
            );
            invocation.record("trace_id", "t-1");
            invocation.record("appid", "2021000000000001");
            invocation.record("trace_id", "t-2");
            warn!(
                text = "\"quoted\" \\ \u{1}\n推广",
                shown = %"a \"b\"",
                debug = ?Some("c\n"),
                whole = -1_i64,
                broken = 0.5_f64,
                endless = f64::INFINITY,
                yes = true,
                error = &std::io::Error::other("broken") as &dyn std::error::Error,
                "refused {}", 1
            );
            let inner = error_span!("inner", yes = true, number = -1, broken = 1.5, debug = ?"d");
            inner.in_scope(|| info!("inside of another"));
            error_span!("empty").in_scope(|| info!(target: "elsewhere", "without members"));
            info!(parent: &inner, name = "given");
            drop(entered);
            info!("after the span");
        });
        let (theirs, ours) = (theirs.without_times(), ours.without_times());
        assert_eq!(theirs.len(), 7);
        assert_eq!(ours, theirs);
    }

    #[test]
    fn a_line_begins_with_the_time_in_utc() {
        let (theirs, ours) = both(|| info!("now"));
        for lines in [theirs, ours] {
            let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
            let line: serde_json::Value = serde_json::from_str(&text).unwrap();
            let digits = |character: char| match character {
                '0'..='9' => '0',
                other => other,
            };
            let timestamp = line["timestamp"].as_str().unwrap();
            assert_eq!(
                timestamp.chars().map(digits).collect::<String>(),
                "0000-00-00T00:00:00.000000Z"
            );
            assert!(text.starts_with(r#"{"timestamp":""#), "{text}");
        }
    }
}
