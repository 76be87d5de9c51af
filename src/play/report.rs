//! What was played, and what was not and why.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;

use rust_decimal::Decimal;

use super::read::{Cancellation, Invoice};
use crate::domain::money::two_decimals;

/// A row of the file that was not played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedRow {
    pub line: u64,
    pub reason: &'static str,
    /// The row as it stands in the file.
    pub row: String,
}

#[derive(Clone, Debug, Default)]
pub struct PlayReport {
    pub orders: usize,
    pub lines: usize,
    pub units: i64,
    pub revenue: Decimal,
    pub orders_cancelled: usize,
    /// How often units went back of an order of which some are left.
    pub orders_returned: usize,
    pub units_returned: i64,
    pub already_played: usize,
    pub products_created: usize,
    pub customers_registered: usize,
    /// Invoices that the shop refused, with its reason.
    pub refused: Vec<(String, String)>,
    pub skipped: Vec<SkippedRow>,
}

/// How many refused orders are shown.
const SHOWN: usize = 20;

impl PlayReport {
    pub(super) fn count_order(&mut self, invoice: &Invoice) {
        self.orders += 1;
        self.lines += invoice.lines.len();
        for line in &invoice.lines {
            self.units += line.quantity.get();
            self.revenue += line.unit_price.amount() * Decimal::from(line.quantity.get());
        }
    }

    pub(super) fn skip_cancellations(&mut self, cancellations: &[Cancellation]) {
        let lines = cancellations.iter().flat_map(|cancellation| &cancellation.lines);
        let skipped = lines.map(|line| SkippedRow { line: line.place, reason: "cancellation", row: line.row.clone() });
        self.skipped.extend(skipped);
    }

    /// Writes every skipped row: its line in the file, the reason, the row.
    pub fn write_skipped(&self, file: impl Write) -> std::io::Result<()> {
        let mut writer = csv::Writer::from_writer(file);
        writer.write_record(["line", "reason", "row"])?;
        for skipped in &self.skipped {
            writer.write_record([&skipped.line.to_string(), skipped.reason, &skipped.row])?;
        }
        writer.flush()
    }
}

impl fmt::Display for PlayReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "orders played        {:>10}", self.orders)?;
        writeln!(formatter, "  lines              {:>10}", self.lines)?;
        writeln!(formatter, "  units              {:>10}", self.units)?;
        writeln!(formatter, "  revenue         {:>13}", two_decimals(self.revenue))?;
        writeln!(formatter, "orders cancelled     {:>10}", self.orders_cancelled)?;
        writeln!(formatter, "orders with returns  {:>10}", self.orders_returned)?;
        writeln!(formatter, "  units returned     {:>10}", self.units_returned)?;
        writeln!(formatter, "already played       {:>10}", self.already_played)?;
        writeln!(formatter, "products created     {:>10}", self.products_created)?;
        writeln!(formatter, "customers registered {:>10}", self.customers_registered)?;
        write!(formatter, "rows skipped         {:>10}", self.skipped.len())?;
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for skipped in &self.skipped {
            *reasons.entry(skipped.reason).or_default() += 1;
        }
        for (reason, rows) in reasons {
            write!(formatter, "\n  {rows:>6}  {reason}")?;
        }
        if !self.refused.is_empty() {
            write!(formatter, "\ninvoices refused     {:>10}", self.refused.len())?;
            for (invoice, reason) in self.refused.iter().take(SHOWN) {
                write!(formatter, "\n  {invoice}: {reason}")?;
            }
        }
        Ok(())
    }
}
