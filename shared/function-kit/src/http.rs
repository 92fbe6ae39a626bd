//! Functions whose interface is HTTP itself: paths, statuses, redirects and cookies, where a [`Function`](crate::Function) has
//! arguments and an envelope.

mod request;
mod response;

use std::future::Future;
use std::time::SystemTime;

use serde_json::value::RawValue;
use tracing::Instrument;

use crate::Failure;
use crate::envelope::Answer;
use crate::event::{Door, Source, source};
use crate::function::{Handler, Handling, Invocation};
use crate::invocation_log::{Ending, HttpEnding, invocation_span};

pub use request::{Form, Request};
pub use response::Response;

/// What one such function does.
pub trait HttpFunction: Send + Sync + 'static {
    /// The name of its folder, package and binary.
    const NAME: &'static str;

    /// Answers `request`: by method and path, check → call → answer.
    fn answer(&self, request: &Request) -> impl Future<Output = Result<Response, Failure>> + Send;

    /// How a failure is said: one of [`answer`](Self::answer), or a request that cannot be read, of which only method and path are
    /// there. Where the function has no form of its own it is said in the envelope. The kit logs it.
    fn refusal(&self, request: &Request, failure: &Failure) -> Response {
        Response::envelope(failure, request.request_id())
    }
}

/// An [`HttpFunction`] that is ready to take events: both payload versions of API Gateway, and those of function URLs.
#[derive(Debug, Clone)]
pub struct HttpService<F> {
    function: F,
}

impl<F: HttpFunction> HttpService<F> {
    /// `function`, ready to take events.
    pub fn new(function: F) -> Self {
        Self { function }
    }

    async fn reply(&self, event: &str, invocation: Invocation) -> Box<RawValue> {
        let started = SystemTime::now();
        let context = match source(event) {
            Ok(Source::Http(context)) => context,
            Ok(Source::Direct) => return refused_directly(not_http(), &invocation, started),
            Err(failure) => return refused_directly(failure, &invocation, started),
        };
        let payload = context.payload;
        let (request, readable) = Request::read(event, context, invocation);
        let answer = match readable {
            Ok(()) => self.function.answer(&request).await,
            Err(failure) => Err(failure),
        };
        let answer = answer.and_then(Response::sendable);
        let (response, failure) = match answer {
            Ok(response) => (response, None),
            Err(failure) => (self.refusal(&request, &failure), Some(failure)),
        };
        let ending = Ending {
            door: Door::Http,
            started,
            http: Some(HttpEnding {
                method: request.method(),
                path: request.path(),
                status: response.status(),
            }),
        };
        match failure {
            Some(failure) => ending.failed(&failure),
            None => ending.answered(),
        }
        response.written(payload)
    }

    /// The function's own form of `failure`, or the envelope where that cannot be sent.
    fn refusal(&self, request: &Request, failure: &Failure) -> Response {
        let own = self.function.refusal(request, failure);
        own.sendable()
            .unwrap_or_else(|fault| Response::envelope(&fault, request.request_id()))
    }
}

impl<F: HttpFunction> Handler for HttpService<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn handle<'a>(&'a self, event: &'a str, invocation: Invocation) -> Handling<'a> {
        let span = invocation_span(F::NAME, &invocation);
        Box::pin(self.reply(event, invocation).instrument(span))
    }
}

fn not_http() -> Failure {
    Failure::invalid(
        "event",
        "must be that of an HTTP API: paths, statuses and cookies are this function's interface, and it has no arguments",
    )
}

/// The answer to who does not speak HTTP.
fn refused_directly(
    failure: Failure,
    invocation: &Invocation,
    started: SystemTime,
) -> Box<RawValue> {
    let ending = Ending {
        door: Door::Direct,
        started,
        http: None,
    };
    ending.failed(&failure);
    Answer::failure(&failure, &invocation.request_id).through(Door::Direct)
}
