//! Wall-clock time. Expiry is never judged by a monotonic clock: that one stands still while a
//! Lambda environment is frozen, and a token would look younger than it is.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment in milliseconds since 1970-01-01T00:00:00Z.
///
/// Arithmetic saturates: an absurd lifetime from outside gives a far future, never a wrapped past.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime(u64);

impl WallTime {
    /// The moment `milliseconds` after 1970-01-01T00:00:00Z.
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(milliseconds)
    }

    /// The moment `seconds` after 1970-01-01T00:00:00Z.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since 1970-01-01T00:00:00Z, rounded up: the unit of DynamoDB's time to live.
    pub const fn as_secs_rounded_up(self) -> u64 {
        self.0.div_ceil(1000)
    }

    /// This moment plus `duration`.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// This moment less `duration`, not before 1970.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }

    /// The time from `earlier` until this moment; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

impl From<SystemTime> for WallTime {
    fn from(time: SystemTime) -> Self {
        Self(time.duration_since(UNIX_EPOCH).map_or(0, millis))
    }
}

impl From<WallTime> for SystemTime {
    fn from(time: WallTime) -> Self {
        UNIX_EPOCH + Duration::from_millis(time.0)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Where the present moment comes from. [`SystemClock`] outside tests; any `Fn() -> WallTime` is
/// a clock too.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> WallTime;
}

/// The machine's wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> WallTime {
        SystemTime::now().into()
    }
}

impl<F: Fn() -> WallTime + Send + Sync> Clock for F {
    fn now(&self) -> WallTime {
        self()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absurd_lifetime_ends_in_the_far_future() {
        let far = WallTime::from_millis(1).plus(Duration::MAX);
        assert_eq!(far.as_millis(), u64::MAX);
        assert_eq!(WallTime::from_secs(u64::MAX).as_millis(), u64::MAX);
    }

    #[test]
    fn going_back_stops_at_1970() {
        let start = WallTime::from_millis(5);
        assert_eq!(start.minus(Duration::from_secs(1)).as_millis(), 0);
        assert_eq!(start.since(WallTime::from_secs(1)), Duration::ZERO);
    }

    #[test]
    fn every_moment_is_one_of_the_system_too() {
        for millis in [0, 1_795_226_400_123, u64::MAX] {
            let time = WallTime::from_millis(millis);
            assert_eq!(WallTime::from(SystemTime::from(time)), time);
        }
    }

    #[test]
    fn seconds_for_time_to_live_are_rounded_up() {
        assert_eq!(WallTime::from_millis(1001).as_secs_rounded_up(), 2);
    }
}
