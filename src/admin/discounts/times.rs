//! Times in fields of a form, in the zone of the shop.

use chrono::{DateTime, NaiveDateTime, SecondsFormat, TimeZone, Utc};
use chrono_tz::Tz;
use serde_json::Value;

use crate::admin::form::Form;
use crate::admin::staff::Staff;

/// As a browser sends a time, with seconds or without.
const FORMATS: [&str; 4] = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S%.f"];

pub fn to_field(staff: &Staff, time: Option<DateTime<Utc>>) -> String {
    time.map(|time| write(staff.site.admin.time_zone, time)).unwrap_or_default()
}

/// A time for the API; what is no time stays a text, so that the API refuses it and names the field.
pub fn of_field(staff: &Staff, form: &Form, name: &str) -> Value {
    let text = form.value(name).trim();
    match read(staff.site.admin.time_zone, text) {
        Some(time) => Value::from(time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        None => form.optional(name),
    }
}

fn write(zone: Tz, time: DateTime<Utc>) -> String {
    let local = time.with_timezone(&zone).naive_local();
    let has_seconds = time.timestamp() % 60 != 0 || time.timestamp_subsec_nanos() != 0;
    local.format(if has_seconds { "%Y-%m-%dT%H:%M:%S%.f" } else { "%Y-%m-%dT%H:%M" }).to_string()
}

/// An hour that the clocks pass twice is the first of both.
fn read(zone: Tz, text: &str) -> Option<DateTime<Utc>> {
    let local = FORMATS.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())?;
    zone.from_local_datetime(&local).earliest().map(|time| time.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_form_are_in_the_zone_of_the_shop() {
        let berlin = Tz::Europe__Berlin;
        let time: DateTime<Utc> = "2026-11-28T23:30:00Z".parse().unwrap();
        assert_eq!(write(berlin, time), "2026-11-29T00:30");
        for time in [time, "2026-07-01T10:00:05.25Z".parse().unwrap()] {
            assert_eq!(read(berlin, &write(berlin, time)), Some(time));
        }
        assert_eq!(read(berlin, "2026-10-25T02:30"), Some("2026-10-25T00:30:00Z".parse().unwrap()));
        for text in ["", "tomorrow", "2026-03-29T02:30", "2026-13-01T00:00"] {
            assert_eq!(read(berlin, text), None, "{text}");
        }
    }
}
