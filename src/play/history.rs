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
    pub skipped: Vec<SkippedRow>,
}

#[derive(Debug)]
pub struct Invoice {
    pub reference: Reference,
    pub placed_at: DateTime<Utc>,
    /// Index in [`History::buyers`]; `None` for a guest.
    pub buyer: Option<usize>,
    pub lines: Vec<Line>,
}

#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// Index in [`History::goods`].
    pub goods: usize,
    pub quantity: Quantity,
    pub unit_price: Money,
}

/// Returned units of a customer, one line per row of the file.
#[derive(Debug)]
pub struct Cancellation {
    pub reference: Reference,
    pub at: DateTime<Utc>,
    /// E-mail address of the customer. Without it, no earlier order can be found.
    pub email: Option<Email>,
    pub lines: Vec<CancelledLine>,
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
    pub fn add_sale(&mut self, sale: HistoryRow<'_>) -> Result<(), &'static str> {
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
            invoices.push(Invoice { reference, placed_at, buyer: buyer_index, lines: vec![] });
        }
        invoices[invoice_index].lines.push(Line { goods: goods_index, quantity, unit_price });
        Ok(())
    }

    /// `line_number` and `text` of the row are for the report, if some of its units cannot be returned.
    pub fn add_cancellation(&mut self, cancelled: HistoryRow<'_>, line_number: u64, text: String) {
        let HistoryRow { reference, placed_at: at, buyer, sku, quantity, unit_price, .. } = cancelled;
        let cancellations = &mut self.history.cancellations;
        let index = *self.cancellations.entry(reference.as_str().to_owned()).or_insert(cancellations.len());
        if index == cancellations.len() {
            let email = buyer.map(|buyer| buyer.email);
            cancellations.push(Cancellation { reference, at, email, lines: vec![] });
        }
        cancellations[index].lines.push(CancelledLine { sku, quantity, unit_price, line_number, row: text });
    }
}
