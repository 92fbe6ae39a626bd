//! Money.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Most fen of one payment: Alipay's limit of `total_amount` is 100,000,000.00 yuan.
const MOST_FEN: u64 = 10_000_000_000;

/// An amount of money in whole fen, 0.01 to 100,000,000.00 yuan: Alipay's limits of `total_amount`.
///
/// Outside it is plain decimal text in yuan with at most two decimals, as Alipay has it, and is written with two: `12.50`. Nothing else is
/// read: no sign, exponent, space or other digits than ASCII's, and no JSON number, whose digits a parser may have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(u64);

/// The text is no [`Amount`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be yuan as a plain decimal text such as \"12.50\", from 0.01 to 100000000.00, with at most two decimals"
)]
pub struct NotAnAmount;

impl Amount {
    /// So many fen; `None` outside the limits.
    pub const fn from_fen(fen: u64) -> Option<Self> {
        if fen >= 1 && fen <= MOST_FEN {
            Some(Self(fen))
        } else {
            None
        }
    }

    /// In fen.
    pub const fn fen(self) -> u64 {
        self.0
    }

    /// `fen`, which may be none, as yuan with two decimals.
    pub fn yuan(fen: u64) -> String {
        format!("{}.{:02}", fen / 100, fen % 100)
    }
}

impl FromStr for Amount {
    type Err = NotAnAmount;

    fn from_str(text: &str) -> Result<Self, NotAnAmount> {
        let (yuan, fen) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str, longest: usize| {
            (1..=longest).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        let has_leading_zero = yuan.len() > 1 && yuan.starts_with('0');
        if !digits(yuan, 9) || has_leading_zero || !digits(fen, 2) {
            return Err(NotAnAmount);
        }
        let number = |part: &str| part.parse::<u64>().map_err(|_| NotAnAmount);
        // One decimal is tenths.
        let fen_of_yuan = number(fen)? * if fen.len() == 1 { 10 } else { 1 };
        Self::from_fen(number(yuan)? * 100 + fen_of_yuan).ok_or(NotAnAmount)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&Self::yuan(self.0))
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl de::Visitor<'_> for Text {
            type Value = Amount;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a text such as \"12.50\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Text)
    }
}
