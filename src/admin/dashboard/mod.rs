//! The first page after the log-in: what there is to do, and the figures of some days.

pub mod reads;
pub mod shares;
mod to_do;

use askama::Template;
use rust_decimal::Decimal;

use self::reads::{AbandonedCart, BestCustomer, Bestseller, Figures, LowStock};
use self::shares::Shares;
use self::to_do::ToDo;
use super::chart::Chart;
use super::days::{Days, PeriodLink};
use super::page::Page;
use super::query::Query;
use super::staff::{PageResult, Staff};
use super::statistics::money;
use super::statistics::sales::{self, Sales};

#[derive(Template)]
#[template(path = "admin/dashboard/show.html")]
struct DashboardPage {
    page: Page,
    query: Query,
    days: Days,
    periods: Vec<PeriodLink>,
    to_do: Vec<ToDo>,
    tiles: [Tile; 4],
    revenue: Chart,
    states: Shares,
    categories: Shares,
    buyers: Shares,
    bestsellers: Vec<Bestseller>,
    low_stock: Vec<LowStock>,
    customers: Vec<BestCustomer>,
    carts: Vec<AbandonedCart>,
}

/// A sum of these days beside that of the days before.
struct Tile {
    title: &'static str,
    text: String,
    change: String,
    address: String,
}

pub async fn show(staff: Staff) -> PageResult {
    let days = Days::read(&staff.query, staff.today());
    let figures = Figures::read(&staff, &days).await?;
    let page = staff.page("Dashboard");
    let shown = DashboardPage {
        query: staff.query.clone(),
        periods: days.links(&staff.query),
        to_do: to_do::list(&page, &figures),
        tiles: tiles(&page, &days, &figures.sales, &figures.earlier_sales),
        revenue: sales::chart(&page, &days, days.part(), &figures.sales, &figures.earlier_sales),
        states: shares::of_states(&page, &days, &figures.states),
        categories: shares::of_categories(&page, &days, &figures.categories),
        buyers: shares::of_buyers(&page, &days, &figures.buyers),
        bestsellers: figures.bestsellers,
        low_stock: figures.low_stock.first,
        customers: figures.customers,
        carts: figures.carts.first,
        page,
        days,
    };
    staff.show(&shown)
}

fn tiles(page: &Page, days: &Days, now: &[Sales], before: &[Sales]) -> [Tile; 4] {
    let (now, before) = (sales::total(now), sales::total(before));
    let average = |total: &Sales| total.revenue.checked_div(total.orders.into()).unwrap_or_default().round_dp(2);
    let list = |list: &str| format!("/admin/{list}?{}", days.parameters());
    let amount = |amount: Decimal| money(page, amount);
    let count = |count: Decimal| page.decimal(&count.to_string());
    let tile = |title, write: &dyn Fn(Decimal) -> String, now: Decimal, before: Decimal, address| Tile {
        title,
        text: write(now),
        change: change(page, now, before, &write(before)),
        address,
    };
    [
        tile("Revenue", &amount, now.revenue, before.revenue, list("statistics")),
        tile("Orders", &count, now.orders.into(), before.orders.into(), list("orders")),
        tile("Units", &count, now.units.into(), before.units.into(), list("statistics/bestsellers")),
        tile("Average order", &amount, average(&now), average(&before), list("statistics")),
    ]
}

/// A growth beyond this percentage says less than the figure of the days before.
const MAX_GROWTH: Decimal = Decimal::ONE_THOUSAND;

/// The figure of the days before, and how much more or less it is now.
fn change(page: &Page, now: Decimal, before: Decimal, written: &str) -> String {
    let growth = ((now - before) * Decimal::ONE_HUNDRED).checked_div(before);
    match growth {
        None if now.is_zero() => "as before".to_owned(),
        None => "none before".to_owned(),
        Some(growth) if growth > MAX_GROWTH => format!("{written} before"),
        Some(growth) => {
            let sign = if growth > Decimal::ZERO { "+" } else { "" };
            format!("{written} before, {sign}{}", page.percent(&(now - before), &before))
        }
    }
}
