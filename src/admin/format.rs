//! How pages write money, quantities, percentages and times.

use askama::filters::Safe;
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;

use crate::payments::Currency;

/// The shop's currency and time zone, and the time of the page.
#[derive(Clone, Copy)]
pub struct Format {
    pub currency: Currency,
    pub zone: Tz,
    pub now: DateTime<Utc>,
}

/// Keeps a number and its unit on one line.
const NO_BREAK: char = '\u{a0}';
const MINUS: char = '\u{2212}';

impl Format {
    /// An amount of the API with the currency: `1,234.50 EUR`.
    pub fn money(&self, amount: &str) -> String {
        format!("{}{NO_BREAK}{}", grouped(amount), self.currency.code())
    }

    pub fn quantity(&self, count: &i64) -> String {
        grouped(&count.to_string())
    }

    /// A number of the API with its groups.
    pub fn decimal(&self, number: &str) -> String {
        grouped(number)
    }

    /// A difference with its sign; empty if there is none.
    pub fn change(&self, difference: i64) -> String {
        let plus = if difference > 0 { "+" } else { "" };
        if difference == 0 { String::new() } else { format!("{plus}{}", self.quantity(&difference)) }
    }

    /// A percentage with one decimal, of a part and a whole; empty without a whole.
    pub fn percent(&self, part: &Decimal, whole: &Decimal) -> String {
        let share = (*part * Decimal::ONE_HUNDRED).checked_div(*whole);
        share.map_or_else(String::new, |share| format!("{}{NO_BREAK}%", grouped(&format!("{:.1}", share.round_dp(1)))))
    }

    /// A day: `28 Nov 2026`.
    pub fn day(&self, day: &NaiveDate) -> String {
        day.format("%-d %b %Y").to_string()
    }

    /// A time in the shop's zone: `28 Nov 2026, 14:05`; with seconds and zone as its title.
    pub fn time(&self, time: &DateTime<Utc>) -> Safe<String> {
        self.element(time, &self.clock_time(time))
    }

    /// A time in the shop's zone, as text: `28 Nov 2026, 14:05`.
    pub fn clock_time(&self, time: &DateTime<Utc>) -> String {
        self.local(time, "%-d %b %Y, %H:%M")
    }

    /// How long ago a time was; with the time as its title.
    pub fn ago(&self, time: &DateTime<Utc>) -> Safe<String> {
        self.element(time, &self.distance(time))
    }

    fn element(&self, time: &DateTime<Utc>, text: &str) -> Safe<String> {
        let title = format!("{} {}", self.local(time, "%-d %b %Y, %H:%M:%S"), self.zone.name());
        Safe(format!("<time datetime=\"{}\" title=\"{title}\">{text}</time>", time.format("%Y-%m-%dT%H:%M:%SZ")))
    }

    fn local(&self, time: &DateTime<Utc>, format: &str) -> String {
        time.with_timezone(&self.zone).format(format).to_string()
    }

    fn distance(&self, time: &DateTime<Utc>) -> String {
        let seconds = (self.now - time).num_seconds();
        let (count, unit) = match seconds.abs() {
            0..45 => return "just now".to_owned(),
            45..2_700 => ((seconds.abs() + 30) / 60, "minute"),
            2_700..79_200 => ((seconds.abs() + 1_800) / 3_600, "hour"),
            79_200..2_246_400 => ((seconds.abs() + 43_200) / 86_400, "day"),
            _ => return self.local(time, "%-d %b %Y"),
        };
        let plural = if count == 1 { "" } else { "s" };
        if seconds < 0 { format!("in {count} {unit}{plural}") } else { format!("{count} {unit}{plural} ago") }
    }
}

/// A decimal number with its thousands grouped; what is no number stays as it is.
fn grouped(number: &str) -> String {
    let (is_negative, digits) = number.strip_prefix('-').map_or((false, number), |digits| (true, digits));
    let (whole, decimals) = digits.split_once('.').map_or((digits, None), |(whole, decimals)| (whole, Some(decimals)));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !decimals.is_none_or(is_number) {
        return number.to_owned();
    }
    let mut text = String::from_iter(is_negative.then_some(MINUS));
    for (place, digit) in whole.char_indices() {
        if place > 0 && (whole.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text.extend(decimals.map(|decimals| format!(".{decimals}")));
    text
}

/// The name of an event, a state or a field in plain words: `CategoryRenamed`, `partly_paid` and `parentId` become
/// `Category renamed`, `Partly paid` and `Parent id`.
pub fn in_words(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        match letter {
            '_' | '-' | '.' => words.push(' '),
            _ if letter.is_uppercase() && !words.is_empty() => {
                words.push(' ');
                words.extend(letter.to_lowercase());
            }
            _ => words.push(letter),
        }
    }
    super::form::capitalized(&words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(zone: Tz) -> Format {
        Format { currency: "EUR".parse().unwrap(), zone, now: "2026-11-28T14:05:00Z".parse().unwrap() }
    }

    #[test]
    fn money_has_groups_and_its_currency() {
        let format = format(Tz::UTC);
        for (amount, shown) in [
            ("0.00", "0.00\u{a0}EUR"),
            ("999.90", "999.90\u{a0}EUR"),
            ("1234567.50", "1,234,567.50\u{a0}EUR"),
            ("-1000.00", "\u{2212}1,000.00\u{a0}EUR"),
            ("<b>", "<b>\u{a0}EUR"),
            ("", "\u{a0}EUR"),
        ] {
            assert_eq!(format.money(amount), shown);
        }
        assert_eq!(format.quantity(&1_000_000), "1,000,000");
        assert_eq!([5, 0, -1_000].map(|units| format.change(units)), ["+5", "", "\u{2212}1,000"]);
        assert_eq!(format.percent(&Decimal::from(1), &Decimal::from(3)), "33.3\u{a0}%");
        assert_eq!(format.percent(&Decimal::from(1), &Decimal::ZERO), "");
    }

    #[test]
    fn times_are_in_the_zone_of_the_shop_and_name_it() {
        let time = "2026-11-28T23:30:05Z".parse().unwrap();
        let shown = format(Tz::Europe__Berlin).time(&time).0;
        assert!(shown.contains(">29 Nov 2026, 00:30<") && shown.contains("00:30:05 Europe/Berlin"), "{shown}");
        assert!(shown.contains("datetime=\"2026-11-28T23:30:05Z\""), "{shown}");
    }

    #[test]
    fn distances_are_rounded_to_one_unit() {
        let format = format(Tz::UTC);
        for (time, shown) in [
            ("2026-11-28T14:04:30Z", ">just now<"),
            ("2026-11-28T14:04:00Z", ">1 minute ago<"),
            ("2026-11-28T12:10:00Z", ">2 hours ago<"),
            ("2026-11-25T14:05:00Z", ">3 days ago<"),
            ("2026-11-28T14:15:00Z", ">in 10 minutes<"),
            ("2025-01-02T00:00:00Z", ">2 Jan 2025<"),
        ] {
            let ago = format.ago(&time.parse().unwrap()).0;
            assert!(ago.contains(shown), "{time}: {ago}");
        }
    }

    #[test]
    fn names_become_words() {
        for (name, words) in [("CategoryRenamed", "Category renamed"), ("partly_paid", "Partly paid"), ("", "")] {
            assert_eq!(in_words(name), words);
        }
    }
}
