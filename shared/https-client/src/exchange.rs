use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy;

use crate::Client;

/// What came back, whole and unjudged.
#[derive(Debug)]
pub struct Received {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: BytesMut,
}

impl Received {
    /// The header's value where it is there and is ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Why there is no whole reply. No source holds the address, which may hold a signed query.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// No connection, or it ended before a reply began.
    #[error("the connection failed")]
    Connection {
        /// False when the request certainly did not leave this process.
        sent: bool,
        /// The HTTP client's error.
        source: legacy::Error,
    },
    /// The reply began and did not end.
    #[error("the reply broke off")]
    BrokenOff(#[source] hyper::Error),
    /// The reply is longer than was allowed.
    #[error("the reply is longer than {0} bytes")]
    TooLong(usize),
}

impl Client {
    /// Sends `request` and takes the whole reply, if its body is no longer than `most` bytes. Sets no limit of time.
    ///
    /// # Errors
    /// See [`ExchangeError`]. A reply of any status is no error.
    pub async fn exchange(
        &self,
        request: Request<Bytes>,
        most: usize,
    ) -> Result<Received, ExchangeError> {
        // After a freeze nothing has looked at the kept connections yet. Yielding lets the runtime see that one was closed
        // meanwhile, and it is replaced; else the request would be written into it and count as sent.
        tokio::task::yield_now().await;
        let response = self
            .0
            .request(request.map(Full::new))
            .await
            .map_err(|source| ExchangeError::Connection {
                sent: !source.is_connect(),
                source,
            })?;
        let (head, mut incoming) = response.into_parts();
        let mut body = BytesMut::new();
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(ExchangeError::BrokenOff)?;
            let Some(part) = frame.data_ref() else {
                continue;
            };
            if body.len() + part.len() > most {
                return Err(ExchangeError::TooLong(most));
            }
            body.extend_from_slice(part);
        }
        Ok(Received {
            status: head.status,
            headers: head.headers,
            body,
        })
    }
}
