//! New rows of invoices that were imported before: reported, because an import does not change orders.

use std::collections::HashMap;

use rust_decimal::Decimal;
use sqlx::PgPool;

use super::PlayError;
use super::history::{Goods, Invoice, SkippedRow};
use super::send::claim_holders;
use crate::domain::claim::ClaimIds;
use crate::domain::ids::OrderId;
use crate::journal::Journal;

const ADDED_LATER: &str = "the invoice was imported before, without this row";
/// Number of orders that are compared together.
const CHUNK: usize = 500;

/// Product, quantity and price: what makes a row the line of an order.
type LineKey = (i64, i64, Decimal);

/// The rows of imported invoices that their orders do not have. The read tables must include the orders.
pub(super) async fn rows_added_later(
    journal: &Journal,
    pool: &PgPool,
    imported: &[(Invoice, OrderId)],
    goods: &[Goods],
) -> Result<Vec<SkippedRow>, PlayError> {
    let mut named: Vec<usize> =
        imported.iter().flat_map(|(invoice, _)| &invoice.lines).map(|line| line.goods).collect();
    named.sort_unstable();
    named.dedup();
    let claims = named.iter().map(|goods_index| ClaimIds::product_sku(&goods[*goods_index].sku)).collect();
    let products: HashMap<usize, Option<i64>> =
        named.iter().copied().zip(claim_holders(journal, claims).await?).collect();
    let mut added = Vec::new();
    for imported in imported.chunks(CHUNK) {
        let mut stored = lines_of(pool, imported.iter().map(|(_, order_id)| order_id.0).collect()).await?;
        for (invoice, order_id) in imported {
            for line in &invoice.lines {
                let product = products.get(&line.goods).copied().flatten();
                let key = product.map(|product| (product, line.quantity.get(), line.unit_price.amount().normalize()));
                let count = key.and_then(|key| stored.get_mut(&(order_id.0, key))).filter(|count| **count > 0);
                match count {
                    Some(count) => *count -= 1,
                    None => added.push(skipped_row(invoice, line.line_number, &goods[line.goods], line)),
                }
            }
        }
    }
    Ok(added)
}

/// Number of times that each order has each line.
async fn lines_of(pool: &PgPool, order_ids: Vec<i64>) -> Result<HashMap<(i64, LineKey), i64>, PlayError> {
    let rows = sqlx::query_file!("src/play/queries/lines_of_orders.sql", &order_ids).fetch_all(pool).await?;
    let mut lines = HashMap::new();
    for row in rows {
        *lines.entry((row.order_id, (row.product_id, row.quantity, row.unit_price.normalize()))).or_default() += 1;
    }
    Ok(lines)
}

/// The row, as far as the history keeps it.
fn skipped_row(invoice: &Invoice, line_number: u64, goods: &Goods, line: &super::Line) -> SkippedRow {
    let Invoice { reference, placed_at, .. } = invoice;
    let (sku, name, quantity, unit_price) =
        (goods.sku.as_str(), goods.name.as_str(), line.quantity.get(), line.unit_price);
    let row = format!("{reference},{sku},{name},{quantity},{},{unit_price}", placed_at.format("%F %T"));
    SkippedRow { line: line_number, reason: ADDED_LATER, row, units_left: None }
}
