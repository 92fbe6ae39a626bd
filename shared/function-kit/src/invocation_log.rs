//! What the log says about one invocation: who was invoked, and once how it ended. Never a body, a query or a header.

use std::time::SystemTime;

use tracing::{Span, field};

use crate::event::Door;
use crate::failure::with_causes;
use crate::function::Invocation;
use crate::{Failure, Outcome};

/// Longer methods and paths are cut: they come from outside.
const MAX_CHARACTERS: usize = 200;

/// Around everything that one invocation logs. At the level of errors, so that every line has it, whatever RUST_LOG leaves out.
pub(crate) fn invocation_span(function: &'static str, invocation: &Invocation) -> Span {
    tracing::error_span!(
        "invocation",
        function,
        request_id = %invocation.request_id,
        appid = field::Empty,
        trace_id = field::Empty,
    )
}

/// The line that says how an invocation ended. What is `None` is left out of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ending<'a> {
    pub door: Door,
    pub started: SystemTime,
    /// For a function whose interface is HTTP itself.
    pub http: Option<HttpEnding<'a>>,
}

/// The request and the status of its answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HttpEnding<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub status: u16,
}

impl Ending<'_> {
    /// The function answered. A status that says otherwise was its own choice.
    pub(crate) fn answered(&self) {
        let (door, duration_ms) = (self.door, self.duration_ms());
        let (method, path, status) = self.http();
        match status {
            Some(500..) => tracing::error!(
                outcome = "failed",
                ?door,
                duration_ms,
                method,
                path,
                status,
                "failed"
            ),
            Some(400..) => tracing::warn!(
                outcome = "refused",
                ?door,
                duration_ms,
                method,
                path,
                status,
                "refused"
            ),
            _ => tracing::info!(
                outcome = "ok",
                ?door,
                duration_ms,
                method,
                path,
                status,
                "answered"
            ),
        }
    }

    /// The one place where a failure is logged.
    pub(crate) fn failed(&self, failure: &Failure) {
        let (door, duration_ms) = (self.door, self.duration_ms());
        let (method, path, status) = self.http();
        let row = failure.outcome().row();
        let cause = failure.cause().map(|cause| with_causes(cause));
        let (sub_code, field) = match failure.outcome() {
            Outcome::GatewayRefused(refusal) => (
                Some(refusal.sub_code.as_deref().unwrap_or(&refusal.code)),
                None,
            ),
            Outcome::InvalidArgument { field, .. } => (None, Some(field.as_str())),
            _ => (None, None),
        };
        if row.status >= 500 {
            tracing::error!(
                outcome = row.slug,
                ?door,
                duration_ms,
                method,
                path,
                status,
                sub_code,
                field,
                cause,
                "failed"
            );
        } else {
            tracing::warn!(
                outcome = row.slug,
                ?door,
                duration_ms,
                method,
                path,
                status,
                sub_code,
                field,
                cause,
                "refused"
            );
        }
    }

    fn duration_ms(&self) -> u64 {
        self.started.elapsed().map_or(0, |elapsed| {
            u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
        })
    }

    fn http(&self) -> (Option<&str>, Option<&str>, Option<u16>) {
        self.http.map_or((None, None, None), |http| {
            (
                Some(beginning(http.method)),
                Some(beginning(http.path)),
                Some(http.status),
            )
        })
    }
}

fn beginning(text: &str) -> &str {
    let end = text.char_indices().nth(MAX_CHARACTERS);
    end.map_or(text, |(end, _)| &text[..end])
}
