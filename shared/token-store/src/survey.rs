//! A look at the whole table: how many tokens are in which state, and whether the schedule will find them.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;

use crate::address::{TokenKey, TokenKind};
use crate::dynamo::{Item, failed};
use crate::error::StoreError;
use crate::record::{State, TokenRecord, attribute, required_text};
use table_rows::WallTime;

/// What is read of each row: everything but the sealed values.
const READ: [&str; 17] = [
    attribute::PK,
    attribute::SK,
    attribute::GENERATION,
    attribute::GRANT_ID,
    attribute::STATE,
    attribute::KEY_ID,
    attribute::REFRESH_KEY_ID,
    attribute::EXPIRES_AT,
    attribute::REFRESH_EXPIRES_AT,
    attribute::COMMITTED_AT,
    attribute::LEASE_UNTIL,
    attribute::ATTEMPTS,
    attribute::NOT_BEFORE,
    attribute::SUSPECT_SINCE,
    attribute::REFUSED_SINCE,
    attribute::DUE_SHARD,
    attribute::DUE_AT,
];

/// After a pair was stored, its place in the index follows by a write of its own: until then nothing is said about it.
const PLACE_FOLLOWS: Duration = Duration::from_secs(60);

/// What is in a table of tokens. Holds no token and nobody's id but those of apps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// By the app as it stands in the rows' keys.
    pub apps: BTreeMap<String, AppSurvey>,
    /// Rows that are none of a token: first answers.
    pub other_rows: u64,
    /// Rows of tokens that lack what they must have.
    pub damaged_rows: u64,
}

/// The tokens that one app was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AppSurvey {
    /// Those of users ([`TokenKind::User`]).
    pub users: Counts,
    /// Those of merchants ([`TokenKind::Isv`]).
    pub merchants: Counts,
}

/// How many rows there are of one kind. A row may count in several members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// In the state `active`.
    pub active: u64,
    /// In the state `suspect`.
    pub suspect: u64,
    /// In the state `reauthorize`.
    pub reauthorize: u64,
    /// In the state `revoked`.
    pub revoked: u64,
    /// In the index of due rows.
    pub scheduled: u64,
    /// Of these, due now.
    pub due: u64,
    /// Since when the oldest of the due ones is due, in milliseconds since 1970.
    #[serde(rename = "oldest_due_at_ms", serialize_with = "as_milliseconds")]
    pub oldest_due_at: Option<WallTime>,
    /// When the next of the others is due, in milliseconds since 1970.
    #[serde(rename = "next_due_at_ms", serialize_with = "as_milliseconds")]
    pub next_due_at: Option<WallTime>,
    /// Being refreshed now.
    pub leased: u64,
    /// Not to be refreshed yet: the last refresh brought no answer, or the refresh token was refused.
    pub waiting: u64,
    /// Missing in the index of due rows although the schedule should see them. Always 0, or something is wrong.
    pub unscheduled: u64,
    /// Later in the index than they should be. Always 0, or something is wrong; a row whose values do not open is put off by a day.
    pub scheduled_late: u64,
}

/// Reads the whole of `table` once, page by page, and counts. `progress` is told after each page how many rows were read.
///
/// Only a person asks for this: it reads (and on AWS costs) as much as the table is large. No sealed value leaves the table.
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::Rejected`].
pub async fn survey(
    client: &Client,
    table: &str,
    now: WallTime,
    mut progress: impl FnMut(u64),
) -> Result<Survey, StoreError> {
    let mut survey = Survey::default();
    let mut read = 0;
    let mut from = None;
    loop {
        let mut request = client
            .scan()
            .table_name(table)
            .projection_expression(READ.map(|name| format!("#{name}")).join(", "))
            .set_exclusive_start_key(from);
        for name in READ {
            request = request.expression_attribute_names(format!("#{name}"), name);
        }
        let page = request.send().await.map_err(failed)?;
        for item in page.items.unwrap_or_default() {
            survey.add(item, now);
            read += 1;
        }
        progress(read);
        from = page.last_evaluated_key.filter(|key| !key.is_empty());
        if from.is_none() {
            return Ok(survey);
        }
    }
}

impl Survey {
    fn add(&mut self, item: Item, now: WallTime) {
        let keys = (
            required_text(&item, attribute::PK),
            required_text(&item, attribute::SK),
        );
        let (Ok(pk), Ok(sk)) = keys else {
            self.damaged_rows += 1;
            return;
        };
        let Ok(key) = TokenKey::from_row(pk, sk) else {
            self.other_rows += 1;
            return;
        };
        let Ok(record) = record(&key, item) else {
            self.damaged_rows += 1;
            return;
        };
        let app = self.apps.entry(key.app_id).or_default();
        match key.kind {
            TokenKind::User => app.users.add(&record, now),
            TokenKind::Isv => app.merchants.add(&record, now),
        }
    }
}

/// The row with empty values where the sealed ones were not read; they are never opened here.
fn record(key: &TokenKey, mut item: Item) -> Result<TokenRecord, StoreError> {
    let unread = || AttributeValue::B(Blob::new([]));
    item.insert(attribute::ACCESS_TOKEN.to_owned(), unread());
    if item.contains_key(attribute::REFRESH_KEY_ID) {
        item.insert(attribute::REFRESH_TOKEN.to_owned(), unread());
    }
    TokenRecord::from_item(&key.address()?, &item)
}

impl AppSurvey {
    /// Both together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            users: self.users.with(other.users),
            merchants: self.merchants.with(other.merchants),
        }
    }
}

impl Counts {
    /// The number of rows.
    pub fn rows(&self) -> u64 {
        self.active + self.suspect + self.reauthorize + self.revoked
    }

    /// Both together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            active: self.active + other.active,
            suspect: self.suspect + other.suspect,
            reauthorize: self.reauthorize + other.reauthorize,
            revoked: self.revoked + other.revoked,
            scheduled: self.scheduled + other.scheduled,
            due: self.due + other.due,
            oldest_due_at: earlier(self.oldest_due_at, other.oldest_due_at),
            next_due_at: earlier(self.next_due_at, other.next_due_at),
            leased: self.leased + other.leased,
            waiting: self.waiting + other.waiting,
            unscheduled: self.unscheduled + other.unscheduled,
            scheduled_late: self.scheduled_late + other.scheduled_late,
        }
    }

    fn add(&mut self, record: &TokenRecord, now: WallTime) {
        match record.state {
            State::Active => self.active += 1,
            State::Suspect => self.suspect += 1,
            State::Reauthorize => self.reauthorize += 1,
            State::Revoked => self.revoked += 1,
        }
        self.leased += u64::from(record.lease_until.is_some_and(|until| now < until));
        self.waiting += u64::from(record.not_before.is_some_and(|until| now < until));
        if let Some((_, due_at)) = record.due {
            self.scheduled += 1;
            if due_at <= now {
                self.due += 1;
                self.oldest_due_at = earlier(self.oldest_due_at, Some(due_at));
            } else {
                self.next_due_at = earlier(self.next_due_at, Some(due_at));
            }
        }
        self.audit(record, now);
    }

    /// A row that the schedule can gain something for is in the index, at its true due time or earlier.
    fn audit(&mut self, record: &TokenRecord, now: WallTime) {
        let Some(right) = record.due_at().filter(|_| record.is_refreshable_at(now)) else {
            return;
        };
        match &record.due {
            None => {
                let settled = record.committed_at.plus(PLACE_FOLLOWS) <= now;
                self.unscheduled += u64::from(settled);
            }
            Some((_, due_at)) => self.scheduled_late += u64::from(*due_at > right),
        }
    }
}

fn earlier(one: Option<WallTime>, other: Option<WallTime>) -> Option<WallTime> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn as_milliseconds<S: serde::Serializer>(
    time: &Option<WallTime>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    time.map(WallTime::as_millis).serialize(serializer)
}

#[cfg(test)]
mod tests;
