#![doc = include_str!("../README.md")]

mod exchange;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::Client;
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, RootCertStore};

pub use exchange::{ExchangeError, Received, exchange};

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

/// A client that trusts `roots` alone and gives up on a host that takes no connection within `connect_timeout`.
///
/// Clones share its connections.
///
/// # Errors
/// When the TLS library refuses its own defaults.
pub fn client(roots: RootCertStore, connect_timeout: Duration) -> Result<Client, SetUpError> {
    #[cfg(feature = "bench-root")]
    let roots = bench_root::added_to(roots)?;
    let tls = ClientConfig::builder_with_provider(crypto())
        .with_safe_default_protocol_versions()
        .map_err(|error| SetUpError(error.into()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .http1_only()
        .connect_timeout(connect_timeout)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .tcp_nodelay(true)
        .build()
        .map_err(|error| SetUpError(error.into()))
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
