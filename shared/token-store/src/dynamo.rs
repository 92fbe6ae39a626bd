//! What the DynamoDB client reports, sorted into the outcomes of this crate.

use std::collections::HashMap;
use std::error::Error;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::AttributeValue;

use crate::error::StoreError;

/// A row as the client gives it.
pub(crate) type Item = HashMap<String, AttributeValue>;

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
pub(crate) fn failed<E>(error: SdkError<E, HttpResponse>) -> StoreError
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    match error {
        SdkError::ServiceError(context) => {
            let status = context.raw().status().as_u16();
            let error = context.into_err();
            let code = error.code().unwrap_or("unknown").to_owned();
            if status >= 500 || status == 429 || TRANSIENT_CODES.contains(&code.as_str()) {
                StoreError::Unavailable {
                    source: Box::new(error),
                }
            } else {
                StoreError::Rejected {
                    code,
                    source: Box::new(error),
                }
            }
        }
        SdkError::ConstructionFailure(_) => StoreError::Rejected {
            code: "request could not be built".to_owned(),
            source: source_of(error),
        },
        _ => StoreError::Unavailable {
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
pub(crate) fn not_built(error: aws_sdk_dynamodb::error::BuildError) -> StoreError {
    StoreError::Rejected {
        code: "request could not be built".to_owned(),
        source: Box::new(error),
    }
}

/// A number as DynamoDB takes it.
pub(crate) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// A text as DynamoDB takes it.
pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}
