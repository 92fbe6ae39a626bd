//! One HTTP exchange with the gateway, in either protocol.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use reqwest::header::HeaderMap;
use reqwest::{Client, RequestBuilder, StatusCode};
use rustls::crypto::CryptoProvider;

use crate::{GatewayError, SetUpError};

/// Longer means an unreachable host; the gateway's own handshakes take some tens of milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Real replies are a few KiB; content checks are the largest.
const MAX_REPLY_BYTES: usize = 1024 * 1024;

/// What came back, whole and unjudged.
pub(crate) struct Received {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: BytesMut,
}

impl Received {
    /// The header's value where it is there and is ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// A client with compiled-in roots (reading the system's takes milliseconds of every cold start), no proxy, no redirects.
pub(crate) fn client(provider: Arc<CryptoProvider>) -> Result<Client, SetUpError> {
    let roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| SetUpError(error.into()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .http1_only()
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .tcp_nodelay(true)
        .build()
        .map_err(|error| SetUpError(error.into()))
}

/// Sends `request` and takes the whole reply, up to 1 MiB of it.
pub(crate) async fn exchange(request: RequestBuilder) -> Result<Received, GatewayError> {
    // After a freeze nothing has looked at the kept connections yet. Yielding lets the runtime see that one was closed
    // meanwhile, and it is replaced; else the request would be written into it and count as sent.
    tokio::task::yield_now().await;
    let mut response = request
        .send()
        .await
        .map_err(|error| failed("the connection failed", error))?;
    let mut body = BytesMut::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| failed("the reply broke off", error))?
    {
        if body.len() + chunk.len() > MAX_REPLY_BYTES {
            return Err(GatewayError::unreachable("the reply is longer than 1 MiB"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Received {
        status: response.status(),
        headers: std::mem::take(response.headers_mut()),
        body,
    })
}

/// The URL holds the whole signed query, so it is taken out of the error.
fn failed(reason: &'static str, error: reqwest::Error) -> GatewayError {
    let sent = !(error.is_connect() || error.is_builder());
    GatewayError::Unreachable {
        reason,
        sent,
        source: Some(error.without_url().into()),
    }
}
