//! What the dashboard reads: a constant number of reads, all at once.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::admin::api::{Call, Problem};
use crate::admin::days::Days;
use crate::admin::staff::Staff;
use crate::admin::statistics::customer_page;
use crate::admin::statistics::sales::{self, Sales};

/// Everything that the dashboard shows.
pub struct Figures {
    pub sales: Vec<Sales>,
    pub earlier_sales: Vec<Sales>,
    pub states: Vec<OrderStates>,
    pub open_states: Vec<OrderStates>,
    pub categories: Vec<CategorySales>,
    pub buyers: Vec<Buyers>,
    pub bestsellers: Vec<Bestseller>,
    pub low_stock: Counted<LowStock>,
    pub customers: Vec<BestCustomer>,
    pub carts: Counted<AbandonedCart>,
    pub short: Counted<IgnoredAny>,
    /// `None` for a role that may not see them.
    pub parked: Option<Counted<IgnoredAny>>,
    pub warnings: usize,
}

/// The first rows of a list, and how many rows its first page has.
pub struct Counted<T> {
    pub first: Vec<T>,
    pub count: usize,
    pub more: bool,
}

#[derive(Deserialize)]
pub struct OrderStates {
    pub status: String,
    pub payment: String,
    pub orders: i64,
    pub total_amount: Decimal,
    pub complete: bool,
}

#[derive(Deserialize)]
pub struct CategorySales {
    pub category_id: i64,
    pub category_name: String,
    pub units: i64,
    pub revenue: Decimal,
}

#[derive(Deserialize)]
pub struct Buyers {
    pub kind: String,
    pub customers: i64,
    pub orders: i64,
    pub total_amount: Decimal,
    pub complete: bool,
}

#[derive(Deserialize)]
pub struct Bestseller {
    pub product_id: i64,
    pub name: String,
    pub total_sold: i64,
    pub total_revenue: String,
}

#[derive(Deserialize)]
pub struct LowStock {
    pub product_id: i64,
    pub name: String,
    pub stock: i64,
    pub low_stock_threshold: i64,
}

#[derive(Deserialize)]
pub struct BestCustomer {
    pub customer_id: i64,
    pub name: String,
    /// Empty after an erasure.
    pub email: String,
    pub total_orders: i64,
    pub total_spent: String,
}

#[derive(Deserialize)]
pub struct AbandonedCart {
    pub customer_id: Option<i64>,
    pub units: i64,
    pub value: String,
    pub changed_at: DateTime<Utc>,
}

impl BestCustomer {
    /// The page of the customer; `None` after an erasure.
    pub fn address(&self) -> Option<String> {
        (!self.email.is_empty()).then(|| customer_page(self.customer_id))
    }
}

impl AbandonedCart {
    /// The page of the customer; empty for a guest.
    pub fn address(&self) -> String {
        self.customer_id.map(customer_page).unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct Readiness {
    warnings: Vec<IgnoredAny>,
}

/// Rows of each small table.
const ROWS: usize = 8;
/// Rows that are counted; beyond them it is `100+`.
const COUNTED: usize = 100;

impl Figures {
    pub async fn read(staff: &Staff, days: &Days) -> Result<Self, Problem> {
        let api = &staff.api;
        let (part, previous) = (days.part(), days.previous(days.part()));
        let of_days = |path| days.bound(api.get(path));
        let (
            sales,
            earlier_sales,
            states,
            open_states,
            categories,
            buyers,
            bestsellers,
            low_stock,
            customers,
            carts,
            short,
            parked,
            warnings,
        ) = tokio::try_join!(
            sales::read(staff, days, part),
            sales::read(staff, &previous, part),
            rows(of_days("order-states")),
            rows(api.get("order-states").query("open", true)),
            rows(of_days("category-sales").query("limit", 1_000)),
            rows(of_days("buyers")),
            rows(of_days("bestsellers").query("limit", ROWS)),
            counted(api.get("low-stock").query("threshold", "own")),
            rows(api.get("customer-stats").query("limit", ROWS)),
            counted(api.get("abandoned-carts")),
            counted(api.get("orders/short")),
            parked(staff),
            warnings(staff),
        )?;
        Ok(Self {
            sales,
            earlier_sales,
            states,
            open_states,
            categories,
            buyers,
            bestsellers,
            low_stock,
            customers,
            carts,
            short,
            parked,
            warnings,
        })
    }
}

async fn rows<T: DeserializeOwned>(call: Call) -> Result<Vec<T>, Problem> {
    Ok(call.read().await?.data)
}

async fn counted<T: DeserializeOwned>(call: Call) -> Result<Counted<T>, Problem> {
    let reply = call.query("limit", COUNTED).read::<Vec<T>>().await?;
    let (count, mut first) = (reply.data.len(), reply.data);
    first.truncate(ROWS);
    Ok(Counted { first, count, more: reply.next.is_some() })
}

/// Deliveries that wait for a decision.
async fn parked(staff: &Staff) -> Result<Option<Counted<IgnoredAny>>, Problem> {
    if !staff.may("list_reactions") {
        return Ok(None);
    }
    counted(staff.api.get("reactions").query("state", "parked")).await.map(Some)
}

/// Warnings of the node; a node that is not ready is one.
async fn warnings(staff: &Staff) -> Result<usize, Problem> {
    match staff.api.get_outside("/health/ready").read::<Readiness>().await {
        Ok(ready) => Ok(ready.data.warnings.len()),
        Err(problem) if problem.status == 503 => Ok(1),
        Err(problem) => Err(problem),
    }
}
