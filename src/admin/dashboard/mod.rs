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
    let statistics = format!("/admin/statistics?{}", days.parameters());
    let tile = |title, text, now: Decimal, before: Decimal, address: &str| Tile {
        title,
        text,
        change: change(page, now, before),
        address: address.to_owned(),
    };
    let orders = days.orders();
    let bestsellers = format!("/admin/statistics/bestsellers?{}", days.parameters());
    [
        tile("Revenue", money(page, now.revenue), now.revenue, before.revenue, &statistics),
        tile("Orders", page.quantity(&now.orders), now.orders.into(), before.orders.into(), &orders),
        tile("Units", page.quantity(&now.units), now.units.into(), before.units.into(), &bestsellers),
        tile("Average order", money(page, average(&now)), average(&now), average(&before), &statistics),
    ]
}

/// How much more or less than before.
fn change(page: &Page, now: Decimal, before: Decimal) -> String {
    if before.is_zero() {
        return if now.is_zero() { "as before".to_owned() } else { "none before".to_owned() };
    }
    let sign = if now > before { "+" } else { "" };
    format!("{sign}{} against the days before", page.percent(&(now - before), &before))
}
