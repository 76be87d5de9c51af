//! Times of day at which a task runs: a cron expression in a time zone.
//!
//! When clocks go forward, a task of a skipped time runs right after the gap; when they go back, a task at a set time runs
//! once, and one at an interval (`*/15`) in both hours. That is the rule of Vixie cron.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use sqlx::PgPool;

/// When a task runs.
#[derive(Clone, Debug)]
pub struct CronSchedule {
    times: CronTimes,
    zone: Tz,
}

/// A cron expression of exactly five fields: minute, hour, day of the month, month, day of the week. Names of whole
/// expressions, such as `@daily`, are refused.
#[derive(Clone, Debug)]
pub struct CronTimes {
    cron: Cron,
    text: String,
}

const FIELDS: usize = 5;

impl FromStr for CronTimes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.split(' ').count() != FIELDS {
            return Err(format!("`{text}` is not a cron expression of five fields, such as `30 3 * * *`"));
        }
        let cron = parser.parse(&text).map_err(|error| format!("`{text}` is not a cron expression: {error}"))?;
        let times = Self { cron, text };
        match times.cron.find_next_occurrence(&DateTime::<Utc>::UNIX_EPOCH, false) {
            Ok(_) => Ok(times),
            Err(_) => Err(format!("`{}` names no day of any year", times.text)),
        }
    }
}

impl CronSchedule {
    pub fn new(times: CronTimes, zone: Tz) -> Self {
        Self { times, zone }
    }

    /// The first time after `time`; `None` if the calendar ends before.
    pub fn next_after(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let next = self.times.cron.find_next_occurrence(&time.with_timezone(&self.zone), false);
        next.ok().map(|next| next.with_timezone(&Utc))
    }
}

impl fmt::Display for CronSchedule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.times.text, self.zone)
    }
}

/// Deletes the rows of tasks that ran at set times and are in the settings no longer.
pub async fn forget_unscheduled(pool: &PgPool, scheduled: &[&str]) -> Result<(), sqlx::Error> {
    let forget = "delete from scheduler_task where schedule is not null and name <> all($1)";
    sqlx::query(forget).bind(scheduled).execute(pool).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(expression: &str, zone: &str) -> CronSchedule {
        CronSchedule::new(expression.parse().unwrap(), zone.parse().unwrap())
    }

    /// The next times after `from`, in UTC.
    fn times<const COUNT: usize>(schedule: &CronSchedule, from: &str) -> [String; COUNT] {
        let mut time: DateTime<Utc> = from.parse().unwrap();
        std::array::from_fn(|_| {
            time = schedule.next_after(time).unwrap();
            time.format("%F %R").to_string()
        })
    }

    #[test]
    fn a_task_runs_by_the_wall_clock_of_its_zone() {
        let berlin = schedule(" 30  3 * * * ", "Europe/Berlin");
        assert_eq!(berlin.to_string(), "30 3 * * * Europe/Berlin");
        assert_eq!(times(&berlin, "2026-01-10T00:00:00Z"), ["2026-01-10 02:30", "2026-01-11 02:30"]);
        assert_eq!(times(&berlin, "2026-07-10T01:30:00Z"), ["2026-07-11 01:30", "2026-07-12 01:30"]);
        assert_eq!(
            times(&schedule("0 4 * * sun", "UTC"), "2026-01-10T00:00:00Z"),
            ["2026-01-11 04:00", "2026-01-18 04:00"]
        );
    }

    #[test]
    fn a_skipped_time_runs_after_the_gap_and_a_doubled_one_once() {
        let berlin = schedule("30 2 * * *", "Europe/Berlin");
        // 02:00 to 03:00 is skipped on 29 March.
        assert_eq!(
            times(&berlin, "2026-03-28T00:00:00Z"),
            ["2026-03-28 01:30", "2026-03-29 01:00", "2026-03-30 00:30"]
        );
        // 02:00 to 03:00 comes twice on 25 October, from 00:00 and from 01:00 UTC.
        for from in ["2026-10-24T00:30:00Z", "2026-10-24T12:00:00Z"] {
            assert_eq!(times(&berlin, from), ["2026-10-25 00:30", "2026-10-26 01:30"], "{from}");
        }
        assert_eq!(times(&berlin, "2026-10-25T00:45:00Z"), ["2026-10-26 01:30"]);
        assert_eq!(times(&berlin, "2026-10-25T01:10:00Z"), ["2026-10-26 01:30"]);
    }

    #[test]
    fn an_interval_keeps_its_pace_in_the_doubled_hour_and_leaves_out_the_skipped_one() {
        let berlin = schedule("*/30 * * * *", "Europe/Berlin");
        assert_eq!(
            times(&berlin, "2026-10-25T00:00:00Z"),
            ["2026-10-25 00:30", "2026-10-25 01:00", "2026-10-25 01:30", "2026-10-25 02:00"]
        );
        assert_eq!(times(&berlin, "2026-03-29T00:30:00Z"), ["2026-03-29 01:00", "2026-03-29 01:30"]);
    }

    #[test]
    fn days_are_counted_from_the_end_of_a_month_and_by_their_place_in_it() {
        let from = "2026-01-10T00:00:00Z";
        assert_eq!(times(&schedule("0 4 L * *", "UTC"), from), ["2026-01-31 04:00", "2026-02-28 04:00"]);
        assert_eq!(times(&schedule("0 4 * * fri#2", "UTC"), from), ["2026-02-13 04:00", "2026-03-13 04:00"]);
        // Two days that are named: one of them is enough.
        assert_eq!(times(&schedule("0 4 12 * wed", "UTC"), from), ["2026-01-12 04:00", "2026-01-14 04:00"]);
    }

    #[test]
    fn a_bad_expression_is_refused() {
        for text in [
            "",
            "nonsense",
            "60 3 * * *",
            "* * * *",
            "0 30 3 * * *",
            "0 3 30 2 *",
            "0 25 * * *",
            "30 3 * * * *",
            "@daily",
            "@ d a i ly",
        ] {
            let error = text.parse::<CronTimes>().map(|times| times.text).unwrap_err();
            assert!(error.starts_with(&format!("`{text}` ")), "{error}");
        }
    }
}
