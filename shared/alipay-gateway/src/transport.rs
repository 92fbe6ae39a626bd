//! One HTTP exchange with the gateway, in either protocol.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, request};
use https_client::{Client, ExchangeError, Received, SetUpError};
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
    Client::new(roots, CONNECT_TIMEOUT)
}

/// The request with its body.
pub(crate) fn built(head: request::Builder, body: Bytes) -> Result<Request<Bytes>, GatewayError> {
    head.body(body).map_err(|_| {
        GatewayError::unbuildable(
            "the gateway's address, with what the call puts into it, is longer than 64 KiB",
        )
    })
}

/// Sends `request` and takes the whole reply, up to 1 MiB of it.
pub(crate) async fn exchange(
    client: &Client,
    request: Request<Bytes>,
) -> Result<Received, GatewayError> {
    client
        .exchange(request, MAX_REPLY_BYTES)
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
