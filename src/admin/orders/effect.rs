//! What an action would do, from the API's dry run.

use serde::Deserialize;

use super::action::Action;
use super::order::{OrderFile, Payment, amount};
use super::states::OrderStates;
use crate::admin::page::Page;

/// An order after an action, and the events of it if it was a dry run.
#[derive(Deserialize)]
pub struct Moved {
    #[serde(flatten)]
    pub states: OrderStates,
    pub due: String,
    pub stock: Vec<Stock>,
    #[serde(default)]
    events: Vec<Planned>,
}

#[derive(Deserialize)]
pub struct Stock {
    product_id: i64,
    stock: i64,
}

/// An event that would be stored.
#[derive(Deserialize)]
struct Planned {
    event_type: String,
    payload: serde_json::Value,
}

/// A preview in sentences, and the button that confirms it.
pub struct Effect {
    pub sentences: Vec<String>,
    pub confirm: String,
}

/// Products whose stock a preview names.
const SHOWN_STOCK: usize = 10;

impl Moved {
    /// The refunds, as sentences.
    pub fn refunds(&self, page: &Page, payments: &[Payment]) -> Vec<String> {
        let refund = |event: &Planned| {
            let money = page.money(event.payload["amount"].as_str()?);
            match event.event_type.as_str() {
                "OrderRefundRequested" => {
                    let attempt = event.payload["attempt"].as_i64();
                    let payment =
                        payments.iter().find(|payment| payment.attempt.is_some() && payment.attempt == attempt);
                    let way = payment.map_or("payment provider", |payment| &payment.way);
                    Some(format!("{money} go back to the {way}. The payment provider executes the refund by itself."))
                }
                "OrderRefunded" => Some(format!(
                    "{money} were recorded by staff, so staff pay them back. The refund counts at once; send the money \
                     by the way that it came."
                )),
                _ => None,
            }
        };
        self.events.iter().filter_map(refund).collect()
    }

    fn refunded(&self) -> rust_decimal::Decimal {
        let refunds = self.events.iter().filter(|event| event.event_type.starts_with("OrderRefund"));
        refunds.map(|event| amount(event.payload["amount"].as_str().unwrap_or_default())).sum()
    }
}

impl Effect {
    pub fn of(action: Action, page: &Page, file: &OrderFile, moved: &Moved) -> Self {
        let order = &file.order;
        let mut sentences = moved.refunds(page, &file.payments);
        let refunded = moved.refunded();
        if sentences.is_empty() && action.previews_first() {
            sentences.push("No money goes back.".to_owned());
        }
        sentences.extend(order.states.changes(&moved.states));
        if order.due != moved.due {
            sentences.push(format!("Still due: {} → {}", page.money(&order.due), page.money(&moved.due)));
        }
        for stock in moved.stock.iter().take(SHOWN_STOCK) {
            let line = order.lines.iter().find(|line| line.product_id == stock.product_id);
            let name = line.map_or("", |line| &line.product_name);
            sentences.push(format!("{name}: {} units for sale afterwards", page.quantity(&stock.stock)));
        }
        if moved.stock.len() > SHOWN_STOCK {
            sentences.push(format!("… and {} more products", moved.stock.len() - SHOWN_STOCK));
        }
        let confirm = match action {
            Action::Refund => format!("Refund {}", page.money(&refunded.to_string())),
            _ if !refunded.is_zero() => {
                format!("{}, and refund {}", action.title(), page.money(&refunded.to_string()))
            }
            _ => action.title().to_owned(),
        };
        Self { sentences, confirm }
    }
}
