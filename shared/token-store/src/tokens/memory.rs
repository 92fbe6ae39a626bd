//! Copies of access tokens in this process, so that a token that is used all the time is not read all the time.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lru::LruCache;

use super::AccessToken;
use crate::address::Address;
use table_rows::WallTime;

/// How old a copy may be, by the wall clock. A refresh by another process ends a user's old token at once; whoever used the
/// copy meanwhile is refused and reads again.
const OLDEST: Duration = Duration::from_secs(60);
/// How many copies are kept; a token takes a few hundred bytes.
const MOST: NonZeroUsize = NonZeroUsize::new(1000).unwrap();

struct Copy {
    token: AccessToken,
    read_at: WallTime,
    /// From then on the row itself decides.
    good_until: WallTime,
}

pub(super) struct Memory {
    copies: Mutex<LruCache<Address, Copy>>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            copies: Mutex::new(LruCache::new(MOST)),
        }
    }
}

impl Memory {
    /// The copy, if it may be used at `now`. A clock that was set back makes it unusable too.
    pub(super) fn get(&self, address: &Address, now: WallTime) -> Option<AccessToken> {
        let mut copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        let copy = copies.get(address)?;
        if copy.read_at <= now && now < copy.good_until {
            return Some(copy.token.clone());
        }
        copies.pop(address);
        None
    }

    /// Keeps what was read at `now` and may be served without another look until `fresh_until`.
    pub(super) fn keep(
        &self,
        address: &Address,
        token: &AccessToken,
        fresh_until: WallTime,
        now: WallTime,
    ) {
        let copy = Copy {
            token: token.clone(),
            read_at: now,
            good_until: fresh_until.min(now.plus(OLDEST)),
        };
        let mut copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        copies.put(address.clone(), copy);
    }

    pub(super) fn forget(&self, address: &Address) {
        let mut copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        copies.pop(address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Generation;

    const NOW: WallTime = WallTime::from_secs(1_795_226_400);

    fn row(number: usize) -> Address {
        Address {
            pk: number.to_string(),
            sk: String::new(),
            kind: None,
        }
    }

    #[test]
    fn the_copies_longest_unused_make_room_for_new_ones() {
        let memory = Memory::default();
        let end = NOW.plus(Duration::from_secs(3600));
        let token = AccessToken {
            token: "access".into(),
            expires_at: end,
            generation: Generation::FIRST,
        };
        for number in 0..MOST.get() {
            memory.keep(&row(number), &token, end, NOW);
        }
        assert!(memory.get(&row(0), NOW).is_some());
        memory.keep(&row(MOST.get()), &token, end, NOW);
        assert!(memory.get(&row(0), NOW).is_some(), "used a moment ago");
        assert!(memory.get(&row(1), NOW).is_none());
        assert!(memory.get(&row(MOST.get()), NOW).is_some());
    }
}
