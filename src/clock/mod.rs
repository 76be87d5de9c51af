//! The shop's time: the clock of the database, as this node measures it.
//!
//! All nodes use this clock for decisions, so their own wall clocks do not matter. A heartbeat measures the database's
//! clock against this node's monotonic clock. Between two heartbeats the time is computed, so a command needs no query
//! for it, and a change of the node's wall clock has no effect. `docs/decisions/clocks.md` explains the choices.
//!
//! Nothing else in the program reads the wall clock of the node.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use tokio::task::JoinHandle;

use crate::metrics;

mod reading;

pub use reading::{ClockReading, ClockVerdict, accept, read};

/// The shop's time on this node. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Where the monotonic clock began.
    origin: Instant,
    /// Time of the database at `origin`, in microseconds since 1970.
    base: AtomicI64,
    /// The earliest and latest `base` that the measurements allow.
    bounds: Mutex<Option<(i64, i64)>>,
    /// Time of the last event, in microseconds since 1970, when it was last read.
    log_time: AtomicI64,
    plausible: AtomicBool,
    /// Whether the node's clock was reported as wrong.
    offset_reported: AtomicBool,
}

/// Interval of the measurements.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Measurements at the start. The quickest bounds the error.
const FIRST_MEASUREMENTS: usize = 3;
/// An offset of the node's clock above this is reported.
pub const REPORTED_OFFSET: TimeDelta = TimeDelta::seconds(5);
/// How far in the future a time may lie that another node has issued.
pub const FUTURE_LEEWAY: TimeDelta = TimeDelta::seconds(60);

/// The wall clock of this node, for what is compared with nothing but itself.
pub fn node_time() -> DateTime<Utc> {
    Utc::now()
}

impl Clock {
    /// A clock that shows `time` now, until it is measured.
    pub fn starting_at(time: DateTime<Utc>) -> Self {
        Self(Arc::new(Inner {
            origin: Instant::now(),
            base: AtomicI64::new(time.timestamp_micros()),
            bounds: Mutex::default(),
            log_time: AtomicI64::new(i64::MIN),
            plausible: AtomicBool::new(true),
            offset_reported: AtomicBool::new(false),
        }))
    }

    /// A clock that shows the database's time.
    pub async fn start(pool: &PgPool) -> Result<Self, sqlx::Error> {
        let clock = Self::starting_at(DateTime::UNIX_EPOCH);
        for _ in 0..FIRST_MEASUREMENTS {
            clock.measure(pool).await?;
        }
        Ok(clock)
    }

    /// Measures the database's clock every few seconds, until the task is aborted.
    pub fn keep_measured(&self, pool: PgPool) -> JoinHandle<()> {
        let clock = self.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(HEARTBEAT).await;
                if let Err(error) = clock.measure(&pool).await {
                    tracing::debug!(%error, "cannot measure the database's clock");
                }
            }
        })
    }

    /// The time for decisions: the database's, and never before the last event.
    pub fn now(&self) -> DateTime<Utc> {
        time(self.micros().max(self.0.log_time.load(Ordering::SeqCst)))
    }

    /// As [`Clock::trusted_now`], after a measurement: for a task that acts as soon as it may.
    pub async fn measured_now(&self, pool: &PgPool) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
        self.measure(pool).await?;
        Ok(self.trusted_now())
    }

    /// The time for what acts on elapsed time; `None` while the database's clock waits to be accepted.
    pub fn trusted_now(&self) -> Option<DateTime<Utc>> {
        // A measurement stores the verdict first: if the time has jumped, the verdict is known.
        let now = self.now();
        self.0.plausible.load(Ordering::SeqCst).then_some(now)
    }

    /// The database's time, even if it is before the last event: for tokens and signatures.
    pub fn database_time(&self) -> DateTime<Utc> {
        time(self.micros())
    }

    /// How far this node's wall clock is ahead of the database's.
    pub fn node_offset(&self) -> TimeDelta {
        node_time() - self.database_time()
    }

    fn micros(&self) -> i64 {
        self.0.base.load(Ordering::SeqCst).saturating_add(micros(self.0.origin.elapsed()))
    }

    async fn measure(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        let mut connection = pool.acquire().await?;
        let sent = self.0.origin.elapsed();
        let reading = reading::heartbeat(&mut connection).await?;
        let received = self.0.origin.elapsed();
        self.apply(&reading, sent, received);
        Ok(())
    }

    /// Takes over a measurement; the database read its clock at a moment between `sent` and `received`.
    fn apply(&self, reading: &ClockReading, sent: Duration, received: Duration) {
        let plausible = reading.verdict == ClockVerdict::Plausible;
        if self.0.plausible.swap(plausible, Ordering::SeqCst) != plausible {
            match plausible {
                true => tracing::info!("the clock of the database is plausible; scheduled tasks run"),
                false => tracing::warn!(
                    "{}; scheduled tasks wait. Correct the clock, or accept it with `cartwright clock accept`",
                    reading.describe()
                ),
            }
        }
        if let Some(log_time) = reading.log_time {
            self.0.log_time.store(log_time.timestamp_micros(), Ordering::SeqCst);
        }
        let measured = reading.clock_time.timestamp_micros();
        let measured = (measured - micros(received), measured - micros(sent));
        let mut bounds = self.0.bounds.lock().unwrap_or_else(PoisonError::into_inner);
        let (earliest, latest) = match *bounds {
            Some((earliest, latest)) if earliest.max(measured.0) <= latest.min(measured.1) => {
                (earliest.max(measured.0), latest.min(measured.1))
            }
            // The clocks drift apart, or one was set.
            _ => measured,
        };
        *bounds = Some((earliest, latest));
        self.0.base.store(earliest + (latest - earliest) / 2, Ordering::SeqCst);
        drop(bounds);
        self.report_offset(plausible);
    }

    fn report_offset(&self, plausible: bool) {
        let offset = self.node_offset();
        metrics::CLOCK_OFFSET_SECONDS.set(offset.num_milliseconds() as f64 / 1_000.0, &[]);
        metrics::CLOCK_PLAUSIBLE.set(f64::from(u8::from(plausible)), &[]);
        let wrong = offset.abs() > REPORTED_OFFSET;
        if self.0.offset_reported.swap(wrong, Ordering::SeqCst) != wrong && wrong {
            tracing::warn!("{}", describe_offset(offset));
        }
    }
}

/// Warning for the operator about a node's offset.
pub fn describe_offset(offset: TimeDelta) -> String {
    let direction = if offset > TimeDelta::zero() { "ahead of" } else { "behind" };
    let length = describe_length(offset);
    format!("the clock of this node is {length} {direction} the database's; the shop uses the database's time")
}

/// Formats a duration in the largest unit that fits.
fn describe_length(length: TimeDelta) -> String {
    let seconds = length.abs().num_seconds();
    let rounded = |unit: i64| (seconds + unit / 2) / unit;
    match (rounded(86_400), rounded(3_600), rounded(60)) {
        (days @ 2.., ..) => format!("{days} days"),
        (_, hours @ 2.., _) => format!("{hours} hours"),
        (_, _, minutes @ 2..) => format!("{minutes} minutes"),
        _ => format!("{seconds} seconds"),
    }
}

impl From<&Clock> for SystemTime {
    fn from(clock: &Clock) -> Self {
        clock.database_time().into()
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn time(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn reading(clock_time: &str, verdict: ClockVerdict) -> ClockReading {
        ClockReading { clock_time: at(clock_time), known_time: None, log_time: None, verdict }
    }

    fn is_about(clock: &Clock, text: &str) -> bool {
        (clock.now() - at(text)).abs() < TimeDelta::seconds(1)
    }

    #[test]
    fn the_time_is_the_databases_within_the_round_trip() {
        let clock = Clock::starting_at(DateTime::UNIX_EPOCH);
        let now = clock.0.origin.elapsed();
        clock.apply(&reading("2026-01-01T00:00:10Z", ClockVerdict::Plausible), now, now + Duration::from_millis(100));
        assert!(is_about(&clock, "2026-01-01T00:00:10Z"));
        // A slow measurement allows more and changes nothing; a quick one that disagrees counts.
        let before = clock.0.base.load(Ordering::SeqCst);
        clock.apply(&reading("2026-01-01T00:00:40Z", ClockVerdict::Plausible), now, now + Duration::from_secs(60));
        assert_eq!(clock.0.base.load(Ordering::SeqCst), before);
        clock.apply(&reading("2026-01-01T00:00:20Z", ClockVerdict::Plausible), now, now + Duration::from_millis(1));
        assert!(is_about(&clock, "2026-01-01T00:00:20Z"));
    }

    #[test]
    fn the_time_for_decisions_is_never_before_the_last_event() {
        let clock = Clock::starting_at(DateTime::UNIX_EPOCH);
        let now = clock.0.origin.elapsed();
        let log_time = Some(at("2026-01-03T00:00:00Z"));
        clock.apply(&ClockReading { log_time, ..reading("2026-01-01T00:00:00Z", ClockVerdict::Behind) }, now, now);
        assert_eq!(Some(clock.now()), log_time);
        assert!(clock.database_time() < at("2026-01-01T00:00:05Z"));
        assert_eq!(clock.trusted_now(), None);
    }

    #[test]
    fn a_node_says_how_far_its_clock_is_off() {
        assert!(describe_offset(TimeDelta::days(31)).contains("31 days ahead of"));
        assert!(describe_offset(TimeDelta::days(-2)).contains("2 days behind"));
        assert!(describe_offset(TimeDelta::seconds(-86_400 * 2 + 1)).contains("2 days behind"));
        assert!(describe_offset(TimeDelta::seconds(-7)).contains("7 seconds behind"));
    }
}
