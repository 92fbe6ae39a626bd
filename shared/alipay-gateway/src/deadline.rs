use std::time::{Duration, SystemTime};

/// The wall-clock moment by which a caller must have its answer, such as a Lambda invocation's deadline.
///
/// Wall clock, because a monotonic clock stands still while a Lambda environment is frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(SystemTime);

impl Deadline {
    /// The deadline at `moment`.
    pub fn at(moment: SystemTime) -> Self {
        Self(moment)
    }

    /// The deadline that the Lambda runtime states, in milliseconds since 1970 (UTC).
    pub fn from_unix_millis(milliseconds: u64) -> Self {
        Self(SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds))
    }

    /// `duration` after `now`.
    pub fn after(now: SystemTime, duration: Duration) -> Self {
        Self(now + duration)
    }

    /// This deadline as milliseconds since 1970 (UTC).
    pub fn unix_millis(self) -> u64 {
        self.0
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| {
                u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
            })
    }

    /// This deadline moved `duration` towards the past, for what is still to be done afterwards.
    pub(crate) fn earlier_by(self, duration: Duration) -> Self {
        Self(
            self.0
                .checked_sub(duration)
                .unwrap_or(SystemTime::UNIX_EPOCH),
        )
    }

    /// The time left at `now`; zero when the deadline has passed.
    pub fn remaining(self, now: SystemTime) -> Duration {
        self.0.duration_since(now).unwrap_or_default()
    }
}
