//! What the DynamoDB client reports, sorted into what passes by itself and what does not.

use std::collections::HashMap;
use std::error::Error;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::error::TableError;

/// A row as the client gives it.
pub type Item = HashMap<String, AttributeValue>;

/// Error codes that pass by themselves.
const TRANSIENT_CODES: [&str; 11] = [
    "InternalServerError",
    "InternalFailure",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "ReplicatedWriteConflictException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "Throttling",
    "ThrottlingException",
    "TransactionConflictException",
    "TransactionInProgressException",
];

/// Sorts a failed request into transient and final. The raw reply is dropped: only the client's
/// own account of it stays as the source.
pub fn failed<E>(error: SdkError<E, HttpResponse>) -> TableError
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    match error {
        SdkError::ServiceError(context) => {
            let status = context.raw().status().as_u16();
            let error = context.into_err();
            let code = error.code().unwrap_or("unknown").to_owned();
            if status >= 500 || status == 429 || TRANSIENT_CODES.contains(&code.as_str()) {
                TableError::Unavailable {
                    source: Box::new(error),
                }
            } else {
                TableError::Rejected {
                    code,
                    source: Box::new(error),
                }
            }
        }
        SdkError::ConstructionFailure(_) => TableError::Rejected {
            code: "request could not be built".to_owned(),
            source: source_of(error),
        },
        _ => TableError::Unavailable {
            source: source_of(error),
        },
    }
}

fn source_of<E>(error: SdkError<E, HttpResponse>) -> BoxError
where
    E: Error + Send + Sync + 'static,
{
    error
        .into_source()
        .unwrap_or_else(|error| error.to_string().into())
}

/// A request that lacks one of its parts, which is a mistake in this crate.
pub fn not_built(error: aws_sdk_dynamodb::error::BuildError) -> TableError {
    TableError::Rejected {
        code: "request could not be built".to_owned(),
        source: Box::new(error),
    }
}

/// A number as DynamoDB takes it.
pub fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// A text as DynamoDB takes it.
pub fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// Bytes as DynamoDB takes them.
pub fn blob(bytes: impl Into<Vec<u8>>) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}
