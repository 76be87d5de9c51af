//! Background tasks: a signal that stops them, and pauses between attempts.

use std::fmt::Display;
use std::time::Duration;

use tokio::sync::watch;

/// Sends the stop signal. Dropping the last clone stops the tasks too.
#[derive(Clone, Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Tells a background task to stop. Every task holds a clone.
#[derive(Clone, Debug)]
pub struct StopSignal(watch::Receiver<bool>);

/// A stop signal, and the side that sends it.
pub fn stop_signal() -> (Stopper, StopSignal) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), StopSignal(receiver))
}

impl Stopper {
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// Another signal of the same stopper.
    pub fn signal(&self) -> StopSignal {
        StopSignal(self.0.subscribe())
    }
}

impl StopSignal {
    pub fn is_set(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Returns when the signal is set.
    pub async fn wait(&mut self) {
        // An error means that the sender is gone, which stops the task as well.
        let _ = self.0.wait_for(|stopped| *stopped).await;
    }

    /// Sleeps for `duration`, or until the signal is set.
    pub async fn sleep(&mut self, duration: Duration) {
        tokio::select! {
            () = tokio::time::sleep(duration) => {}
            () = self.wait() => {}
        }
    }

    /// Logs an error that ended a task's loop, and sleeps before the loop starts again.
    pub async fn pause_after(&mut self, error: &impl Display, task: &str, pause: Duration) {
        tracing::warn!(%error, task, "background task failed; it restarts after a pause");
        self.sleep(pause).await;
    }
}

/// Pauses between attempts: each is twice as long as the one before, up to a limit.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    /// For lost connections: the database is often back within milliseconds.
    pub const RECONNECT: Self = Self::new(Duration::from_millis(20), Duration::from_secs(1));

    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// The next pause.
    pub fn next_pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.longest);
        pause
    }

    /// Begins again with the first pause, after a success.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn a_sleep_lasts_until_the_signal() {
        let (stopper, mut stop) = stop_signal();
        let started = Instant::now();
        stop.pause_after(&"connection lost", "test", Duration::from_millis(5)).await;
        assert!(started.elapsed() >= Duration::from_millis(5) && !stop.is_set());
        tokio::join!(stop.sleep(Duration::from_secs(3_600)), async { stopper.stop() });
        assert!(stop.is_set());
    }

    #[test]
    fn pauses_double_up_to_the_limit_and_begin_again_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(3));
        let pauses = [(); 4].map(|()| backoff.next_pause().as_secs());
        assert_eq!(pauses, [1, 2, 3, 3]);
        backoff.reset();
        assert_eq!(backoff.next_pause(), Duration::from_secs(1));
    }

    #[tokio::test]
    async fn a_task_stops_when_the_sender_is_dropped() {
        let (stopper, mut stop) = stop_signal();
        assert!(!stop.is_set());
        drop(stopper);
        stop.sleep(Duration::from_secs(3_600)).await;
        assert!(stop.is_set());
    }
}
