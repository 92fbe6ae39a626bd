mod exchange;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::Request;
use http::header::DATE;
use https_client::{Client, SetUpError};
use rustls::crypto::SecureRandom;
use tracing::Span;
use url::{Position, Url};

use crate::certificate_download::DownloadedCertificates;
use crate::{App, Call, Deadline, GatewayError, Reply, server_time, transport};

/// For one call as a whole, further attempts included; the official Node SDK has the same.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// Kept before the caller's deadline, for storing what came back and for the answer.
const RESERVE: Duration = Duration::from_secs(1);
/// With less than this a call is not started: it could be executed and its reply lost.
const LEAST_TIME: Duration = Duration::from_millis(500);
/// Attempts of a repeatable call, the first included.
const MAX_ATTEMPTS: u32 = 3;
/// Full jitter: the n-th pause is a random part of this, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Tells the wall-clock time.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// The client of the gateway. One per process; clones share its connections, and the certificates of Alipay's that it fetched.
#[derive(Clone)]
pub struct Gateway {
    http: Client,
    clock: Clock,
    random: &'static dyn SecureRandom,
    downloaded: Arc<DownloadedCertificates>,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Gateway").finish_non_exhaustive()
    }
}

impl Gateway {
    /// A client with compiled-in roots (reading the system's takes milliseconds of every cold start), no proxy, no redirects.
    ///
    /// # Errors
    /// When the TLS library refuses its own defaults.
    pub fn new(clock: Clock) -> Result<Self, SetUpError> {
        Ok(Self {
            clock,
            random: https_client::crypto().secure_random,
            http: transport::client()?,
            downloaded: Arc::default(),
        })
    }

    /// Opens a connection to `gateway` ahead of the first call, so that the call need not wait for the TLS handshake. Takes 1 s at
    /// most. A failure is not reported: the first call will meet it again and name it.
    pub async fn open_connection(&self, gateway: &Url) {
        if let Ok(greeting) = greeting(gateway) {
            self.http.open_connection(greeting).await;
        }
    }

    /// What time it is at `gateway`, to the second; `None` where its answer does not say. It is not signed, and good for comparing
    /// clocks only. Takes 5 s at most.
    ///
    /// # Errors
    /// [`GatewayError::Unreachable`] with the reason when nothing answers there.
    pub async fn server_time(&self, gateway: &Url) -> Result<Option<SystemTime>, GatewayError> {
        let asking = transport::exchange(&self.http, greeting(gateway)?);
        let answer = tokio::time::timeout(CALL_TIMEOUT, asking)
            .await
            .map_err(|_| GatewayError::unreachable("it did not answer in time"))??;
        Ok(answer.header(DATE.as_str()).and_then(server_time::parse))
    }

    /// Makes one verified call. The span's `trace_id` field, where it has one, is filled in.
    ///
    /// It takes 5 s at most, all attempts together, and ends 1 s before `deadline`. Where the reply is signed with a newer
    /// certificate of Alipay's than the configured one, fetching that is part of the call and of its time.
    ///
    /// A call that is not [`Call::repeatable`] is sent at most once. (A pooled connection that turns out to be dead before the
    /// request was written is replaced without notice; nothing was sent then.)
    ///
    /// # Errors
    /// See [`GatewayError`]. After [`GatewayError::TimedOut`] and [`GatewayError::Unreachable`] with `sent`, the call may have
    /// been executed.
    pub async fn call(
        &self,
        app: &App,
        call: &Call,
        deadline: Deadline,
    ) -> Result<Reply, GatewayError> {
        let result = self.attempts(app, call, deadline).await;
        let trace_id = match &result {
            Ok(reply) => reply.trace_id(),
            Err(GatewayError::Refused(refusal)) => refusal.trace_id.as_deref(),
            Err(_) => None,
        };
        if let Some(trace_id) = trace_id {
            Span::current().record("trace_id", trace_id);
        }
        result
    }

    async fn attempts(
        &self,
        app: &App,
        call: &Call,
        deadline: Deadline,
    ) -> Result<Reply, GatewayError> {
        let start = (self.clock)();
        let limit = deadline
            .earlier_by(RESERVE)
            .min(Deadline::after(start, CALL_TIMEOUT));
        let mut pauses = full_jitter();
        let mut failure: Option<GatewayError> = None;
        loop {
            let error = match self.attempt(app, call, limit).await {
                Err(error) if call.repeatable && error.is_transient() => error,
                result => return result,
            };
            // What was sent once stays sent, even if a later attempt did not get so far.
            let error = match failure.take() {
                Some(earlier) if error.was_never_sent() => earlier,
                _ => error,
            };
            match pauses
                .next()
                .filter(|pause| limit.remaining((self.clock)()) >= *pause + LEAST_TIME)
            {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(error),
            }
            failure = Some(error);
        }
    }

    async fn attempt(
        &self,
        app: &App,
        call: &Call,
        limit: Deadline,
    ) -> Result<Reply, GatewayError> {
        let time = limit.remaining((self.clock)());
        if time < LEAST_TIME {
            return Err(GatewayError::NoTimeLeft);
        }
        tokio::time::timeout(time, self.exchange(app, call, limit))
            .await
            .map_err(|_| GatewayError::TimedOut)?
    }
}

/// Asks for nothing, at the root of the gateway's host.
fn greeting(gateway: &Url) -> Result<Request<Bytes>, GatewayError> {
    transport::built(
        Request::head(&gateway[..Position::BeforePath]),
        Bytes::new(),
    )
}

fn full_jitter() -> impl Iterator<Item = Duration> {
    (0..MAX_ATTEMPTS - 1)
        .map(|attempt| FIRST_PAUSE.mul_f64(f64::from(1 << attempt) * fastrand::f64()))
}
