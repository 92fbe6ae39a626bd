//! One all-or-nothing write of an account and its aliases.

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, CancellationReason, Put, TransactWriteItem, Update};
use table_rows::{Item, WallTime, failed, not_built, number, text};

use super::alias::Alias;
use super::record::{AccountRecord, account_pk, attribute};
use crate::table::PK;
use crate::{IdentityError, IdentityTable, Uid};

/// Why DynamoDB cancels a transaction whose rows somebody else is writing or has written.
const OVERTAKEN: [&str; 4] = [
    "ConditionalCheckFailed",
    "TransactionConflict",
    "ThrottlingError",
    "ProvisionedThroughputExceeded",
];

/// What a transaction came to.
pub(super) enum Written {
    Yes,
    /// Nothing was written: the rows are no longer as they were read, or somebody is writing them.
    Overtaken,
}

/// The writes of one transaction.
pub(super) struct Transaction<'a> {
    table: &'a IdentityTable,
    writes: Vec<TransactWriteItem>,
}

impl<'a> Transaction<'a> {
    pub(super) fn on(table: &'a IdentityTable) -> Self {
        Self {
            table,
            writes: Vec::new(),
        }
    }

    /// A new account with these aliases.
    pub(super) fn make(
        self,
        uid: &Uid,
        aliases: &[&Alias],
        now: WallTime,
    ) -> Result<Self, IdentityError> {
        let row = [
            (PK, text(account_pk(uid))),
            (attribute::UID, text(uid.as_str())),
            (attribute::CREATED_AT, number(now.as_millis())),
            (attribute::VERSION, number(1)),
            (attribute::ALIASES, addresses(aliases)),
        ];
        self.put_new(row)?.alias_all(aliases, uid, now)
    }

    /// New aliases of the account `record`.
    pub(super) fn link(
        self,
        record: &AccountRecord,
        aliases: &[&Alias],
        now: WallTime,
    ) -> Result<Self, IdentityError> {
        let change = Update::builder()
            .update_expression("SET version = :next ADD aliases :aliases")
            .expression_attribute_values(":aliases", addresses(aliases));
        self.change(record, change)?
            .alias_all(aliases, &record.uid, now)
    }

    /// Moves `aliases` from `younger` to `older`. With `is_last`, `younger` is merged from then on.
    pub(super) fn carry_over(
        mut self,
        younger: &AccountRecord,
        older: &AccountRecord,
        aliases: &[&Alias],
        is_last: bool,
        now: WallTime,
    ) -> Result<Self, IdentityError> {
        for alias in aliases {
            let change = Update::builder()
                .table_name(&self.table.name)
                .key(PK, text(alias.pk()))
                .update_expression("SET uid = :older")
                .condition_expression("uid = :younger")
                .expression_attribute_values(":older", text(older.uid.as_str()))
                .expression_attribute_values(":younger", text(younger.uid.as_str()));
            self.push_update(change)?;
        }
        let (gaining, losing) = if is_last {
            (
                Update::builder()
                    .update_expression("SET version = :next ADD aliases :aliases, merged_from :younger")
                    .expression_attribute_values(
                        ":younger",
                        AttributeValue::Ss(vec![younger.uid.to_string()]),
                    ),
                Update::builder()
                    .update_expression(
                        "SET version = :next, merged_into = :older, merged_at = :now REMOVE aliases",
                    )
                    .expression_attribute_values(":older", text(older.uid.as_str()))
                    .expression_attribute_values(":now", number(now.as_millis())),
            )
        } else {
            (
                Update::builder().update_expression("SET version = :next ADD aliases :aliases"),
                Update::builder()
                    .update_expression("SET version = :next DELETE aliases :aliases")
                    .expression_attribute_values(":aliases", addresses(aliases)),
            )
        };
        let gaining = gaining.expression_attribute_values(":aliases", addresses(aliases));
        self.change(older, gaining)?.change(younger, losing)
    }

    /// Sends it. The client gives each transaction a token (`ClientRequestToken`), the same for all of its tries, so that one whose reply was
    /// lost is not carried out twice; and if it were, its conditions would not hold any more, and who reads again finds it done.
    pub(super) async fn send(self) -> Result<Written, IdentityError> {
        let sent = self
            .table
            .client
            .transact_write_items()
            .set_transact_items(Some(self.writes))
            .send()
            .await;
        let Err(error) = sent else {
            return Ok(Written::Yes);
        };
        match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(canceled))
                if is_overtaken(canceled.cancellation_reasons()) =>
            {
                Ok(Written::Overtaken)
            }
            _ => Err(failed(error).into()),
        }
    }

    fn alias_all(
        mut self,
        aliases: &[&Alias],
        uid: &Uid,
        now: WallTime,
    ) -> Result<Self, IdentityError> {
        for alias in aliases {
            self = self.put_new([
                (PK, text(alias.pk())),
                (attribute::UID, text(uid.as_str())),
                (attribute::LINKED_AT, number(now.as_millis())),
            ])?;
        }
        Ok(self)
    }

    /// A row that must not be there yet.
    fn put_new<const N: usize>(
        mut self,
        row: [(&str, AttributeValue); N],
    ) -> Result<Self, IdentityError> {
        let row: Item = row
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let put = Put::builder()
            .table_name(&self.table.name)
            .set_item(Some(row))
            .condition_expression("attribute_not_exists(pk)")
            .build()
            .map_err(|error| IdentityError::Table(not_built(error)))?;
        self.writes
            .push(TransactWriteItem::builder().put(put).build());
        Ok(self)
    }

    /// A change of an account that must still be as it was read; `change` names `:next`, its version from then on.
    fn change(
        mut self,
        record: &AccountRecord,
        change: UpdateBuilder,
    ) -> Result<Self, IdentityError> {
        let change = change
            .table_name(&self.table.name)
            .key(PK, text(account_pk(&record.uid)))
            .condition_expression("version = :seen AND attribute_not_exists(merged_into)")
            .expression_attribute_values(":seen", number(record.version))
            .expression_attribute_values(":next", number(record.version.saturating_add(1)));
        self.push_update(change)?;
        Ok(self)
    }

    fn push_update(&mut self, update: UpdateBuilder) -> Result<(), IdentityError> {
        let update = update
            .build()
            .map_err(|error| IdentityError::Table(not_built(error)))?;
        self.writes
            .push(TransactWriteItem::builder().update(update).build());
        Ok(())
    }
}

/// Whether others are the only reason.
fn is_overtaken(reasons: &[CancellationReason]) -> bool {
    let mut codes = reasons
        .iter()
        .filter_map(CancellationReason::code)
        .filter(|code| *code != "None")
        .peekable();
    codes.peek().is_some() && codes.all(|code| OVERTAKEN.contains(&code))
}

fn addresses(aliases: &[&Alias]) -> AttributeValue {
    AttributeValue::Ss(aliases.iter().map(|alias| alias.pk().to_owned()).collect())
}
