//! First answers: what makes a repeated request harmless.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure, Update};
use secrecy::ExposeSecret;
use uuid::Uuid;

use crate::address::Address;
use crate::dynamo::{Item, failed, not_built, number, text};
use crate::error::StoreError;
use crate::keys::TokenKeys;
use crate::record::{
    attribute, corrupt, optional_blob, optional_text, optional_time, required_text, time,
};
use crate::sealed_table::{SealedTable, jittered};
use table_rows::{Clock, WallTime};

/// The largest answer that is kept, in bytes. A row of DynamoDB holds 400 KB in all.
pub const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// The pause between two looks at a running call, on average.
const POLL: Duration = Duration::from_millis(60);
/// How often a claim looks again when the row it was refused for has gone.
const ATTEMPTS: usize = 5;

const RUNNING: &str = "running";
const ANSWERED: &str = "answered";

const COMPLETE: &str =
    "SET #state = :answered, answer_sealed = :answer, key_id = :key_id REMOVE in_progress_until";
const IF_OWN_AND_RUNNING: &str = "claim_owner = :claim_owner AND #state = :running";

/// What the first of several identical requests was answered, so that a repeat gets the same
/// answer and the work is done once.
///
/// # Protocol
///
/// 1. [`claim`](Self::claim): write a row `running` with a fresh owner, if there is none, or the one
///    there is past `keep_until`, or it is `running` for the same request past its
///    `in_progress_until` (its owner was killed). Otherwise the refused write hands back the row,
///    and it is answered from: another fingerprint is a mismatch, an answer is opened, a running call
///    is reported with its end.
/// 2. Do the work.
/// 3. [`complete`](Self::complete): write the sealed answer, if the row is still `running` and our
///    own. Or [`release`](Self::release): remove the row under the same condition, if nothing was
///    done, so that a repeat may try again.
///
/// Invariants: of all that claim one key inside its window, one at a time is told to work; an owner
/// whose claim was taken over can neither answer nor remove it; a row past `keep_until` counts as
/// absent whether or not DynamoDB has removed it. Reads are consistent.
///
/// `in_progress_until` must lie after the moment at which the claimer can last have an effect (its
/// own deadline, or the function's timeout): only then does a takeover not do the work twice.
///
/// The key is stored as its SHA-256, the answer sealed. Cloning is cheap.
#[derive(Clone)]
pub struct FirstAnswers {
    table: Arc<SealedTable>,
}

/// What a claim came to. `Debug` hides the answer, which may hold tokens.
pub enum Claim {
    /// The caller is to do the work, then complete or release.
    First(ClaimToken),
    /// It was done before, and this was the answer.
    Answered(String),
    /// Another caller is doing it, until this moment at the latest.
    Running {
        /// After this moment the claim may be taken over.
        until: WallTime,
    },
    /// The key was used for another request.
    Mismatch,
}

/// What waiting for another caller's answer came to. `Debug` hides the answer.
pub enum Waited {
    /// It was done, and this was the answer.
    Answered(String),
    /// The other released its claim, or was killed: claim again.
    Gone,
    /// The deadline passed first.
    StillRunning {
        /// After this moment the claim may be taken over.
        until: WallTime,
    },
    /// The key was used for another request.
    Mismatch,
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First(token) => f.debug_tuple("First").field(token).finish(),
            Self::Answered(answer) => f.debug_tuple("Answered").field(&Answer(answer)).finish(),
            Self::Running { until } => f.debug_struct("Running").field("until", until).finish(),
            Self::Mismatch => f.write_str("Mismatch"),
        }
    }
}

impl fmt::Debug for Waited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered(answer) => f.debug_tuple("Answered").field(&Answer(answer)).finish(),
            Self::Gone => f.write_str("Gone"),
            Self::StillRunning { until } => f
                .debug_struct("StillRunning")
                .field("until", until)
                .finish(),
            Self::Mismatch => f.write_str("Mismatch"),
        }
    }
}

/// The right to complete or release a claim.
#[derive(Clone, Debug)]
pub struct ClaimToken {
    address: Address,
    owner: String,
}

/// An answer to be recorded together with a login,
/// see [`TokenStore::put_login`](crate::TokenStore::put_login). The claim must be one of the same
/// table.
#[derive(Clone, Debug)]
pub struct Completion<'a> {
    claim: ClaimToken,
    answer: Answer<'a>,
}

/// An answer whose text `Debug` hides.
#[derive(Clone, Copy)]
struct Answer<'a>(&'a str);

impl fmt::Debug for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bytes]", self.0.len())
    }
}

impl<'a> Completion<'a> {
    /// Completes `claim` with `answer`.
    pub fn new(claim: ClaimToken, answer: &'a str) -> Self {
        Self {
            claim,
            answer: Answer(answer),
        }
    }

    /// The write, alone or as a part of a transaction.
    pub(crate) fn update(&self, table: &SealedTable) -> Result<Update, StoreError> {
        let answer = sealed_answer(table, &self.claim, self.answer.0)?;
        Update::builder()
            .table_name(&table.name)
            .key(attribute::PK, self.claim.address.pk())
            .key(attribute::SK, self.claim.address.sk())
            .update_expression(COMPLETE)
            .condition_expression(IF_OWN_AND_RUNNING)
            .expression_attribute_names("#state", attribute::STATE)
            .expression_attribute_values(":answered", text(ANSWERED))
            .expression_attribute_values(":running", text(RUNNING))
            .expression_attribute_values(":answer", answer.bytes)
            .expression_attribute_values(":key_id", answer.key_id)
            .expression_attribute_values(":claim_owner", text(&self.claim.owner))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(not_built)
    }

    /// Whether `row` is this completion, written before.
    pub(crate) fn is_recorded_in(&self, row: Option<&Item>) -> bool {
        let is = |field: &str, wanted: &str| {
            row.and_then(|row| row.get(field))
                .and_then(|value| value.as_s().ok())
                .is_some_and(|value| value == wanted)
        };
        is(attribute::CLAIM_OWNER, &self.claim.owner) && is(attribute::STATE, ANSWERED)
    }
}

impl FirstAnswers {
    /// First answers in `table`, which must have the shape that
    /// [`create_table`](crate::create_table) makes.
    pub fn new(client: Client, table: impl Into<String>, keys: TokenKeys) -> Self {
        Self::in_table(Arc::new(SealedTable {
            client,
            name: table.into(),
            keys,
        }))
    }

    pub(crate) fn in_table(table: Arc<SealedTable>) -> Self {
        Self { table }
    }

    /// Claims the work for `key`.
    ///
    /// - `scope`: what the key is unique in, such as function and app.
    /// - `key`: the caller's key, of any length; only its SHA-256 is stored.
    /// - `fingerprint`: a hash of what must be the same for a repeat to be one (payload, caller).
    /// - `in_progress_until`: after it, an unfinished claim may be taken over.
    /// - `keep_until`: after it, the answer is forgotten.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: nothing may be done, for whether the claim was made is unknown.
    /// [`StoreError::Corrupt`]: a kept answer does not open. [`StoreError::Conflict`]: the row kept
    /// changing.
    pub async fn claim(
        &self,
        scope: &str,
        key: &str,
        fingerprint: &[u8],
        now: WallTime,
        in_progress_until: WallTime,
        keep_until: WallTime,
    ) -> Result<Claim, StoreError> {
        let address = address_of(scope, key)?;
        let owner = Uuid::new_v4().to_string();
        for _ in 0..ATTEMPTS {
            let sent = self
                .table
                .client
                .put_item()
                .table_name(&self.table.name)
                .item(attribute::PK, address.pk())
                .item(attribute::SK, address.sk())
                .item(attribute::STATE, text(RUNNING))
                .item(attribute::CLAIM_OWNER, text(&owner))
                .item(attribute::FINGERPRINT, binary(fingerprint))
                .item(attribute::IN_PROGRESS_UNTIL, time(in_progress_until))
                .item(attribute::KEEP_UNTIL, time(keep_until))
                .item(attribute::TTL, number(keep_until.as_secs_rounded_up()))
                .condition_expression(
                    "attribute_not_exists(pk) OR keep_until <= :now OR (#state = :running AND \
                     in_progress_until <= :now AND fingerprint = :fingerprint)",
                )
                .expression_attribute_names("#state", attribute::STATE)
                .expression_attribute_values(":now", time(now))
                .expression_attribute_values(":running", text(RUNNING))
                .expression_attribute_values(":fingerprint", binary(fingerprint))
                .return_values_on_condition_check_failure(
                    ReturnValuesOnConditionCheckFailure::AllOld,
                )
                .send()
                .await;
            let found = match sent {
                Ok(_) => return Ok(Claim::First(ClaimToken { address, owner })),
                Err(error) => match error.as_service_error() {
                    Some(PutItemError::ConditionalCheckFailedException(refusal)) => {
                        refusal.item().cloned()
                    }
                    _ => return Err(failed(error)),
                },
            };
            let found = match found {
                Some(row) => Some(row),
                None => self.table.get(&address).await?,
            };
            let Some(row) = found else { continue };
            if optional_text(&row, attribute::CLAIM_OWNER)? == Some(owner.as_str()) {
                // Our own, an earlier reply was lost.
                return Ok(Claim::First(ClaimToken { address, owner }));
            }
            return Ok(match self.read_row(&address, &row, fingerprint)? {
                Row::Mismatch => Claim::Mismatch,
                Row::Answered(answer) => Claim::Answered(answer),
                Row::Running { until } => Claim::Running { until },
            });
        }
        Err(StoreError::Conflict)
    }

    /// Records the answer of a claim.
    ///
    /// # Errors
    /// [`StoreError::ClaimLost`]: the claim was taken over; nothing was written.
    /// [`StoreError::TooLarge`]: the answer is over [`MAX_ANSWER_BYTES`].
    /// [`StoreError::Unavailable`]: whether it was recorded is unknown.
    pub async fn complete(&self, claim: ClaimToken, answer: &str) -> Result<(), StoreError> {
        let completion = Completion::new(claim, answer);
        let write = completion.update(&self.table)?;
        let sent = self
            .table
            .client
            .update_item()
            .table_name(write.table_name)
            .set_key(Some(write.key))
            .update_expression(write.update_expression)
            .set_condition_expression(write.condition_expression)
            .set_expression_attribute_names(write.expression_attribute_names)
            .set_expression_attribute_values(write.expression_attribute_values)
            .set_return_values_on_condition_check_failure(
                write.return_values_on_condition_check_failure,
            )
            .send()
            .await;
        let Err(error) = sent else { return Ok(()) };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refusal))
                if completion.is_recorded_in(refusal.item()) =>
            {
                Ok(())
            }
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Err(StoreError::ClaimLost),
            _ => Err(failed(error)),
        }
    }

    /// Gives a claim back because nothing was done. A claim that is not the caller's any more, or
    /// was completed, stays as it is; that is no error.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: the claim may still stand and will be free at its
    /// `in_progress_until`.
    pub async fn release(&self, claim: ClaimToken) -> Result<(), StoreError> {
        let sent = self
            .table
            .client
            .delete_item()
            .table_name(&self.table.name)
            .key(attribute::PK, claim.address.pk())
            .key(attribute::SK, claim.address.sk())
            .condition_expression(IF_OWN_AND_RUNNING)
            .expression_attribute_names("#state", attribute::STATE)
            .expression_attribute_values(":running", text(RUNNING))
            .expression_attribute_values(":claim_owner", text(&claim.owner))
            .send()
            .await;
        let Err(error) = sent else { return Ok(()) };
        match error.as_service_error() {
            Some(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(()),
            _ => Err(failed(error)),
        }
    }

    /// Waits for the answer of a running claim, until `deadline` at the longest.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn wait(
        &self,
        scope: &str,
        key: &str,
        fingerprint: &[u8],
        clock: &dyn Clock,
        deadline: WallTime,
    ) -> Result<Waited, StoreError> {
        let address = address_of(scope, key)?;
        let patience = deadline.since(clock.now());
        // Counted besides the clock, which may be set back.
        let mut waited = Duration::ZERO;
        loop {
            let Some(row) = self.table.get(&address).await? else {
                return Ok(Waited::Gone);
            };
            let now = clock.now();
            if optional_time(&row, attribute::KEEP_UNTIL)?.is_none_or(|end| end <= now) {
                return Ok(Waited::Gone);
            }
            let until = match self.read_row(&address, &row, fingerprint)? {
                Row::Mismatch => return Ok(Waited::Mismatch),
                Row::Answered(answer) => return Ok(Waited::Answered(answer)),
                Row::Running { until } if until <= now => return Ok(Waited::Gone),
                Row::Running { until } => until,
            };
            if waited >= patience || now >= deadline {
                return Ok(Waited::StillRunning { until });
            }
            let pause = jittered(POLL).min(patience.saturating_sub(waited));
            tokio::time::sleep(pause).await;
            waited += pause;
        }
    }

    fn read_row(
        &self,
        address: &Address,
        row: &Item,
        fingerprint: &[u8],
    ) -> Result<Row, StoreError> {
        let stored = optional_blob(row, attribute::FINGERPRINT)?
            .ok_or_else(|| corrupt(attribute::FINGERPRINT, "is missing"))?;
        if stored.as_ref() != fingerprint {
            return Ok(Row::Mismatch);
        }
        match required_text(row, attribute::STATE)? {
            RUNNING => Ok(Row::Running {
                until: optional_time(row, attribute::IN_PROGRESS_UNTIL)?
                    .ok_or_else(|| corrupt(attribute::IN_PROGRESS_UNTIL, "is missing"))?,
            }),
            ANSWERED => {
                let sealed = optional_blob(row, attribute::ANSWER)?
                    .ok_or_else(|| corrupt(attribute::ANSWER, "is missing"))?;
                let owner = required_text(row, attribute::CLAIM_OWNER)?;
                let place = address.place(&self.table.name, attribute::ANSWER, 0, owner);
                let answer = self
                    .table
                    .answer_keyring()
                    .open(
                        &place,
                        required_text(row, attribute::KEY_ID)?,
                        sealed.as_ref(),
                    )
                    .map_err(|reason| corrupt(attribute::ANSWER, reason))?;
                Ok(Row::Answered(answer.expose_secret().to_owned()))
            }
            _ => Err(corrupt(attribute::STATE, "is not a known state")),
        }
    }
}

impl fmt::Debug for FirstAnswers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FirstAnswers").finish_non_exhaustive()
    }
}

/// A stored row, as far as it concerns a repeat.
enum Row {
    Running { until: WallTime },
    Answered(String),
    Mismatch,
}

struct SealedAnswer {
    bytes: AttributeValue,
    key_id: AttributeValue,
}

/// The claim's owner takes the place of the grant in what is authenticated.
fn sealed_answer(
    table: &SealedTable,
    claim: &ClaimToken,
    answer: &str,
) -> Result<SealedAnswer, StoreError> {
    if answer.len() > MAX_ANSWER_BYTES {
        return Err(StoreError::TooLarge {
            bytes: answer.len(),
            limit: MAX_ANSWER_BYTES,
        });
    }
    let place = claim
        .address
        .place(&table.name, attribute::ANSWER, 0, &claim.owner);
    let sealed = table
        .answer_keyring()
        .seal(&place, answer.as_bytes())
        .map_err(|_| StoreError::Sealing)?;
    Ok(SealedAnswer {
        bytes: AttributeValue::B(Blob::new(sealed.bytes)),
        key_id: text(sealed.key_id),
    })
}

fn address_of(scope: &str, key: &str) -> Result<Address, StoreError> {
    let mut key_sha256 = String::with_capacity(64);
    for byte in digest(&SHA256, key.as_bytes()).as_ref() {
        // Writing to a string does not fail.
        let _ = write!(key_sha256, "{byte:02x}");
    }
    Address::of_answer(scope, &key_sha256)
}

fn binary(bytes: &[u8]) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}
