//! Statistics: reports of one form, each a table with its filters, its pages and its CSV.

pub mod reports;
pub mod sales;

use askama::Template;
use axum::extract::Path;
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::api::Problem;
use super::chart::Chart;
use super::days::{Days, PeriodLink};
use super::list::Pager;
use super::page::Page;
use super::query::Query;
use super::staff::{PageResult, Staff};

/// A report, as the template shows it.
#[derive(Template)]
#[template(path = "admin/statistics/report.html")]
struct Report {
    page: Page,
    query: Query,
    /// What the figures count.
    explanation: &'static str,
    /// `None` for a report of all times.
    days: Option<Days>,
    choices: Vec<Choice>,
    chart: Option<Chart>,
    heads: Vec<Cell>,
    rows: Vec<Vec<Cell>>,
    /// Whether the last row is the sum of the others.
    has_sum: bool,
    pager: Pager,
    /// Why the API refused the filters.
    problem: Option<Problem>,
    csv: String,
    /// What a report without rows says.
    empty: &'static str,
    /// What the figures leave out.
    remark: &'static str,
}

/// A choice in the form above a report.
struct Choice {
    name: &'static str,
    label: &'static str,
    /// What the choice without a value is called.
    any: &'static str,
    options: Vec<(String, String)>,
}

/// A cell of a report, or the head of a column.
struct Cell {
    text: String,
    time: Option<DateTime<Utc>>,
    /// The list or page that the cell stands for.
    link: Option<String>,
    is_number: bool,
}

/// The reports: title and address.
const REPORTS: [(&str, &str); 9] = [
    ("Sales", "/admin/statistics"),
    ("Orders by state", "/admin/statistics/orders"),
    ("Bestsellers", "/admin/statistics/bestsellers"),
    ("Never ordered", "/admin/statistics/never-ordered"),
    ("Sales of categories", "/admin/statistics/category-sales"),
    ("Stock of categories", "/admin/statistics/categories"),
    ("New and returning", "/admin/statistics/buyers"),
    ("Best customers", "/admin/statistics/customers"),
    ("Abandoned carts", "/admin/statistics/abandoned-carts"),
];

/// The parameters that the CSV of a report takes over from its address: name, read of the API, parameters.
const FILES: [(&str, &str, &[&str]); 9] = [
    ("sales", "sales", &["from", "to", "by"]),
    ("orders", "order-states", &["from", "to"]),
    ("bestsellers", "bestsellers", &["from", "to", "category_id"]),
    ("never-ordered", "never-ordered", &[]),
    ("category-sales", "category-sales", &["from", "to"]),
    ("categories", "category-stats", &[]),
    ("buyers", "buyers", &["from", "to"]),
    ("customers", "customer-stats", &[]),
    ("abandoned-carts", "abandoned-carts", &["days"]),
];

impl Report {
    fn new(staff: &Staff, title: &str, explanation: &'static str) -> Self {
        Self {
            page: staff.page(title),
            query: staff.query.clone(),
            explanation,
            days: None,
            choices: Vec::new(),
            chart: None,
            heads: Vec::new(),
            rows: Vec::new(),
            has_sum: false,
            pager: Pager::default(),
            problem: None,
            csv: String::new(),
            empty: "There is nothing to show yet.",
            remark: "",
        }
    }

    fn reports(&self) -> &'static [(&'static str, &'static str)] {
        &REPORTS
    }

    fn periods(&self) -> Vec<PeriodLink> {
        self.days.as_ref().map(|days| days.links(&self.query)).unwrap_or_default()
    }

    fn is_current(&self, address: &str) -> bool {
        self.page.path() == address
    }

    fn has_form(&self) -> bool {
        self.days.is_some() || !self.choices.is_empty()
    }
}

impl Cell {
    /// The same cell as a link.
    fn to(self, address: impl Into<String>) -> Self {
        Self { link: Some(address.into()), ..self }
    }
}

fn text(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), time: None, link: None, is_number: false }
}

fn number(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), time: None, link: None, is_number: true }
}

fn time(time: DateTime<Utc>) -> Cell {
    Cell { text: String::new(), time: Some(time), link: None, is_number: false }
}

/// An amount of a sum with the currency.
pub fn money(page: &Page, amount: Decimal) -> String {
    page.money(&format!("{amount:.2}"))
}

/// The page of a customer.
pub fn customer_page(customer_id: i64) -> String {
    format!("/admin/customers/{customer_id}")
}

/// A report as CSV, every row of it.
pub async fn csv(staff: Staff, Path(report): Path<String>) -> PageResult {
    let found = FILES.iter().find(|(name, ..)| *name == report);
    let (name, path, parameters) = found.ok_or_else(Problem::not_found)?;
    let call = staff.api.get(path).queries(staff.query.pairs(parameters));
    let call = match *name {
        "category-sales" => call.query("limit", reports::MAX_CATEGORIES),
        "categories" => call.query("subtree", true),
        _ => call,
    };
    call.stream_csv(&format!("{name}.csv")).await
}
