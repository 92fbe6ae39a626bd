//! One caller at a time per row, within this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use super::AccessToken;
use crate::address::Address;

/// When the table of locks has this many entries more than the last sweep left, the unused ones
/// are dropped.
const SWEEP_AFTER: usize = 256;

/// What the holder of a turn leaves to those who wait for it: the token it got, if any.
pub(super) type Turn = OwnedMutexGuard<Option<AccessToken>>;

/// Locks by row; a lock, and what lies in it, lives as long as somebody holds or awaits it.
#[derive(Default)]
pub(super) struct SingleFlight {
    locks: Mutex<Locks>,
}

#[derive(Default)]
struct Locks {
    by_row: HashMap<Address, Weak<AsyncMutex<Option<AccessToken>>>>,
    sweep_at: usize,
}

impl SingleFlight {
    /// Waits for the turn.
    pub(super) async fn turn(&self, address: &Address) -> Turn {
        self.lock(address).lock_owned().await
    }

    /// Takes the turn if nobody has it.
    pub(super) fn turn_if_free(&self, address: &Address) -> Option<Turn> {
        self.lock(address).try_lock_owned().ok()
    }

    fn lock(&self, address: &Address) -> Arc<AsyncMutex<Option<AccessToken>>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = locks.by_row.get(address).and_then(Weak::upgrade) {
            return lock;
        }
        if locks.by_row.len() >= locks.sweep_at {
            locks.by_row.retain(|_, lock| lock.strong_count() > 0);
            locks.sweep_at = locks.by_row.len() + SWEEP_AFTER;
        }
        let lock = Arc::new(AsyncMutex::new(None));
        locks.by_row.insert(address.clone(), Arc::downgrade(&lock));
        lock
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: usize) -> Address {
        Address {
            pk: number.to_string(),
            sk: String::new(),
            kind: None,
        }
    }

    #[tokio::test]
    async fn rows_do_not_wait_for_each_other_and_a_row_waits_for_itself() {
        let flights = SingleFlight::default();
        let first = flights.turn(&row(1)).await;
        let _second = flights.turn(&row(2)).await;
        assert!(flights.turn_if_free(&row(1)).is_none());
        drop(first);
        assert!(flights.turn_if_free(&row(1)).is_some());
    }

    #[tokio::test]
    async fn locks_nobody_uses_do_not_pile_up() {
        let flights = SingleFlight::default();
        for number in 0..10_000 {
            drop(flights.turn(&row(number)).await);
        }
        assert!(flights.locks.lock().unwrap().by_row.len() <= SWEEP_AFTER);
    }
}
