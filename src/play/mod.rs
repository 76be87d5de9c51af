//! Plays a sales history in the Online Retail format through the use cases of staff.
//!
//! An invoice is one order under its number as reference, a row is a line. A cancellation, whose number begins with `C`,
//! takes units back from earlier orders. Playing is safe to repeat, whole or broken
//! off anywhere: orders are found by their references, products by their skus, customers by their e-mail addresses, and
//! stock is received only for what is still to be sold.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use indicatif::ProgressBar;
use sqlx::PgPool;
use thiserror::Error;

use crate::domain::claim::{ClaimKind, claim_id};
use crate::journal::{CommandError, Journal};
use crate::projector::Projector;
use crate::shop::{PlaceOrder, RequestedLine};

mod cancellations;
mod prepare;
mod read;
mod report;
mod send;

pub use read::{Buyer, Cancellation, CancelledLine, Goods, History, Invoice, Line, read};
pub use report::{PlayReport, SkippedRow};

use prepare::{CustomerIds, ProductIds};
use send::{Preload, claim_holders, send};

#[derive(Clone, Debug)]
pub struct PlayOptions {
    /// How many commands are on their way at once.
    pub concurrency: usize,
    /// Leaves the cancellations out.
    pub sales_only: bool,
}

#[derive(Debug, Error)]
pub enum PlayError {
    #[error("the file has no column {0}")]
    MissingColumns(String),
    #[error("the file cannot be read: {0}")]
    Unreadable(#[from] csv::Error),
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error("{what}: {error}")]
    Failed { what: String, error: CommandError },
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error("the orders are placed, but the read tables do not move: {0}")]
    ProjectorStopped(String),
}

/// How many orders are made ready together, so that none has to wait for a part of itself and lose its place.
const CHUNK: usize = 500;
/// How often it is looked whether the read tables still move.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Plays `file`; `progress` counts orders, and the projector must run, because
/// cancellations look in the read tables for what was bought. Orders are numbered in the order of the file, as far as no other client
/// orders in between.
pub async fn play(
    journal: &Journal,
    projector: &Projector,
    pool: &PgPool,
    file: impl std::io::Read,
    progress: &ProgressBar,
    options: &PlayOptions,
) -> Result<PlayReport, PlayError> {
    progress.set_message("reading");
    let History { invoices, cancellations, goods, buyers, skipped } = read(file)?;
    let mut report = PlayReport { skipped, ..PlayReport::default() };
    let (due, already_played) = not_yet_played(journal, invoices).await?;
    report.already_played = already_played;
    progress.set_length(due.len() as u64);

    progress.set_message("products");
    let products = prepare::products(journal, &goods, &due, options, &mut report).await?;
    progress.set_message("customers");
    let customers = prepare::customers(journal, pool, &buyers, &due, options, &mut report).await?;

    progress.set_message("orders");
    let (products, customers) = (&products, &customers);
    let orders = stream::iter(due.chunks(CHUNK)).then(async |invoices| {
        // What could not be loaded now is loaded when it is needed, and the order itself tells what is wrong.
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

/// Waits until the read tables stand at `position`, as long as they move.
async fn wait_for_read_tables(projector: &Projector, position: i64) -> Result<(), PlayError> {
    while !projector.wait_for(position, POLL_INTERVAL).await {
        let stopped = projector.status().await?.into_iter().find_map(|projection| projection.last_error);
        if let Some(error) = stopped {
            return Err(PlayError::ProjectorStopped(error));
        }
    }
    Ok(())
}

/// The invoices that are no orders yet, and how many are.
async fn not_yet_played(journal: &Journal, invoices: Vec<Invoice>) -> Result<(Vec<Invoice>, usize), CommandError> {
    let orders = claim_holders(journal, invoices.iter().map(reference_claim).collect()).await?;
    let invoice_count = invoices.len();
    let due = invoices.into_iter().zip(orders).filter_map(|(invoice, order)| order.is_none().then_some(invoice));
    let due: Vec<_> = due.collect();
    let already_played = invoice_count - due.len();
    Ok((due, already_played))
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
    }
}

fn preload(invoices: &[Invoice], products: &ProductIds, customers: &CustomerIds) -> Preload {
    let lines = invoices.iter().flat_map(|invoice| &invoice.lines);
    Preload {
        claims: invoices.iter().map(reference_claim).collect(),
        category_claim: None,
        products: lines.map(|line| products[&line.goods]).collect(),
        customers: invoices.iter().filter_map(|invoice| invoice.buyer).map(|buyer| customers[&buyer]).collect(),
    }
}

fn reference_claim(invoice: &Invoice) -> String {
    claim_id(ClaimKind::OrderReference, invoice.reference.as_str())
}
