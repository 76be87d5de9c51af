//! The sales history in memory: invoices, cancellations, products and buyers of a file.
//!
//! Repeated values are stored once, so that a row of the file becomes a few numbers.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::row::{Buyer, HistoryRow};
use crate::domain::money::Money;
use crate::domain::quantity::Quantity;
use crate::domain::text::{Email, Name, Reference, Sku};

/// The sales of a file, in its order.
#[derive(Debug, Default)]
pub struct History {
    pub invoices: Vec<Invoice>,
    pub cancellations: Vec<Cancellation>,
    /// In the order of their first sales.
    pub goods: Vec<Goods>,
    /// In the order of their first invoices.
    pub buyers: Vec<Buyer>,
    /// Invoices and cancellations that are refused before the first command, with the reason.
    pub refused: Vec<(String, String)>,
    pub skipped: Vec<SkippedRow>,
}

#[derive(Debug)]
pub struct Invoice {
    pub reference: Reference,
    pub placed_at: DateTime<Utc>,
    /// Index in [`History::buyers`]; `None` for a guest.
    pub buyer: Option<usize>,
    pub lines: Vec<Line>,
    /// Whether its rows name different buyers.
    pub has_two_buyers: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// Index in [`History::goods`].
    pub goods: usize,
    pub quantity: Quantity,
    pub unit_price: Money,
    /// Line number in the file.
    pub line_number: u64,
}

/// Returned units of a customer, one line per row of the file.
#[derive(Debug)]
pub struct Cancellation {
    pub reference: Reference,
    pub at: DateTime<Utc>,
    /// E-mail address of the customer. Without it, no earlier order can be found.
    pub email: Option<Email>,
    pub lines: Vec<CancelledLine>,
    /// Whether its rows name different buyers.
    pub has_two_buyers: bool,
}

#[derive(Debug)]
pub struct CancelledLine {
    pub sku: Sku,
    pub quantity: Quantity,
    pub unit_price: Money,
    /// Line number in the file.
    pub line_number: u64,
    /// The row as written in the file.
    pub row: String,
}

/// A product: its code, with the name and price of its first row.
#[derive(Debug)]
pub struct Goods {
    pub sku: Sku,
    pub name: Name,
    pub price: Money,
}

/// A row of the file that was not imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedRow {
    /// Line number in the file.
    pub line: u64,
    pub reason: &'static str,
    /// The row as written in the file.
    pub row: String,
    /// Units that were not imported, if the row was imported in part.
    pub units_left: Option<i64>,
}

/// Builds a history row by row, with indexes to find repeated values.
#[derive(Default)]
pub(super) struct HistoryBuilder {
    pub history: History,
    /// Index in the history by number.
    invoices: HashMap<String, usize>,
    /// Index in the history by number.
    cancellations: HashMap<String, usize>,
    /// Index in the history by code, folded as the shop compares codes.
    goods: HashMap<String, usize>,
    /// Index in the history by e-mail address in lower case.
    buyers: HashMap<String, usize>,
}

impl HistoryBuilder {
    pub fn add_sale(&mut self, sale: HistoryRow<'_>, line_number: u64) -> Result<(), &'static str> {
        let History { invoices, goods, buyers, .. } = &mut self.history;
        let HistoryRow { reference, placed_at, buyer, sku, description, quantity, unit_price } = sale;
        let code = sku.folded();
        let goods_index = match self.goods.get(&code) {
            Some(index) => *index,
            None => {
                // A code is a valid name: it is not empty, and its maximum length is less.
                let name = Name::parse(description).or_else(|_| Name::parse(sku.as_str()));
                let name = name.map_err(|_| "StockCode cannot name a product")?;
                goods.push(Goods { sku, name, price: unit_price });
                self.goods.insert(code, goods.len() - 1);
                goods.len() - 1
            }
        };
        let buyer_index = buyer.map(|buyer| {
            let index = *self.buyers.entry(buyer.email.folded()).or_insert(buyers.len());
            if index == buyers.len() {
                buyers.push(buyer);
            }
            index
        });
        let invoice_index = *self.invoices.entry(reference.as_str().to_owned()).or_insert(invoices.len());
        if invoice_index == invoices.len() {
            invoices.push(Invoice { reference, placed_at, buyer: buyer_index, lines: vec![], has_two_buyers: false });
        }
        let invoice = &mut invoices[invoice_index];
        invoice.has_two_buyers |= invoice.buyer != buyer_index;
        invoice.lines.push(Line { goods: goods_index, quantity, unit_price, line_number });
        Ok(())
    }

    /// `line_number` and `text` of the row are for the report, if some of its units cannot be returned.
    pub fn add_cancellation(&mut self, cancelled: HistoryRow<'_>, line_number: u64, text: String) {
        let HistoryRow { reference, placed_at: at, buyer, sku, quantity, unit_price, .. } = cancelled;
        let email = buyer.map(|buyer| buyer.email);
        let cancellations = &mut self.history.cancellations;
        let index = *self.cancellations.entry(reference.as_str().to_owned()).or_insert(cancellations.len());
        if index == cancellations.len() {
            cancellations.push(Cancellation {
                reference,
                at,
                email: email.clone(),
                lines: vec![],
                has_two_buyers: false,
            });
        }
        cancellations[index].has_two_buyers |= cancellations[index].email != email;
        cancellations[index].lines.push(CancelledLine { sku, quantity, unit_price, line_number, row: text });
    }

    /// The history, without what cannot be one order.
    pub fn finish(mut self) -> History {
        let history = &mut self.history;
        let History { invoices, cancellations, refused, .. } = history;
        let reason = || "one invoice of two buyers".to_owned();
        invoices.retain(|invoice| {
            if invoice.has_two_buyers {
                refused.push((invoice.reference.to_string(), reason()));
            }
            !invoice.has_two_buyers
        });
        cancellations.retain(|cancellation| {
            if cancellation.has_two_buyers {
                refused.push((cancellation.reference.to_string(), reason()));
            }
            !cancellation.has_two_buyers
        });
        self.history
    }
}
