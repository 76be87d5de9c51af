//! The first page after the log-in: the sales of the last days.

use askama::Template;
use chrono::{Days, NaiveDate};
use rust_decimal::Decimal;
use serde::Deserialize;

use super::api::Problem;
use super::chart::{Chart, Point, Value};
use super::page::Page;
use super::staff::{PageResult, Staff};

#[derive(Template)]
#[template(path = "admin/home.html")]
struct HomePage {
    page: Page,
    revenue: Chart,
}

/// Sales of a day as the API returns them.
#[derive(Deserialize)]
struct Day {
    period: NaiveDate,
    revenue: Decimal,
}

const DAYS: u64 = 30;

pub async fn show(staff: Staff) -> PageResult {
    let today = staff.today();
    let begin = today - Days::new(DAYS - 1);
    let (now, before) = tokio::try_join!(
        read_days(&staff, begin, today),
        read_days(&staff, begin - Days::new(DAYS), begin - Days::new(1))
    )?;
    let page = staff.page("Overview");
    let value = |day: &Day| Value { amount: day.revenue, text: page.money(&day.revenue.to_string()) };
    let description = format!("Revenue of each of the last {DAYS} days, and of the {DAYS} days before.");
    let mut revenue = Chart::bars("Revenue by day", description, &["these days", "days before"]);
    revenue.points = now
        .iter()
        .enumerate()
        .map(|(place, day)| Point {
            label: day.period.format("%-d %b").to_string(),
            values: [day].into_iter().chain(before.get(place)).map(value).collect(),
            link: None,
        })
        .collect();
    revenue.csv = Some(format!("/admin/sales/csv?from={begin}&to={today}"));
    staff.show(&HomePage { page, revenue })
}

async fn read_days(staff: &Staff, from: NaiveDate, to: NaiveDate) -> Result<Vec<Day>, Problem> {
    let call = staff.api.get("sales").query("from", from).query("to", to).query("by", "day").query("limit", DAYS);
    Ok(call.read().await?.data)
}

/// The numbers of the chart.
pub async fn sales_csv(staff: Staff) -> PageResult {
    let call = staff.api.get("sales").query("by", "day").queries(staff.query.pairs(&["from", "to"]));
    call.stream_csv("sales.csv").await
}
