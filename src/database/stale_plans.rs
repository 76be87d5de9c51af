//! Connections whose prepared statements no longer fit: a rebuild has replaced a table by one with other types.
//!
//! PostgreSQL refuses such a statement for as long as its session lives, so the pool closes sessions that are older than
//! the last refusal.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// When a statement was last refused, by any connection of this process.
static LAST_REFUSAL: Mutex<Option<Instant>> = Mutex::new(None);

/// Notes that a statement was refused, so that connections opened before are closed.
pub fn record() {
    *LAST_REFUSAL.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
}

/// Whether a connection of this age was opened before the last refusal.
pub(super) fn is_stale(age: Duration) -> bool {
    let last = *LAST_REFUSAL.lock().unwrap_or_else(PoisonError::into_inner);
    last.is_some_and(|last| last.elapsed() <= age)
}
