//! The history of the tables: the rows that a change removed and added.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::overview::category_name;
use super::{Fee, TaxRate};
use crate::admin::api::{Problem, Reply};
use crate::admin::format::{Format, in_words};
use crate::admin::staff::Staff;

/// The latest changes of the tables.
pub struct PricingHistory {
    pub entries: Vec<Entry>,
    pub has_more: bool,
}

pub struct Entry {
    pub time: DateTime<Utc>,
    pub event: String,
    pub actor: String,
    pub role: String,
    pub removed: Vec<String>,
    pub added: Vec<String>,
}

/// An event as the API returns it.
#[derive(Deserialize)]
pub struct Event {
    recorded_at: DateTime<Utc>,
    event_type: String,
    actor: Option<String>,
    role: Option<String>,
    before: Map<String, Value>,
    after: Map<String, Value>,
}

const SHOWN: usize = 10;

pub async fn read(staff: &Staff) -> Result<Reply<Vec<Event>>, Problem> {
    staff.api.get("pricing/history").query("limit", SHOWN).query("newest_first", true).read().await
}

impl PricingHistory {
    pub fn of(reply: Reply<Vec<Event>>, categories: &[(i64, String)], format: &Format) -> Self {
        let entry = |event: Event| {
            let (before, after) = (lines(&event.before, categories, format), lines(&event.after, categories, format));
            let without = |lines: &[String], others: &[String]| -> Vec<String> {
                lines.iter().filter(|line| !others.contains(line)).cloned().collect()
            };
            Entry {
                time: event.recorded_at,
                event: in_words(&event.event_type),
                actor: event.actor.unwrap_or_default(),
                role: event.role.unwrap_or_default(),
                removed: without(&before, &after),
                added: without(&after, &before),
            }
        };
        Self { has_more: reply.next.is_some(), entries: reply.data.into_iter().map(entry).collect() }
    }
}

/// The rows of the tables of a state, a line each.
fn lines(state: &Map<String, Value>, categories: &[(i64, String)], format: &Format) -> Vec<String> {
    fn rows<T: serde::de::DeserializeOwned>(state: &Map<String, Value>, table: &str) -> Vec<T> {
        let rows = state.get(table).cloned().unwrap_or_default();
        serde_json::from_value(rows).unwrap_or_default()
    }
    let country = |country: Option<String>| country.unwrap_or_else(|| "other countries".to_owned());
    let fee =
        |fee: Fee| format!("{}, from {}: {}", country(fee.country), format.money(&fee.from), format.money(&fee.fee));
    let rate = |rate: TaxRate| {
        let goods = rate.category_id.map(|category_id| category_name(categories, category_id));
        let goods = goods.unwrap_or_else(|| "other goods".to_owned());
        format!("{goods}, {}: {}\u{a0}%", country(rate.country), rate.percent)
    };
    let inclusive = state
        .get("inclusive")
        .and_then(Value::as_bool)
        .map(|inclusive| if inclusive { "prices include the tax" } else { "the tax is added to prices" }.to_owned());
    let fees = rows::<Fee>(state, "fees").into_iter().map(fee);
    fees.chain(inclusive).chain(rows::<TaxRate>(state, "rates").into_iter().map(rate)).collect()
}
