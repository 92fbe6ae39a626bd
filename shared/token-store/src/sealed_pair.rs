//! A pair of tokens as it is written: sealed for its own generation and grant.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::address::Address;
use crate::due::{DueShards, Life};
use crate::dynamo::{blob, number, text};
use crate::error::StoreError;
use crate::keyring::Keyring;
use crate::record::{Generation, State, attribute, corrupt};
use crate::sealed_table::SealedTable;
use crate::tokens::Grant;
use table_rows::WallTime;

/// How long a row stays after its last token has expired: long enough to see
/// afterwards what happened to it.
const KEPT_AFTER_EXPIRY: Duration = Duration::from_secs(7 * 24 * 3600);

/// A sealed text and the id of the key that sealed it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SealedText {
    pub(crate) key_id: String,
    #[serde(serialize_with = "as_base64", deserialize_with = "from_base64")]
    pub(crate) bytes: Vec<u8>,
}

/// The pair that is to be stored as `generation` of `grant_id`.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SealedPair {
    pub(crate) generation: u64,
    pub(crate) grant_id: String,
    pub(crate) commit_id: String,
    committed_at: u64,
    pub(crate) expires_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_expires_at: Option<u64>,
    access_token: SealedText,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<SealedText>,
}

/// What [`SealedPair::seal`] needs beside the pair.
pub(crate) struct Commit<'a> {
    pub(crate) generation: Generation,
    pub(crate) grant_id: &'a str,
    pub(crate) commit_id: &'a str,
    pub(crate) committed_at: WallTime,
}

impl SealedPair {
    pub(crate) fn seal(
        table: &SealedTable,
        address: &Address,
        commit: &Commit<'_>,
        grant: &Grant,
    ) -> Result<Self, StoreError> {
        let seal = |keyring: &Keyring, field, token: &SecretString| {
            let place = address.place(&table.name, field, commit.generation.get(), commit.grant_id);
            keyring.seal_text(&place, token)
        };
        let refresh_token = match &grant.refresh_token {
            None => None,
            Some(token) => Some(seal(
                table.refresh_keyring()?,
                attribute::REFRESH_TOKEN,
                token,
            )?),
        };
        Ok(Self {
            generation: commit.generation.get(),
            grant_id: commit.grant_id.to_owned(),
            commit_id: commit.commit_id.to_owned(),
            committed_at: commit.committed_at.as_millis(),
            expires_at: grant.expires_at.as_millis(),
            refresh_expires_at: grant.refresh_expires_at.map(WallTime::as_millis),
            access_token: seal(
                &table.keys.access,
                attribute::ACCESS_TOKEN,
                &grant.access_token,
            )?,
            refresh_token,
        })
    }

    /// Opens both tokens, and gives the refresh token, where there is one.
    pub(crate) fn open(
        &self,
        table: &SealedTable,
        address: &Address,
    ) -> Result<Option<SecretString>, StoreError> {
        let open = |keyring: &Keyring, field: &'static str, sealed: &SealedText| {
            let place = address.place(&table.name, field, self.generation, &self.grant_id);
            keyring
                .open(&place, &sealed.key_id, &sealed.bytes)
                .map_err(|reason| corrupt(field, reason))
        };
        open(
            &table.keys.access,
            attribute::ACCESS_TOKEN,
            &self.access_token,
        )?;
        let Some(sealed) = &self.refresh_token else {
            return Ok(None);
        };
        open(table.refresh_keyring()?, attribute::REFRESH_TOKEN, sealed).map(Some)
    }

    /// The attributes of an active grant without a lease, but for the row's keys and its place in the index.
    pub(crate) fn attributes(&self, address: &Address) -> Vec<(&'static str, AttributeValue)> {
        let mut attributes = vec![
            (attribute::GENERATION, number(self.generation)),
            (attribute::GRANT_ID, text(&self.grant_id)),
            (attribute::COMMIT_ID, text(&self.commit_id)),
            (attribute::COMMITTED_AT, number(self.committed_at)),
            (attribute::STATE, text(State::Active.as_str())),
            (attribute::EXPIRES_AT, number(self.expires_at)),
            (attribute::KEY_ID, text(&self.access_token.key_id)),
            (
                attribute::ACCESS_TOKEN,
                blob(self.access_token.bytes.clone()),
            ),
        ];
        // A row whose token may outlive its time is never removed by the time.
        if address.ends_with_its_time() {
            let last = self
                .refresh_expires_at
                .unwrap_or_default()
                .max(self.expires_at);
            let end = WallTime::from_millis(last).plus(KEPT_AFTER_EXPIRY);
            attributes.push((attribute::TTL, number(end.as_secs_rounded_up())));
        }
        if let Some(sealed) = &self.refresh_token {
            attributes.push((attribute::REFRESH_TOKEN, blob(sealed.bytes.clone())));
            attributes.push((attribute::REFRESH_KEY_ID, text(&sealed.key_id)));
        }
        if let Some(end) = self.refresh_expires_at {
            attributes.push((attribute::REFRESH_EXPIRES_AT, number(end)));
        }
        attributes
    }

    /// The place in the index of due rows, if it has one.
    pub(crate) fn due(
        &self,
        address: &Address,
        shards: &DueShards,
    ) -> Option<(AttributeValue, AttributeValue)> {
        self.refresh_token.as_ref()?;
        let life = Life {
            committed_at: WallTime::from_millis(self.committed_at),
            expires_at: WallTime::from_millis(self.expires_at),
            refresh_expires_at: self
                .refresh_expires_at
                .filter(|_| address.ends_with_its_time())
                .map(WallTime::from_millis),
        };
        let due_at = life.due_at(address)?;
        Some(shards.place(address, due_at))
    }
}

fn as_base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    STANDARD
        .decode(text)
        .map_err(|_| serde::de::Error::custom("must be base64"))
}
