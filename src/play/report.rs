//! Report of an import: counts, and skipped rows and refused invoices with their reasons.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;

use rust_decimal::Decimal;

use super::history::{Cancellation, Invoice, SkippedRow};
use crate::domain::money::two_decimals;

#[derive(Clone, Debug, Default)]
pub struct PlayReport {
    pub orders: usize,
    pub lines: usize,
    pub units: i64,
    pub revenue: Decimal,
    pub orders_cancelled: usize,
    /// Returns that left some units of their order.
    pub orders_returned: usize,
    pub units_returned: i64,
    pub already_played: usize,
    pub products_created: usize,
    pub customers_registered: usize,
    /// Invoices that the shop refused, with the reason.
    pub refused: Vec<(String, String)>,
    pub skipped: Vec<SkippedRow>,
}

/// Number of refused invoices, and of skipped rows, that are printed.
const SHOWN: usize = 20;
/// Reason to skip a row that the caller excluded.
const EXCLUDED: &str = "cancellation";

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
        let skipped = lines.map(|line| SkippedRow {
            line: line.line_number,
            reason: EXCLUDED,
            row: line.row.clone(),
            units_left: None,
        });
        self.skipped.extend(skipped);
    }

    /// Whether every row was imported, except the rows that the caller excluded.
    pub fn is_complete(&self) -> bool {
        self.refused.is_empty() && self.skipped.iter().all(|skipped| skipped.reason == EXCLUDED)
    }

    /// Writes every skipped row as CSV: line number, reason and row; for a row that was imported in part, also the units
    /// that were not.
    pub fn write_skipped(&self, file: impl Write) -> std::io::Result<()> {
        let mut writer = csv::Writer::from_writer(file);
        writer.write_record(["line", "reason", "row", "units_left"])?;
        for skipped in &self.skipped {
            let units_left = skipped.units_left.map_or(String::new(), |units| units.to_string());
            writer.write_record([&skipped.line.to_string(), skipped.reason, &skipped.row, &units_left])?;
        }
        writer.flush()
    }
}

impl fmt::Display for PlayReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "orders imported      {:>10}", self.orders)?;
        writeln!(formatter, "  lines              {:>10}", self.lines)?;
        writeln!(formatter, "  units              {:>10}", self.units)?;
        writeln!(formatter, "  revenue         {:>13}", two_decimals(self.revenue))?;
        writeln!(formatter, "orders cancelled     {:>10}", self.orders_cancelled)?;
        writeln!(formatter, "orders with returns  {:>10}", self.orders_returned)?;
        writeln!(formatter, "  units returned     {:>10}", self.units_returned)?;
        writeln!(formatter, "already imported     {:>10}", self.already_played)?;
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
        let shown = self.skipped.iter().filter(|skipped| skipped.reason != EXCLUDED).take(SHOWN);
        for SkippedRow { line, reason, units_left, .. } in shown {
            let left = units_left.map_or(String::new(), |units| format!(", units left: {units}"));
            write!(formatter, "\n  line {line}: {reason}{left}")?;
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
