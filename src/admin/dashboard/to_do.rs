//! The panel of what there is to do today: counts, each with the list that it counts.

use super::reads::{Counted, Figures, OrderStates};
use crate::admin::page::Page;

/// A task with the list that it is done from.
pub struct ToDo {
    pub title: &'static str,
    pub count: String,
    pub address: &'static str,
    /// `calm` if there is nothing to do.
    pub tone: &'static str,
}

/// Lists of orders: title, status, payment (any if empty), address, tone.
const ORDERS: [(&str, &str, &str, &str, &str); 5] = [
    ("Orders to pack", "pending", "paid", "/admin/orders?status=pending&payment=paid", "good"),
    ("Orders to ship", "processing", "", "/admin/orders?status=processing", "good"),
    ("New orders not paid", "pending", "pending", "/admin/orders?status=pending&payment=pending", "warn"),
    ("Payments failed", "pending", "failed", "/admin/orders?status=pending&payment=failed", "warn"),
    ("Orders partly paid", "pending", "partially_paid", "/admin/orders?status=pending&payment=partially_paid", "warn"),
];

pub fn list(page: &Page, figures: &Figures) -> Vec<ToDo> {
    let orders = ORDERS.into_iter().map(|(title, status, payment, address, tone)| {
        let counts =
            |states: &&OrderStates| states.status == status && (payment.is_empty() || states.payment == payment);
        let chosen = || figures.open_states.iter().filter(counts);
        let count = chosen().map(|states| states.orders).sum();
        let complete = chosen().all(|states| states.complete);
        to_do(page, title, count, !complete, address, tone)
    });
    let mut list: Vec<ToDo> = orders.collect();
    list.push(rows(page, "Orders short of stock", &figures.short, "/admin/orders/short", "bad"));
    list.push(rows(page, "Products with low stock", &figures.low_stock, "/admin/products/low-stock", "warn"));
    if let Some(parked) = &figures.parked {
        list.push(rows(page, "Parked deliveries", parked, "/admin/reactions?state=parked", "bad"));
    }
    let warnings = i64::try_from(figures.warnings).unwrap_or(i64::MAX);
    list.push(to_do(page, "Warnings of the shop", warnings, false, "/admin/engine", "bad"));
    list
}

fn rows<T>(page: &Page, title: &'static str, rows: &Counted<T>, address: &'static str, tone: &'static str) -> ToDo {
    to_do(page, title, i64::try_from(rows.count).unwrap_or(i64::MAX), rows.more, address, tone)
}

fn to_do(page: &Page, title: &'static str, count: i64, more: bool, address: &'static str, tone: &'static str) -> ToDo {
    let sign = if more { "+" } else { "" };
    ToDo {
        title,
        count: format!("{}{sign}", page.quantity(&count)),
        address,
        tone: if count == 0 { "calm" } else { tone },
    }
}
