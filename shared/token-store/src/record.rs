//! The stored form of a token: attribute names, and the way from a row to a record and back.

use std::fmt;
use std::time::Duration;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use secrecy::{ExposeSecret, SecretString};

use crate::address::{Address, TokenKind};
use crate::dynamo::{Item, number, text};
use crate::error::StoreError;
use crate::keyring::Keyring;
use crate::tokens::Grant;
use crate::wall_time::WallTime;

/// Names of the attributes in the table. Times are milliseconds since 1970, but for `ttl`.
pub(crate) mod attribute {
    pub(crate) const PK: &str = "pk";
    pub(crate) const SK: &str = "sk";
    /// Seconds since 1970; DynamoDB may remove the row some time after. Never decides anything.
    pub(crate) const TTL: &str = "ttl";
    /// Which key of the keyring sealed the row's values.
    pub(crate) const KEY_ID: &str = "key_id";

    /// Grows by one with every stored pair.
    pub(crate) const GENERATION: &str = "generation";
    /// New with every login; a refresh keeps it.
    pub(crate) const GRANT_ID: &str = "grant_id";
    pub(crate) const STATE: &str = "state";
    pub(crate) const ACCESS_TOKEN: &str = "access_token_sealed";
    pub(crate) const REFRESH_TOKEN: &str = "refresh_token_sealed";
    pub(crate) const EXPIRES_AT: &str = "expires_at";
    pub(crate) const REFRESH_EXPIRES_AT: &str = "refresh_expires_at";
    /// Tells a writer whether the row it finds is the one it wrote itself.
    pub(crate) const COMMIT_ID: &str = "commit_id";
    pub(crate) const COMMITTED_AT: &str = "committed_at";
    pub(crate) const LEASE_OWNER: &str = "lease_owner";
    pub(crate) const LEASE_UNTIL: &str = "lease_until";

    pub(crate) const CLAIM_OWNER: &str = "claim_owner";
    pub(crate) const FINGERPRINT: &str = "fingerprint";
    pub(crate) const IN_PROGRESS_UNTIL: &str = "in_progress_until";
    pub(crate) const KEEP_UNTIL: &str = "keep_until";
    pub(crate) const ANSWER: &str = "answer_sealed";
}

/// How long a row stays after its last token has expired: long enough to see
/// afterwards what happened to it.
const KEPT_AFTER_EXPIRY: Duration = Duration::from_secs(7 * 24 * 3600);

/// Counts the pairs stored under one key: one at the first login, one more with every later login
/// or refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(u64);

impl Generation {
    pub(crate) const FIRST: Self = Self(1);

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
    /// A refresh was refused. The access token is served until it expires; a refresh that is still
    /// on its way, or a new login, makes the grant active again.
    Suspect,
    /// The user has to log in again. Written by the scheduled refresh.
    Reauthorize,
    /// Withdrawn by the user or by us.
    Revoked,
}

impl State {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspect => "suspect",
            Self::Reauthorize => "reauthorize",
            Self::Revoked => "revoked",
        }
    }

    fn parse(text: &str) -> Option<Self> {
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
    key_id: String,
    access_token: Blob,
    refresh_token: Option<Blob>,
}

impl TokenRecord {
    pub(crate) fn from_item(address: &Address, item: &Item) -> Result<Self, StoreError> {
        let state = required_text(item, attribute::STATE)?;
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
            key_id: required_text(item, attribute::KEY_ID)?.to_owned(),
            access_token: optional_blob(item, attribute::ACCESS_TOKEN)?
                .ok_or_else(|| corrupt(attribute::ACCESS_TOKEN, "is missing"))?
                .clone(),
            refresh_token: optional_blob(item, attribute::REFRESH_TOKEN)?.cloned(),
        })
    }

    pub(crate) fn open_access_token(
        &self,
        keyring: &Keyring,
        table: &str,
    ) -> Result<SecretString, StoreError> {
        self.open(keyring, table, attribute::ACCESS_TOKEN, &self.access_token)
    }

    /// The refresh token, where there is one.
    pub(crate) fn open_refresh_token(
        &self,
        keyring: &Keyring,
        table: &str,
    ) -> Result<Option<SecretString>, StoreError> {
        self.refresh_token
            .as_ref()
            .map(|sealed| self.open(keyring, table, attribute::REFRESH_TOKEN, sealed))
            .transpose()
    }

    /// Whether there is a refresh token that is good for longer than `now`, as far as its time says anything.
    pub(crate) fn is_refreshable_at(&self, now: WallTime) -> bool {
        let in_time = self.refresh_expires_at.is_none_or(|end| now < end);
        self.refresh_token.is_some() && (in_time || !self.ends_with_its_time())
    }

    /// Whether the token is certainly over when its time is.
    pub(crate) fn ends_with_its_time(&self) -> bool {
        self.address.kind.is_none_or(TokenKind::ends_with_its_time)
    }

    fn open(
        &self,
        keyring: &Keyring,
        table: &str,
        field: &'static str,
        sealed: &Blob,
    ) -> Result<SecretString, StoreError> {
        let place = self
            .address
            .place(table, field, self.generation.get(), &self.grant_id);
        keyring
            .open(&place, &self.key_id, sealed.as_ref())
            .map_err(|reason| corrupt(field, reason))
    }
}

/// What a later write of the same row is conditional on.
pub(crate) struct Lineage {
    pub(crate) generation: Generation,
    pub(crate) grant_id: String,
    pub(crate) commit_id: String,
}

impl Lineage {
    pub(crate) fn from_item(item: &Item) -> Result<Self, StoreError> {
        Ok(Self {
            generation: Generation(required_number(item, attribute::GENERATION)?),
            grant_id: required_text(item, attribute::GRANT_ID)?.to_owned(),
            commit_id: required_text(item, attribute::COMMIT_ID)?.to_owned(),
        })
    }
}

/// A pair about to be written: sealed for its own generation and grant.
pub(crate) struct NewPair<'a> {
    pub(crate) address: &'a Address,
    pub(crate) generation: Generation,
    pub(crate) grant_id: &'a str,
    pub(crate) commit_id: &'a str,
    pub(crate) committed_at: WallTime,
    pub(crate) grant: &'a Grant,
}

impl NewPair<'_> {
    /// The whole row of an active grant without a lease.
    pub(crate) fn item(&self, keyring: &Keyring, table: &str) -> Result<Item, StoreError> {
        let seal = |field, token: &SecretString| {
            let place = self
                .address
                .place(table, field, self.generation.get(), self.grant_id);
            keyring
                .seal(&place, token.expose_secret().as_bytes())
                .map_err(|_| StoreError::Sealing)
        };
        let grant = self.grant;
        let access_token = seal(attribute::ACCESS_TOKEN, &grant.access_token)?;
        let last_expiry = grant
            .refresh_expires_at
            .map_or(grant.expires_at, |end| end.max(grant.expires_at));
        let mut item: Item = [
            (attribute::PK, self.address.pk()),
            (attribute::SK, self.address.sk()),
            (attribute::GENERATION, number(self.generation.get())),
            (attribute::GRANT_ID, text(self.grant_id)),
            (attribute::COMMIT_ID, text(self.commit_id)),
            (attribute::COMMITTED_AT, time(self.committed_at)),
            (attribute::STATE, text(State::Active.as_str())),
            (attribute::EXPIRES_AT, time(grant.expires_at)),
            // One keyring seals both values, so one key id speaks for both.
            (attribute::KEY_ID, text(access_token.key_id)),
            (
                attribute::ACCESS_TOKEN,
                AttributeValue::B(Blob::new(access_token.bytes)),
            ),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
        // A row whose token may outlive its time is never removed by the time.
        if self.address.kind.is_none_or(TokenKind::ends_with_its_time) {
            let end = last_expiry.plus(KEPT_AFTER_EXPIRY).as_secs_rounded_up();
            item.insert(attribute::TTL.to_owned(), number(end));
        }
        if let Some(token) = &grant.refresh_token {
            let sealed = seal(attribute::REFRESH_TOKEN, token)?;
            item.insert(
                attribute::REFRESH_TOKEN.to_owned(),
                AttributeValue::B(Blob::new(sealed.bytes)),
            );
        }
        if let Some(end) = grant.refresh_expires_at {
            item.insert(attribute::REFRESH_EXPIRES_AT.to_owned(), time(end));
        }
        Ok(item)
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
    match item.get(field) {
        None => Ok(None),
        Some(_) => required_number(item, field).map(|ms| Some(WallTime::from_millis(ms))),
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
