//! The list of orders.

use askama::Template;
use axum::response::Response;
use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::Value;

use super::states::{OrderStates, choices, refund_choices};
use crate::admin::api::{Call, Problem};
use crate::admin::categories::{CategoryOption, read_options};
use crate::admin::list::Listing;
use crate::admin::page::Page;
use crate::admin::query::Query;
use crate::admin::staff::{PageResult, Staff};
use crate::admin::statistics::money;

/// Parameters of the API's list that the address may have; the last two are also what the search looks for.
const FILTERS: [&str; 12] = [
    "status",
    "cancelled",
    "buyer",
    "payment",
    "fulfilment",
    "category_id",
    "product_id",
    "customer_id",
    "city",
    "refund",
    "reference",
    "email",
];
/// Parameters of this page alone.
const OWN_FILTERS: [&str; 4] = ["search", "period", "from", "to"];

/// Lists for the work of every day: title, query, explanation.
const DAILY: [(&str, &str, &str); 7] = [
    ("To pack", "?status=pending&payment=paid", "Paid, and not begun"),
    ("To ship", "?status=processing", "Being packed"),
    ("Unpaid from yesterday", "?cancelled=false&payment=pending&period=yesterday", "Placed yesterday, and not paid"),
    ("Payment failed", "?status=pending&payment=failed", "The last card was declined"),
    ("Partly paid", "?payment=partially_paid", "Waiting for the rest of the money"),
    ("Returned, not refunded", "?fulfilment=returned&payment=paid", "Everything came back, nothing is refunded"),
    ("Waiting for a refund", "?refund=requested", "The payment provider has not refunded yet"),
];

const PERIODS: [(&str, &str); 6] = [
    ("", "Any day"),
    ("today", "Today"),
    ("yesterday", "Yesterday"),
    ("week", "7 days"),
    ("month", "This month"),
    ("year", "This year"),
];

#[derive(Template)]
#[template(path = "admin/orders/list.html")]
struct OrderListPage {
    page: Page,
    list: Listing<Row>,
    /// The order that has the searched number; orders with this reference are in the list.
    found: Option<i64>,
    categories: Vec<(String, String)>,
    states: [Vec<(String, String)>; 3],
    refunds: Vec<(String, String)>,
    buyers: Vec<(String, String)>,
    sums: Sums,
    periods: Vec<Choice>,
    daily: Vec<Choice>,
}

/// A list that a link leads to.
struct Choice {
    title: &'static str,
    address: String,
    explanation: &'static str,
    is_current: bool,
}

/// An order as the list shows it.
#[derive(Deserialize)]
struct Row {
    order_id: i64,
    placed_at: DateTime<Utc>,
    #[serde(flatten)]
    states: OrderStates,
    total_amount: Decimal,
    customer_id: Option<i64>,
    reference: Option<String>,
    customer_name: String,
    units: i64,
    city: String,
    credited: Decimal,
    kept_units: i64,
    /// Of the product that the list is filtered by.
    product_units: Option<i64>,
}

/// The rows of a page together, so that a figure can be compared with its list.
#[derive(Default)]
struct Sums {
    title: String,
    units: String,
    total: String,
    /// What differs after cancellations, returns and refunds, and the units of the product.
    remark: String,
}

impl Row {
    fn worth(&self) -> Decimal {
        self.total_amount - self.credited
    }
}

impl Sums {
    fn of(page: &Page, list: &Listing<Row>) -> Self {
        let rows = &list.rows;
        let total: Decimal = rows.iter().map(|row| row.total_amount).sum();
        let worth: Decimal = rows.iter().map(Row::worth).sum();
        let units: i64 = rows.iter().map(|row| row.units).sum();
        let kept: i64 = rows.iter().map(|row| row.kept_units).sum();
        let product_units = rows.iter().map(|row| row.product_units).sum::<Option<i64>>();
        let mut remarks = Vec::new();
        if total != worth || units != kept {
            let (worth, kept) = (money(page, worth), page.quantity(&kept));
            remarks.push(format!("After cancellations, returns and refunds: {worth} for {kept} units."));
        }
        if let Some(units) = product_units {
            remarks.push(format!("Units of product {}: {}.", list.query.get("product_id"), page.quantity(&units)));
        }
        Self {
            title: list.count_in_words("order"),
            units: page.quantity(&units),
            total: money(page, total),
            remark: remarks.join(" "),
        }
    }
}

impl OrderListPage {
    fn is_filtered(&self) -> bool {
        self.list.query.has_any(&FILTERS) || self.list.query.has_any(&OWN_FILTERS)
    }

    fn total(&self, order: &Row) -> String {
        money(&self.page, order.total_amount)
    }

    fn worth(&self, order: &Row) -> String {
        money(&self.page, order.worth())
    }

    fn may_change(&self) -> bool {
        self.page.may_any(&["ship_order", "cancel_order", "process_order"])
    }
}

/// First and last day of the list, as the API takes them. Typed days count more than a period.
fn days(query: &Query, today: NaiveDate) -> (String, String) {
    if query.has_any(&["from", "to"]) {
        return (query.get("from").to_owned(), query.get("to").to_owned());
    }
    let before = |days: u64| today.checked_sub_days(Days::new(days)).unwrap_or(today);
    let (from, to) = match query.get("period") {
        "today" => (today, today),
        "yesterday" => (before(1), before(1)),
        "week" => (before(6), today),
        "month" => (today.with_day(1).unwrap_or(today), today),
        "year" => (today.with_ordinal(1).unwrap_or(today), today),
        _ => return Default::default(),
    };
    (from.to_string(), to.to_string())
}

/// What was typed into the search.
enum Search<'q> {
    Nothing,
    Email(&'q str),
    /// A number may also be a reference.
    Number(i64, &'q str),
    Reference(&'q str),
}

impl<'q> Search<'q> {
    fn read(query: &'q Query) -> Self {
        let text = query.get("search").trim().trim_start_matches('#');
        match text.parse() {
            Ok(number) => Self::Number(number, text),
            Err(_) if text.is_empty() => Self::Nothing,
            Err(_) if text.contains('@') => Self::Email(text),
            Err(_) => Self::Reference(text),
        }
    }
}

/// The read of the list, and the filters that it takes over from the address.
fn call(staff: &Staff) -> (Call, &'static [&'static str]) {
    let (from, to) = days(&staff.query, staff.today());
    let of_days = [("from", from.as_str()), ("to", to.as_str())].into_iter().filter(|(_, day)| !day.is_empty());
    let call = staff.api.get("orders").query("view", "full").queries(of_days);
    match Search::read(&staff.query) {
        Search::Nothing => (call, &FILTERS),
        Search::Email(email) => (call.query("email", email), &FILTERS[..10]),
        Search::Number(_, text) | Search::Reference(text) => (call.query("reference", text), &FILTERS[..10]),
    }
}

/// The order with the searched number.
async fn find_order(staff: &Staff) -> Result<Option<i64>, Problem> {
    let Search::Number(order_id, _) = Search::read(&staff.query) else { return Ok(None) };
    let call = staff.api.get(format_args!("order/{order_id}/history")).query("limit", 1);
    match call.read::<Value>().await {
        Ok(_) => Ok(Some(order_id)),
        Err(problem) if [400, 404].contains(&problem.status) => Ok(None),
        Err(problem) => Err(problem),
    }
}

pub async fn show(staff: Staff) -> PageResult {
    let (read, filters) = call(&staff);
    let (list, found, categories) =
        tokio::try_join!(Listing::<Row>::read(&staff, read, filters), find_order(&staff), read_options(&staff))?;
    if let Some(order_id) = found.filter(|_| list.rows.is_empty()) {
        return staff.redirect(&format!("/admin/orders/{order_id}"));
    }
    let query = &staff.query;
    let without_days = Query::parse(query.with("from", "").trim_start_matches('?'));
    let without_days = Query::parse(without_days.with("to", "").trim_start_matches('?'));
    let has_days = query.has_any(&["from", "to"]);
    let periods = PERIODS.map(|(period, title)| Choice {
        title,
        address: without_days.with("period", period),
        explanation: "",
        is_current: !has_days && query.get("period") == period,
    });
    let here = query.filters();
    let daily = DAILY.map(|(title, address, explanation)| Choice {
        title,
        address: format!("/admin/orders{address}"),
        explanation,
        is_current: here == address,
    });
    let page = staff.page("Orders");
    let buyers = [("new", "new customers"), ("returning", "returning customers"), ("guest", "guests")];
    staff.show(&OrderListPage {
        sums: Sums::of(&page, &list),
        buyers: buyers.map(|(kind, title)| (kind.to_owned(), title.to_owned())).into(),
        page,
        list,
        found,
        categories: categories.iter().map(CategoryOption::pair).collect(),
        states: choices(),
        refunds: refund_choices(),
        periods: periods.into(),
        daily: daily.into(),
    })
}

/// The whole list under the same filters.
pub async fn csv(staff: Staff) -> Result<Response, Problem> {
    let (read, filters) = call(&staff);
    read.queries(staff.query.pairs(filters)).stream_csv("orders.csv").await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_ends_today_and_typed_days_count_more() {
        let today = NaiveDate::from_ymd_opt(2026, 3, 1).unwrap();
        let of = |query: &str| days(&Query::parse(query), today);
        for (query, from, to) in [
            ("", "", ""),
            ("period=today", "2026-03-01", "2026-03-01"),
            ("period=yesterday", "2026-02-28", "2026-02-28"),
            ("period=week", "2026-02-23", "2026-03-01"),
            ("period=month", "2026-03-01", "2026-03-01"),
            ("period=year", "2026-01-01", "2026-03-01"),
            ("period=year&from=2025-05-01", "2025-05-01", ""),
            ("period=nonsense", "", ""),
        ] {
            assert_eq!(of(query), (from.to_owned(), to.to_owned()), "{query}");
        }
    }
}
