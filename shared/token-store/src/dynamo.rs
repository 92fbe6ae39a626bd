//! What the DynamoDB client reports, as the outcomes of this crate.

use std::error::Error;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};
pub(crate) use table_rows::{Item, blob, number, text};

use crate::error::StoreError;

/// A failed request, sorted into transient and final.
pub(crate) fn failed<E>(error: SdkError<E, HttpResponse>) -> StoreError
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    table_rows::failed(error).into()
}

/// A request that lacks one of its parts, which is a mistake in this crate.
pub(crate) fn not_built(error: BuildError) -> StoreError {
    table_rows::not_built(error).into()
}
