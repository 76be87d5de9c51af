//! The days that a page of figures is about, from its address: a period that ends today, or two typed days.

use chrono::{Datelike, Days as Count, Months, NaiveDate};

use super::api::Call;
use super::query::Query;

/// First and last day, inclusive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Days {
    pub from: NaiveDate,
    pub to: NaiveDate,
    /// Name of the period; empty for typed days.
    pub period: &'static str,
    /// Why the typed days do not count.
    pub problem: Option<&'static str>,
}

/// A period that a link leads to.
pub struct PeriodLink {
    pub title: &'static str,
    pub address: String,
    pub is_current: bool,
}

const PERIODS: [(&str, &str); 5] =
    [("today", "Today"), ("yesterday", "Yesterday"), ("7days", "7 days"), ("30days", "30 days"), ("year", "12 months")];
/// Days that are shown one by one; beyond them there are weeks.
const MAX_BY_DAY: i64 = 92;
/// Days that are shown by week; beyond them there are months.
const MAX_BY_WEEK: i64 = 200;
/// Days that are shown one by one if a reader chooses so.
const MAX_CHOSEN_DAYS: i64 = 366;
/// About ten years.
const MAX_DAYS: i64 = 3_660;
const FIRST_YEAR: i32 = 1900;

impl Days {
    pub fn read(query: &Query, today: NaiveDate) -> Self {
        if !query.has_any(&["from", "to"]) {
            return Self::of_period(query.get("period"), today);
        }
        match read_typed(query, today) {
            Ok((from, to)) => Self { from, to, period: "", problem: None },
            Err(problem) => Self { problem: Some(problem), ..Self::of_period("", today) },
        }
    }

    fn of_period(name: &str, today: NaiveDate) -> Self {
        if name == "yesterday" {
            let day = before(today, 1);
            return Self { from: day, to: day, period: "yesterday", problem: None };
        }
        let (period, from) = match name {
            "today" => ("today", today),
            "7days" => ("7days", before(today, 6)),
            "year" => {
                let month = today.with_day(1).unwrap_or(today);
                ("year", month.checked_sub_months(Months::new(11)).unwrap_or(month))
            }
            _ => ("30days", before(today, 29)),
        };
        Self { from, to: today, period, problem: None }
    }

    fn count(&self) -> i64 {
        (self.to - self.from).num_days() + 1
    }

    /// The length of the parts in which these days are shown, as the API names it.
    pub fn part(&self) -> &'static str {
        match self.count() {
            count if count <= MAX_BY_DAY => "day",
            count if count <= MAX_BY_WEEK => "week",
            _ => "month",
        }
    }

    /// The part that was chosen, if the days are not too many for it.
    pub fn part_or(&self, chosen: &str) -> &'static str {
        match chosen {
            "day" if self.count() <= MAX_CHOSEN_DAYS => "day",
            "week" => "week",
            "month" => "month",
            _ => self.part(),
        }
    }

    /// As many parts, directly before these days.
    pub fn previous(&self, part: &str) -> Self {
        let shift = |day: NaiveDate| match part {
            "month" => day.checked_sub_months(Months::new(self.months())).unwrap_or(day),
            "week" => before(day, (self.count().unsigned_abs()).next_multiple_of(7)),
            _ => before(day, self.count().unsigned_abs()),
        };
        Self { from: shift(self.from), to: shift(self.to), period: "", problem: None }
    }

    /// Calendar months that have any of these days.
    fn months(&self) -> u32 {
        let number = |day: NaiveDate| day.year() * 12 + day.month0().cast_signed();
        (number(self.to) - number(self.from)).unsigned_abs() + 1
    }

    /// As parameters of a page or of the API: `from=2026-11-01&to=2026-11-28`.
    pub fn parameters(&self) -> String {
        format!("from={}&to={}", self.from, self.to)
    }

    /// The list of the orders that figures of these days count: cancelled ones do not.
    pub fn orders(&self) -> String {
        format!("/admin/orders?cancelled=false&{}", self.parameters())
    }

    /// The read of these days.
    pub fn bound(&self, call: Call) -> Call {
        call.query("from", self.from).query("to", self.to)
    }

    /// Links to the periods, with the other filters of the page.
    pub fn links(&self, query: &Query) -> Vec<PeriodLink> {
        let link = |(name, title): (&'static str, &'static str)| PeriodLink {
            title,
            address: query.with_all(&[("period", name), ("from", ""), ("to", "")]),
            is_current: self.period == name && self.problem.is_none(),
        };
        PERIODS.into_iter().map(link).collect()
    }
}

fn before(day: NaiveDate, days: u64) -> NaiveDate {
    day.checked_sub_days(Count::new(days)).unwrap_or(day)
}

/// The typed days; the last is today if only the first is typed, and the first is 29 days earlier if only the last is.
fn read_typed(query: &Query, today: NaiveDate) -> Result<(NaiveDate, NaiveDate), &'static str> {
    let (from, to) = (read_day(query.get("from"))?, read_day(query.get("to"))?);
    let to = to.unwrap_or_else(|| from.map_or(today, |from| from.max(today)));
    let from = from.unwrap_or_else(|| before(to, 29));
    match (to - from).num_days() + 1 {
        ..=0 => Err("The first day is after the last."),
        1..=MAX_DAYS => Ok((from, to)),
        _ => Err("Choose at most ten years."),
    }
}

fn read_day(text: &str) -> Result<Option<NaiveDate>, &'static str> {
    if text.is_empty() {
        return Ok(None);
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    let day = day.filter(|day| (FIRST_YEAR..=9_999).contains(&day.year()) && day.to_string() == text);
    day.map(Some).ok_or("A day is written as 2026-01-31, from the year 1900 on.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(query: &str) -> Days {
        Days::read(&Query::parse(query), "2026-11-28".parse().unwrap())
    }

    #[test]
    fn an_address_names_a_period_or_two_days() {
        for (query, from, to, part) in [
            ("", "2026-10-30", "2026-11-28", "day"),
            ("period=today", "2026-11-28", "2026-11-28", "day"),
            ("period=yesterday", "2026-11-27", "2026-11-27", "day"),
            ("period=7days", "2026-11-22", "2026-11-28", "day"),
            ("period=year", "2025-12-01", "2026-11-28", "month"),
            ("period=nonsense", "2026-10-30", "2026-11-28", "day"),
            ("period=today&from=2026-01-01&to=2026-06-30", "2026-01-01", "2026-06-30", "week"),
            ("from=2026-11-20", "2026-11-20", "2026-11-28", "day"),
            ("from=2027-01-01", "2027-01-01", "2027-01-01", "day"),
            ("to=2026-03-30", "2026-03-01", "2026-03-30", "day"),
        ] {
            let days = days(query);
            assert_eq!((days.from.to_string().as_str(), days.to.to_string().as_str()), (from, to), "{query}");
            assert_eq!((days.part(), days.problem), (part, None), "{query}");
        }
    }

    #[test]
    fn days_that_are_none_are_explained() {
        for query in ["from=yesterday", "from=2026-02-30", "to=1066-10-14", "from=2026-1-1"] {
            assert_eq!(days(query).problem, Some("A day is written as 2026-01-31, from the year 1900 on."), "{query}");
        }
        assert_eq!(days("from=2026-02-01&to=2026-01-01").problem, Some("The first day is after the last."));
        assert_eq!(days("from=1999-01-01&to=2026-01-01").problem, Some("Choose at most ten years."));
        assert!(days("from=nonsense").links(&Query::default()).iter().all(|link| !link.is_current));
    }

    #[test]
    fn the_previous_days_have_as_many_parts() {
        for (query, from, to) in [
            ("period=today", "2026-11-27", "2026-11-27"),
            ("period=yesterday", "2026-11-26", "2026-11-26"),
            ("period=7days", "2026-11-15", "2026-11-21"),
            ("period=year", "2024-12-01", "2025-11-28"),
            ("from=2026-01-05&to=2026-06-30", "2025-07-07", "2025-12-30"),
        ] {
            let days = days(query);
            let previous = days.previous(days.part());
            assert_eq!((previous.from.to_string().as_str(), previous.to.to_string().as_str()), (from, to), "{query}");
        }
    }
}
