//! The stored form of a token: keys, attribute names, and the way from a row to a record and back.

use std::fmt;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use secrecy::{ExposeSecret, SecretString};

use crate::dynamo::{Item, number, text};
use crate::error::StoreError;
use crate::keyring::{Keyring, Place};
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

/// Longest partition key of DynamoDB in bytes.
const PARTITION_KEY_BYTES: usize = 2048;
/// Longest sort key of DynamoDB in bytes.
const SORT_KEY_BYTES: usize = 1024;

/// How long a row stays after its last token has expired, in milliseconds: long enough to see
/// afterwards what happened to it.
const KEPT_AFTER_EXPIRY: std::time::Duration = std::time::Duration::from_secs(7 * 24 * 3600);

/// Whose token it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// A user's token for an app (`alipay.system.oauth.token`).
    User,
    /// A merchant's token for an ISV's app (`alipay.open.auth.token.app`).
    Isv,
}

/// The key a token is stored under.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TokenKey {
    /// The app the token was given to.
    pub app_id: String,
    /// Whose token it is.
    pub kind: TokenKind,
    /// The user (`user_id` or `open_id`), or the app that authorised an ISV.
    pub subject: String,
    /// The granted scopes, separated by commas or spaces; order and repetition do not matter. May
    /// be empty.
    pub scopes: String,
}

/// The row of a [`TokenKey`] or a claim.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    pub(crate) pk: String,
    pub(crate) sk: String,
}

impl Address {
    fn checked(pk: String, sk: String, pk_field: &'static str) -> Result<Self, StoreError> {
        if pk.len() > PARTITION_KEY_BYTES {
            return Err(StoreError::InvalidKey {
                field: pk_field,
                limit: PARTITION_KEY_BYTES - 64,
            });
        }
        if sk.len() > SORT_KEY_BYTES {
            return Err(StoreError::InvalidKey {
                field: "scopes",
                limit: SORT_KEY_BYTES - 64,
            });
        }
        Ok(Self { pk, sk })
    }

    /// The row of a first answer.
    pub(crate) fn of_answer(scope: &str, key_sha256: &str) -> Result<Self, StoreError> {
        if scope.is_empty() {
            return Err(StoreError::InvalidKey {
                field: "scope",
                limit: PARTITION_KEY_BYTES - 128,
            });
        }
        Self::checked(
            format!("ANSWER#{}#{key_sha256}", escaped(scope)),
            "FIRST".to_owned(),
            "scope",
        )
    }

    pub(crate) fn pk(&self) -> AttributeValue {
        text(&self.pk)
    }

    pub(crate) fn sk(&self) -> AttributeValue {
        text(&self.sk)
    }

    /// The place of one sealed field of this row.
    pub(crate) fn place<'a>(
        &'a self,
        table: &'a str,
        field: &'a str,
        generation: u64,
        grant_id: &'a str,
    ) -> Place<'a> {
        Place {
            table,
            pk: &self.pk,
            sk: &self.sk,
            field,
            generation,
            grant_id,
        }
    }
}

impl TokenKey {
    /// `APP#<app>#USER#<subject>` and `SCOPES#<scopes>`, the parts escaped so that no two keys
    /// share a row.
    pub(crate) fn address(&self) -> Result<Address, StoreError> {
        for (field, part) in [("app_id", &self.app_id), ("subject", &self.subject)] {
            if part.is_empty() {
                return Err(StoreError::InvalidKey {
                    field,
                    limit: PARTITION_KEY_BYTES - 64,
                });
            }
        }
        let kind = match self.kind {
            TokenKind::User => "USER",
            TokenKind::Isv => "ISV",
        };
        let mut scopes: Vec<String> = self
            .scopes
            .split([',', ' '])
            .filter(|scope| !scope.is_empty())
            .map(escaped)
            .collect();
        scopes.sort_unstable();
        scopes.dedup();
        Address::checked(
            format!(
                "APP#{}#{kind}#{}",
                escaped(&self.app_id),
                escaped(&self.subject)
            ),
            format!("SCOPES#{}", scopes.join(",")),
            "app_id and subject",
        )
    }
}

/// Percent-escapes the separator and the escape character themselves.
fn escaped(part: &str) -> String {
    part.replace('%', "%25").replace('#', "%23")
}

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

    /// Whether there is a refresh token that is good for longer than `now`.
    pub(crate) fn is_refreshable_at(&self, now: WallTime) -> bool {
        self.refresh_token.is_some() && self.refresh_expires_at.is_none_or(|end| now < end)
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
            (
                attribute::TTL,
                number(last_expiry.plus(KEPT_AFTER_EXPIRY).as_secs_rounded_up()),
            ),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn key(app_id: &str, kind: TokenKind, subject: &str, scopes: &str) -> Address {
        TokenKey {
            app_id: app_id.to_owned(),
            kind,
            subject: subject.to_owned(),
            scopes: scopes.to_owned(),
        }
        .address()
        .unwrap()
    }

    #[test]
    fn a_row_is_readable_by_a_person() {
        let address = key("2021000000000001", TokenKind::User, "2088x", "auth_user");
        assert_eq!(address.pk, "APP#2021000000000001#USER#2088x");
        assert_eq!(address.sk, "SCOPES#auth_user");
    }

    #[test]
    fn separators_in_ids_do_not_let_two_keys_share_a_row() {
        let plain = key("a", TokenKind::User, "b#USER#c", "");
        let moved = key("a#USER#b", TokenKind::User, "c", "");
        assert_ne!(plain.pk, moved.pk);
        assert_ne!(
            key("a", TokenKind::User, "%23", "").pk,
            key("a", TokenKind::User, "#", "").pk
        );
        assert_ne!(
            key("a", TokenKind::User, "b", "").pk,
            key("a", TokenKind::Isv, "b", "").pk
        );
    }

    #[test]
    fn the_order_of_scopes_does_not_matter() {
        assert_eq!(
            key("a", TokenKind::User, "b", "auth_user,auth_base"),
            key("a", TokenKind::User, "b", "auth_base auth_user,auth_base")
        );
    }

    #[test]
    fn empty_and_overlong_parts_are_refused_by_name() {
        let bad = |app_id: &str, subject: String, scopes: String| {
            TokenKey {
                app_id: app_id.to_owned(),
                kind: TokenKind::User,
                subject,
                scopes,
            }
            .address()
            .unwrap_err()
            .to_string()
        };
        assert!(bad("", "s".into(), String::new()).starts_with("app_id:"));
        assert!(bad("a", String::new(), String::new()).starts_with("subject:"));
        assert!(bad("a", "s".repeat(2048), String::new()).starts_with("app_id and subject:"));
        assert!(bad("a", "s".into(), "s".repeat(1024)).starts_with("scopes:"));
    }
}
