//! The stored form of a token: attribute names, and the way from a row to a record and back.

use std::fmt;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use secrecy::SecretString;

use crate::address::Address;
use crate::due::Life;
use crate::dynamo::{Item, number};
use crate::error::StoreError;
use crate::keyring::Keyring;
use crate::sealed_pair::SealedText;
use crate::tokens::QUARANTINE;
use table_rows::WallTime;

/// Names of the attributes in the table. Times are milliseconds since 1970, but for `ttl`.
pub(crate) mod attribute {
    pub(crate) const PK: &str = "pk";
    pub(crate) const SK: &str = "sk";
    /// Seconds since 1970; DynamoDB may remove the row some time after. Never decides anything.
    pub(crate) const TTL: &str = "ttl";
    /// Which key of the keyring sealed the access token, or the answer.
    pub(crate) const KEY_ID: &str = "key_id";

    /// Grows by one with every stored pair.
    pub(crate) const GENERATION: &str = "generation";
    /// New with every login; a refresh keeps it.
    pub(crate) const GRANT_ID: &str = "grant_id";
    pub(crate) const STATE: &str = "state";
    pub(crate) const ACCESS_TOKEN: &str = "access_token_sealed";
    pub(crate) const REFRESH_TOKEN: &str = "refresh_token_sealed";
    pub(crate) const REFRESH_KEY_ID: &str = "refresh_key_id";
    /// One more refresh token to try for the same generation.
    pub(crate) const SIBLING_TOKEN: &str = "sibling_token_sealed";
    pub(crate) const SIBLING_KEY_ID: &str = "sibling_key_id";
    pub(crate) const EXPIRES_AT: &str = "expires_at";
    pub(crate) const REFRESH_EXPIRES_AT: &str = "refresh_expires_at";
    /// Tells a writer whether the row it finds is the one it wrote itself.
    pub(crate) const COMMIT_ID: &str = "commit_id";
    pub(crate) const COMMITTED_AT: &str = "committed_at";
    pub(crate) const LEASE_OWNER: &str = "lease_owner";
    pub(crate) const LEASE_UNTIL: &str = "lease_until";
    /// How many refreshes in a row brought no answer about the token.
    pub(crate) const ATTEMPTS: &str = "attempts";
    /// No refresh is tried before this moment.
    pub(crate) const NOT_BEFORE: &str = "not_before";
    /// Since when the grant is in doubt.
    pub(crate) const SUSPECT_SINCE: &str = "suspect_since";
    /// When its refresh token was first refused: the quarantine counts from here.
    pub(crate) const REFUSED_SINCE: &str = "refused_since";
    /// Partition and sort key of the index of due rows; a row without them is not in it.
    pub(crate) const DUE_SHARD: &str = "due_shard";
    pub(crate) const DUE_AT: &str = "due_at";

    pub(crate) const CLAIM_OWNER: &str = "claim_owner";
    pub(crate) const FINGERPRINT: &str = "fingerprint";
    pub(crate) const IN_PROGRESS_UNTIL: &str = "in_progress_until";
    pub(crate) const KEEP_UNTIL: &str = "keep_until";
    pub(crate) const ANSWER: &str = "answer_sealed";
}

/// Counts the pairs stored under one key: one at the first login, one more with every later login
/// or refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(u64);

impl Generation {
    pub(crate) const FIRST: Self = Self(1);

    /// The generation of that count, as somebody names it who read it before.
    pub const fn new(count: u64) -> Self {
        Self(count)
    }

    /// The count.
    pub const fn get(self) -> u64 {
        self.0
    }

    pub(crate) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is known about a stored grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// As far as is known, good.
    Active,
    /// Alipay refused the access token at its use, or a refresh. The access token is served until it expires; a refresh that is still
    /// on its way, one that succeeds, or a new login makes the grant active again.
    Suspect,
    /// The user has to log in again: the refresh token was refused twice with the quarantine between, or is too old.
    Reauthorize,
    /// Withdrawn by the user or by us.
    Revoked,
}

impl State {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspect => "suspect",
            Self::Reauthorize => "reauthorize",
            Self::Revoked => "revoked",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [
            Self::Active,
            Self::Suspect,
            Self::Reauthorize,
            Self::Revoked,
        ]
        .into_iter()
        .find(|state| state.as_str() == text)
    }
}

/// A row as read, its values still sealed.
pub(crate) struct TokenRecord {
    pub(crate) address: Address,
    pub(crate) generation: Generation,
    pub(crate) grant_id: String,
    pub(crate) state: State,
    pub(crate) expires_at: WallTime,
    pub(crate) refresh_expires_at: Option<WallTime>,
    /// When this pair was stored.
    pub(crate) committed_at: WallTime,
    /// Until when somebody is refreshing it.
    pub(crate) lease_until: Option<WallTime>,
    pub(crate) attempts: u32,
    pub(crate) not_before: Option<WallTime>,
    pub(crate) suspect_since: Option<WallTime>,
    pub(crate) refused_since: Option<WallTime>,
    /// Where it stands in the index of due rows: partition and time.
    pub(crate) due: Option<(String, WallTime)>,
    access_token: SealedText,
    refresh_token: Option<SealedText>,
    sibling: Option<SealedText>,
}

impl TokenRecord {
    pub(crate) fn from_item(address: &Address, item: &Item) -> Result<Self, StoreError> {
        let state = required_text(item, attribute::STATE)?;
        let due_shard = optional_text(item, attribute::DUE_SHARD)?.map(str::to_owned);
        Ok(Self {
            address: address.clone(),
            generation: Generation(required_number(item, attribute::GENERATION)?),
            grant_id: required_text(item, attribute::GRANT_ID)?.to_owned(),
            state: State::parse(state)
                .ok_or_else(|| corrupt(attribute::STATE, "is not a known state"))?,
            expires_at: WallTime::from_millis(required_number(item, attribute::EXPIRES_AT)?),
            refresh_expires_at: optional_time(item, attribute::REFRESH_EXPIRES_AT)?,
            committed_at: WallTime::from_millis(required_number(item, attribute::COMMITTED_AT)?),
            lease_until: optional_time(item, attribute::LEASE_UNTIL)?,
            attempts: optional_number(item, attribute::ATTEMPTS)?
                .map_or(0, |count| u32::try_from(count).unwrap_or(u32::MAX)),
            not_before: optional_time(item, attribute::NOT_BEFORE)?,
            suspect_since: optional_time(item, attribute::SUSPECT_SINCE)?,
            refused_since: optional_time(item, attribute::REFUSED_SINCE)?,
            due: due_shard.zip(optional_time(item, attribute::DUE_AT)?),
            access_token: sealed_text(item, attribute::ACCESS_TOKEN, attribute::KEY_ID)?
                .ok_or_else(|| corrupt(attribute::ACCESS_TOKEN, "is missing"))?,
            refresh_token: sealed_text(item, attribute::REFRESH_TOKEN, attribute::REFRESH_KEY_ID)?,
            sibling: sealed_text(item, attribute::SIBLING_TOKEN, attribute::SIBLING_KEY_ID)?,
        })
    }

    pub(crate) fn open_access_token(
        &self,
        keyring: &Keyring,
        table: &str,
    ) -> Result<SecretString, StoreError> {
        self.open(keyring, table, attribute::ACCESS_TOKEN, &self.access_token)
    }

    /// The refresh tokens in the order in which they are to be tried: the pair's own, and its sibling.
    pub(crate) fn open_refresh_tokens(
        &self,
        keyring: &Keyring,
        table: &str,
    ) -> Result<Vec<SecretString>, StoreError> {
        [
            (attribute::REFRESH_TOKEN, &self.refresh_token),
            (attribute::SIBLING_TOKEN, &self.sibling),
        ]
        .into_iter()
        .filter_map(|(field, sealed)| sealed.as_ref().map(|sealed| (field, sealed)))
        .map(|(field, sealed)| self.open(keyring, table, field, sealed))
        .collect()
    }

    /// Whether there is a refresh token that is good for longer than `now`, as far as its time says anything.
    pub(crate) fn is_refreshable_at(&self, now: WallTime) -> bool {
        let in_time = self.refresh_expires_at.is_none_or(|end| now < end);
        self.refresh_token.is_some() && (in_time || !self.ends_with_its_time())
    }

    /// Whether the token is certainly over when its time is.
    pub(crate) fn ends_with_its_time(&self) -> bool {
        self.address.ends_with_its_time()
    }

    /// What decides when the pair is due.
    pub(crate) fn life(&self) -> Life {
        Life {
            committed_at: self.committed_at,
            expires_at: self.expires_at,
            refresh_expires_at: self
                .refresh_expires_at
                .filter(|_| self.ends_with_its_time()),
        }
    }

    /// When the schedule is to look at the row; `None` when it need not.
    pub(crate) fn due_at(&self) -> Option<WallTime> {
        let due = match self.state {
            State::Active if self.refresh_token.is_some() => self.life().due_at(&self.address),
            // Somebody has to settle it, however short its life is.
            State::Suspect => self
                .refused_since
                .or(self.suspect_since)
                .map(|since| since.plus(QUARANTINE)),
            _ => None,
        };
        match (due, self.not_before) {
            (Some(due), Some(not_before)) => Some(due.max(not_before)),
            (due, _) => due,
        }
    }

    fn open(
        &self,
        keyring: &Keyring,
        table: &str,
        field: &'static str,
        sealed: &SealedText,
    ) -> Result<SecretString, StoreError> {
        let place = self
            .address
            .place(table, field, self.generation.get(), &self.grant_id);
        keyring
            .open(&place, &sealed.key_id, &sealed.bytes)
            .map_err(|reason| corrupt(field, reason))
    }
}

fn sealed_text(
    item: &Item,
    field: &'static str,
    key_field: &'static str,
) -> Result<Option<SealedText>, StoreError> {
    let Some(sealed) = optional_blob(item, field)? else {
        return Ok(None);
    };
    Ok(Some(SealedText {
        key_id: required_text(item, key_field)?.to_owned(),
        bytes: sealed.as_ref().to_vec(),
    }))
}

/// What a later write of the same row is conditional on. Nothing of it is secret.
#[derive(Clone, Debug)]
pub(crate) struct Lineage {
    pub(crate) generation: Generation,
    pub(crate) grant_id: String,
    pub(crate) commit_id: String,
}

impl Lineage {
    /// The attributes that it is made of.
    pub(crate) const ATTRIBUTES: &str = "generation, grant_id, commit_id";

    pub(crate) fn from_item(item: &Item) -> Result<Self, StoreError> {
        Ok(Self {
            generation: Generation(required_number(item, attribute::GENERATION)?),
            grant_id: required_text(item, attribute::GRANT_ID)?.to_owned(),
            commit_id: required_text(item, attribute::COMMIT_ID)?.to_owned(),
        })
    }
}

pub(crate) fn time(moment: WallTime) -> AttributeValue {
    number(moment.as_millis())
}

pub(crate) fn corrupt(field: &'static str, problem: impl fmt::Display) -> StoreError {
    StoreError::Corrupt {
        field,
        problem: problem.to_string(),
    }
}

pub(crate) fn optional_text<'a>(
    item: &'a Item,
    field: &'static str,
) -> Result<Option<&'a str>, StoreError> {
    match item.get(field) {
        None => Ok(None),
        Some(AttributeValue::S(text)) => Ok(Some(text)),
        Some(_) => Err(corrupt(field, "is not a string")),
    }
}

pub(crate) fn required_text<'a>(
    item: &'a Item,
    field: &'static str,
) -> Result<&'a str, StoreError> {
    optional_text(item, field)?.ok_or_else(|| corrupt(field, "is missing"))
}

pub(crate) fn optional_blob<'a>(
    item: &'a Item,
    field: &'static str,
) -> Result<Option<&'a Blob>, StoreError> {
    match item.get(field) {
        None => Ok(None),
        Some(AttributeValue::B(blob)) => Ok(Some(blob)),
        Some(_) => Err(corrupt(field, "is not binary")),
    }
}

pub(crate) fn optional_time(
    item: &Item,
    field: &'static str,
) -> Result<Option<WallTime>, StoreError> {
    Ok(optional_number(item, field)?.map(WallTime::from_millis))
}

fn optional_number(item: &Item, field: &'static str) -> Result<Option<u64>, StoreError> {
    match item.get(field) {
        None => Ok(None),
        Some(_) => required_number(item, field).map(Some),
    }
}

fn required_number(item: &Item, field: &'static str) -> Result<u64, StoreError> {
    match item.get(field) {
        None => Err(corrupt(field, "is missing")),
        Some(AttributeValue::N(digits)) => digits
            .parse()
            .map_err(|_| corrupt(field, "is not a whole number from 0 to 2⁶⁴−1")),
        Some(_) => Err(corrupt(field, "is not a number")),
    }
}
