//! A row as it is read: consistently, and each attribute of the kind it must be.

use aws_sdk_dynamodb::types::AttributeValue;
use table_rows::{Item, WallTime, read_row};
pub(crate) use table_rows::{optional_number, required_number, required_text};

use crate::IdentityError;
use crate::table::{IdentityTable, PK};

impl IdentityTable {
    /// Reads a row consistently: every read here leads to a decision.
    pub(crate) async fn row(&self, pk: &str) -> Result<Option<Item>, IdentityError> {
        Ok(read_row(&self.client, &self.name, PK, pk).await?)
    }
}

/// A moment, in milliseconds since 1970.
pub(crate) fn required_time(row: &Item, field: &'static str) -> Result<WallTime, IdentityError> {
    Ok(WallTime::from_millis(required_number(row, field)?))
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
