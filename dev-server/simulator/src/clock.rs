//! The simulator's clock: wall time plus what a test has advanced it by, and Alipay's way of writing times.

use std::time::{Duration, SystemTime};

use time::format_description::BorrowedFormatItem;
use time::macros::{format_description, offset};
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

/// Alipay's clock stands at UTC+8 all year.
const BEIJING: UtcOffset = offset!(+8);
const FORMAT: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
/// How far a request's timestamp may be off.
pub(crate) const TIMESTAMP_TOLERANCE: Duration = Duration::from_secs(600);

/// Wall time plus an offset. Judges codes and tokens; timestamps of requests are judged by the wall clock alone,
/// because the caller's clock does not move with this one.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    advanced: Duration,
}

impl Clock {
    pub(crate) fn now(&self) -> SystemTime {
        SystemTime::now() + self.advanced
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.advanced = self.advanced.saturating_add(by);
    }

    pub(crate) fn advanced(&self) -> Duration {
        self.advanced
    }
}

/// `yyyy-MM-dd HH:mm:ss` in UTC+8.
pub(crate) fn beijing_text(at: SystemTime) -> String {
    OffsetDateTime::from(at)
        .to_offset(BEIJING)
        .format(FORMAT)
        .unwrap_or_default()
}

/// The moment that `yyyy-MM-dd HH:mm:ss` in UTC+8 names.
pub(crate) fn parse_beijing(text: &str) -> Option<SystemTime> {
    let moment = PrimitiveDateTime::parse(text, FORMAT).ok()?;
    Some(moment.assume_offset(BEIJING).into())
}

/// Whether the text is a UTC+8 time, at most `longest_age` before `now` and the tolerance after it; `None` where it is not
/// such a time at all.
pub(crate) fn is_current(text: &str, now: SystemTime, longest_age: Duration) -> Option<bool> {
    let sent = parse_beijing(text)?;
    Some(match now.duration_since(sent) {
        Ok(age) => age <= longest_age,
        Err(ahead) => ahead.duration() <= TIMESTAMP_TOLERANCE,
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{TIMESTAMP_TOLERANCE, beijing_text, is_current};

    #[test]
    fn times_are_written_and_judged_eight_hours_east_of_greenwich() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        assert_eq!(beijing_text(at), "2023-11-15 06:13:20");
        let is_current = |text| is_current(text, at, TIMESTAMP_TOLERANCE);
        assert_eq!(is_current("2023-11-15 06:23:20"), Some(true));
        assert_eq!(is_current("2023-11-15 06:23:21"), Some(false));
        assert_eq!(is_current("2023-11-15 06:03:20"), Some(true));
        assert_eq!(is_current("2023-11-15 06:03:19"), Some(false));
        assert_eq!(
            is_current("2023-11-14 22:13:20"),
            Some(false),
            "UTC is not UTC+8"
        );
        assert_eq!(is_current("1700000000"), None);
    }
}
