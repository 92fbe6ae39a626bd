//! Storing the pair of a login.

use std::time::Duration;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    CancellationReason, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use uuid::Uuid;

use super::{Grant, TokenStore};
use crate::address::{Address, TokenKey};
use crate::crash_points::crash_point;
use crate::dynamo::{Item, failed, not_built, number, text};
use crate::error::StoreError;
use crate::first_answer::Completion;
use crate::record::{Generation, Lineage, attribute};
use crate::sealed_pair::{Commit, SealedPair};
use crate::sealed_table::jittered;
use table_rows::WallTime;

/// How often a login looks again when others write the same row.
const ATTEMPTS: usize = 10;
/// The pause before looking again, on average.
const PAUSE: Duration = Duration::from_millis(20);

const IF_ABSENT: &str = "attribute_not_exists(pk)";
const IF_AS_SEEN: &str = "generation = :seen_generation AND grant_id = :seen_grant";

/// What stood in a row before a login, as [`TokenStore::look`] saw it. A hint and no promise: a login that finds something else looks
/// again.
#[derive(Clone, Debug)]
pub struct Seen(Option<Lineage>);

impl Seen {
    /// Nobody has looked, or there was no row.
    pub const NOTHING: Self = Self(None);
}

/// What a conditional write came to.
enum Written {
    Yes,
    /// Somebody's row is in the way; `None` if it has gone in between.
    Found(Option<Item>),
    /// DynamoDB was busy with another transaction on the row.
    Contended,
}

impl TokenStore {
    /// Looks whether somebody has logged in before, so that [`put_login`](Self::put_login) need not be refused to find out. To be asked
    /// while something else is waited for.
    ///
    /// The only read here that is not consistent: half the price, and what is out of date does no harm.
    ///
    /// # Errors
    /// [`StoreError::InvalidKey`], [`StoreError::Unavailable`], [`StoreError::Rejected`], [`StoreError::Corrupt`]. A login can go on with
    /// [`Seen::NOTHING`].
    pub async fn look(&self, key: &TokenKey) -> Result<Seen, StoreError> {
        let address = key.address()?;
        let reply = self
            .table
            .client
            .get_item()
            .table_name(&self.table.name)
            .key(attribute::PK, address.pk())
            .key(attribute::SK, address.sk())
            .projection_expression(Lineage::ATTRIBUTES)
            .consistent_read(false)
            .send()
            .await
            .map_err(failed)?;
        let lineage = reply.item.as_ref().map(Lineage::from_item).transpose()?;
        Ok(Seen(lineage))
    }

    /// Stores the pair of a login under a new grant id and returns its generation: 1, or one more
    /// than the generation that was there. A refresh of an older grant that is still running will
    /// find the grant changed and discard its result.
    ///
    /// `seen` decides nothing but the number of round trips: one if it is still so, else one more, and
    /// two more if the row has gone since. With [`Seen::NOTHING`] a first login is one round trip and
    /// a later one two, the first of them a write that is refused and paid for.
    ///
    /// With `completes`, the first answer is written in the same transaction: both or neither.
    ///
    /// # Errors
    /// - [`StoreError::Unavailable`]: whether the pair was stored is unknown; it must not be treated
    ///   as stored.
    /// - [`StoreError::ClaimLost`]: the claim of `completes` has passed to another caller; nothing
    ///   was written. The pair is still good and may be stored without `completes`.
    /// - [`StoreError::Conflict`]: ten writers were quicker; nothing was written.
    /// - [`StoreError::InvalidKey`], [`StoreError::TooLarge`], [`StoreError::Rejected`].
    pub async fn put_login(
        &self,
        key: &TokenKey,
        seen: Seen,
        grant: &Grant,
        now: WallTime,
        completes: Option<Completion<'_>>,
    ) -> Result<Generation, StoreError> {
        let address = key.address()?;
        let grant_id = Uuid::new_v4().to_string();
        let commit_id = Uuid::new_v4().to_string();
        let Seen(mut seen) = seen;
        crash_point("before-login").await;
        for attempt in 0..ATTEMPTS {
            let generation = seen
                .as_ref()
                .map_or(Generation::FIRST, |lineage| lineage.generation.next());
            let commit = Commit {
                generation,
                grant_id: &grant_id,
                commit_id: &commit_id,
                committed_at: now,
            };
            let item = self.whole_row(
                &address,
                &SealedPair::seal(&self.table, &address, &commit, grant)?,
            );
            let written = match &completes {
                None => self.put(item, seen.as_ref()).await?,
                Some(completion) => {
                    self.put_and_complete(item, seen.as_ref(), completion)
                        .await?
                }
            };
            seen = match written {
                Written::Yes => {
                    crash_point("after-login").await;
                    return Ok(generation);
                }
                Written::Found(Some(row)) => Some(Lineage::from_item(&row)?),
                Written::Found(None) => self.lineage(&address).await?,
                Written::Contended => seen,
            };
            // Our own, then an earlier reply was lost. The pair may have been refreshed since, and must not come back.
            if seen
                .as_ref()
                .is_some_and(|lineage| lineage.grant_id == grant_id)
            {
                return Ok(generation);
            }
            // The second attempt does not wait: mostly somebody has logged in before, and nobody else is at it now.
            if attempt > 0 {
                tokio::time::sleep(jittered(PAUSE)).await;
            }
        }
        Err(StoreError::Conflict)
    }

    /// With its place in the index of due rows, so that no login is ever forgotten there.
    fn whole_row(&self, address: &Address, pair: &SealedPair) -> Item {
        let mut row: Item = pair
            .attributes(address)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        row.insert(attribute::PK.to_owned(), address.pk());
        row.insert(attribute::SK.to_owned(), address.sk());
        if let Some((due_shard, due_at)) = pair.due(address, &self.shards) {
            row.insert(attribute::DUE_SHARD.to_owned(), due_shard);
            row.insert(attribute::DUE_AT.to_owned(), due_at);
        }
        row
    }

    async fn lineage(&self, address: &Address) -> Result<Option<Lineage>, StoreError> {
        self.table
            .get(address)
            .await?
            .as_ref()
            .map(Lineage::from_item)
            .transpose()
    }

    async fn put(&self, item: Item, seen: Option<&Lineage>) -> Result<Written, StoreError> {
        let mut request = self
            .table
            .client
            .put_item()
            .table_name(&self.table.name)
            .set_item(Some(item))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        request = match seen {
            None => request.condition_expression(IF_ABSENT),
            Some(lineage) => request
                .condition_expression(IF_AS_SEEN)
                .expression_attribute_values(":seen_generation", number(lineage.generation.get()))
                .expression_attribute_values(":seen_grant", text(&lineage.grant_id)),
        };
        match request.send().await {
            Ok(_) => Ok(Written::Yes),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(refusal)) => {
                    Ok(Written::Found(refusal.item().cloned()))
                }
                Some(PutItemError::TransactionConflictException(_)) => Ok(Written::Contended),
                _ => Err(failed(error)),
            },
        }
    }

    async fn put_and_complete(
        &self,
        item: Item,
        seen: Option<&Lineage>,
        completion: &Completion<'_>,
    ) -> Result<Written, StoreError> {
        let mut put = Put::builder()
            .table_name(&self.table.name)
            .set_item(Some(item))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        put = match seen {
            None => put.condition_expression(IF_ABSENT),
            Some(lineage) => put
                .condition_expression(IF_AS_SEEN)
                .expression_attribute_values(":seen_generation", number(lineage.generation.get()))
                .expression_attribute_values(":seen_grant", text(&lineage.grant_id)),
        };
        let sent = self
            .table
            .client
            .transact_write_items()
            .transact_items(
                TransactWriteItem::builder()
                    .put(put.build().map_err(not_built)?)
                    .build(),
            )
            .transact_items(
                TransactWriteItem::builder()
                    .update(completion.update(&self.table)?)
                    .build(),
            )
            .send()
            .await;
        let Err(error) = sent else {
            return Ok(Written::Yes);
        };
        match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(canceled)) => {
                match canceled.cancellation_reasons() {
                    [token, claim] => {
                        cancelled(token, claim, completion).unwrap_or_else(|| Err(failed(error)))
                    }
                    _ => Err(failed(error)),
                }
            }
            _ => Err(failed(error)),
        }
    }
}

/// What a cancelled transaction means; `None` for a reason that this protocol does not know.
fn cancelled(
    token: &CancellationReason,
    claim: &CancellationReason,
    completion: &Completion<'_>,
) -> Option<Result<Written, StoreError>> {
    const REFUSED: Option<&str> = Some("ConditionalCheckFailed");
    let busy = |reason: &CancellationReason| {
        matches!(
            reason.code(),
            Some("TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded")
        )
    };
    let recorded = claim.code() == REFUSED && completion.is_recorded_in(claim.item());
    if claim.code() == REFUSED && !recorded {
        return Some(Err(StoreError::ClaimLost));
    }
    if token.code() == REFUSED {
        return Some(Ok(Written::Found(token.item().cloned())));
    }
    if recorded {
        // Written by an earlier attempt of ours whose reply was lost.
        return Some(Ok(Written::Yes));
    }
    (busy(token) || busy(claim)).then_some(Ok(Written::Contended))
}
