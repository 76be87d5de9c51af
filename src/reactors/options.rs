//! How a reactor is run: retries, limits and concurrency.

use std::time::Duration;

#[derive(Clone, Debug)]
pub struct ReactorOptions {
    /// Attempts before a reaction is parked.
    pub max_attempts: i32,
    /// Delay before the second attempt. Each later delay is three times the one before.
    pub first_retry: Duration,
    /// The longest delay between two attempts.
    pub longest_retry: Duration,
    /// An attempt that takes longer is cancelled and counts as failed.
    pub time_limit: Duration,
    /// Attempts that run at the same time on each node.
    pub concurrency: usize,
    /// The same for one target, so that a slow one does not delay the others.
    pub concurrency_per_target: usize,
    /// Whether a reactor that runs for the first time starts at the first event of the log. Otherwise it starts at the
    /// next event.
    pub start_at_first_event: bool,
    /// How often a node polls for events and due reactions of which it got no notification.
    pub poll_interval: Duration,
}

impl Default for ReactorOptions {
    fn default() -> Self {
        Self {
            max_attempts: 10,
            first_retry: Duration::from_secs(10),
            longest_retry: Duration::from_secs(12 * 60 * 60),
            time_limit: Duration::from_secs(30),
            concurrency: 64,
            concurrency_per_target: 8,
            start_at_first_event: false,
            poll_interval: Duration::from_secs(1),
        }
    }
}

impl ReactorOptions {
    /// The delay after this many attempts.
    pub(super) fn retry_delay(&self, attempts: i32) -> Duration {
        let times = u32::try_from(attempts - 1).unwrap_or(0).min(20);
        self.first_retry.saturating_mul(3_u32.saturating_pow(times)).min(self.longest_retry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_attempts_take_most_of_a_day() {
        let options = ReactorOptions::default();
        assert_eq!(options.retry_delay(1), Duration::from_secs(10));
        assert_eq!(options.retry_delay(2), Duration::from_secs(30));
        assert_eq!(options.retry_delay(i32::MAX), options.longest_retry);
        let all: Duration = (1..options.max_attempts).map(|attempts| options.retry_delay(attempts)).sum();
        let hours = all.as_secs() / 3_600;
        assert!((16..=24).contains(&hours), "{hours} hours");
    }
}
