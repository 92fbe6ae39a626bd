//! One HTTP exchange with the gateway, in either protocol.

use std::time::Duration;

use https_client::{ExchangeError, Received, SetUpError};
use reqwest::{Client, RequestBuilder};
use rustls::RootCertStore;

use crate::GatewayError;

/// Longer means an unreachable host; the gateway's own handshakes take some tens of milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Real replies are a few KiB; content checks are the largest.
const MAX_REPLY_BYTES: usize = 1024 * 1024;

/// The HTTP client of the gateway. It trusts what browsers trust: which authority Alipay buys its certificates from is not told.
pub(crate) fn client() -> Result<Client, SetUpError> {
    let roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    https_client::client(roots, CONNECT_TIMEOUT)
}

/// Sends `request` and takes the whole reply, up to 1 MiB of it.
pub(crate) async fn exchange(request: RequestBuilder) -> Result<Received, GatewayError> {
    https_client::exchange(request, MAX_REPLY_BYTES)
        .await
        .map_err(|error| match error {
            ExchangeError::Connection { sent, source } => GatewayError::Unreachable {
                reason: "the connection failed",
                sent,
                source: Some(source.into()),
            },
            ExchangeError::BrokenOff(source) => GatewayError::Unreachable {
                reason: "the reply broke off",
                sent: true,
                source: Some(source.into()),
            },
            ExchangeError::TooLong(_) => {
                GatewayError::unreachable("the reply is longer than 1 MiB")
            }
        })
}
