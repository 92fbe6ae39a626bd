//! The rows that are due, from the index.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::TokenStore;
use crate::address::TokenKey;
use crate::due::{DueShard, DueShards};
use crate::dynamo::{failed, text};
use crate::error::StoreError;
use crate::record::{attribute, optional_time, required_text, time};
use crate::table::DUE_INDEX;
use table_rows::WallTime;

/// A row that the schedule has to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueRow {
    /// Its key.
    pub key: TokenKey,
    /// Since when it is due.
    pub due_at: WallTime,
}

/// Some of the rows of one partition that are due, the oldest first.
#[derive(Clone, Debug, Default)]
pub struct DuePage {
    /// The rows.
    pub rows: Vec<DueRow>,
    /// Rows in the index whose keys or due time are not those of a token. They are nobody's work and are only counted.
    pub unreadable: usize,
    /// Where the next page begins; `None` after the last one.
    pub next: Option<DuePosition>,
}

/// A place in one partition of the index.
#[derive(Clone, Debug)]
pub struct DuePosition(HashMap<String, AttributeValue>);

impl TokenStore {
    /// The partitions of the index of due rows.
    pub fn due_shards(&self) -> &DueShards {
        &self.shards
    }

    /// Rows of `shard` that are due at `now`, the oldest first, `limit` at most.
    ///
    /// The index follows the table with a delay of usually less than a second, so a row may be named that is not due any more.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] and [`StoreError::Rejected`].
    pub async fn due_rows(
        &self,
        shard: DueShard,
        now: WallTime,
        limit: i32,
        from: Option<DuePosition>,
    ) -> Result<DuePage, StoreError> {
        let reply = self
            .table
            .client
            .query()
            .table_name(&self.table.name)
            .index_name(DUE_INDEX)
            .key_condition_expression("#shard = :shard AND #due_at <= :now")
            .expression_attribute_names("#shard", attribute::DUE_SHARD)
            .expression_attribute_names("#due_at", attribute::DUE_AT)
            .expression_attribute_values(":shard", text(shard.to_string()))
            .expression_attribute_values(":now", time(now))
            .limit(limit)
            .set_exclusive_start_key(from.map(|position| position.0))
            .send()
            .await
            .map_err(failed)?;
        let mut page = DuePage {
            next: reply
                .last_evaluated_key
                .filter(|key| !key.is_empty())
                .map(DuePosition),
            ..DuePage::default()
        };
        for item in reply.items.unwrap_or_default() {
            let key = TokenKey::from_row(
                required_text(&item, attribute::PK)?,
                required_text(&item, attribute::SK)?,
            );
            match (key, optional_time(&item, attribute::DUE_AT)) {
                (Ok(key), Ok(Some(due_at))) => page.rows.push(DueRow { key, due_at }),
                _ => page.unreadable += 1,
            }
        }
        Ok(page)
    }
}
