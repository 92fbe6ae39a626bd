//! From when until when a certificate is valid.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::der::Reader;

const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Both ends belong to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Validity {
    pub(super) not_before: SystemTime,
    pub(super) not_after: SystemTime,
}

impl Validity {
    /// The content of the structure `Validity` of RFC 5280.
    pub(super) fn read(mut fields: Reader<'_>) -> Option<Self> {
        let not_before = moment(&mut fields)?;
        let not_after = moment(&mut fields)?;
        fields.is_at_end().then_some(Self {
            not_before,
            not_after,
        })
    }
}

/// `YYMMDDHHMMSSZ` with years 1950 to 2049, or `YYYYMMDDHHMMSSZ`, the only two forms of RFC 5280.
fn moment(fields: &mut Reader<'_>) -> Option<SystemTime> {
    let (tag, text) = fields.element()?;
    let (&zone, digits) = text.split_last()?;
    if zone != b'Z' || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let (year, rest) = match (tag, digits.len()) {
        (UTC_TIME, 12) => {
            let (year, rest) = number(digits, 2)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        (GENERALIZED_TIME, 14) => number(digits, 4)?,
        _ => return None,
    };
    let (month, rest) = number(rest, 2)?;
    let (day, rest) = number(rest, 2)?;
    let (hour, rest) = number(rest, 2)?;
    let (minute, rest) = number(rest, 2)?;
    let (second, _) = number(rest, 2)?;
    if day < 1 || day > days_in(month, year)? || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    let distance = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 {
        UNIX_EPOCH.checked_sub(distance)
    } else {
        UNIX_EPOCH.checked_add(distance)
    }
}

fn number(digits: &[u8], length: usize) -> Option<(i64, &[u8])> {
    let (number, rest) = digits.split_at_checked(length)?;
    let value = number
        .iter()
        .fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    Some((value, rest))
}

fn days_in(month: i64, year: i64) -> Option<i64> {
    match month {
        2 if is_leap(year) => Some(29),
        2 => Some(28),
        4 | 6 | 9 | 11 => Some(30),
        1..=12 => Some(31),
        _ => None,
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days of the Gregorian calendar. The year is counted from March, so that a leap day ends it.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    // From 1 March of the year 0 to 1 January 1970.
    const DAYS_TO_1970: i64 = 719_468;
    365 * year + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        + day
        - 1
        - DAYS_TO_1970
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(tag: u8, text: &str) -> Option<i64> {
        let mut der = vec![tag, text.len() as u8];
        der.extend(text.as_bytes());
        let moment = moment(&mut Reader::new(&der))?;
        Some(match moment.duration_since(UNIX_EPOCH) {
            Ok(after) => after.as_secs() as i64,
            Err(before) => -(before.duration().as_secs() as i64),
        })
    }

    #[test]
    fn both_forms_of_a_time_are_read() {
        assert_eq!(seconds(UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(seconds(UTC_TIME, "261122033502Z"), Some(1_795_318_502));
        assert_eq!(
            seconds(GENERALIZED_TIME, "20261122033502Z"),
            Some(1_795_318_502)
        );
        assert_eq!(seconds(UTC_TIME, "240229235959Z"), Some(1_709_251_199));
        assert_eq!(seconds(UTC_TIME, "500101000000Z"), Some(-631_152_000));
        assert_eq!(seconds(UTC_TIME, "491231235959Z"), Some(2_524_607_999));
        assert_eq!(
            seconds(GENERALIZED_TIME, "20500101000000Z"),
            Some(2_524_608_000)
        );
    }

    #[test]
    fn a_time_that_is_none_is_refused() {
        for text in [
            "",
            "Z",
            "261122033502",
            "2611220335Z",
            "261122033502+0800",
            "261322033502Z",
            "260022033502Z",
            "260229033502Z",
            "261100033502Z",
            "261122243502Z",
            "261122036002Z",
            "261122033560Z",
            "2611220335-2Z",
            "20261122033502Z",
        ] {
            assert_eq!(seconds(UTC_TIME, text), None, "{text}");
        }
        assert_eq!(seconds(GENERALIZED_TIME, "261122033502Z"), None);
        assert_eq!(seconds(0x0c, "261122033502Z"), None);
    }
}
