//! A row as it is read: consistently, and each attribute of the kind it must be.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::{Item, TableError, failed, text};

/// An attribute is absent, or of another kind than it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the attribute {field} is absent, or of another kind than it must be")]
pub struct WrongAttribute {
    /// Its name.
    pub field: &'static str,
}

/// Reads the row of `table` whose one key attribute `key` is `value`, consistently: for reads that lead to a decision.
///
/// # Errors
/// As [`failed`].
pub async fn read_row(
    client: &Client,
    table: &str,
    key: &str,
    value: &str,
) -> Result<Option<Item>, TableError> {
    let reply = client
        .get_item()
        .table_name(table)
        .key(key, text(value))
        .consistent_read(true)
        .send()
        .await
        .map_err(failed)?;
    Ok(reply.item)
}

/// A text that must be there.
///
/// # Errors
/// [`WrongAttribute`].
pub fn required_text<'a>(row: &'a Item, field: &'static str) -> Result<&'a str, WrongAttribute> {
    optional_text(row, field)?.ok_or(WrongAttribute { field })
}

/// A text that may be absent.
///
/// # Errors
/// [`WrongAttribute`].
pub fn optional_text<'a>(
    row: &'a Item,
    field: &'static str,
) -> Result<Option<&'a str>, WrongAttribute> {
    match row.get(field) {
        None => Ok(None),
        Some(AttributeValue::S(text)) => Ok(Some(text)),
        Some(_) => Err(WrongAttribute { field }),
    }
}

/// A whole number that must be there.
///
/// # Errors
/// [`WrongAttribute`].
pub fn required_number(row: &Item, field: &'static str) -> Result<u64, WrongAttribute> {
    optional_number(row, field)?.ok_or(WrongAttribute { field })
}

/// A whole number that may be absent.
///
/// # Errors
/// [`WrongAttribute`].
pub fn optional_number(row: &Item, field: &'static str) -> Result<Option<u64>, WrongAttribute> {
    match row.get(field) {
        None => Ok(None),
        Some(AttributeValue::N(digits)) => digits
            .parse()
            .map(Some)
            .map_err(|_| WrongAttribute { field }),
        Some(_) => Err(WrongAttribute { field }),
    }
}
