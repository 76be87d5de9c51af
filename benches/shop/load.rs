//! Callers that ask again as soon as they are answered, and what they waited.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

/// How many rounds each comparison has.
pub fn rounds() -> usize {
    if quick() { 1 } else { 5 }
}

/// How long a round lasts.
pub fn round() -> Duration {
    Duration::from_secs(if quick() { 2 } else { 4 })
}

/// `cargo bench -- --quick`: too short for figures, long enough to see that everything works.
pub fn quick() -> bool {
    std::env::args().any(|arg| arg == "--quick")
}

/// What a load came to.
#[derive(Default)]
pub struct Load {
    seconds: f64,
    /// In ascending order.
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

    /// How long the given share of the calls took at the most: 0.5 for the median.
    pub fn quantile(&self, share: f64) -> Duration {
        let place = (self.latencies.len() as f64 * share) as usize;
        self.latencies[place.min(self.latencies.len() - 1)]
    }

    /// Takes the calls of another round in.
    pub fn join(&mut self, other: &Self) {
        self.seconds += other.seconds;
        self.latencies.extend(&other.latencies);
        self.latencies.sort_unstable();
    }
}

/// Somebody who calls again and again.
pub trait Caller: Send + 'static {
    /// One call, from the question to the answer; a wrong answer panics.
    fn call(&mut self) -> impl Future<Output = ()> + Send;
}

/// Lets all callers call at once for `duration`, and gives them back. Each calls as soon as it is answered, or, with
/// `every`, at that interval.
pub async fn run<C: Caller>(callers: &mut Vec<C>, duration: Duration, every: Option<Duration>) -> Load {
    let started = Instant::now();
    let end = started + duration;
    let tasks = callers.drain(..).enumerate().map(|(place, mut caller)| {
        tokio::spawn(async move {
            let mut latencies = Vec::new();
            // Callers at an interval do not all call at the same moment.
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
