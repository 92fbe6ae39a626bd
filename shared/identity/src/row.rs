//! A row as it is read: consistently, and each attribute of the kind it must be.

use aws_sdk_dynamodb::types::AttributeValue;
use table_rows::{Item, WallTime, failed, text};

use crate::IdentityError;
use crate::table::{IdentityTable, PK};

impl IdentityTable {
    /// Reads a row consistently: every read here leads to a decision.
    pub(crate) async fn row(&self, pk: &str) -> Result<Option<Item>, IdentityError> {
        let reply = self
            .client
            .get_item()
            .table_name(&self.name)
            .key(PK, text(pk))
            .consistent_read(true)
            .send()
            .await
            .map_err(failed)?;
        Ok(reply.item)
    }
}

pub(crate) fn required_text<'a>(
    row: &'a Item,
    field: &'static str,
) -> Result<&'a str, IdentityError> {
    match row.get(field) {
        Some(AttributeValue::S(text)) => Ok(text),
        _ => Err(IdentityError::Corrupt { field }),
    }
}

pub(crate) fn optional_number(
    row: &Item,
    field: &'static str,
) -> Result<Option<u64>, IdentityError> {
    match row.get(field) {
        None => Ok(None),
        Some(AttributeValue::N(digits)) => digits
            .parse()
            .map(Some)
            .map_err(|_| IdentityError::Corrupt { field }),
        Some(_) => Err(IdentityError::Corrupt { field }),
    }
}

pub(crate) fn required_number(row: &Item, field: &'static str) -> Result<u64, IdentityError> {
    optional_number(row, field)?.ok_or(IdentityError::Corrupt { field })
}

/// A moment, in milliseconds since 1970.
pub(crate) fn required_time(row: &Item, field: &'static str) -> Result<WallTime, IdentityError> {
    required_number(row, field).map(WallTime::from_millis)
}

/// Bytes of exactly this length.
pub(crate) fn optional_bytes<const N: usize>(
    row: &Item,
    field: &'static str,
) -> Result<Option<[u8; N]>, IdentityError> {
    match row.get(field) {
        None => Ok(None),
        Some(AttributeValue::B(blob)) => blob
            .as_ref()
            .try_into()
            .map(Some)
            .map_err(|_| IdentityError::Corrupt { field }),
        Some(_) => Err(IdentityError::Corrupt { field }),
    }
}

pub(crate) fn required_bytes<const N: usize>(
    row: &Item,
    field: &'static str,
) -> Result<[u8; N], IdentityError> {
    optional_bytes(row, field)?.ok_or(IdentityError::Corrupt { field })
}
