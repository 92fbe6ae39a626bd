//! The one error type of this crate: its variants are outcomes a caller can act on.

use std::time::Duration;

use aws_sdk_dynamodb::error::BoxError;
use table_rows::TableError;

/// What can come of a call to the store instead of a result.
///
/// No variant's text holds a token, a key, a table name or the address of a row; what DynamoDB said
/// is kept as the source, for the log only.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// DynamoDB did not answer in time, was throttling, or failed inside. Whether a write took
    /// place is unknown.
    #[error("the token table is temporarily unavailable")]
    Unavailable {
        /// What the DynamoDB client reported.
        source: BoxError,
    },
    /// DynamoDB refused the request: permissions, a missing table, a request it holds to be
    /// invalid. Trying again does not help.
    #[error("the token table refused the request ({code})")]
    Rejected {
        /// DynamoDB's error code, such as `AccessDeniedException`.
        code: String,
        /// What the DynamoDB client reported.
        source: BoxError,
    },
    /// There is no token under this key: the user has to log in.
    #[error("no token is stored for this user")]
    NotFound,
    /// The token has expired, or was withdrawn, and cannot be refreshed: the user has to log in
    /// again.
    #[error("the token has expired and cannot be refreshed")]
    Reauthorize,
    /// Somebody else is refreshing the token and did not finish in time, or too little time was
    /// left to begin a refresh.
    #[error("the token is being refreshed")]
    Busy {
        /// When a new attempt is sensible.
        retry_after: Duration,
    },
    /// The refresher failed in a way that may pass; token and generation are as they were.
    #[error("the token could not be refreshed now: {0}")]
    RefreshUnavailable(&'static str),
    /// The refresher says that the configuration is at fault (a refresh token of another app, an
    /// unknown app); token and generation are as they were.
    #[error("the token cannot be refreshed with this configuration: {0}")]
    Misconfigured(&'static str),
    /// Others kept changing the row while this call tried to; nothing was written by it.
    #[error("the row changed at the same time")]
    Conflict,
    /// The claim that was to be completed belongs to somebody else by now, or is gone. Nothing was
    /// written.
    #[error("the claim has passed to another caller")]
    ClaimLost,
    /// A stored value does not open or a row lacks what it must have. It is never served.
    #[error("a stored record is damaged: {field}: {problem}")]
    Corrupt {
        /// The attribute in question.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The answer to be kept is larger than a row may be.
    #[error("the answer has {bytes} bytes, the limit is {limit}")]
    TooLarge {
        /// Size of the answer in bytes.
        bytes: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A part of a key is empty or too long for DynamoDB.
    #[error("{field}: must be 1 to {limit} bytes long")]
    InvalidKey {
        /// The part in question.
        field: &'static str,
        /// Longest admissible length in bytes.
        limit: usize,
    },
    /// The operating system gave no randomness or the cipher failed. Not expected in practice.
    #[error("the value could not be sealed")]
    Sealing,
}

impl StoreError {
    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. }
            | Self::Busy { .. }
            | Self::RefreshUnavailable(_)
            | Self::Conflict => true,
            Self::Rejected { .. }
            | Self::NotFound
            | Self::Reauthorize
            | Self::Misconfigured(_)
            | Self::ClaimLost
            | Self::Corrupt { .. }
            | Self::TooLarge { .. }
            | Self::InvalidKey { .. }
            | Self::Sealing => false,
        }
    }
}

impl From<TableError> for StoreError {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Unavailable { source } => Self::Unavailable { source },
            TableError::Rejected { code, source } => Self::Rejected { code, source },
        }
    }
}
