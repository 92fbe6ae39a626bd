use bytes::BytesMut;
use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, StatusCode};

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

/// Why there is no whole reply. The source never holds the URL, which may hold a signed query.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// No connection, or it ended before a reply began.
    #[error("the connection failed")]
    Connection {
        /// False when the request certainly did not leave this process.
        sent: bool,
        /// The HTTP client's error.
        source: reqwest::Error,
    },
    /// The reply began and did not end.
    #[error("the reply broke off")]
    BrokenOff(#[source] reqwest::Error),
    /// The reply is longer than was allowed.
    #[error("the reply is longer than {0} bytes")]
    TooLong(usize),
}

/// Sends `request` and takes the whole reply, if it is no longer than `most` bytes.
///
/// # Errors
/// See [`ExchangeError`]. A reply of any status is no error.
pub async fn exchange(request: RequestBuilder, most: usize) -> Result<Received, ExchangeError> {
    // After a freeze nothing has looked at the kept connections yet. Yielding lets the runtime see that one was closed
    // meanwhile, and it is replaced; else the request would be written into it and count as sent.
    tokio::task::yield_now().await;
    let mut response = request
        .send()
        .await
        .map_err(|error| ExchangeError::Connection {
            sent: !(error.is_connect() || error.is_builder()),
            source: error.without_url(),
        })?;
    let mut body = BytesMut::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| ExchangeError::BrokenOff(error.without_url()))?
    {
        if body.len() + chunk.len() > most {
            return Err(ExchangeError::TooLong(most));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Received {
        status: response.status(),
        headers: std::mem::take(response.headers_mut()),
        body,
    })
}
