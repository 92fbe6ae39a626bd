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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn fen(text: &str) -> Option<u64> {
        text.parse().ok().map(Amount::fen)
    }

    #[test]
    fn plain_decimals_of_yuan_are_read() {
        for (text, expected) in [
            ("0.01", 1),
            ("0.1", 10),
            ("0.10", 10),
            ("1", 100),
            ("12.5", 1_250),
            ("100.0", 10_000),
            ("99999999.99", 9_999_999_999),
            ("100000000.00", 10_000_000_000),
        ] {
            assert_eq!(fen(text), Some(expected), "{text}");
        }
    }

    /// N11 beside "100.0", which is 100.00; Y-06.
    #[test]
    fn nothing_else_is() {
        for text in [
            "1e2",
            "1E2",
            "+100.00",
            " 100.00",
            "100.00 ",
            "100.00\n",
            "１００.００",
            "100．00",
            "٣",
            "100.001",
            "0.001",
            "NaN",
            "nan",
            "inf",
            "-0.01",
            "-1",
            "−0.01",
            "12345678901234567890",
            "1234567890",
            "",
            ".",
            "1.",
            ".5",
            "00.01",
            "01",
            "1,00",
            "1_0",
            "0x10",
            "¥1",
            "1.0.0",
            "1..0",
            "0",
            "0.0",
            "0.00",
            "100000000.01",
            "100000001",
            "999999999.99",
            "1\0",
            "1 0",
        ] {
            assert_eq!(fen(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_amount_in_json_is_a_text_and_no_number() {
        let read = |value| serde_json::from_value::<Amount>(value);
        assert_eq!(read(json!("12.50")).unwrap().fen(), 1_250);
        for value in [
            json!(12.5),
            json!(12),
            json!(-1),
            json!(null),
            json!(true),
            json!(["12.50"]),
        ] {
            let error = read(value).unwrap_err().to_string();
            assert!(
                error.contains("expected a text such as \"12.50\""),
                "{error}"
            );
        }
        assert!(
            read(json!("12.505"))
                .unwrap_err()
                .to_string()
                .contains("two decimals")
        );
        assert_eq!(json!(Amount::from_fen(1_250)), json!("12.50"));
    }

    #[test]
    fn amounts_have_limits() {
        assert_eq!(Amount::from_fen(0), None);
        assert!(Amount::from_fen(MOST_FEN).is_some());
        assert_eq!(Amount::from_fen(MOST_FEN + 1), None);
        assert_eq!(Amount::yuan(0), "0.00");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_is_read_as_the_same(fen in 1..=MOST_FEN) {
            let amount = Amount::from_fen(fen).unwrap();
            let text = amount.to_string();
            prop_assert_eq!(text.parse(), Ok(amount));
            prop_assert_eq!(text.split_once('.').map(|(_, decimals)| decimals.len()), Some(2));
        }

        /// Texts that are nearly amounts, and any others.
        #[test]
        fn whatever_is_read_is_plain(text in "[0-9+\\-. eE_]{1,12}|[0-9]{1,10}\\.[0-9]{0,3}|\\PC{0,8}") {
            let Ok(amount) = text.parse::<Amount>() else { return Ok(()) };
            let (yuan, decimals) = text.split_once('.').unwrap_or((&text, ""));
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'));
            prop_assert!(yuan == "0" || !yuan.starts_with('0'));
            prop_assert_eq!(amount.to_string(), format!("{yuan}.{decimals:0<2}"));
        }
    }
}
