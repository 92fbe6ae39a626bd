use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::WallTime;

/// The machine's wall clock, which a test may move on. Its clones move with it. It goes on by itself too, so that what a stand-in does at
/// the real time, such as judging a timestamp, is in step with it until it is moved.
#[derive(Clone, Debug, Default)]
pub struct MovableClock {
    milliseconds_ahead: Arc<AtomicU64>,
}

impl MovableClock {
    /// Moves it on by `duration`, of which what is below a millisecond is dropped.
    pub fn advance(&self, duration: Duration) {
        let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.milliseconds_ahead
            .fetch_add(milliseconds, Ordering::SeqCst);
    }

    /// The present moment by it.
    pub fn now(&self) -> SystemTime {
        let ahead = self.milliseconds_ahead.load(Ordering::SeqCst);
        SystemTime::now() + Duration::from_millis(ahead)
    }

    /// The present moment by it, as the stores take it.
    pub fn wall_time(&self) -> WallTime {
        self.now().into()
    }

    /// What tells the time by it, as the gateway and the functions take it.
    pub fn clock(&self) -> Arc<dyn Fn() -> SystemTime + Send + Sync> {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_given_the_clock_sees_it_moved() {
        let clock = MovableClock::default();
        let given = clock.clock();
        let hour = Duration::from_secs(3600);
        let before = SystemTime::now();
        clock.advance(hour);
        let moved = [given(), clock.clone().now(), clock.wall_time().into()];
        let after = SystemTime::now();
        for time in moved {
            // Wall time has no parts of a millisecond.
            assert!(before + hour < time + Duration::from_millis(1) && time <= after + hour);
        }
    }
}
