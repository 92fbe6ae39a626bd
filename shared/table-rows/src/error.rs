use aws_sdk_dynamodb::error::BoxError;

/// What can come of a request to DynamoDB instead of an answer. No text of it holds a table's name or a row's address; what DynamoDB
/// said is kept as the source, for the log only.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// DynamoDB did not answer in time, was throttling, or failed inside. Whether a write took place is unknown.
    #[error("the table is temporarily unavailable")]
    Unavailable {
        /// What the DynamoDB client reported.
        source: BoxError,
    },
    /// DynamoDB refused the request: permissions, a missing table, a request it holds to be invalid. Trying again does not help.
    #[error("the table refused the request ({code})")]
    Rejected {
        /// DynamoDB's error code, such as `AccessDeniedException`.
        code: String,
        /// What the DynamoDB client reported.
        source: BoxError,
    },
}

impl TableError {
    /// Whether the same request may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}
