//! The row of an account: `uid`, `created_at`, `version`, `aliases`, and where accounts were merged `merged_from` (those that went into this
//! one), or `merged_into` and `merged_at`.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use table_rows::{Item, WallTime};

use super::alias::Alias;
use crate::row::{required_number, required_text, required_time};
use crate::{IdentityError, Uid};

pub(super) mod attribute {
    pub(crate) const UID: &str = "uid";
    /// In milliseconds since 1970, as all times but the table's TTL.
    pub(crate) const CREATED_AT: &str = "created_at";
    /// Counts the changes of an account's row.
    pub(crate) const VERSION: &str = "version";
    /// The addresses of an account's aliases.
    pub(crate) const ALIASES: &str = "aliases";
    /// The account that this one went into.
    pub(crate) const MERGED_INTO: &str = "merged_into";
    /// When an alias was added.
    pub(crate) const LINKED_AT: &str = "linked_at";
}

/// An account's row.
pub(super) struct AccountRecord {
    pub(super) uid: Uid,
    pub(super) created_at: WallTime,
    pub(super) version: u64,
    pub(super) aliases: BTreeSet<Alias>,
    pub(super) merged_into: Option<Uid>,
}

impl AccountRecord {
    pub(super) fn from_item(row: &Item) -> Result<Self, IdentityError> {
        let aliases = match row.get(attribute::ALIASES) {
            None => BTreeSet::new(),
            Some(AttributeValue::Ss(addresses)) => {
                addresses.iter().map(|pk| Alias::from_row(pk)).collect()
            }
            Some(_) => {
                return Err(IdentityError::Corrupt {
                    field: attribute::ALIASES,
                });
            }
        };
        let merged_into = match row.get(attribute::MERGED_INTO) {
            None => None,
            Some(_) => Some(uid_of(row, attribute::MERGED_INTO)?),
        };
        Ok(Self {
            uid: uid_of(row, attribute::UID)?,
            created_at: required_time(row, attribute::CREATED_AT)?,
            version: required_number(row, attribute::VERSION)?,
            aliases,
            merged_into,
        })
    }

    /// Whether this account stays when it and `other` turn out to be one person's.
    pub(super) fn is_older_than(&self, other: &Self) -> bool {
        (self.created_at, &self.uid) < (other.created_at, &other.uid)
    }

    /// Whether with `aliases` it would have two user ids of one app.
    pub(super) fn is_contradicted_by<'a>(
        &self,
        aliases: impl IntoIterator<Item = &'a Alias>,
    ) -> bool {
        aliases
            .into_iter()
            .any(|new| self.aliases.iter().any(|own| own.is_another_user_than(new)))
    }
}

/// The address of the account `uid`.
pub(super) fn account_pk(uid: &Uid) -> String {
    format!("ACCOUNT#{uid}")
}

/// The uid in `field`.
pub(super) fn uid_of(row: &Item, field: &'static str) -> Result<Uid, IdentityError> {
    let uid = required_text(row, field)?;
    Uid::try_from(uid.to_owned()).map_err(|_| IdentityError::Corrupt { field })
}
