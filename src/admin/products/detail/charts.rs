//! Charts of a product: its price over time, and its stock.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::{Map, Value as Json};

use crate::admin::chart::{Chart, Point, Value};
use crate::admin::history::Event;
use crate::admin::page::Page;
use crate::admin::stock_movements::Movement;

/// Events of the product that are searched for its changes and those of its price.
pub const SEARCHED_EVENTS: usize = 500;
/// Points of a chart.
const MAX_POINTS: usize = 60;

/// Prices of a product, the oldest first.
pub struct Prices {
    prices: Vec<(DateTime<Utc>, Decimal)>,
    /// The price before the first of them, if older events were not searched.
    earlier: Option<Decimal>,
}

impl Prices {
    /// The latest changes of the price among the latest events of the product.
    pub fn of(events: &[Event]) -> Self {
        let price = |fields: &Map<String, Json>| fields.get("price").and_then(Json::as_str)?.parse::<Decimal>().ok();
        let changes = events.iter().filter_map(|event| Some((event, price(&event.after)?)));
        let mut changes: Vec<_> = changes.take(MAX_POINTS).collect();
        changes.reverse();
        let earlier = changes.first().and_then(|(event, _)| price(&event.before));
        let prices = changes.into_iter().map(|(event, price)| (event.recorded_at, price)).collect();
        Self { prices, earlier }
    }

    /// `price` is the price now.
    pub fn chart(&self, page: &Page, price: &str) -> Chart {
        let mut chart = Chart::lines("Price", "The price after each of its latest changes.", &["Price"]);
        let point = |label: String, amount: Decimal| Point {
            label,
            values: vec![Value { amount, text: page.money(&format!("{amount:.2}")) }],
            link: None,
        };
        chart.points.extend(self.earlier.map(|amount| point("before".to_owned(), amount)));
        let days = self.prices.iter().map(|(time, amount)| point(local(page, *time, "%-d %b %Y"), *amount));
        chart.points.extend(days);
        chart.points.extend(price.parse().ok().map(|amount| point("now".to_owned(), amount)));
        chart
    }
}

/// Units after each of the movements, or at the end of each day if they are of many days. `movements` are the newest first.
pub fn stock_chart(page: &Page, movements: &[Movement]) -> Chart {
    let description = "Units on hand and reserved after the latest movements.";
    let mut chart = Chart::lines("Stock", description, &["On hand", "Reserved"]);
    let day = |movement: &Movement| local(page, movement.recorded_at, "%-d %b");
    let oldest_first = || movements.iter().rev();
    let has_days = movements.first().map(day) != movements.last().map(day);
    let label = |movement: &Movement| if has_days { day(movement) } else { local(page, movement.recorded_at, "%H:%M") };
    for movement in oldest_first() {
        let label = label(movement);
        let values = [movement.after.on_hand, movement.after.reserved];
        let values = values.map(|units| Value { amount: units.into(), text: page.quantity(&units) }).into();
        match chart.points.last_mut().filter(|last| last.label == label) {
            Some(last) => last.values = values,
            None => chart.points.push(Point { label, values, link: None }),
        }
    }
    let surplus = chart.points.len().saturating_sub(MAX_POINTS);
    chart.points.drain(..surplus);
    chart
}

fn local(page: &Page, time: DateTime<Utc>, format: &str) -> String {
    time.with_timezone(&page.zone).format(format).to_string()
}
