//! The results table as Markdown, ready for the documentation.

use std::fmt;
use std::time::Duration;

#[derive(Default)]
pub struct Report {
    rows: Vec<[String; 4]>,
}

impl Report {
    /// Adds a row and prints it at once, because a run is long.
    pub fn add(&mut self, what: impl Into<String>, measured: String, against: String, goal: &str) {
        let row = [what.into(), measured, against, goal.to_owned()];
        println!("{}", line(&row));
        self.rows.push(row);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}", line(&["what", "measured", "against", "goal"].map(str::to_owned)))?;
        writeln!(formatter, "|---|---|---|---|")?;
        self.rows.iter().try_for_each(|row| writeln!(formatter, "{}", line(row)))
    }
}

fn line(cells: &[String; 4]) -> String {
    format!("| {} |", cells.join(" | "))
}

/// Median of several rounds, with the lowest and the highest.
#[derive(Clone, Copy)]
pub struct Spread {
    pub median: f64,
    lowest: f64,
    highest: f64,
}

impl Spread {
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self { median: values[values.len() / 2], lowest: values[0], highest: values[values.len() - 1] }
    }
}

impl fmt::Display for Spread {
    /// `1,234 (1,100–1,300)`; small numbers with two decimals.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { median, lowest, highest } = *self;
        write!(formatter, "{} ({}–{})", number(median), number(lowest), number(highest))
    }
}

pub fn number(value: f64) -> String {
    if value.abs() < 100.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

pub fn milliseconds(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1e3)
}
