//! Our HTTP client as the AWS SDK takes one. The SDK itself limits the time, and tries again.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use https_client::{Client, ExchangeError, Received};

/// A page of DynamoDB is 1 MiB of its own counting, somewhat more as JSON; a Lambda function answers 6 MB at most.
const MAX_REPLY_BYTES: usize = 8 * 1024 * 1024;

pub(super) fn connector(client: Client) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(Connector(client));
    http_client_fn(move |_, _| connector.clone())
}

#[derive(Debug)]
struct Connector(Client);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = sendable(request).map_err(ConnectorError::user)?;
            let received = client.exchange(request, MAX_REPLY_BYTES).await;
            let received = received.map_err(failed)?;
            response(received).map_err(|error| ConnectorError::other(error, None))
        })
    }
}

fn sendable(request: HttpRequest) -> Result<http::Request<Bytes>, BoxError> {
    let (head, body) = request.try_into_http1x()?.into_parts();
    let bytes = body.bytes().ok_or("a streamed body is not sent here")?;
    Ok(http::Request::from_parts(
        head,
        Bytes::copy_from_slice(bytes),
    ))
}

fn response(received: Received) -> Result<HttpResponse, BoxError> {
    let mut response = http::Response::new(SdkBody::from(received.body.freeze()));
    *response.status_mut() = received.status;
    *response.headers_mut() = received.headers;
    Ok(response.try_into()?)
}

/// What the SDK may try again is what it takes for a failure of input and output.
fn failed(error: ExchangeError) -> ConnectorError {
    match error {
        ExchangeError::Connection { .. } | ExchangeError::BrokenOff(_) => {
            ConnectorError::io(error.into())
        }
        ExchangeError::TooLong(_) => ConnectorError::other(error.into(), None),
    }
}
