//! Which position each caller must be able to read: that of the caller's last command.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use lru::LruCache;

/// Log position of each caller's last command; keeps only the most recent callers (LRU).
///
/// Each with its generation of the log: a position of another generation means nothing.
pub struct RecentWrites(Mutex<LruCache<String, (i64, i64)>>);

impl Default for RecentWrites {
    fn default() -> Self {
        const CALLERS: NonZeroUsize = NonZeroUsize::new(100_000).expect("it is not zero");
        Self(Mutex::new(LruCache::new(CALLERS)))
    }
}

impl RecentWrites {
    pub fn record_write(&self, principal: &str, generation: i64, position: i64) {
        let mut positions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match positions.get_mut(principal) {
            Some(last) => *last = (*last).max((generation, position)),
            None => {
                positions.put(principal.to_owned(), (generation, position));
            }
        }
    }

    /// The position of the caller's last command; 0 for a caller without a recent command.
    pub fn last_write(&self, principal: &str, generation: i64) -> i64 {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(principal).copied();
        last.filter(|(written_in, _)| *written_in == generation).map_or(0, |(_, position)| position)
    }
}
