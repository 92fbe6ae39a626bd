#![doc = include_str!("../README.md")]

mod connector;
mod exchange;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;

use crate::connector::Connector;

pub use exchange::{ExchangeError, Received};

/// For opening a connection ahead of the first request, and what may be answered to that.
const OPENING_TIMEOUT: Duration = Duration::from_secs(1);
const MAX_GREETING_BYTES: usize = 16 * 1024;

/// The HTTP client could not be built.
#[derive(Debug, thiserror::Error)]
#[error("the HTTPS client could not be set up")]
pub struct SetUpError(#[source] Box<dyn std::error::Error + Send + Sync>);

/// The one crypto library, as rustls takes it.
pub fn crypto() -> Arc<CryptoProvider> {
    static CRYPTO: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    CRYPTO
        .get_or_init(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .clone()
}

/// The client. Clones share its connections.
#[derive(Clone)]
pub struct Client(legacy::Client<Connector, Full<Bytes>>);

impl Client {
    /// A client that trusts `roots` alone and gives up on a host that does not take a connection, TLS included, within
    /// `connect_timeout`.
    ///
    /// # Errors
    /// When the TLS library refuses its own defaults.
    pub fn new(roots: RootCertStore, connect_timeout: Duration) -> Result<Self, SetUpError> {
        #[cfg(feature = "bench-root")]
        let roots = bench_root::added_to(roots)?;
        let tls = ClientConfig::builder_with_provider(crypto())
            .with_safe_default_protocol_versions()
            .map_err(|error| SetUpError(error.into()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build(Connector::new(tls, connect_timeout));
        Ok(Self(client))
    }

    /// Opens a connection ahead of the first request, so that this need not wait for the TLS handshake. `greeting` is a request
    /// that changes nothing and whose answer, which may be a refusal, does not matter. Takes 1 s at most.
    ///
    /// A failure is logged for debugging only: the first request meets it again and names it.
    pub async fn open_connection(&self, greeting: Request<Bytes>) {
        let opening = self.exchange(greeting, MAX_GREETING_BYTES);
        match timeout(OPENING_TIMEOUT, opening).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::debug!(?error, "no connection could be opened yet"),
            Err(_) => tracing::debug!("no connection could be opened in time"),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Client").finish_non_exhaustive()
    }
}

#[cfg(feature = "bench-root")]
mod bench_root {
    use rustls::RootCertStore;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    use crate::SetUpError;

    pub(crate) fn added_to(mut roots: RootCertStore) -> Result<RootCertStore, SetUpError> {
        let Some(file) = std::env::var_os("BENCH_ROOT_FILE") else {
            return Ok(roots);
        };
        let root = CertificateDer::from_pem_file(file).map_err(|error| SetUpError(error.into()))?;
        roots.add(root).map_err(|error| SetUpError(error.into()))?;
        Ok(roots)
    }
}
