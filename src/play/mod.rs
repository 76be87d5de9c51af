//! Plays a sales history in the Online Retail format through the use cases of staff.
//!
//! An invoice is one order under its number as reference, a row is a line. Playing is safe to repeat, whole or broken
//! off anywhere: orders are found by their references, products by their skus, customers by their e-mail addresses, and
//! stock is received only for what is still to be sold.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use indicatif::ProgressBar;
use sqlx::PgPool;
use thiserror::Error;

use crate::domain::claim::{Claim, ClaimKind, claim_id};
use crate::domain::ids::{CategoryId, CustomerId, ProductId};
use crate::domain::product::Product;
use crate::domain::refusal::Refusal;
use crate::domain::text::{Description, Email, Name, Reference, Sku};
use crate::journal::{Actor, CommandError, Context, Journal, Receipt, Stop, UnitOfWork, UseCase};
use crate::shop::{
    AdjustStock, CategoryRef, CreateCategory, CreateProduct, PlaceOrder, RegisterCustomer, RequestedLine, StockChange,
};

mod read;
mod report;

pub use read::{Invoice, Row, Sku as StockCode, read};
pub use report::{Report, Skipped};

#[derive(Clone, Debug)]
pub struct Options {
    /// How many orders are on their way at once.
    pub concurrency: usize,
}

#[derive(Debug, Error)]
pub enum PlayError {
    #[error("the file has no column {0}")]
    MissingColumns(String),
    #[error("the file cannot be read: {0}")]
    Unreadable(#[from] csv::Error),
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error("{0}")]
    Invalid(String),
}

const CATEGORY: &str = "General";
/// How many claims or products one use case reads.
const CHUNK: usize = 500;
/// How often a command is sent again when the shop is busy or its database away.
const ATTEMPTS: u32 = 8;

/// Plays `file`; `progress` counts orders.
pub async fn play(
    journal: &Journal,
    pool: &PgPool,
    file: impl std::io::Read,
    progress: &ProgressBar,
    options: &Options,
) -> Result<Report, PlayError> {
    progress.set_message("reading");
    let history = read(file)?;
    let mut report = Report { skipped: history.skipped, ..Report::default() };

    let references = history.invoices.iter().map(|invoice| claim_id(ClaimKind::OrderReference, &invoice.number));
    let played = holders(journal, references.collect()).await?;
    let (done, due): (Vec<_>, Vec<_>) =
        history.invoices.into_iter().zip(played).partition(|(_, order)| order.is_some());
    report.already_played = done.len();
    let due: Vec<Invoice> = due.into_iter().map(|(invoice, _)| invoice).collect();
    progress.set_length(due.len() as u64);

    progress.set_message("products");
    let products = prepare_products(journal, &due, options, &mut report).await?;
    progress.set_message("customers");
    let customers = prepare_customers(journal, pool, &due, options, &mut report).await?;

    progress.set_message("orders");
    let orders = due.iter().map(|invoice| {
        let line = |row: &Row| RequestedLine {
            product_id: products[&row.sku],
            quantity: row.quantity,
            unit_price: Some(row.unit_price),
        };
        let lines = invoice.rows.iter().map(line).collect();
        let (reference, placed_at) = (Reference::parse(&invoice.number), Some(invoice.placed_at));
        let customer_id = invoice.customer.as_ref().map(|customer| customers[customer]);
        async move {
            let reference = reference.map_err(|error| PlayError::Invalid(error.to_string()))?;
            let order =
                || PlaceOrder { customer_id, placed_at, reference: Some(reference.clone()), lines: Vec::clone(&lines) };
            Ok::<_, PlayError>((invoice, run(journal, order).await))
        }
    });
    let mut orders = stream::iter(orders).buffered(options.concurrency.max(1));
    while let Some(order) = orders.next().await {
        progress.inc(1);
        match order? {
            (invoice, Ok(_)) => report.count(invoice),
            (invoice, Err(CommandError::Refused(refusal))) => {
                report.refused.push((invoice.number.clone(), refusal.to_string()));
            }
            (_, Err(error)) => return Err(error.into()),
        }
    }
    Ok(report)
}

/// Finds or creates every product that is still to be sold, with stock enough for it.
async fn prepare_products(
    journal: &Journal,
    due: &[Invoice],
    options: &Options,
    report: &mut Report,
) -> Result<HashMap<StockCode, ProductId>, PlayError> {
    let mut needed: HashMap<&StockCode, i64> = HashMap::new();
    let mut first_rows: Vec<&Row> = Vec::new();
    for row in due.iter().flat_map(|invoice| &invoice.rows) {
        let units = needed.entry(&row.sku).or_insert_with(|| {
            first_rows.push(row);
            0
        });
        *units += row.quantity.get();
    }
    let claims = first_rows.iter().map(|row| Ok(claim_id(ClaimKind::ProductSku, &sku(row)?.folded())));
    let held = holders(journal, claims.collect::<Result<_, PlayError>>()?).await?;
    let known: Vec<_> = held.iter().flatten().map(|holder| ProductId(*holder)).collect();
    let available: HashMap<ProductId, i64> =
        known.iter().copied().zip(read_many(journal, known.clone(), |ids| Available(ids.to_vec())).await?).collect();
    let category_id = if held.contains(&None) { Some(general_category(journal).await?) } else { None };

    let prepared = first_rows.iter().zip(held).map(|(row, holder)| {
        let (available, needed) = (&available, needed[&row.sku]);
        async move {
            if let Some(product_id) = holder.map(ProductId) {
                let missing = needed - available.get(&product_id).copied().unwrap_or(0);
                if missing > 0 {
                    let receive = || AdjustStock { product_id, change: StockChange::By(missing), reason: None };
                    run(journal, receive).await?;
                }
                return Ok::<_, PlayError>((row.sku.clone(), product_id, false));
            }
            let sku = sku(row)?;
            let name = Name::parse(&row.description).or_else(|_| Name::parse(sku.as_str()));
            let name = name.map_err(|error| PlayError::Invalid(format!("line {}: {error}", row.line)))?;
            let category = category_id.ok_or_else(|| PlayError::Invalid("no category".to_owned()))?;
            let create = || CreateProduct {
                name: name.clone(),
                description: Description::default(),
                price: row.unit_price,
                category: CategoryRef::Id(category),
                sku: Some(sku.clone()),
                stock: needed,
            };
            let created = run(journal, create).await?;
            Ok((row.sku.clone(), created.answer.product_id, true))
        }
    });
    let mut prepared = stream::iter(prepared).buffered(options.concurrency.max(1));
    let mut products = HashMap::new();
    while let Some(product) = prepared.next().await {
        let (sku, product_id, created) = product?;
        report.products_created += usize::from(created);
        products.insert(sku, product_id);
    }
    Ok(products)
}

/// Finds or registers every customer who is still to be served.
async fn prepare_customers(
    journal: &Journal,
    pool: &PgPool,
    due: &[Invoice],
    options: &Options,
    report: &mut Report,
) -> Result<HashMap<String, CustomerId>, PlayError> {
    let mut seen = HashSet::new();
    let in_order: Vec<&String> =
        due.iter().filter_map(|invoice| invoice.customer.as_ref()).filter(|customer| seen.insert(*customer)).collect();
    let emails: Vec<String> = in_order.iter().map(|customer| email(customer)).collect();
    let known: Vec<(String, i64)> =
        sqlx::query_as("select lower(email), customer_id from customer_profile where lower(email) = any($1)")
            .bind(&emails)
            .fetch_all(pool)
            .await?;
    let known: HashMap<String, i64> = known.into_iter().collect();
    let prepared = in_order.into_iter().zip(emails).map(|(customer, email)| {
        let known = known.get(&email).copied();
        async move {
            if let Some(customer_id) = known {
                return Ok::<_, PlayError>((customer.clone(), CustomerId(customer_id), false));
            }
            let invalid = |error| PlayError::Invalid(format!("customer {customer}: {error}"));
            let (first_name, last_name, email) = (
                Name::parse("Customer").map_err(invalid)?,
                Name::parse(customer).map_err(invalid)?,
                Email::parse(&email).map_err(invalid)?,
            );
            let register = || RegisterCustomer {
                first_name: first_name.clone(),
                last_name: last_name.clone(),
                email: email.clone(),
            };
            let registered = run(journal, register).await?;
            Ok((customer.clone(), registered.answer.customer_id, true))
        }
    });
    let mut prepared = stream::iter(prepared).buffered(options.concurrency.max(1));
    let mut customers = HashMap::new();
    while let Some(customer) = prepared.next().await {
        let (customer, customer_id, registered) = customer?;
        report.customers_registered += usize::from(registered);
        customers.insert(customer, customer_id);
    }
    Ok(customers)
}

fn email(customer: &str) -> String {
    format!("{}@customer.example", customer.to_lowercase())
}

fn sku(row: &Row) -> Result<Sku, PlayError> {
    Sku::parse(&row.sku.0).map_err(|error| PlayError::Invalid(format!("line {}: StockCode {error}", row.line)))
}

async fn general_category(journal: &Journal) -> Result<CategoryId, PlayError> {
    let name = Name::parse(CATEGORY).map_err(|error| PlayError::Invalid(error.to_string()))?;
    match run(journal, || CreateCategory { name: name.clone() }).await {
        Ok(created) => Ok(created.answer.category_id),
        Err(CommandError::Refused(Refusal::CategoryNameTaken(category_id))) => Ok(category_id),
        Err(error) => Err(error.into()),
    }
}

/// Runs a use case, again if the shop is busy or its database away for a moment. A lost answer is safe to ask for
/// again: everything here is found by its reference, sku or e-mail address the second time.
async fn run<U: UseCase>(journal: &Journal, use_case: impl Fn() -> U) -> Result<Receipt<U::Answer>, CommandError> {
    let mut pause = Duration::from_millis(50);
    for _ in 1..ATTEMPTS {
        let context = Context::of(Actor { id: "play".to_owned(), role: "admin" });
        match journal.run(use_case(), context).await {
            Err(CommandError::Busy | CommandError::Unavailable(_)) => {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            other => return other,
        }
    }
    journal.run(use_case(), Context::of(Actor { id: "play".to_owned(), role: "admin" })).await
}

/// The holder of each claim.
async fn holders(journal: &Journal, claims: Vec<String>) -> Result<Vec<Option<i64>>, CommandError> {
    read_many(journal, claims, |claims| Holders(claims.to_vec())).await
}

/// Reads many things through use cases that change nothing, so that the newest state answers.
async fn read_many<Id, U, Item>(
    journal: &Journal,
    ids: Vec<Id>,
    use_case: impl Fn(&[Id]) -> U,
) -> Result<Vec<Item>, CommandError>
where
    U: UseCase<Answer = Vec<Item>>,
{
    let mut items = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(CHUNK) {
        items.extend(run(journal, || use_case(chunk)).await?.answer);
    }
    Ok(items)
}

struct Holders(Vec<String>);

impl UseCase for Holders {
    type Answer = Vec<Option<i64>>;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<Self::Answer, Stop> {
        Ok(work.get_all::<Claim, _>(&self.0)?.iter().map(|claim| claim.holder).collect())
    }
}

/// How many units of each product can be sold.
struct Available(Vec<ProductId>);

impl UseCase for Available {
    type Answer = Vec<i64>;

    fn decide(&self, work: &mut UnitOfWork<'_>) -> Result<Self::Answer, Stop> {
        let products = work.get_all::<Product, _>(&self.0)?;
        products.iter().map(|product| Ok(product.listing()?.stock.available())).collect()
    }
}
