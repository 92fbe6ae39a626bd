use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::BytesMut;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use tracing::Span;
use url::Url;

use crate::reply::verify_reply;
use crate::request::{SignedRequest, signed_request};
use crate::{App, Call, Deadline, GatewayError, Reply};

/// Longer means an unreachable host; the gateway's own handshakes take some tens of milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// For one call as a whole, further attempts included; the official Node SDK has the same.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// Kept before the caller's deadline, for storing what came back and for the answer.
const RESERVE: Duration = Duration::from_secs(1);
/// With less than this a call is not started: it could be executed and its reply lost.
const LEAST_TIME: Duration = Duration::from_millis(500);
/// Real replies are a few KiB; content checks are the largest.
const MAX_REPLY_BYTES: usize = 1024 * 1024;
/// For opening a connection ahead of the first call.
const PRECONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Attempts of a repeatable call, the first included.
const MAX_ATTEMPTS: u32 = 3;
/// Full jitter: the n-th pause is a random part of this, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Tells the wall-clock time.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// The client of the gateway. One per process; clones share its connections.
#[derive(Clone)]
pub struct Gateway {
    http: reqwest::Client,
    clock: Clock,
}

/// The HTTP client could not be built.
#[derive(Debug, thiserror::Error)]
#[error("the gateway client could not be set up")]
pub struct SetUpError(#[source] Box<dyn std::error::Error + Send + Sync>);

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
        let roots = rustls::RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| SetUpError(error.into()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .http1_only()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .tcp_nodelay(true)
            .build()
            .map_err(|error| SetUpError(error.into()))?;
        Ok(Self { http, clock })
    }

    /// Opens a connection to `gateway` ahead of the first call, so that the call need not wait for the TLS handshake.
    /// A failure is not reported: the first call will meet it again and name it.
    pub async fn open_connection(&self, gateway: &Url) {
        let mut root = gateway.clone();
        root.set_path("/");
        let opening = self.http.head(root).timeout(PRECONNECT_TIMEOUT).send();
        if let Err(error) = opening.await {
            tracing::debug!(error = %error.without_url(), "no connection to the gateway yet");
        }
    }

    /// Makes one verified call. The span's `trace_id` field, where it has one, is filled in.
    ///
    /// It takes 5 s at most, all attempts together, and ends 1 s before `deadline`.
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
        let now = (self.clock)();
        let limit = limit.remaining(now);
        if limit < LEAST_TIME {
            return Err(GatewayError::NoTimeLeft);
        }
        let request = signed_request(app, call, now)?;
        let (headers, body) = tokio::time::timeout(limit, self.post(app, request))
            .await
            .map_err(|_| GatewayError::TimedOut)??;
        verify_reply(
            app,
            call,
            &body,
            header(&headers, CONTENT_TYPE.as_str()),
            header(&headers, "trace_id"),
        )
    }

    async fn post(
        &self,
        app: &App,
        request: SignedRequest,
    ) -> Result<(HeaderMap, BytesMut), GatewayError> {
        let mut url = app.gateway.clone();
        url.set_query(Some(&request.query));
        let content_type = format!(
            "application/x-www-form-urlencoded;charset={}",
            app.charset.as_str()
        );
        // After a freeze nothing has looked at the kept connections yet. Yielding lets the runtime see that one was closed
        // meanwhile, and it is replaced; else the request would be written into it and count as sent.
        tokio::task::yield_now().await;
        let mut response = self
            .http
            .post(url)
            .header(CONTENT_TYPE, content_type)
            .header(ACCEPT, "application/json")
            .body(request.body)
            .send()
            .await
            .map_err(|error| transport("the connection failed", error))?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(GatewayError::unreachable(
                "the gateway answered with an HTTP error",
            ));
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| transport("the reply broke off", error))?
        {
            if body.len() + chunk.len() > MAX_REPLY_BYTES {
                return Err(GatewayError::unreachable("the reply is longer than 1 MiB"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((std::mem::take(response.headers_mut()), body))
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The URL holds the whole signed query, so it is taken out of the error.
fn transport(reason: &'static str, error: reqwest::Error) -> GatewayError {
    let sent = !(error.is_connect() || error.is_builder());
    GatewayError::Unreachable {
        reason,
        sent,
        source: Some(error.without_url().into()),
    }
}

fn full_jitter() -> impl Iterator<Item = Duration> {
    (0..MAX_ATTEMPTS - 1)
        .map(|attempt| FIRST_PAUSE.mul_f64(f64::from(1 << attempt) * fastrand::f64()))
}
