//! Movements of the stock: of all products, or of one.

use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::api::Problem;
use super::format::in_words;
use super::list::Listing;
use super::page::Page;
use super::staff::{PageResult, Staff};

/// Parameters of the API's list that the address may have.
const FILTERS: [&str; 3] = ["product_id", "from", "to"];
/// Movements that the page of a product reads.
const LATEST: usize = 200;

#[derive(Template)]
#[template(path = "admin/stock_movements.html")]
struct StockMovementsPage {
    page: Page,
    list: Listing<Movement>,
}

/// A movement as the API returns it.
#[derive(Deserialize)]
pub struct Movement {
    pub recorded_at: DateTime<Utc>,
    pub event_type: String,
    pub product_id: i64,
    pub order_id: Option<i64>,
    pub reason: Option<String>,
    pub actor: Option<String>,
    pub before: Level,
    pub after: Level,
}

#[derive(Deserialize)]
pub struct Level {
    pub on_hand: i64,
    pub reserved: i64,
}

impl Movement {
    /// The event in words.
    pub fn event(&self) -> String {
        in_words(&self.event_type)
    }

    pub fn on_hand_change(&self) -> i64 {
        self.after.on_hand - self.before.on_hand
    }

    pub fn reserved_change(&self) -> i64 {
        self.after.reserved - self.before.reserved
    }
}

/// The latest movements of a product, the newest first.
pub async fn read_latest(staff: &Staff, product_id: i64) -> Result<Vec<Movement>, Problem> {
    let call = staff.api.get("stock-movements").query("product_id", product_id).query("limit", LATEST);
    Ok(call.read().await?.data)
}

pub async fn show(staff: Staff) -> PageResult {
    let list = Listing::read(&staff, staff.api.get("stock-movements"), &FILTERS).await?;
    staff.show(&StockMovementsPage { page: staff.page("Stock movements"), list })
}

pub async fn csv(staff: Staff) -> PageResult {
    staff.api.get("stock-movements").queries(staff.query.pairs(&FILTERS)).stream_csv("stock-movements.csv").await
}
