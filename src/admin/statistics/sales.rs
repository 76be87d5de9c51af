//! Sales by day, week or month, beside those of the days before.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::Deserialize;

use super::{Cell, Choice, Report, money, number, text};
use crate::admin::api::Problem;
use crate::admin::chart::{Chart, Point, Value};
use crate::admin::days::Days;
use crate::admin::page::Page;
use crate::admin::staff::{PageResult, Staff};

/// Sales of a period as the API returns them.
#[derive(Default, Deserialize)]
pub struct Sales {
    /// Absent in a sum.
    pub period: NaiveDate,
    pub from: NaiveDate,
    pub to: NaiveDate,
    pub orders: i64,
    pub units: i64,
    pub revenue: Decimal,
}

/// More than the periods of ten years by month or of half a year by week.
const MAX_PERIODS: usize = 1_000;

const PARTS: [(&str, &str); 3] = [("day", "Day"), ("week", "Week"), ("month", "Month")];

pub async fn read(staff: &Staff, days: &Days, part: &str) -> Result<Vec<Sales>, Problem> {
    let call = days.bound(staff.api.get("sales")).query("by", part).query("limit", MAX_PERIODS);
    Ok(call.read().await?.data)
}

pub fn total(sales: &[Sales]) -> Sales {
    sales.iter().fold(Sales::default(), |sum, sales| Sales {
        orders: sum.orders + sales.orders,
        units: sum.units + sales.units,
        revenue: sum.revenue + sales.revenue,
        ..sum
    })
}

fn label(part: &str, sales: &Sales) -> String {
    let format = if part == "month" { "%b %Y" } else { "%-d %b" };
    let day = if part == "month" { sales.period } else { sales.from };
    day.format(format).to_string()
}

/// The orders that a period counts.
fn orders_of(sales: &Sales) -> String {
    format!("/admin/orders?from={}&to={}", sales.from, sales.to)
}

pub fn chart(page: &Page, days: &Days, part: &str, now: &[Sales], before: &[Sales]) -> Chart {
    let value = |sales: &Sales| Value { amount: sales.revenue, text: money(page, sales.revenue) };
    let previous = days.previous(part);
    let description = format!(
        "Revenue by {part} from {} to {}, and from {} to {} before.",
        page.day(&days.from),
        page.day(&days.to),
        page.day(&previous.from),
        page.day(&previous.to)
    );
    let mut chart = Chart::bars(format!("Revenue by {part}"), description, &["these days", "days before"]);
    let point = |(place, sales): (usize, &Sales)| Point {
        label: label(part, sales),
        values: [sales].into_iter().chain(before.get(place)).map(value).collect(),
        link: Some(orders_of(sales)),
    };
    chart.points = now.iter().enumerate().map(point).collect();
    chart.csv = Some(format!("/admin/statistics/sales/csv?{}&by={part}", days.parameters()));
    chart
}

pub async fn show(staff: Staff) -> PageResult {
    let days = Days::read(&staff.query, staff.today());
    let part = days.part_or(staff.query.get("by"));
    let previous = days.previous(part);
    let (now, before) = tokio::try_join!(read(&staff, &days, part), read(&staff, &previous, part))?;
    let mut report = Report::new(
        &staff,
        "Sales",
        "Orders of these days (UTC) without cancelled ones, minus credits, beside the same number of days before.",
    );
    let page = &report.page;
    let mut rows: Vec<Vec<Cell>> = now
        .iter()
        .enumerate()
        .map(|(place, sales)| {
            let earlier = before.get(place).map_or_else(String::new, |sales| money(page, sales.revenue));
            let day = |day: &NaiveDate| page.day(day).replace(' ', "\u{a0}");
            let days = if sales.from == sales.to {
                day(&sales.from)
            } else {
                format!("{} – {}", day(&sales.from), day(&sales.to))
            };
            vec![
                text(days),
                number(page.quantity(&sales.orders)).to(orders_of(sales)),
                number(page.quantity(&sales.units))
                    .to(format!("/admin/statistics/bestsellers?from={}&to={}", sales.from, sales.to)),
                number(money(page, sales.revenue)),
                number(earlier),
            ]
        })
        .collect();
    let sum = total(&now);
    rows.push(vec![
        text("Sum"),
        number(page.quantity(&sum.orders)).to(format!("/admin/orders?{}", days.parameters())),
        number(page.quantity(&sum.units)),
        number(money(page, sum.revenue)),
        number(money(page, total(&before).revenue)),
    ]);
    let chart = chart(page, &days, part, &now, &before);
    report.csv = format!("/admin/statistics/sales/csv?{}&by={part}", days.parameters());
    report.chart = Some(chart);
    report.heads = vec![text("Days"), number("Orders"), number("Units"), number("Revenue"), number("Revenue before")];
    report.rows = rows;
    report.has_sum = true;
    report.choices = vec![Choice {
        name: "by",
        label: "By",
        any: "Automatic",
        options: PARTS.map(|(part, title)| (part.to_owned(), title.to_owned())).to_vec(),
    }];
    report.days = Some(days);
    staff.show(&report)
}
