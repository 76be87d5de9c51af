//! Import of a sales history in the Online Retail format, through the use cases of staff.
//!
//! An invoice becomes an order with its number as reference, a row becomes a line. A cancellation, whose number begins
//! with `C`, returns units of earlier orders. A repeated or interrupted import is safe: orders are found by reference,
//! products by SKU, customers by e-mail address, and stock is received only for orders that are not placed yet.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use indicatif::ProgressBar;
use sqlx::PgPool;
use thiserror::Error;

use crate::csv_file::CsvError;
use crate::domain::claim::ClaimIds;
use crate::domain::ids::OrderId;
use crate::domain::metadata::Metadata;
use crate::journal::{CommandError, Journal};
use crate::projector::Projector;
use crate::shop::{PlaceOrder, Recipients, RequestedLine};

mod added_rows;
mod cancellations;
mod history;
mod prepare;
mod read;
mod report;
mod row;
mod send;

pub use history::{Cancellation, CancelledLine, Goods, History, Invoice, Line, SkippedRow};
pub use read::read;
pub use report::PlayReport;
pub use row::Buyer;

use prepare::{CustomerIds, ProductIds};
use send::{Preload, claim_holders, send};

#[derive(Clone, Debug)]
pub struct PlayOptions {
    /// Number of commands sent concurrently.
    pub concurrency: usize,
    /// Skips the cancellations.
    pub sales_only: bool,
}

#[derive(Debug, Error)]
pub enum PlayError {
    #[error("the file has no column {0}")]
    MissingColumns(String),
    #[error(transparent)]
    File(#[from] CsvError),
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error("{what}: {error}")]
    Failed { what: String, error: CommandError },
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error("the orders are placed, but the projector has stopped: {0}")]
    ProjectorStopped(String),
}

/// Number of orders whose aggregates are preloaded together, so that no order waits for a load and loses its place.
const CHUNK: usize = 500;
/// Interval of checks whether the projector has stopped.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Imports a file, as [`play_history`] does.
pub async fn play(
    journal: &Journal,
    projector: &Projector,
    pool: &PgPool,
    file: impl std::io::Read,
    progress: &ProgressBar,
    options: &PlayOptions,
) -> Result<PlayReport, PlayError> {
    progress.set_message("reading");
    play_history(journal, projector, pool, read(file)?, progress, options).await
}

/// Imports a history that was read; `progress` counts orders.
///
/// The projector must run, because cancellations find earlier orders in the read tables. Orders are numbered in the order
/// of the file, unless other clients order at the same time.
pub async fn play_history(
    journal: &Journal,
    projector: &Projector,
    pool: &PgPool,
    history: History,
    progress: &ProgressBar,
    options: &PlayOptions,
) -> Result<PlayReport, PlayError> {
    let History { invoices, cancellations, goods, buyers, refused, skipped } = history;
    let mut report = PlayReport { refused, skipped, ..PlayReport::default() };
    let (due, imported) = not_yet_played(journal, invoices).await?;
    report.already_played = imported.len();
    if !imported.is_empty() {
        wait_for_read_tables(projector, journal.position()).await?;
        report.skipped.extend(added_rows::rows_added_later(journal, pool, &imported, &goods).await?);
    }
    progress.set_length(due.len() as u64);

    progress.set_message("products");
    let products = prepare::prepare_products(journal, &goods, &due, options, &mut report).await?;
    progress.set_message("customers");
    let customers = prepare::prepare_customers(journal, pool, &buyers, &due, options, &mut report).await?;

    progress.set_message("orders");
    let (products, customers) = (&products, &customers);
    let orders = stream::iter(due.chunks(CHUNK)).then(async |invoices| {
        // A failed preload is ignored: the order loads the rest itself, and reports the error.
        let _ = send(journal, || preload(invoices, products, customers)).await;
        stream::iter(invoices)
    });
    let orders = orders
        .flatten()
        .map(|invoice| async move { (invoice, send(journal, || order_of(invoice, products, customers)).await) });
    let mut orders = std::pin::pin!(orders.buffered(options.concurrency.max(1)));
    while let Some((invoice, outcome)) = orders.next().await {
        progress.inc(1);
        match outcome {
            Ok(_) => report.count_order(invoice),
            Err(CommandError::Refused(refusal)) => {
                report.refused.push((invoice.reference.to_string(), refusal.to_string()));
            }
            Err(error) => return Err(error.into()),
        }
    }
    if options.sales_only {
        report.skip_cancellations(&cancellations);
    } else {
        progress.set_message("cancellations");
        wait_for_read_tables(projector, journal.position()).await?;
        cancellations::play_cancellations(journal, pool, &cancellations, &mut report).await?;
    }
    report.skipped.sort_by_key(|skipped| skipped.line);
    Ok(report)
}

/// Waits until the read tables reach `position`; fails if the projector stops.
async fn wait_for_read_tables(projector: &Projector, position: i64) -> Result<(), PlayError> {
    while !projector.wait_for(position, POLL_INTERVAL).await {
        let stopped = projector.status().await?.into_iter().find_map(|projection| projection.last_error);
        if let Some(error) = stopped {
            return Err(PlayError::ProjectorStopped(error));
        }
    }
    Ok(())
}

/// Returns the invoices without an order, and those with one.
async fn not_yet_played(
    journal: &Journal,
    invoices: Vec<Invoice>,
) -> Result<(Vec<Invoice>, Vec<(Invoice, OrderId)>), CommandError> {
    let orders = claim_holders(journal, invoices.iter().map(reference_claim).collect()).await?;
    let (mut due, mut imported) = (Vec::new(), Vec::new());
    for (invoice, order) in invoices.into_iter().zip(orders) {
        match order {
            None => due.push(invoice),
            Some(order_id) => imported.push((invoice, OrderId(order_id))),
        }
    }
    Ok((due, imported))
}

fn order_of(invoice: &Invoice, products: &ProductIds, customers: &CustomerIds) -> PlaceOrder {
    let line = |line: &Line| RequestedLine {
        product_id: products[&line.goods],
        quantity: line.quantity,
        unit_price: Some(line.unit_price),
    };
    PlaceOrder {
        customer_id: invoice.buyer.map(|buyer| customers[&buyer]),
        placed_at: Some(invoice.placed_at),
        reference: Some(invoice.reference.clone()),
        lines: invoice.lines.iter().map(line).collect(),
        recipients: Recipients::default(),
        metadata: Metadata::default(),
    }
}

fn preload(invoices: &[Invoice], products: &ProductIds, customers: &CustomerIds) -> Preload {
    let lines = invoices.iter().flat_map(|invoice| &invoice.lines);
    Preload {
        settings: true,
        claims: invoices.iter().map(reference_claim).collect(),
        category_claim: None,
        products: lines.map(|line| products[&line.goods]).collect(),
        customers: invoices.iter().filter_map(|invoice| invoice.buyer).map(|buyer| customers[&buyer]).collect(),
    }
}

fn reference_claim(invoice: &Invoice) -> ClaimIds {
    ClaimIds::order_reference(&invoice.reference)
}
