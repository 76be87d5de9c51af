//! The pauses between two slices of a file, so that other commands keep their time.

use std::time::{Duration, Instant};

/// Pause while other commands change the shop, as a multiple of the time of the last slice.
const BUSY_FACTOR: u32 = 3;
/// Pause while none does; readers need the processor too.
const QUIET_FACTOR: u32 = 1;
/// How long the shop counts as busy after another command.
const BUSY_TIME: Duration = Duration::from_secs(2);

/// How fast a file is applied.
pub(super) struct Pace {
    /// Where the log ended after the last slice.
    head: i64,
    busy_until: Instant,
    pub pause: Duration,
}

impl Pace {
    /// Before the first slice. Until more is known, the shop is busy.
    pub fn new(head: i64, now: Instant) -> Self {
        Self { head, busy_until: now + BUSY_TIME, pause: Duration::ZERO }
    }

    /// After a slice with `own_events`, which took `duration`; the log ends at `head` now.
    pub fn end_slice(&mut self, head: i64, own_events: usize, duration: Duration, now: Instant) {
        let appended = usize::try_from(head - self.head).unwrap_or_default();
        if appended > own_events {
            self.busy_until = now + BUSY_TIME;
        }
        self.head = head;
        self.pause = duration * if now < self.busy_until { BUSY_FACTOR } else { QUIET_FACTOR };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_longer_while_other_commands_change_the_shop() {
        let (begin, took) = (Instant::now(), Duration::from_millis(5));
        let mut pace = Pace::new(100, begin);
        pace.end_slice(120, 20, took, begin);
        assert_eq!(pace.pause, took * 3, "at first");
        let later = begin + BUSY_TIME;
        pace.end_slice(140, 20, took, later);
        assert_eq!(pace.pause, took, "no other command");
        pace.end_slice(161, 20, took, later);
        assert_eq!(pace.pause, took * 3, "an order");
        pace.end_slice(181, 20, took, later + BUSY_TIME / 2);
        assert_eq!(pace.pause, took * 3, "the next may come soon");
        pace.end_slice(181, 0, took, later + BUSY_TIME);
        assert_eq!(pace.pause, took);
    }
}
