//! Closed-loop callers and their latencies.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

/// Rounds of each comparison.
pub fn rounds() -> usize {
    if quick() { 1 } else { 5 }
}

/// Duration of a round.
pub fn round() -> Duration {
    Duration::from_secs(if quick() { 2 } else { 4 })
}

/// `cargo bench -- --quick`: too short for figures, long enough to see that everything works.
pub fn quick() -> bool {
    std::env::args().any(|arg| arg == "--quick")
}

/// Result of a load.
#[derive(Default)]
pub struct Load {
    seconds: f64,
    /// Latencies in ascending order.
    latencies: Vec<Duration>,
}

impl Load {
    pub fn count(&self) -> usize {
        self.latencies.len()
    }

    /// Calls per second.
    pub fn rate(&self) -> f64 {
        self.count() as f64 / self.seconds
    }

    /// Latency that the given share of calls did not exceed: 0.5 for the median.
    pub fn quantile(&self, share: f64) -> Duration {
        let place = (self.latencies.len() as f64 * share) as usize;
        self.latencies[place.min(self.latencies.len() - 1)]
    }

    /// Adds the calls of another round.
    pub fn join(&mut self, other: &Self) {
        self.seconds += other.seconds;
        self.latencies.extend(&other.latencies);
        self.latencies.sort_unstable();
    }
}

/// A client in a closed loop.
pub trait Caller: Send + 'static {
    /// One call, from the request to the answer; panics on a wrong answer.
    fn call(&mut self) -> impl Future<Output = ()> + Send;
}

/// Runs all callers at once for `duration` and returns them. Each calls again after its answer or, with `every`, at that
/// interval.
pub async fn run<C: Caller>(callers: &mut Vec<C>, duration: Duration, every: Option<Duration>) -> Load {
    let started = Instant::now();
    let end = started + duration;
    let tasks = callers.drain(..).enumerate().map(|(place, mut caller)| {
        tokio::spawn(async move {
            let mut latencies = Vec::new();
            // Spreads callers over the interval.
            let mut next = started + every.unwrap_or_default().mul_f64(place as f64 * 0.618 % 1.0);
            while Instant::now() < end {
                if let Some(every) = every {
                    tokio::time::sleep_until(next.into()).await;
                    next += every;
                }
                let called = Instant::now();
                caller.call().await;
                latencies.push(called.elapsed());
            }
            (caller, latencies)
        })
    });
    let ended = join_all(tasks.collect::<Vec<_>>()).await;
    let mut load = Load { seconds: started.elapsed().as_secs_f64(), latencies: vec![] };
    for task in ended {
        let (caller, latencies) = task.expect("a caller got a wrong answer");
        callers.push(caller);
        load.latencies.extend(latencies);
    }
    load.latencies.sort_unstable();
    load
}
