//! When a row is due for its scheduled refresh, and where in the index of due rows it stands.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use aws_sdk_dynamodb::types::AttributeValue;

use crate::address::Address;
use crate::dynamo::text;
use crate::record::time;
use table_rows::WallTime;

/// A token that lives shorter is refreshed when it is read, never by the schedule: most users would be gone long before.
const SHORTEST_SCHEDULED_LIFE: Duration = Duration::from_secs(3600);

/// The most partitions of the index: three digits in their names.
const MOST_SHARDS: u16 = 1000;

/// Into how many partitions the index of due rows is divided, now and before.
///
/// A partition of DynamoDB takes 1,000 writes a second, and a refresh makes one write to the index: 16 partitions carry
/// 16,000 refreshes a second. To change the number while everything runs, name the new one first and the old ones after it
/// (`64,16`): rows are written to the new partitions, the sweep reads them all, and an old number may go when its partitions
/// are empty. A row stands in one partition at a time, so none is found twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueShards {
    /// Never empty; the first is written to.
    counts: Vec<u16>,
}

/// What is wrong with a text that should be [`DueShards`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a number from 1 to 1000, or several different ones, separated by commas, the present one first"
)]
pub struct DueShardsError;

impl DueShards {
    /// The names of all partitions, those of the present number first.
    pub fn all(&self) -> Vec<DueShard> {
        self.counts
            .iter()
            .flat_map(|&count| (0..count).map(move |number| DueShard { count, number }))
            .collect()
    }

    /// The place in the index of a row that is due at `due_at`: its partition and its sort key.
    pub(crate) fn place(
        &self,
        address: &Address,
        due_at: WallTime,
    ) -> (AttributeValue, AttributeValue) {
        (text(self.of(address).to_string()), time(due_at))
    }

    /// The partition that a row is written to.
    pub(crate) fn of(&self, address: &Address) -> DueShard {
        let count = self.counts.first().copied().unwrap_or(1).max(1);
        let (hash, _) = hashes(address);
        DueShard {
            count,
            // Less than `count`, so it fits.
            number: u16::try_from(hash % u64::from(count)).unwrap_or_default(),
        }
    }
}

impl Default for DueShards {
    fn default() -> Self {
        Self { counts: vec![16] }
    }
}

impl FromStr for DueShards {
    type Err = DueShardsError;

    fn from_str(text: &str) -> Result<Self, DueShardsError> {
        let counts = text
            .split(',')
            .map(|count| count.trim().parse().map_err(|_| DueShardsError))
            .collect::<Result<Vec<u16>, _>>()?;
        let right = counts.iter().enumerate().all(|(position, count)| {
            (1..=MOST_SHARDS).contains(count) && !counts[..position].contains(count)
        });
        if right {
            Ok(Self { counts })
        } else {
            Err(DueShardsError)
        }
    }
}

/// One partition of the index of due rows. As text `<how many there are>#<which one>`, such as `16#007`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DueShard {
    count: u16,
    number: u16,
}

impl fmt::Display for DueShard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{:03}", self.count, self.number)
    }
}

/// The facts about a pair that decide when it is due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    pub(crate) committed_at: WallTime,
    pub(crate) expires_at: WallTime,
    /// `None` without an end, or where the end says nothing.
    pub(crate) refresh_expires_at: Option<WallTime>,
}

impl Life {
    /// When the schedule refreshes the pair; `None` when it never does.
    ///
    /// That is 10 to 20 % of the life before its end, by the hash of the row: a million tokens of one minute are spread over
    /// a tenth of their life, and no row wanders. If the refresh token ends first, its end counts instead. Alipay never moves
    /// that end, so near it a refresh would win less than half a life and is not made.
    pub(crate) fn due_at(&self, address: &Address) -> Option<WallTime> {
        let whole = self.expires_at.since(self.committed_at);
        if whole < SHORTEST_SCHEDULED_LIFE {
            return None;
        }
        let (_, hash) = hashes(address);
        #[expect(
            clippy::cast_precision_loss,
            reason = "a part of a duration need not be exact"
        )]
        let part = 0.1 + 0.1 * (hash as f64 / u64::MAX as f64);
        let end = self
            .refresh_expires_at
            .map_or(self.expires_at, |end| end.min(self.expires_at));
        let due = end.minus(whole.mul_f64(part));
        (due >= self.committed_at.plus(whole / 2)).then_some(due)
    }
}

/// Two independent hashes of a row's key: for its partition and for its lead.
fn hashes(address: &Address) -> (u64, u64) {
    let mut context = Context::new(&SHA256);
    for part in [&address.pk, &address.sk] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    let digest = context.finish();
    let number = |from: usize| {
        digest
            .as_ref()
            .iter()
            .skip(from)
            .take(8)
            .fold(0_u64, |number, &byte| (number << 8) | u64::from(byte))
    };
    (number(0), number(8))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);
    const START: WallTime = WallTime::from_secs(1_795_226_400);

    fn row(number: usize) -> Address {
        Address {
            pk: format!("APP#a#USER#{number}"),
            sk: "SCOPES#".to_owned(),
            kind: None,
        }
    }

    fn life(access: Duration, refresh: Option<Duration>) -> Life {
        Life {
            committed_at: START,
            expires_at: START.plus(access),
            refresh_expires_at: refresh.map(|life| START.plus(life)),
        }
    }

    #[test]
    fn a_token_is_due_ten_to_twenty_percent_of_its_life_before_its_end() {
        for number in 0..1000 {
            let due = life(15 * DAY, Some(30 * DAY)).due_at(&row(number)).unwrap();
            assert!(due >= START.plus(12 * DAY) && due <= START.plus(DAY.mul_f64(13.5)));
        }
    }

    #[test]
    fn logins_of_one_minute_are_spread_over_a_tenth_of_their_life() {
        let mut by_tenth = [0; 10];
        for number in 0..10_000 {
            let due = life(15 * DAY, None).due_at(&row(number)).unwrap();
            let part = due.since(START.plus(12 * DAY)).as_secs_f64() / (1.5 * DAY.as_secs_f64());
            by_tenth[((part * 10.0) as usize).min(9)] += 1;
        }
        assert!(
            by_tenth.iter().all(|count| (900..1100).contains(count)),
            "{by_tenth:?}"
        );
    }

    #[test]
    fn nothing_is_scheduled_that_gains_little() {
        assert_eq!(life(Duration::from_secs(300), None).due_at(&row(1)), None);
        // Alipay never moves the end of a refresh token: this one ends before half of the life is over.
        assert_eq!(life(15 * DAY, Some(7 * DAY)).due_at(&row(1)), None);
        let due = life(15 * DAY, Some(12 * DAY)).due_at(&row(1)).unwrap();
        assert!(due < START.plus(12 * DAY), "while the refresh token lives");
    }

    #[test]
    fn rows_are_spread_over_the_partitions_of_the_present_number() {
        let shards: DueShards = "4,2".parse().unwrap();
        let mut used: Vec<String> = (0..100).map(|n| shards.of(&row(n)).to_string()).collect();
        used.sort();
        used.dedup();
        assert_eq!(used, ["4#000", "4#001", "4#002", "4#003"]);
        let all: Vec<String> = shards.all().iter().map(ToString::to_string).collect();
        assert_eq!(all, ["4#000", "4#001", "4#002", "4#003", "2#000", "2#001"]);
    }

    #[test]
    fn a_wrong_number_of_partitions_is_refused() {
        for text in ["", "0", "1001", "16,", "-1", "many", "16,16", "64,16,64"] {
            assert_eq!(text.parse::<DueShards>(), Err(DueShardsError), "{text}");
        }
    }
}
